# SPDX-License-Identifier: Apache-2.0
"""Promises of the user guide that need the whole of an installation, or what lies at fixed paths (contract C2, C3,
C7, C8, C47, C48, C55, C56, C61, C64, C66, C67, C76, C81, C82, C84 to C87, C90, C91, C97, C99, C101, C105, C123)."""
import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from lib.fake_keylime import FakeVerifier
from lib.fake_server import Authority
from lib.guide_machine import HOSTS, GuideMachine
from lib.logging_agent import runtime_policy
from lib.private_etc import PrivateEtc
from lib.program import BINARIES, Program, free_port, wait_until
from lib.registration import Machine, Session
from lib.stage import AGENT, Stage

UNCHECKED = {"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}
GUIDE_ID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


class Watch:
    """Samples the sockets of a process until it is stopped."""

    def __init__(self, pid):
        self.pid = pid
        self.listening = []
        self.samples = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended.wait(0.1):
            sockets = subprocess.run(["ss", "-Hltunp"], capture_output=True, text=True).stdout
            self.listening += [line for line in sockets.splitlines() if f"pid={self.pid}," in line]
            self.samples += 1

    def stop(self):
        self.ended.set()
        self.thread.join()


class CountingListener:
    def __init__(self):
        self.count = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.listening.accept()
            except OSError:
                return
            self.count += 1


def test_C2_C3_C84_nothing_reaches_the_agent(deployment):
    """Through registration, cycles, restarts of both servers, a deletion and a new enrolment, with an address in
    every place that could hold one: the agent listens nowhere, and nobody calls that address."""
    deployment.env.update(UNCHECKED)
    quick = {"KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5"}
    verifier, registrar = deployment.start_verifier(quick), deployment.start_registrar()
    there = CountingListener()
    agent = deployment.start_agent(AGENT, "--avoid-tpm", env={
        "KEYLIME_AGENT_IP": "127.0.0.1", "KEYLIME_AGENT_PORT": str(there.port), "KEYLIME_AGENT_CONTACT_IP": "127.0.0.1",
        "KEYLIME_AGENT_CONTACT_PORT": str(there.port), "KEYLIME_AGENT_ENABLE_AGENT_MTLS": "true"})
    watch = Watch(agent.pid)
    add = ["-c", "add", "--push-model", "-u", AGENT, "-t", "127.0.0.1", "-tp", str(there.port)]

    def passes(count=3):
        wait_until(lambda: deployment.status(AGENT) == "PASS", 30, "PASS")
        accepted = agent.output().count("SUCCESS! Evidence accepted")
        wait_until(lambda: agent.output().count("SUCCESS! Evidence accepted") >= accepted + count)

    try:
        agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
        deployment.tenant(*add, check=0)
        passes()
        record = json.loads(deployment.tenant("-c", "cvstatus", "--json", "-u", AGENT, check=0).stdout)[AGENT]
        assert record["ip"] is None and record["port"] is None
        verifier.stop()
        verifier = deployment.start_verifier(quick)
        passes()
        registrar.stop()
        deployment.start_registrar()
        passes()
        deployment.tenant("-c", "delete", "-u", AGENT, check=0)
        deployment.tenant("-c", "regstatus", "-u", AGENT, check=0)
        agent.wait_for_line(f"agent {AGENT} is not enrolled at the verifier: keylime_tenant -c add --push-model")
        deployment.tenant(*add, check=0)
        passes()
    finally:
        watch.stop()
    assert watch.samples > 20 and watch.listening == []
    assert there.count == 0


@pytest.mark.parametrize("name", ["keylime_push_model_agent", "keylime-push-model-agent"])
def test_C7_both_names_attest(stage, tmp_path, name):
    link = tmp_path / name
    link.symlink_to(BINARIES["agent"])
    versions = [subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
                for program in (link, BINARIES["agent"])]
    assert versions[0] == versions[1]
    env = {**stage.deployment.env, **stage.deployment.agent_env(AGENT), "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
           "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
           "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port)}
    agent = Program(name, [link, "--avoid-tpm"], env, tmp_path / "link.log")
    stage.deployment.programs.append(agent)
    agent.wait_for_line("SUCCESS! Evidence accepted")


@pytest.mark.parametrize("version", ["v3.0", "3.0"])
def test_C55_api_version(stage, version):
    agent = stage.agent("--api-version", version)
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert {request.path.split("/")[1] for request in stage.verifier.requests if request.method != "GET"} == {"v3.0"}


def test_C66_C67_the_service_is_ready_before_any_server_is(deployment, stage, tmp_path):
    """READY while nobody answers, and a status line with state, id and verifier at every change."""
    stage.registrar.replace[("GET", "/version")] = None
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        stage.agent(env={"NOTIFY_SOCKET": path})
        messages = [notify.recv(4096).decode()]
        while not messages[-1].startswith("READY=1"):
            messages.append(notify.recv(4096).decode())
        assert messages[-1] == f"READY=1\nSTATUS=Unregistered; agent {AGENT}, verifier {stage.verifier.url}"
        assert stage.verifier.requests == []
        stage.registrar.replace.clear()
        seen = []
        while not seen or "Attesting" not in seen[-1]:
            seen += [line for line in notify.recv(4096).decode().splitlines() if line.startswith("STATUS=")]
        assert all(line.endswith(f"; agent {AGENT}, verifier {stage.verifier.url}") for line in seen)


@pytest.mark.parametrize("route", [("POST", "/sessions"), ("POST", "/attestations"), ("PATCH", "/0")])
def test_C56_silence_at_every_step(stage, route):
    """A verifier that accepts and stays silent: the request ends after --timeout, as the registrar's does."""
    stage.verifier.replace[route] = "silence"
    agent = stage.agent("--timeout", "300", env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "1"})
    agent.wait_for_line(r"WARNING - Network error \(timeout\): .*no sign of life for 300 ms")
    agent.wait_for_line("ERROR - Attestation failed: .*timeout")
    first, second = stage.verifier.times(*route)[:2]
    assert 0.3 + 0.15 - 0.05 <= second - first <= 0.3 + 0.25 + 2


@pytest.mark.parametrize("make,reason", [
    (None, "No such file or directory"), (lambda path: path.write_text(""), "must be a directory"),
    (lambda path: path.mkdir(mode=0o500), "ermission denied")])
def test_C47_directory_that_cannot_be_used(stage, tmp_path, make, reason):
    """Refused with its name: absent, a file, or not writable for the user of the agent."""
    path = tmp_path / "work"
    if make:
        make(path)
    before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    env = {"PATH": "/usr/bin:/bin", **stage.deployment.env, "KEYLIME_AGENT_RUN_AS": "", "KEYLIME_DIR": str(path),
           "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path)}
    done = subprocess.run([*before, BINARIES["agent"], "--avoid-tpm"], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if str(path) in line and reason in line]
    assert told, done.stderr


def test_C61_no_retries(stage):
    """exponential_backoff_max_retries = 0: one try, then the pause."""
    stage.registrar.replace[("GET", "/version")] = None
    agent = stage.agent(env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "0"})
    agent.wait_for_line("Registration failed")
    assert len(stage.registrar.times("GET", "/version")) == 1
    agent.wait_for_line(r"Trying again in")


def test_C64_evidence_is_not_repeated_when_its_challenge_has_expired(stage):
    """The verifier is busy past the end of the challenge: a new one is asked for instead."""
    ends = []

    def requested(request):
        answer = stage.verifier.requested()
        ends.append(time.time() + 1)
        end = datetime.datetime.fromtimestamp(ends[-1], datetime.timezone.utc)
        answer["data"]["attributes"]["challenges_expire_at"] = end.isoformat()
        return 201, {"Location": request.path + "/0"}, answer

    sent = []

    def busy(request):
        sent.append((time.time(), len(ends) - 1))
        return 503, {}, {"errors": []}

    stage.verifier.replace[("POST", "/attestations")] = requested
    stage.verifier.replace[("PATCH", "/0")] = busy
    stage.agent(env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "20"})
    wait_until(lambda: len(ends) >= 3)
    assert len(sent) > 3
    assert all(when <= ends[number] + 0.6 for when, number in sent)


