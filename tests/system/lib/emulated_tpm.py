# SPDX-License-Identifier: Apache-2.0
"""An emulated TPM as a service of a machine (lib/machine.py): made by a vendor whose certificates the
tenant's machine is told to trust, started with the machine."""

MAKE = """
mkdir -p /var/lib/tpm-vendor /var/lib/tpm-state
cd /var/lib/tpm-vendor
cat >localca.conf <<END
statedir = /var/lib/tpm-vendor
signingkey = /var/lib/tpm-vendor/signkey.pem
issuercert = /var/lib/tpm-vendor/issuercert.pem
certserial = /var/lib/tpm-vendor/certserial
END
cat >setup.conf <<END
create_certs_tool = /usr/bin/swtpm_localca
create_certs_tool_config = /var/lib/tpm-vendor/localca.conf
create_certs_tool_options = /etc/swtpm-localca.options
END
swtpm_setup --tpm2 --tpmstate /var/lib/tpm-state --createek --create-ek-cert --pcr-banks sha256 \\
    --config setup.conf >/dev/null
cat >/etc/systemd/system/emulated-tpm.service <<END
[Service]
ExecStart=swtpm socket --tpm2 --tpmstate dir=/var/lib/tpm-state --server type=tcp,port=2321 \\
    --ctrl type=tcp,port=2322 --flags startup-clear,not-need-init
Restart=always
END
mkdir -p /etc/systemd/system/keylime_push_model_agent.service.d
cat >/etc/systemd/system/keylime_push_model_agent.service.d/10-tcti.conf <<END
[Unit]
Wants=emulated-tpm.service
After=emulated-tpm.service
[Service]
Environment=TCTI=swtpm:host=127.0.0.1,port=2321
END
systemctl daemon-reload
systemctl start emulated-tpm
"""

VENDOR_FILES = ("/var/lib/tpm-vendor/issuercert.pem", "/var/lib/tpm-vendor/swtpm-localca-rootca-cert.pem")


def give_tpm(machine):
    """The machine's agent finds it by the drop-in that upstream's suite uses, too."""
    machine.shell(MAKE, timeout=120)


def trust_tpm_of(machine, other):
    """The maker of the other machine's TPM is trusted by this one."""
    for path in VENDOR_FILES:
        machine.write(f"/var/lib/keylime/tpm_cert_store/{path.rsplit('/', 1)[1]}", other.read(path))
