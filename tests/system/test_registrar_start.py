# SPDX-License-Identifier: Apache-2.0
"""How the registrar starts, reloads, stops, and refuses; the certificates it makes
(configuration-and-operations 7.2, 10, 12; contract C73, C74, C99, C109, C120, U1, U2, U4-U8, U11, U16, U23)."""
import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest
import requests
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lib.program import BINARIES, wait_until
from lib.registration import Machine, Registrar

GENERATE = {"KEYLIME_REGISTRAR_TLS_DIR": "generate"}


def refuses(deployment, env, *patterns, seconds=20):
    """The program ends with 1 and says why."""
    program = deployment.start("registrar", env=env, log="refused")
    assert program.process.wait(seconds) == 1, program.output()
    for pattern in patterns:
        assert re.search(pattern, program.output()), (pattern, program.output())
    (deployment.directory / "refused.log").unlink()
    return program


# --- start ---------------------------------------------------------------------------------------


def test_start_lines(deployment):
    registrar = Registrar(deployment)
    output = registrar.program.output()
    http, https = deployment.registrar_port, deployment.registrar_tls_port
    for line in (
        r"- keylime\.registrar - INFO - Starting Keylime registrar\.\.\.$",
        r"INFO - Current API version: 2\.6$",
        r"INFO - Other supported API versions: 2\.0, 2\.1, 2\.2, 2\.3, 2\.4, 2\.5, 3\.0$",
        rf"- keylime\.web - INFO - Listening on 127\.0\.0\.1:{http}/{https} \(HTTP/S\) with \d+ "
        r"worker processes\.\.\.$",
        r"INFO - Only agents of this machine can connect: option ip is 127\.0\.0\.1",
    ):
        assert re.search(line, output, re.MULTILINE), (line, output)


def test_one_listener_only(deployment):
    env = {**GENERATE, "KEYLIME_REGISTRAR_PORT": "0"}
    program = deployment.start_registrar(env)
    port = deployment.registrar_tls_port
    assert f"127.0.0.1:{port} (HTTPS) with" in program.output()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{deployment.registrar_plain_url}/version", timeout=5)
    assert program.stop() == 0
    # Without HTTPS no certificate is needed.
    shutil.rmtree(deployment.keylime_dir)
    program = deployment.start_registrar({"KEYLIME_REGISTRAR_TLS_PORT": "0"}, log="plain")
    assert f"127.0.0.1:{deployment.registrar_port} (HTTP) with" in program.output()
    answer = requests.get(f"{deployment.registrar_plain_url}/version", timeout=5)
    assert answer.status_code == 200
    assert not (deployment.keylime_dir / "cv_ca").exists()


def test_listens_on_ipv6(deployment):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 loopback")
    deployment.start_registrar({**GENERATE, "KEYLIME_REGISTRAR_IP": "::1"})
    answer = requests.get(
        f"https://[::1]:{deployment.registrar_tls_port}/version",
        verify=str(deployment.keylime_dir / "reg_ca/cacert.crt"), timeout=5)
    assert answer.status_code == 200


def test_wrong_settings_are_refused(deployment):
    name = "KEYLIME_REGISTRAR_"
    for option, value, *patterns in (
        ("PORT", "abc", "KEYLIME_REGISTRAR_PORT", "abc"),
        ("PORT", "65536", "KEYLIME_REGISTRAR_PORT"),
        ("TPM_IDENTITY", "iak_idevid", "tpm_identity", "without an EK"),
        ("TPM_IDENTITY", "pigeon", "tpm_identity"),
        ("MALFORMED_CERT_ACTION", "pigeon", "malformed_cert_action"),
        ("EK_CERT_CHECK", "maybe", "ek_cert_check"),
        ("DURABLE_ATTESTATION_IMPORT", "keylime.da.examples.file", "durable"),
        ("PERSISTENT_STORE_URL", "file:///tmp", "durable"),
        ("TRANSPARENCY_LOG_URL", "http://localhost:3000", "durable"),
        ("DATABASE_URL", "mysql://u:p@h/registrar", "MySQL"),
        ("DATABASE_URL", "", "database_url"),
        ("IP", "", "ip"),
        ("IP", "no.such.host.invalid", r"no\.such\.host\.invalid"),
        ("AUTHORIZATION_PROVIDER", "other", "authorization_provider"),
        ("TRUSTED_CLIENT_CA", "all", "trusted_client_ca"),
        ("SERVER_CERT", "mine.crt", "must be set to 'default': server_cert"),
    ):
        refuses(deployment, {**GENERATE, name + option: value}, *patterns)
    # What was refused has made nothing in the end.
    refuses(deployment, {name + "PORT": "0", name + "TLS_PORT": "0"}, "one of them must be set")
    refuses(deployment, {name + "TLS_DIR": ""}, "tls_dir")