def test_C105_a_server_that_does_not_tell_is_no_trouble(stage):
    """The agent asks for its own status; a refusal changes nothing and is not logged."""
    stage.verifier.replace[("GET", AGENT)] = (403, {}, {"code": 403, "status": "Forbidden", "results": {}})
    agent = stage.agent()
    wait_until(lambda: stage.verifier.times("GET", AGENT) and len(stage.verifier.times("PATCH", "/0")) >= 4)
    assert "403" not in agent.output() and "Verifier reports" not in agent.output()


# --- enrolment --------------------------------------------------------------------------------------


def test_C82_second_line_is_the_record(deployment):
    """With and without --push-model: the record in one line, whose members scripts read."""
    deployment.env.update(UNCHECKED)
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, check=0)
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
    for flags in ([], ["--push-model"]):
        shown = deployment.tenant("-c", "cvstatus", "-u", AGENT, *flags, check=0).stdout
        record = json.loads(re.search(r"\{\"%s\": .*\}" % AGENT, shown)[0])[AGENT]
        for member in ("attestation_status", "attestation_count", "last_received_quote", "last_successful_attestation",
                       "attestation_period", "maximum_attestation_interval", "accept_tpm_hash_algs",
                       "accept_tpm_signing_algs", "accept_tpm_encryption_algs", "has_runtime_policy", "has_mb_refstate",
                       "ip", "port"):
            assert member in record, member
        assert record["attestation_status"] == "PASS"


