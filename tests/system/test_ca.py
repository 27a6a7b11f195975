# SPDX-License-Identifier: Apache-2.0
"""keylime_ca: the certificates of an installation, and what servers make of them."""
import os
import shutil
import signal
import subprocess
import zipfile

import pytest
import requests
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.program import BUILD, wait_until

CA = BUILD / "src/ca/keylime_ca"
AGENT = "4f3c4c57-2f0b-4c1e-9d3a-0b6f6a1c2d01"


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.env = {"PATH": "/usr/bin:/bin", "KEYLIME_DIR": str(directory),
                    "KEYLIME_CA_CONFIG": str(directory / "ca.conf"), "KEYLIME_CA_PASSWORD": "secret"}
        (directory / "ca.conf").write_text("")
        self.place = directory / "ca"

    def run(self, *arguments, check=0, env=None, answer=""):
        done = subprocess.run([CA, *map(str, arguments)], env={**self.env, **(env or {})}, text=True,
                              input=answer, capture_output=True, timeout=60)
        assert done.returncode == check, done.stderr
        return done.stderr

    def certificate(self, name):
        return x509.load_pem_x509_certificate((self.place / name).read_bytes())

    def revoked(self):
        der = x509.load_der_x509_crl((self.place / "cacrl.der").read_bytes())
        pem = x509.load_pem_x509_crl((self.place / "cacrl.pem").read_bytes())
        assert der == pem and der.is_signature_valid(self.certificate("cacert.crt").public_key())
        return [entry.serial_number for entry in der]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def strict(authority, name, purpose):
    subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                    authority.place / "cacert.crt", authority.place / name], check=True,
                   capture_output=True)


def test_init_create_and_package(authority):
    """Files, modes, and the order of the archive as upstream's."""
    assert f"CA certificate created successfully in {authority.place}" in authority.run("-c", "init")
    said = authority.run("-c", "create", "-n", "alice")
    assert f"Created certificate for name alice successfully in {authority.place}" in said
    assert "can administer" in said
    strict(authority, "alice-cert.crt", "sslclient")
    assert (authority.place / "alice-private.pem").stat().st_mode & 0o777 == 0o600
    said = authority.run("-c", "pkg", "-n", "alice")
    assert "Creating cert package for alice in alice-pkg.zip" in said
    with zipfile.ZipFile(authority.place / "alice-pkg.zip") as archive:
        assert archive.namelist() == ["alice-public.pem", "alice-cert.crt", "alice-private.pem",
                                      "cacert.crt", "cacrl.der", "cacrl.pem"]
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            assert archive.read(member) == (authority.place / member.filename).read_bytes()
    assert (authority.place / "alice-pkg.zip").stat().st_mode & 0o777 == 0o600


def test_server_certificate_with_names(authority):
    authority.run("-c", "init")
    authority.run("-c", "create", "-n", "web", "--role", "server", "--dns", "web.example.com",
                  "--ip", "10.1.2.3", "--ip", "fd00::1")
    strict(authority, "web-cert.crt", "sslserver")
    made = authority.certificate("web-cert.crt")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["web.example.com"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [
        "10.1.2.3", "fd00::1"]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_nothing_is_overwritten(authority):
    authority.run("-c", "init")
    (authority.place / "foreign.pem").write_text("mine")
    before = (authority.place / "cacert.crt").read_bytes()
    assert "has a CA already" in authority.run("-c", "init", check=1)
    assert (authority.place / "cacert.crt").read_bytes() == before
    assert (authority.place / "foreign.pem").read_text() == "mine"
    authority.run("-c", "create", "-n", "alice")
    first = (authority.place / "alice-cert.crt").read_bytes()
    authority.run("-c", "create", "-n", "alice")
    assert (authority.place / "alice-cert.crt.old").read_bytes() == first


def test_revoke(authority):
    authority.run("-c", "init")
    for name in ("alice", "bob"):
        authority.run("-c", "create", "-n", name)
    assert authority.revoked() == []
    authority.run("-c", "revoke", "-n", "alice")
    authority.run("-c", "revoke", "-n", "alice")
    assert authority.revoked() == [authority.certificate("alice-cert.crt").serial_number]
    authority.run("-c", "revoke", "-n", "bob")
    assert len(authority.revoked()) == 2
    assert "nobody-cert.crt" in authority.run("-c", "revoke", "-n", "nobody", check=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change owners")
def test_files_keep_their_owner(authority):
    """Run by root in the servers' directory: what is replaced stays readable for them."""
    authority.run("-c", "init")
    authority.run("-c", "create", "-n", "one")
    for path in authority.place.iterdir():
        shutil.chown(path, "nobody", "nogroup")
    authority.run("-c", "create", "-n", "two")
    authority.run("-c", "revoke", "-n", "one")
    for name in ("private.yml", "cacrl.der", "cacrl.pem", "cacert.crt"):
        assert (authority.place / name).owner() == "nobody", name


def test_import_private_key(authority):
    """A CA made by other tools: its certificate and unencrypted key are there."""
    authority.run("-c", "init")
    other = authority
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                          "ec_paramgen_curve:P-256"], check=True, capture_output=True).stdout
    place = other.directory / "imported"
    place.mkdir()
    (place / "ca-private.pem").write_bytes(key)
    subprocess.run(["openssl", "req", "-x509", "-key", place / "ca-private.pem", "-subj", "/CN=other",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "30",
                    "-out", place / "cacert.crt"], check=True, capture_output=True)
    said = authority.run("-c", "import-priv", "-d", place, check=255)
    assert "--serial" in said and not (place / "private.yml").exists()
    authority.run("-c", "import-priv", "-d", place, "-s", "7")
    authority.run("-c", "create", "-d", place, "-n", "carol")
    subprocess.run(["openssl", "verify", "-CAfile", place / "cacert.crt", place / "carol-cert.crt"],
                   check=True, capture_output=True)
    wrong = authority.place / "cacert.crt"
    (place / "cacert.crt").write_bytes(wrong.read_bytes())
    said = authority.run("-c", "import-priv", "-d", place, "-s", "7", check=1)
    assert "is not the key of" in said


