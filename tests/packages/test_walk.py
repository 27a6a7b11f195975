# SPDX-License-Identifier: Apache-2.0
"""The user guide from its beginning to its end, on fresh Debian systems with nothing but our packages: each
command as it is printed there, host names and id put in (contract C122), and the same with the agent on a
machine of its own (C123)."""
import re
import subprocess

import pytest

from conftest import TESTS
from lib.emulated_tpm import give_tpm, trust_tpm_of
from lib.machine import Machine
from lib.program import wait_until

AGENT_ID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
SNIPPET = """\
# /etc/keylime/verifier.conf.d/001-push-mode.conf
[verifier]
mode = push
"""
# The guide's "Example Minimal Configuration".
AGENT_CONF = """\
# /etc/keylime/agent.conf (push-model agent)
[agent]
uuid = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
verifier_url = "https://{verifier}:8881"
verifier_tls_ca_cert = "/var/lib/keylime/cv_ca/cacert.crt"
attestation_interval_seconds = 60
registrar_ip = "{registrar}"
registrar_port = 8890
tpm_hash_alg = "sha256"
tpm_signing_alg = "rsassa"
"""
SERVICE = """\
# Enable the service to start on boot
sudo systemctl enable keylime_push_model_agent

# Start the service
sudo systemctl start keylime_push_model_agent

# Check service status
sudo systemctl status keylime_push_model_agent
"""
ADD = f"sudo keylime_tenant -c add --push-model -u {AGENT_ID}"
ADD_RUNTIME = f"{ADD} \\\n    --runtime-policy-name walk"
ADD_BOOT = f"{ADD} \\\n    --mb-policy-name walk"
CVSTATUS = f"sudo keylime_tenant -c cvstatus -u {AGENT_ID}"
REGSTATUS = f"sudo keylime_tenant -c regstatus -u {AGENT_ID}"
DELETE = f"sudo keylime_tenant -c delete -u {AGENT_ID}"


def follow(machine, unit):
    """`sudo journalctl -u UNIT -f`, looked at for a moment: it goes on until it is interrupted."""
    return machine.run("timeout", "3", "sudo", "journalctl", "-u", unit, "-f", check=124).stdout


def statuses(machine):
    return re.search(r'"attestation_status": *"(\w+)"', machine.shell(CVSTATUS).stdout).group(1)


def walk_enrolment(agent, servers):
    """Sections "Enrolling an Agent" and "Verifying the Deployment": `servers` has the tenant."""
    wait_until(lambda: "activated" in agent.journal("keylime_push_model_agent"), 60, "activation", 0.5)
    servers.shell(REGSTATUS)
    servers.shell(ADD)
    wait_until(lambda: statuses(servers) == "PASS", 60, "PASS", 0.5)
    for unit, machine, said in (
            ("keylime_verifier", servers,
             ("Received evidence for attestation", "successfully passed verification")),
            ("keylime_push_model_agent", agent,
             ("State: Unregistered -> Registered", "State: Negotiating -> Attesting"))):
        shown = follow(machine, unit) + machine.journal(unit)
        for line in said:
            assert line in shown, line
    servers.shell(DELETE)


def enrol_again(agent, servers, command):
    """With a policy, after a removal: PASS by new evidence, at once and not after the agent's interval."""
    servers.shell(command)
    agent.run("systemctl", "restart", "keylime_push_model_agent")
    wait_until(lambda: statuses(servers) == "PASS", 60, "PASS", 0.5)
    servers.shell(DELETE)


@pytest.fixture
def lone(whole, tmp_path):
    machine = Machine(tmp_path, "attested", tree=whole)
    yield machine
    machine.stop()


def test_C122_the_guide_on_a_fresh_system(lone, tmp_path):
    """One machine is everything, as by default."""
    give_tpm(lone)
    trust_tpm_of(lone, lone)
    # Configuring the verifier: the snippet, and the shipped file says the same.
    lone.write("/etc/keylime/verifier.conf.d/001-push-mode.conf", SNIPPET)
    lone.shell("sudo systemctl restart keylime_verifier")
    lone.shell("sudo systemctl restart keylime_registrar")
    assert "Starting Keylime verifier in PUSH mode..." in lone.journal("keylime_verifier")
    # Configuring and starting the agent. The CA's certificate is where it is already.
    lone.write("/etc/keylime/agent.conf", AGENT_CONF.format(verifier="localhost", registrar="localhost"))
    lone.shell(SERVICE)
    walk_enrolment(lone, lone)
    # The named policies that the two other commands speak of.
    measured(lone, tmp_path)
    enrol_again(lone, lone, ADD_RUNTIME)
    enrol_again(lone, lone, ADD_BOOT)