@pytest.mark.parametrize("dead", ["verifier", "registrar"])
def test_C76_add_without_a_server(deployment, dead):
    """Exit 1 and one line with URL and cause; nothing is enrolled."""
    deployment.env.update(UNCHECKED)
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    unknown = deployment.tenant("-c", "add", "--push-model", "-u", "not-registered", check=1).stdout
    assert "not found in the Registrar" in unknown and "log" in unknown
    port = str(free_port())
    done = deployment.tenant("-c", "add", "--push-model", "-u", AGENT, {"verifier": "-vp", "registrar": "-rp"}[dead],
                             port, env={"KEYLIME_TENANT_MAX_RETRIES": "1", "KEYLIME_TENANT_RETRY_INTERVAL": "0"}, check=1)
    errors = [line for line in done.stdout.splitlines() if " - ERROR - " in line]
    assert len(errors) == 1 and f"127.0.0.1:{port}" in errors[0] and "refused" in errors[0], done.stdout
    assert json.loads(deployment.tenant("-c", "cvlist", "--json", check=0).stdout) == {"uuids": []}


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
@pytest.mark.parametrize("directory_mode", [0o500, 0o755])
def test_C85_with_and_without_sudo(deployment, directory_mode):
    """With the modes of an installation root can use the tenant; another user is told which file is closed."""
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    deployment.start_verifier()
    etc = PrivateEtc(deployment)
    etc.write("tenant.conf", "[tenant]\nmax_retries = 1\n")
    (etc.keylime / "tenant.conf").chmod(0o400)
    etc.keylime.chmod(directory_mode)
    for key in deployment.certificates.glob("*-private.pem"):
        key.chmod(0o640)
    assert etc.run("tenant", "-c", "cvlist").returncode == 0
    # Not in pytest's own directory, which is closed to others.
    copy = pathlib.Path(tempfile.mkdtemp(prefix="keylime-etc-"))
    try:
        copy.chmod(0o755)
        shutil.copytree(etc.root, copy / "etc")
        shutil.copy(BINARIES["tenant"], copy / "tenant")
        command = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', copy / "etc", "setpriv",
                   "--reuid=nobody", "--regid=nogroup", "--clear-groups", copy / "tenant", "-c", "cvlist"]
        done = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=20)
    finally:
        shutil.rmtree(copy)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "/etc/keylime" in line and "ermission denied" in line]
    assert told, done.stdout + done.stderr


def test_C86_unknown_maker(deployment, simulator):
    """Refused with the maker and both ways out; the way that checks nothing warns."""
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, tcti=simulator.tcti)
    agent.wait_for_line(r"WARNING - INSECURE: ")  # C8: an emulated TPM
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    add = ["-c", "add", "--push-model", "-u", AGENT]
    refused = deployment.tenant(*add, check=1).stdout
    issuer = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in",
                             simulator.trust_anchors()[0]], capture_output=True, text=True, check=True).stdout
    name = re.search("CN=([^,\n]+)", issuer)[1]
    for part in (name, "tpm_cert_store", "require_ek_cert"):
        assert part in refused, (part, refused)
    assert deployment.status(AGENT) is None
    unchecked = deployment.tenant(*add, env=UNCHECKED, check=0).stdout
    assert re.search("WARNING - .*require_ek_cert", unchecked), unchecked
    deployment.tenant("-c", "delete", "-u", AGENT, check=0)
    deployment.trust(simulator)
    assert "WARNING" not in deployment.tenant(*add, check=0).stdout


