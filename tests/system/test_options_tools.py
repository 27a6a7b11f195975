# SPDX-License-Identifier: Apache-2.0
"""What the options of tenant.conf and ca.conf change, each seen from outside: those that no test of its subject
sets already."""
import base64
import json
import shutil
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from lib.fake_server import Authority, FakeServer
from lib.program import BUILD, free_port
from lib.registration import Machine, Session
from lib.software_ek import SoftwareEk
from lib.software_tpm import SoftwareAk

AGENT = "7e57ed00-0000-4000-8000-00000000beef"
CA = BUILD / "src/ca/keylime_ca"


# --- tenant ------------------------------------------------------------------------------------------------


def test_addresses_of_the_servers(deployment):
    """verifier_ip, verifier_port, registrar_ip, registrar_port; a flag beats them, with its name as source."""
    deployment.start_verifier()
    deployment.start_registrar()
    closed = str(free_port())
    wrong = {f"KEYLIME_TENANT_{server}_{what}": value for server in ("VERIFIER", "REGISTRAR")
             for what, value in (("IP", "127.0.0.9"), ("PORT", closed))}
    for command, host, port in (("cvlist", "-v", "-vp"), ("reglist", "-r", "-rp")):
        server = {"cvlist": "VERIFIER", "reglist": "REGISTRAR"}[command]
        right = deployment.env[f"KEYLIME_TENANT_{server}_PORT"]
        deployment.tenant("-c", command, check=0)
        told = deployment.tenant("-c", command, env=wrong, check=1).stdout
        assert f"127.0.0.9:{closed}" in told or ("127.0.0.9" in told and closed in told), told
        deployment.tenant("-c", command, host, "localhost", port, right, env=wrong, check=0)
    shown = deployment.tenant("--check-config", "-v", "::1", "--cvport=7", "-r", "host", env=wrong, check=0).stdout
    for line in (r"verifier_ip = ::1", r"verifier_port = 7", r"registrar_ip = host", rf"registrar_port = {closed}"):
        assert line in shown
    assert "# --cv\n" in shown and "# --cvport\n" in shown and "# --registrarhost\n" in shown
    refused = deployment.tenant("-c", "cvlist", "-vp", "0", check=2)
    assert "--cvport '0': must be a whole number from 1 to 65535" in refused.stderr


def test_tls_check_hostnames(deployment):
    """The generated certificate holds for localhost and the loopback addresses, not for 127.0.0.2."""
    deployment.start_verifier({"KEYLIME_VERIFIER_IP": "0.0.0.0"})
    elsewhere = {"KEYLIME_TENANT_VERIFIER_IP": "127.0.0.2"}
    deployment.tenant("-c", "cvlist", env=elsewhere, check=1)
    deployment.tenant("-c", "cvlist", env={**elsewhere, "KEYLIME_TENANT_TLS_CHECK_HOSTNAMES": "False"}, check=0)


@pytest.mark.parametrize("name,value,allowed", [
    ("VERIFIER_IP", "", "an address or a host name"), ("REGISTRAR_IP", "", "an address or a host name"),
    ("ACCEPT_TPM_HASH_ALGS", "['sha256', 'sha265']", "a list of hash algorithms"),
    ("ACCEPT_TPM_ENCRYPTION_ALGS", "['rsa', 'ecdsa']", "a list of key types"),
    ("ACCEPT_TPM_SIGNING_ALGS", "['rsasa']", "a list of signature schemes")])
def test_values_that_no_server_would_take(deployment, name, value, allowed):
    """Told where the file is read, and not when the first agent is enrolled."""
    for command in (["-c", "cvlist"], ["--check-config"]):
        told = deployment.tenant(*command, env={f"KEYLIME_TENANT_{name}": value}, check=1).stderr
        assert f"KEYLIME_TENANT_{name}: [tenant] {name.lower()} = '{value}': must be {allowed}" in told