def measured(machine, directory):
    """A measurement list whose entries are in the TPM, a boot log, and policies under the names."""
    log = directory / "event-log"
    subprocess.run([TESTS / "tools/make-event-log", log], check=True, timeout=60)
    machine.write("/sys/kernel/security/tpm0/binary_bios_measurements", log.read_bytes(), mode="0440")
    machine.shell(f"""
        mkdir -p /sys/kernel/security/ima
        digest=$(printf %064d 0)
        template=$(printf '\\50\\0\\0\\0sha256:\\0' >/tmp/data; head -c 32 /dev/zero >>/tmp/data;
                   printf '\\17\\0\\0\\0boot_aggregate\\0' >>/tmp/data; sha1sum /tmp/data | cut -d' ' -f1)
        echo "10 $template ima-ng sha256:$digest boot_aggregate" \\
            >/sys/kernel/security/ima/ascii_runtime_measurements
        systemd-run --quiet --unit=ima-emulator --setenv=TCTI=swtpm:host=127.0.0.1,port=2321 \\
            keylime_ima_emulator --hash_algs sha256 --ima-hash-alg sha1
        """)
    wait_until(lambda: "boot_aggregate" in machine.journal("ima-emulator"), 20, "the measurement", 0.2)
    machine.run("systemctl", "stop", "ima-emulator")
    machine.shell("""
        keylime-policy create runtime \\
            --ima-measurement-list /sys/kernel/security/ima/ascii_runtime_measurements -o /tmp/runtime.json
        sudo keylime_tenant -c addruntimepolicy --runtime-policy-name walk --runtime-policy /tmp/runtime.json
        echo '{}' >/tmp/boot.json
        sudo keylime_tenant -c addmbpolicy --mb-policy-name walk --mb-policy /tmp/boot.json
        """)


@pytest.fixture
def pair(whole, agent_only, tmp_path):
    """The servers' machine, and the agent's, with a cable between them."""
    servers = Machine(tmp_path, "verifier", tree=whole)
    try:
        agent = Machine(tmp_path, "attested", tree=agent_only)
    except BaseException:
        servers.stop()
        raise
    servers.connect(agent, "192.0.2.1", "192.0.2.2")
    for machine in (servers, agent):
        machine.shell("echo 192.0.2.1 verifier.example.com registrar.example.com verifier >>/etc/hosts")
    yield servers, agent
    for machine in (agent, servers):
        machine.stop()


def let_in(agent, servers):
    """The agent's administrator may log in to the servers' machine."""
    servers.shell("mkdir -p /run/sshd && ssh-keygen -A >/dev/null && systemctl start ssh")
    key = agent.shell("""
        mkdir -p /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
        echo 'StrictHostKeyChecking accept-new' >/root/.ssh/config
        cat /root/.ssh/id_ed25519.pub
        """).stdout
    servers.write("/root/.ssh/authorized_keys", key, mode="0600")


def test_C123_the_agent_on_a_machine_of_its_own(pair):
    """`ip` for others than this machine, and the guide's scp; the agent's machine has the agent's package
    only, and opens no port."""
    servers, agent = pair
    give_tpm(agent)
    trust_tpm_of(servers, agent)
    let_in(agent, servers)
    servers.write("/etc/keylime/verifier.conf.d/001-push-mode.conf", SNIPPET)
    servers.write("/etc/keylime/verifier.conf.d/002-address.conf",
                  "[verifier]\nip = 0.0.0.0\n"
                  "cert_subject_alternative_names = verifier.example.com, registrar.example.com\n")
    servers.write("/etc/keylime/registrar.conf.d/002-address.conf", "[registrar]\nip = 0.0.0.0\n")
    servers.shell("sudo systemctl restart keylime_verifier")
    servers.shell("sudo systemctl restart keylime_registrar")
    agent.write("/etc/keylime/agent.conf", AGENT_CONF.format(verifier="verifier.example.com",
                                                             registrar="registrar.example.com"))
    agent.shell("scp verifier:/var/lib/keylime/cv_ca/cacert.crt /var/lib/keylime/cv_ca/cacert.crt")
    agent.shell(SERVICE)
    walk_enrolment(agent, servers)
    listening = agent.run("ss", "-Hltunp").stdout
    assert "keylime" not in listening, listening
    installed = subprocess.run(agent.command("sh", "-c", "ls /usr/bin/keylime*"), capture_output=True,
                               text=True, timeout=30).stdout
    assert "keylime_verifier" not in installed and "keylime_push_model_agent" in installed