def test_C101_record_of_the_registrar(deployment):
    """All of it for an agent that has proven its TPM; one that has not counts as unknown."""
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    shown = deployment.tenant("-c", "regstatus", "-u", AGENT, check=0).stdout
    assert f"Agent {AGENT} exists on registrar 127.0.0.1 port {deployment.registrar_tls_port}." in shown
    found = next(json.loads(line.split(" - ", 3)[3]) for line in shown.splitlines() if '{"code"' in line)
    record = found["results"][AGENT]
    assert {"aik_tpm", "ek_tpm", "ekcert", "regcount", "ip", "port"} <= set(record)
    assert record["operational_state"] == "Registered"
    unproven = Machine("not-proven")
    registrar = Session(deployment.registrar_plain_url, False)
    assert unproven.register(registrar).status_code == 200
    refused = deployment.tenant("-c", "regstatus", "-u", "not-proven", check=1).stdout
    assert "does not exist" in refused and "Check the agent log" in refused, refused


# --- TLS --------------------------------------------------------------------------------------------


def test_C87_the_first_byte_is_tls(stage):
    """A ClientHello that offers 1.2 at least; nothing else ever."""
    seen = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    stage.agent(env={"KEYLIME_AGENT_VERIFIER_URL": f"https://localhost:{listener.getsockname()[1]}"})
    for _ in range(3):
        connection, _ = listener.accept()
        seen.append(connection.recv(2048))
        connection.close()
    listener.close()
    for first in seen:
        assert first[0] == 0x16 and first[5] == 1 and first[9:11] == b"\x03\x03", first[:12]
        versions = re.search(rb"\x00\x2b..(.)((?:\x03.)+)", first, re.DOTALL)
        assert versions and b"\x03\x01" not in versions[2][:versions[1][0]], first


@pytest.mark.parametrize("hosts,days,told", [
    (("elsewhere.example",), 1, r"hostname mismatch: .*is not for 'localhost'; names offered: DNS elsewhere\.example"),
    (("localhost",), -1, r"the certificate '.*' expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")])