def test_generate_refuses_before_it_makes_anything(deployment):
    env = {**GENERATE, "KEYLIME_REGISTRAR_SERVER_KEY": "mine.pem"}
    refuses(deployment, env, "To use tls_dir=generate")
    assert not (deployment.keylime_dir / "reg_ca").exists()


def test_port_in_use(deployment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", deployment.registrar_port))
        taken.listen()
        refuses(deployment, GENERATE, str(deployment.registrar_port))


def test_command_line():
    def run(*arguments, env=None):
        return subprocess.run(
            [str(BINARIES["registrar"]), *arguments], capture_output=True, text=True, timeout=20,
            env={"PATH": "/usr/bin", **(env or {})})

    for flag in ("--help", "-h"):
        done = run(flag)
        assert done.returncode == 0 and "registrar" in done.stdout
    for flag in ("--version", "-V"):
        done = run(flag)
        assert done.returncode == 0 and done.stdout.startswith("keylime_registrar ")
    assert run("--pigeon").returncode == 2
    assert run("word").returncode == 2
    assert run("--check-config", env={"KEYLIME_REGISTRAR_PORT": "x"}).returncode == 1


def test_check_config_touches_nothing(deployment):
    program = deployment.start("registrar", "--check-config", env={
        "KEYLIME_REGISTRAR_DATABASE_URL": "postgresql://u:secret-word@127.0.0.1:1/none",
        "KEYLIME_REGISTRAR_SERVER_KEY_PASSWORD": "secret-word"})
    assert program.process.wait(20) == 0, program.output()
    assert re.search(r"register_rate_limit_per_ip.*60", program.output())
    assert "secret-word" not in program.output()
    assert list(deployment.keylime_dir.iterdir()) == []


# --- the verifier's directory --------------------------------------------------------------------


def test_waits_for_the_verifier(deployment):
    """Started first, as a boot may: it serves once the verifier has made the certificates."""
    registrar = deployment.start("registrar")
    registrar.wait_for_line("Waiting up to 30 seconds for the verifier")
    deployment.start_verifier()
    registrar.wait_for_line("Listening on ")
    answer = deployment.admin().get(f"{deployment.registrar_url}/v2.6/agents", timeout=10)
    assert answer.status_code == 200


def test_gives_up_on_a_missing_verifier(deployment):
    refuses(deployment, {}, r"tls_dir does not exist: \S+/cv_ca", seconds=60)


def test_stops_while_it_waits(deployment):
    registrar = deployment.start("registrar")
    registrar.wait_for_line("Waiting up to 30 seconds")
    started = time.monotonic()
    registrar.stop()
    assert time.monotonic() - started < 5


def test_generate_beside_a_verifier_trusts_its_clients(deployment):
    deployment.start_verifier()
    deployment.start_registrar(GENERATE)
    session = deployment.admin()
    session.verify = str(deployment.keylime_dir / "reg_ca/cacert.crt")
    answer = session.get(f"{deployment.registrar_url}/v2.6/agents", timeout=10)
    assert answer.status_code == 200


# --- certificates --------------------------------------------------------------------------------


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          timeout=20)