def test_files_of_the_tenants_certificate(deployment, tmp_path):
    """tls_dir, client_cert, client_key, client_key_password, trusted_server_ca."""
    deployment.start_verifier()
    made, own = deployment.certificates, tmp_path / "own"
    own.mkdir()
    shutil.copy(made / "client-cert.crt", own / "me.crt")
    shutil.copy(made / "cacert.crt", own / "servers.crt")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", made / "client-private.pem", "-out", own / "me.pem",
                    "-passout", "pass:open sesame"], check=True, capture_output=True, timeout=20)
    right = {"KEYLIME_TENANT_TLS_DIR": str(own), "KEYLIME_TENANT_CLIENT_CERT": "me.crt",
             "KEYLIME_TENANT_CLIENT_KEY": "me.pem", "KEYLIME_TENANT_CLIENT_KEY_PASSWORD": "open sesame",
             "KEYLIME_TENANT_TRUSTED_SERVER_CA": "[servers.crt]"}
    shutil.move(made, tmp_path / "away")
    deployment.tenant("-c", "cvlist", env=right, check=0)
    stranger = Authority(tmp_path / "stranger")
    (own / "stranger.crt").write_bytes(stranger.certificate_path.read_bytes())
    for name, value in (("TLS_DIR", str(tmp_path)), ("CLIENT_CERT", "you.crt"), ("CLIENT_KEY", "you.pem"),
                        ("CLIENT_KEY_PASSWORD", "close sesame"), ("TRUSTED_SERVER_CA", "[stranger.crt]")):
        done = deployment.tenant("-c", "cvlist", env={**right, f"KEYLIME_TENANT_{name}": value}, check=1)
        assert "sesame" not in done.stdout + done.stderr


class Verifier(FakeServer):
    """Takes an enrolment, and never shows it; remembers when it was asked."""

    def __init__(self, authority):
        self.times = []
        super().__init__(self._answer, authority)

    def _answer(self, request):
        if request.path == "/version":
            return 410, {}, {"code": 410, "status": "Gone", "results": {}}
        if request.method == "POST":
            self.times.clear()
            return 200, {}, {"code": 200, "status": "Success", "results": {}}
        self.times.append(time.monotonic())
        return 404, {}, {"code": 404, "status": "agent id not found", "results": {}}


@pytest.mark.parametrize("exponential,waits", [("True", (1, 1.5, 2.25)), ("False", (1.5, 1.5, 1.5))])
def test_waits_between_tries(deployment, tmp_path, exponential, waits):
    """exponential_backoff, retry_interval, max_retries (configuration-and-operations 14.3's rule)."""
    authority = Authority(tmp_path / "authority", hosts=("localhost", "127.0.0.1"))
    verifier = Verifier(authority)
    ak = SoftwareAk("ecdsa")
    ek = base64.b64encode(SoftwareEk("ecc").tpm2b_public).decode()
    record = {"aik_tpm": ak.ak_tpm, "ek_tpm": ek, "ekcert": "", "regcount": 1, "ip": None, "port": None}
    registrar = FakeServer(lambda request: (200, {}, {"code": 200, "status": "Success", "results": record}), authority)
    try:
        deployment.tenant("-c", "add", "--push-model", "-u", AGENT, check=1, env={
            "KEYLIME_TENANT_CLIENT_CERT": str(authority.chain_path),
            "KEYLIME_TENANT_CLIENT_KEY": str(authority.chain_path),
            "KEYLIME_TENANT_TRUSTED_SERVER_CA": f"['{authority.certificate_path}']",
            "KEYLIME_TENANT_VERIFIER_PORT": str(verifier.port),
            "KEYLIME_TENANT_REGISTRAR_PORT": str(registrar.port), "KEYLIME_TENANT_REQUIRE_EK_CERT": "False",
            "KEYLIME_TENANT_EXPONENTIAL_BACKOFF": exponential, "KEYLIME_TENANT_RETRY_INTERVAL": "1.5",
            "KEYLIME_TENANT_MAX_RETRIES": "3"})
        seen = [later - earlier for earlier, later in zip(verifier.times, verifier.times[1:])]
        assert len(seen) == 3
        for wanted, got in zip(waits, seen):
            assert wanted <= got <= wanted + 0.45, seen
    finally:
        verifier.stop()
        registrar.stop()


@pytest.mark.parametrize("name,value,member", [
    ("ACCEPT_TPM_HASH_ALGS", "['sha384']", ["sha384"]), ("ACCEPT_TPM_ENCRYPTION_ALGS", "[ecc]", ["ecc"]),
    ("ACCEPT_TPM_SIGNING_ALGS", "['rsapss', 'ecdsa']", ["rsapss", "ecdsa"])])
def test_accepted_algorithms_are_enrolled(deployment, tmp_path, name, value, member):
    """accept_tpm_hash_algs, accept_tpm_encryption_algs, accept_tpm_signing_algs."""
    deployment.start_verifier()
    deployment.start_registrar()
    Machine(AGENT).enter(Session(deployment.registrar_plain_url, False))
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, check=0, env={
        f"KEYLIME_TENANT_{name}": value, "KEYLIME_TENANT_REQUIRE_EK_CERT": "False"})
    record = deployment.admin().get(f"{deployment.verifier_url}/v2.6/agents/{AGENT}", timeout=20).json()["results"]
    assert record[name.lower()] == member