def test_password_is_asked_for(authority):
    """With [ca] password at its default, from the terminal or standard input; never an empty one."""
    default = {"KEYLIME_CA_PASSWORD": "default"}
    said = authority.run("-c", "init", env=default, answer="typed\n")
    assert "Please enter the password to decrypt your keystore: " in said
    authority.run("-c", "create", "-n", "alice", env={"KEYLIME_CA_PASSWORD": "typed"})
    said = authority.run("-c", "create", "-n", "bob", env=default, answer="other\n", check=1)
    assert "private.yml" in said and not (authority.place / "bob-cert.crt").exists()
    assert "must not be empty" in authority.run("-c", "create", "-n", "bob", env=default, check=1)


def test_usage(authority):
    for arguments, status, said in (
            ((), 255, "a command is required"),
            (("-c", "listen"), 255, "no such command"),
            (("-c", "create"), 255, "needs a name"),
            (("-c", "create", "-n", "../escape"), 255, "--name must be"),
            (("-c", "create", "-n", "x", "-d", "/nonexistent"), 1,
             "cannot write into directory /nonexistent: No such file or directory"),
            (("-c", "create", "-n", "x", "--role", "king"), 2, "must be one of client, server"),
            (("-c", "init", "create"), 2, "unrecognized argument: create"),
            (("import-priv", "-s", "x"), 2, "--serial x: must be a number"),
            (("bundle", "--for", "printer"), 2, "must be one of registrar, verifier, tenant, agent"),
            (("--no-such-flag",), 2, "no-such-flag"),
            (("surplus",), 2, "there is no command surplus"),
            (("-c", "pkg", "-n", "x"), 1, "x-public.pem"),
            (("-c", "create", "-n", "x"), 1, "cacert.crt"),
    ):
        authority.place.mkdir(exist_ok=True)
        assert said in authority.run(*arguments, check=status), arguments
    missing = {"KEYLIME_DIR": "/nonexistent"}
    assert "work directory" in authority.run("-c", "init", check=255, env=missing)
    done = subprocess.run([CA, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "import-priv" in done.stdout


def test_bundles(authority):
    """Ready to copy: what each program looks for, under the names that it looks for."""
    authority.run("-c", "init")
    folder = authority.directory / "for"
    for target, names in (
            ("registrar", {"cacert.crt", "cacrl.pem", "server-cert.crt", "server-private.pem",
                           "server-public.pem"}),
            ("tenant", {"cacert.crt", "client-cert.crt", "client-private.pem", "client-public.pem"}),
            ("agent", {"cacert.crt"})):
        name = [] if target == "agent" else ["-n", f"{target}.example.com"]
        authority.run("-c", "bundle", "--for", target, *name, "--dns", f"{target}.example.com",
                      "-o", f"{folder}-{target}")
        made = authority.directory / f"for-{target}"
        assert {path.name for path in (made / "cv_ca").iterdir()} == names
        assert "cp -r cv_ca /var/lib/keylime/" in (made / "README").read_text()
        for path in (made / "cv_ca").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
    again = authority.run("-c", "bundle", "--for", "agent", "-o", f"{folder}-agent", check=1)
    assert "is there already" in again
    for arguments, said in (((), "--for"), (("--for", "agent"), "--output"),
                            (("--for", "tenant", "-o", f"{folder}-x"), "--name")):
        assert said in authority.run("-c", "bundle", *arguments, check=255)
    (authority.place / "cacrl.pem").unlink()
    said = authority.run("bundle", "--for", "registrar", "-n", "late", "-o", f"{folder}-x", check=1)
    assert "cacrl.pem" in said and not list(authority.place.glob("late*"))
    assert not (authority.directory / "for-x").exists()


def test_password_is_asked_where_it_is_needed(authority):
    """For what signs, and never before the command line is known to be whole."""
    authority.env["KEYLIME_CA_PASSWORD"] = ""
    prompt = "enter the password"
    assert prompt in authority.run("init", answer="secret\n")
    assert prompt not in authority.run("bundle", "--for", "agent", "-o", authority.directory / "agent")
    assert prompt in authority.run("bundle", "--for", "tenant", "-n", "alice", "-o", authority.directory / "alice",
                                   answer="secret\n")
    assert prompt not in authority.run("pkg", "-n", "alice")
    assert prompt in authority.run("pkg", "-n", "alice", "--insecure", answer="secret\n")
    for incomplete in (["bundle"], ["bundle", "--for", "tenant", "-o", "x"], ["import-priv"], ["create"]):
        assert prompt not in authority.run(*incomplete, check=255)


def test_revoked_administrator_is_refused(deployment):
    """From the next reload of the server on; other administrators are not touched."""
    verifier = deployment.start_verifier()
    authority = Authority(deployment.directory)
    authority.place = deployment.certificates
    authority.env.update(deployment.env, KEYLIME_CA_PASSWORD="default")
    for name in ("alice", "bob"):
        authority.run("-c", "create", "-n", name, "-d", authority.place, answer="default\n")

    def ask(name):
        session = deployment.anonymous()
        session.cert = tuple(str(authority.place / f"{name}{end}")
                             for end in ("-cert.crt", "-private.pem"))
        return session.get(f"{deployment.verifier_url}/v2.6/agents/", timeout=10).status_code

    assert ask("alice") == 200 and ask("bob") == 200
    authority.run("-c", "revoke", "-n", "alice", "-d", authority.place, answer="default\n")
    verifier.signal(signal.SIGHUP)

    def refused():
        try:
            return ask("alice") != 200
        except requests.exceptions.RequestException:
            return True

    wait_until(refused, what="the refusal of a revoked certificate")
    assert ask("bob") == 200


def test_bundles_serve_their_programs(deployment):
    """Four machines, each with its folder and nothing else: an agent reaches both servers over TLS and passes,
    the tenant administers them, and no other pair does."""
    authority = Authority(deployment.directory)
    authority.run("-c", "init")
    machines = {}
    for target, name in (("verifier", "verifier.example.com"), ("registrar", "registrar.example.com"),
                         ("tenant", "alice"), ("agent", None)):
        machine = machines[target] = deployment.directory / f"machine-{target}"
        names = ["-n", name, "--dns", "localhost", "--ip", "127.0.0.1"] if name else []
        authority.run("-c", "bundle", "--for", target, *names, "-o", f"{machine}-files")
        machine.mkdir()
        shutil.copytree(f"{machine}-files/cv_ca", machine / "cv_ca")

    def on(target, **more):
        return {"KEYLIME_DIR": str(machines[target]), **more}

    deployment.start_verifier(on("verifier", KEYLIME_VERIFIER_TLS_DIR="default"))
    deployment.start_registrar(on("registrar", KEYLIME_REGISTRAR_TLS_DIR="default"))
    agent = deployment.start_agent(
        AGENT, "--avoid-tpm", env=on("agent", KEYLIME_AGENT_REGISTRAR_TLS_ENABLED="true",
                                     KEYLIME_AGENT_REGISTRAR_PORT=str(deployment.registrar_tls_port)))
    agent.wait_for_line(f"Agent {AGENT} activated")
    tenant = on("tenant", KEYLIME_TENANT_REQUIRE_EK_CERT="False")
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, env=tenant, check=0)
    wait_until(lambda: '"PASS"' in deployment.tenant("-c", "cvstatus", "--push-model", "--json", "-u", AGENT,
                                                     env=tenant, check=0).stdout, what="PASS")
    for target, pair, admitted in (("tenant", "client", True), ("verifier", "server", False),
                                   ("registrar", "server", False)):
        place = machines[target] / "cv_ca"
        for url in (deployment.verifier_url, deployment.registrar_url):
            session = requests.Session()
            session.trust_env = False
            session.verify = str(place / "cacert.crt")
            session.cert = (str(place / f"{pair}-cert.crt"), str(place / f"{pair}-private.pem"))
            try:
                answered = session.get(f"{url}/v2.6/agents/", timeout=10).status_code == 200
            except requests.exceptions.ConnectionError:
                answered = False
            assert answered == admitted, (target, url)