@pytest.mark.parametrize("key_type", ["ec", "rsa"])
def test_certificates_are_strict(deployment, key_type):
    registrar = Registrar(deployment, {
        "KEYLIME_CA_KEY_TYPE": key_type,
        "KEYLIME_REGISTRAR_CERT_SUBJECT_ALTERNATIVE_NAMES": "reg.example, 192.0.2.9"})
    directory = registrar.directory
    for name, purpose in (("server", "sslserver"), ("client", "sslclient")):
        done = openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                       directory / "cacert.crt", directory / f"{name}-cert.crt")
        assert done.returncode == 0, done.stderr
    text = openssl("x509", "-in", directory / "server-cert.crt", "-noout", "-text").stdout
    for part in ("DNS:localhost", f"DNS:{socket.gethostname()}", "DNS:reg.example",
                 "IP Address:127.0.0.1", "IP Address:192.0.2.9",
                 "IP Address:0:0:0:0:0:0:0:1", "TLS Web Server Authentication",
                 "X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier"):
        assert part in text, (part, text)
    assert ("rsaEncryption" in text) == (key_type == "rsa")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    for name in ("server-private.pem", "client-private.pem", "private.yml"):
        assert modes[name] == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_key_store_opens_as_documented(deployment):
    """The format that other tools read: tenant-and-management-api 10.2."""
    registrar = Registrar(deployment, {"KEYLIME_CA_PASSWORD": "correct horse"})
    outer = yaml.safe_load((registrar.directory / "private.yml").read_text())
    key = hashlib.pbkdf2_hmac("sha256", b"correct horse", outer["salt"].encode(), 100000, 32)
    sealed = base64.b64decode(outer["priv"])
    inner = yaml.safe_load(AESGCM(key).decrypt(sealed[:16], sealed[16:], None))
    assert inner["ca"].startswith(b"-----BEGIN PRIVATE KEY-----")
    assert inner["lastserial"] == 1 and inner["revoked_keys"] == []
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=inner["ca"],
                            capture_output=True, timeout=20).stdout
    assert public == (registrar.directory / "ca-public.pem").read_bytes()


def test_key_store_made_elsewhere_is_used(deployment):
    """A key store as another tool writes it: the CA goes on with its key."""
    registrar = Registrar(deployment)
    assert registrar.program.stop() == 0
    directory = registrar.directory
    outer = yaml.safe_load((directory / "private.yml").read_text())
    key = hashlib.pbkdf2_hmac("sha256", b"default", outer["salt"].encode(), 100000, 32)
    sealed = base64.b64decode(outer["priv"])
    inner = yaml.safe_load(AESGCM(key).decrypt(sealed[:16], sealed[16:], None))
    inner.update(lastserial=7, revoked_keys=["2"], server=b"another key")
    salt = base64.b64encode(os.urandom(16)).decode()
    key = hashlib.pbkdf2_hmac("sha256", b"default", salt.encode(), 100000, 32)
    iv = os.urandom(16)
    sealed = iv + AESGCM(key).encrypt(iv, yaml.dump(inner).encode(), None)
    (directory / "private.yml").write_text(
        yaml.dump({"priv": base64.b64encode(sealed), "salt": salt}))
    before = (directory / "cacert.crt").read_bytes()
    (directory / "server-cert.crt").unlink()
    registrar.start()
    assert (directory / "cacert.crt").read_bytes() == before
    done = openssl("verify", "-CAfile", directory / "cacert.crt", directory / "server-cert.crt")
    assert done.returncode == 0, done.stderr


def test_start_together_in_one_directory(deployment):
    """Verifier and registrar race for nothing; two registrars with one directory agree on one CA."""
    environments = [
        {**GENERATE, "KEYLIME_REGISTRAR_PORT": "0",
         "KEYLIME_REGISTRAR_TLS_PORT": str(port),
         "KEYLIME_REGISTRAR_DATABASE_URL": f"sqlite:///{deployment.directory}/r{port}.sqlite"}
        for port in (deployment.registrar_port, deployment.registrar_tls_port)
    ]
    programs = [deployment.start("registrar", env=env, log=f"racer{number}")
                for number, env in enumerate(environments)]
    for program in programs:
        program.wait_for_line("Listening on ")
    for port in (deployment.registrar_port, deployment.registrar_tls_port):
        answer = requests.get(f"https://localhost:{port}/version", timeout=10,
                              verify=str(deployment.keylime_dir / "reg_ca/cacert.crt"))
        assert answer.status_code == 200


def test_file_trouble(deployment, tmp_path):
    Registrar(deployment).program.stop()
    own = tmp_path / "tls"
    shutil.copytree(deployment.keylime_dir / "reg_ca", own)
    env = {"KEYLIME_REGISTRAR_TLS_DIR": str(own),
           "KEYLIME_REGISTRAR_TRUSTED_CLIENT_CA": "['cacert.crt']"}
    program = deployment.start_registrar(env, log="good")
    assert program.stop() == 0
    # Readable by everybody: told.
    (own / "server-private.pem").chmod(0o644)
    program = deployment.start_registrar(env, log="open")
    assert re.search(r"WARNING - Private key \S+server-private.pem is readable by every user",
                     program.output())
    assert program.stop() == 0
    # Key of another certificate.
    shutil.copy(own / "client-private.pem", own / "server-private.pem")
    refuses(deployment, env, "server key .* does not belong to server certificate")
    (own / "server-private.pem").write_text("nothing")
    refuses(deployment, env, "holds no private key")
    (own / "server-private.pem").unlink()
    refuses(deployment, env, r"server key \S+server-private.pem: No such file")
    (own / "cacert.crt").write_text("nothing")
    shutil.copy(deployment.keylime_dir / "reg_ca/server-private.pem", own)
    refuses(deployment, env, r"trusted CA certificate \S+cacert.crt")