def test_C90_what_is_wrong_with_the_certificate(stage, tmp_path, hosts, days, told):
    stage.verifier.stop()
    stage.authority = Authority(tmp_path / "second", hosts=hosts, days=days)
    stage.verifier = FakeVerifier(stage.authority)
    stage.agent().wait_for_line("certificate verify failed: " + told)
    assert stage.verifier.requests == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_C91_a_ca_file_that_changes_after_privileges_were_dropped(stage, request):
    """Root's copy, unreadable by then, is told and the old one stays; a readable one counts."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="keylime-ca-"))
    request.addfinalizer(lambda: shutil.rmtree(directory))
    directory.chmod(0o755)
    work, ca = directory / "work", directory / "cacert.crt"
    work.mkdir()
    shutil.chown(work, "nobody", "nogroup")

    def put(authority, mode):
        new = directory / "new"
        new.write_bytes(authority.certificate_path.read_bytes())
        new.chmod(mode)
        new.rename(ca)

    put(stage.authority, 0o600)
    agent = stage.agent(env={"KEYLIME_AGENT_RUN_AS": "nobody:nogroup", "KEYLIME_DIR": str(work),
                             "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(ca)})
    agent.wait_for_line("Dropped privileges to run as nobody:nogroup")
    agent.wait_for_line("SUCCESS! Evidence accepted")
    put(stage.authority, 0o600)
    told = agent.wait_for_line("WARNING - The CA file .* has changed, but the old one stays in use: .*")[0]
    assert f"{ca}: Permission denied (owner root, mode 0600); it must be readable by user nobody" in told
    agent.wait_for_line("SUCCESS! Evidence accepted", start=agent.output().index(told))
    assert agent.output().count("the old one stays in use") == 1
    put(Authority(directory / "other", name="another CA"), 0o644)
    agent.wait_for_line("The CA file .* has changed; using the new one")
    port = stage.verifier.port
    stage.verifier.stop()
    stage.verifier = FakeVerifier(stage.authority, port)
    agent.wait_for_line("certificate verify failed.*another CA")


def test_C99_names_in_the_verifiers_certificate(deployment):
    """After the first start with defaults: the CA at its path, and a certificate for every name of the host."""
    deployment.start_verifier({"KEYLIME_VERIFIER_CERT_SUBJECT_ALTERNATIVE_NAMES": "other.example, 192.0.2.9"})
    served = ssl.get_server_certificate(("localhost", deployment.verifier_port),
                                        ca_certs=str(deployment.keylime_dir / "cv_ca/cacert.crt"))
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=served, capture_output=True, text=True,
                          check=True).stdout
    fqdn = socket.getfqdn()
    for name in ("DNS:localhost", f"DNS:{socket.gethostname()}", f"DNS:{fqdn}", "DNS:other.example",
                 "IP Address:127.0.0.1", "IP Address:192.0.2.9"):
        assert name in text, (name, text)


# --- the guide's own words ----------------------------------------------------------------------------

EXAMPLE = """\
# /etc/keylime/agent.conf (push-model agent)
[agent]
uuid = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
verifier_url = "https://verifier.example.com:8881"
verifier_tls_ca_cert = "/var/lib/keylime/cv_ca/cacert.crt"
attestation_interval_seconds = 60
registrar_ip = "registrar.example.com"
registrar_port = 8890
tpm_hash_alg = "sha256"
tpm_signing_alg = "rsassa"
"""
ADD = f"sudo keylime_tenant -c add --push-model -u {GUIDE_ID}"
DELETE = f"sudo keylime_tenant -c delete -u {GUIDE_ID}"
# In the guide's order; K21: the policies that it names are stored before, with files of the operator's.
SERVER = ["sudo systemctl restart keylime_verifier", "sudo systemctl start keylime_registrar"]
COPY = "scp verifier:/var/lib/keylime/cv_ca/cacert.crt /var/lib/keylime/cv_ca/cacert.crt"
AGENT_COMMANDS = [
    "sudo systemctl enable keylime_push_model_agent",
    "sudo systemctl start keylime_push_model_agent",
    "sudo systemctl status keylime_push_model_agent",
    "sudo journalctl -u keylime_push_model_agent -f",
]
POLICIES = [
    "sudo keylime_tenant -c addruntimepolicy --runtime-policy-name files --runtime-policy runtime.json",
    "sudo keylime_tenant -c addmbpolicy --mb-policy-name boots --mb-policy boot.json",
]
ENROL = [
    ADD, DELETE, f"{ADD} \\\n    --runtime-policy-name files", DELETE, f"{ADD} \\\n    --mb-policy-name boots", DELETE, ADD,
    f"sudo keylime_tenant -c cvstatus -u {GUIDE_ID}",
]
VERIFY = [f"sudo keylime_tenant -c regstatus -u {GUIDE_ID}", f"sudo keylime_tenant -c cvstatus -u {GUIDE_ID}",
          "sudo journalctl -u keylime_verifier -f"]


@pytest.mark.parametrize("apart", [False, True], ids=["one-machine", "two-machines"])
def test_C48_C123_the_guides_example_and_its_commands(simulator, apart):
    """Byte for byte at their paths and ports, with the guide's host names, the agent on the servers' machine or on
    another; two defaults that contradict each other (2 s and 60 s) are one warning, and the machine passes."""
    if not GuideMachine.usable():
        pytest.skip("no namespaces here (CAP_SYS_ADMIN, CAP_NET_ADMIN)")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(GuideMachine(simulator))
        machine = stack.enter_context(GuideMachine(simulator, HOSTS[-1], beside=server)) if apart else server
        address = "ip = 0.0.0.0\n" if apart else ""
        server.write("/etc/keylime/verifier.conf", f"[verifier]\nmode = push\n{address}cert_subject_alternative_names = "
                     "verifier.example.com, registrar.example.com\n")
        server.write("/etc/keylime/registrar.conf", f"[registrar]\n{address}")
        server.trust(simulator)
        (server.home / "runtime.json").write_text(json.dumps(runtime_policy({"/bin/sh": ["0" * 64]})))
        (server.home / "boot.json").write_text("{}")
        machine.write("/etc/keylime/agent.conf", EXAMPLE)
        for command in SERVER:
            server.run(command)
        machine.run(COPY)
        for command in AGENT_COMMANDS:
            machine.run(command)
        machine.settle()
        for command in (*POLICIES, *ENROL):
            server.run(command)
        checked = machine.run("sudo keylime_push_model_agent --check-config")
        assert "WARNING" not in checked, checked
        wait_until(lambda: server.status(GUIDE_ID) == "PASS", 100, "PASS")
        record, status, seen = [server.run(command) for command in VERIFY]
        assert "Registered" in record and "PASS" in status
        for line in ("Received evidence for attestation", "successfully passed verification"):
            assert line in seen
        log = machine.run(AGENT_COMMANDS[-1])
        for line in ("State: Unregistered -> Registered", "State: Negotiating -> Attesting",
                     "registrar: http://registrar.example.com:8890"):
            assert line in log, log
        wait_until(lambda: "attestation_interval_seconds = 60 is not below" in machine.run(AGENT_COMMANDS[-1]))
        server.run(DELETE)
        server.run(f"! sudo keylime_tenant -c cvstatus -u {GUIDE_ID}")