def test_mb_refstate_is_the_default_boot_policy(deployment, tmp_path):
    """What --mb-policy default means."""
    deployment.start_verifier()
    deployment.start_registrar()
    Machine(AGENT).enter(Session(deployment.registrar_plain_url, False))
    (tmp_path / "state.json").write_text('{"any": "thing"}')
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, "--mb-policy", "default", check=0, env={
        "KEYLIME_TENANT_MB_REFSTATE": str(tmp_path / "state.json"), "KEYLIME_TENANT_REQUIRE_EK_CERT": "False"})
    record = deployment.admin().get(f"{deployment.verifier_url}/v2.6/agents/{AGENT}", timeout=20).json()["results"]
    assert record["has_mb_refstate"] == 1


# --- ca ------------------------------------------------------------------------------------------------


def names_of(certificate):
    return {attribute.oid: attribute.value for attribute in certificate.subject}


def make_authority(directory, conf, *commands, env=None):
    """Runs `commands` in a new directory; the paths of what was made are below it."""
    directory.mkdir()
    (directory / "ca.conf").write_text("[ca]\n" + conf)
    (directory / "logging.conf").write_text("")
    base = {"PATH": "/usr/bin:/bin", "KEYLIME_DIR": str(directory), "KEYLIME_CA_CONFIG": str(directory / "ca.conf"),
            "KEYLIME_LOGGING_CONFIG": str(directory / "logging.conf")}
    for command in commands:
        done = subprocess.run([CA, *command.split()], env={**base, **(env or {})}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    return lambda name: x509.load_pem_x509_certificate((directory / "ca" / name).read_bytes())


def test_every_option_of_ca_conf(tmp_path):
    read = make_authority(tmp_path / "one", """password = words of the file
cert_country = CH
cert_ca_name = The Authority
cert_state = Bern
cert_locality = Thun
cert_organization = Example
cert_org_unit = 7
cert_ca_lifetime = 100
cert_lifetime = 10
key_type = rsa
cert_bits = 3072
cert_crl_dist = http://crl.example/list
""", "-c init", "-c create -n somebody")
    authority, leaf = read("cacert.crt"), read("somebody-cert.crt")
    expected = {NameOID.COUNTRY_NAME: "CH", NameOID.STATE_OR_PROVINCE_NAME: "Bern", NameOID.LOCALITY_NAME: "Thun",
                NameOID.ORGANIZATION_NAME: "Example", NameOID.ORGANIZATIONAL_UNIT_NAME: "7"}
    assert names_of(authority) == {**expected, NameOID.COMMON_NAME: "The Authority"}
    assert names_of(leaf) == {**expected, NameOID.COMMON_NAME: "somebody"}
    for certificate, days in ((authority, 100), (leaf, 10)):
        life = certificate.not_valid_after - certificate.not_valid_before
        assert abs(life.total_seconds() - days * 86400) <= 3600
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey) and key.key_size == 3072
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        assert points[0].full_name[0].value == "http://crl.example/list"


def test_kind_of_keys_and_no_revocation_list(tmp_path):
    read = make_authority(tmp_path / "one", "key_type = ec\ncert_bits = 4096\ncert_crl_dist =\npassword = x\n", "-c init")
    authority = read("cacert.crt")
    assert isinstance(authority.public_key().curve, ec.SECP256R1), "cert_bits is for RSA"
    with pytest.raises(x509.ExtensionNotFound):
        authority.extensions.get_extension_for_class(x509.CRLDistributionPoints)


def test_password_opens_the_key_store(tmp_path):
    """ca.conf's, unless KEYLIME_CA_PASSWORD says otherwise."""
    make_authority(tmp_path / "one", "password = words of the file\n", "-c init", "-c create -n a")
    for env, status in (({}, 0), ({"KEYLIME_CA_PASSWORD": "other words"}, 1)):
        done = subprocess.run([CA, "-c", "create", "-n", "b"], capture_output=True, text=True, timeout=60, env={
            "KEYLIME_DIR": str(tmp_path / "one"), "KEYLIME_CA_CONFIG": str(tmp_path / "one/ca.conf"), **env})
        assert done.returncode == status, done.stderr
        assert "words" not in done.stderr


def test_check_config_of_the_authority(tmp_path):
    conf = tmp_path / "ca.conf"
    conf.write_text("[ca]\ncert_lifetime = 0\ncert_country = Switzerland\npassword = hidden\n")
    done = subprocess.run([CA, "--check-config", "--json"], env={"KEYLIME_CA_CONFIG": str(conf)},
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "hidden" not in done.stdout + done.stderr
    problems = json.loads(done.stdout)["problems"]
    assert [f"{conf}:{line}" in problem for line, problem in zip((3, 2), problems)] == [True, True], problems
    assert subprocess.run([CA, "--json"], capture_output=True, timeout=20).returncode == 255, "a command is required"