# --- while it runs -------------------------------------------------------------------------------


def served_certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_reload(deployment):
    """SIGHUP: new certificates for new connections, a new log level, open connections go on."""
    logging_conf = deployment.directory / "logging.conf"
    logging_conf.write_text("[logger_keylime]\nlevel = INFO\n")
    registrar = Registrar(deployment, {"KEYLIME_LOGGING_CONFIG": str(logging_conf)})
    port = deployment.registrar_tls_port
    before = served_certificate(port)
    assert registrar.list() == []  # opens a connection that is kept
    (registrar.directory / "server-cert.crt").unlink()
    logging_conf.write_text("[logger_keylime]\nlevel = WARNING\n")
    registrar.program.signal(signal.SIGHUP)
    wait_until(lambda: served_certificate(port) != before, what="the new certificate")
    size = len(registrar.program.output())
    assert registrar.list() == []
    Machine("a1").enter(registrar.plain)
    assert "INFO" not in registrar.program.output()[size:]
    # A broken file changes nothing.
    (registrar.directory / "cacert.crt").write_text("nothing")
    registrar.program.signal(signal.SIGHUP)
    registrar.program.wait_for_line("Kept the present certificate")
    assert served_certificate(port) != before
    assert registrar.program.running()


def test_reload_waits_for_nobody(deployment):
    """The verifier's directory is waited for at the start only: a file that is missing then is told at once, and
    requests are answered meanwhile."""
    deployment.start_verifier()
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_TLS_DIR": "default"})
    (deployment.certificates / "server-private.pem").rename(deployment.directory / "away.pem")
    registrar.program.signal(signal.SIGHUP)
    registrar.program.wait_for_line("Kept the present certificate: tls_dir .* lacks", seconds=10)
    assert "Waiting up to" not in registrar.program.output()
    assert registrar.plain.get("/version").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop(deployment, number):
    registrar = Registrar(deployment)
    Machine("a1").enter(registrar.plain)
    registrar.program.signal(number)
    assert registrar.program.process.wait(10) == 0
    registrar.start()
    assert registrar.list() == ["a1"]


def test_requests_in_progress_are_answered(deployment):
    registrar = Registrar(deployment)
    machine = Machine("a1")
    codes = []

    def register():
        for _ in range(200):
            try:
                codes.append(machine.register(registrar.plain).status_code)
            except requests.exceptions.ConnectionError:
                return

    worker = threading.Thread(target=register)
    worker.start()
    wait_until(lambda: len(codes) > 3, what="some answers")
    assert registrar.program.stop() == 0
    worker.join()
    assert set(codes) == {200}


def test_service_manager_is_told(deployment, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10)
        registrar = Registrar(deployment, {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        assert notify.recv(4096).startswith(b"READY=1")
        assert notify.recv(4096) == b"WATCHDOG=1"
        # Ready means that the port is open.
        assert registrar.plain.get("/version").status_code == 200
        registrar.program.stop()
        messages = []
        while b"STOPPING=1" not in messages:
            messages.append(notify.recv(4096))


def test_upstream_database_is_left_alone(deployment):
    foreign = deployment.keylime_dir / "reg_data.sqlite"
    foreign.write_bytes(b"another program's")
    Registrar(deployment)
    assert foreign.read_bytes() == b"another program's"
    assert (deployment.keylime_dir / "registrar.sqlite").exists()


def test_secrets_stay_out_of_the_log(deployment):
    registrar = Registrar(deployment, {"KEYLIME_CA_PASSWORD": "correct horse"})
    machine = Machine("a1")
    machine.register(registrar.plain)
    tag = machine.tag()
    machine.activate(registrar.plain)
    output = registrar.program.output()
    assert tag not in output and "correct horse" not in output
