# SPDX-License-Identifier: Apache-2.0
"""The agent where the network, the order of starting or the TPM device is not as one would wish (contract C4,
C6, C93, C98, C110, C114, C115, C118, C121, U12, U15 to U17)."""
import fcntl
import os
import pty
import re
import shutil
import ssl
import tempfile
import termios
import time

import pytest

from lib.fake_keylime import FakeRegistrar
from lib.fake_server import Authority
from lib.network import HiddenMachine, SilentPort, UnreliablePath, WebProxy
from lib.private_etc import PrivateEtc
from lib.program import BINARIES, Program, wait_until
from lib.stage import AGENT, Stage

OTHER = "7e57ed00-0000-4000-8000-00000000beef"
UNCHECKED = {"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


def enrol(deployment, agent=AGENT, **more):
    return deployment.tenant("-c", "add", "--push-model", "-u", agent, env={**UNCHECKED, **more}, check=0)


def wait_for_pass(deployment, agent=AGENT):
    wait_until(lambda: deployment.status(agent) == "PASS", what="PASS")


# --- where it is -----------------------------------------------------------------------------------


def test_behind_a_firewall_and_nat(deployment):
    """C4, C98: nobody can reach the agent's machine, and it reaches two ports only: PASS; it tries no other."""
    if not HiddenMachine.usable():
        pytest.skip("no network namespaces here (CAP_NET_ADMIN)")
    deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    deployment.start_registrar()
    machine = HiddenMachine([deployment.verifier_port, deployment.registrar_port])
    trace = deployment.directory / "connects"
    watch = ["strace", "-D", "-f", "-qq", "-e", "trace=connect", "-o", trace] if shutil.which("strace") else []
    agent = Program("agent", machine.command(*watch, BINARIES["agent"], "--avoid-tpm"),
                    {**deployment.env, **deployment.agent_env(AGENT)}, deployment.directory / "hidden.log")
    deployment.programs.append(agent)
    try:
        agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
        enrol(deployment)
        wait_for_pass(deployment)
        cycles = agent.output().count("SUCCESS! Evidence accepted")
        wait_until(lambda: agent.output().count("SUCCESS! Evidence accepted") > cycles + 1)
    finally:
        machine.stop()
    if watch:
        ports = set(map(int, re.findall(r"sin6?_port=htons\((\d+)\)", trace.read_text())))
        assert ports - {0} == {deployment.verifier_port, deployment.registrar_port}


def test_any_order_of_starting(deployment):
    """C6, U12: the agent first, then the registrar, then the verifier; it says whom it waits for and how long."""
    deployment.start_verifier().stop()  # the CA's certificate is there since an earlier day
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(
        rf"Network error \(connection failed\).*GET http://127\.0\.0\.1:{deployment.registrar_port}/version, "
        r"attempt 1 of \d+, next in \d+\.\d s")
    agent.wait_for_line(r"Registration failed: .*registrar_ip and registrar_port", seconds=30)
    agent.wait_for_line(r"Trying again in \d+\.\d seconds")
    deployment.start_registrar()
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    agent.wait_for_line(rf"Network error.*https://localhost:{deployment.verifier_port}/v3\.0/sessions, attempt 1 of")
    deployment.start_verifier()
    enrol(deployment)
    wait_for_pass(deployment)
    assert agent.running()


def test_ipv6(deployment):
    """U16: all four programs on ::1, in brackets where it is part of a URL."""
    deployment.start_verifier({"KEYLIME_VERIFIER_IP": "::1"})
    deployment.start_registrar({"KEYLIME_REGISTRAR_IP": "::1"})
    for number, address in enumerate(("::1", "[::1]")):
        agent = deployment.start_agent(AGENT, "--avoid-tpm", log=f"agent-{number}", env={
            "KEYLIME_AGENT_VERIFIER_URL": f"https://[::1]:{deployment.verifier_port}",
            "KEYLIME_AGENT_REGISTRAR_IP": address})
        agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
        if number == 0:
            agent.stop()
    for host in ("::1", "[::1]"):
        listed = deployment.tenant("-c", "reglist", "-r", host, check=0).stdout
        assert AGENT in listed
    deployment.env.update(KEYLIME_TENANT_VERIFIER_IP="::1", KEYLIME_TENANT_REGISTRAR_IP="::1")
    enrol(deployment)
    wait_for_pass(deployment)


def test_proxies(stage):
    """U17: HTTPS_PROXY on the way to the verifier, HTTP_PROXY to a plain registrar; NO_PROXY leaves them out."""
    proxy = WebProxy()
    url = f"http://127.0.0.1:{proxy.port}"
    agent = stage.agent(env={"HTTPS_PROXY": url, "HTTP_PROXY": url})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    agent.stop()
    assert ("CONNECT", f"localhost:{stage.verifier.port}") in proxy.asked
    assert ("GET", f"http://127.0.0.1:{stage.registrar.port}/version") in proxy.asked
    proxy.asked.clear()
    direct = stage.agent(env={"HTTPS_PROXY": url, "HTTP_PROXY": url, "NO_PROXY": "localhost,127.0.0.1"})
    direct.wait_for_line("SUCCESS! Evidence accepted")
    proxy.stop()
    assert proxy.asked == []


# --- bad paths -------------------------------------------------------------------------------------


def test_dropped_packets(stage):
    """C110, U12: a time-out after --timeout, with the URL, the attempt and the next delay."""
    silent = SilentPort()
    begun = time.monotonic()
    agent = stage.agent("--timeout", "300", env={
        "KEYLIME_AGENT_VERIFIER_URL": f"https://127.0.0.1:{silent.port}"})
    agent.wait_for_line(
        rf"Network error \(timeout\): .*no connection within 300 ms \(.*firewall.*\); POST https://127\.0\.0\.1:{silent.port}"
        r"/v3\.0/sessions, attempt 1 of 6, next in 0\.[123]")
    assert time.monotonic() - begun < 5
    silent.stop()


def test_unstable_network(deployment):
    """C114: every second connection is cut, the others after some answers: a warning each, recovery, no FAIL."""
    verifier = deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    deployment.start_registrar()
    path = UnreliablePath(deployment.verifier_port, 6000)
    agent = deployment.start_agent(AGENT, "--avoid-tpm", env={
        "KEYLIME_AGENT_VERIFIER_URL": f"https://localhost:{path.port}"})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(deployment)
    wait_for_pass(deployment)
    seen = set()

    def enough():
        seen.add(deployment.status(AGENT))
        return path.count >= 8 and agent.output().count("SUCCESS! Evidence accepted") >= 4

    wait_until(enough, seconds=60)
    path.stop()
    assert seen <= {"PASS", "TIMEOUT"}, seen
    warnings = [line for line in agent.output().splitlines() if "WARNING" in line and "Network error" in line]
    assert warnings and all(re.search(r"attempt \d+ of \d+, next in \S+ s$", line) for line in warnings)
    assert len(warnings) <= path.count
    assert "did not pass" not in verifier.output() and "FAIL" not in verifier.output()


def test_registrar_of_another_authority(stage, tmp_path):
    """C93: another CA and a wrong host name are refused, with file and option; nothing is sent."""
    stage.registrar.stop()
    stage.registrar = FakeRegistrar(stage.authority)
    other = Authority(tmp_path / "other", name="another CA")
    elsewhere = FakeRegistrar(Authority(tmp_path / "elsewhere", hosts=("elsewhere.example",)))
    agent = stage.agent("--registrar-url", stage.registrar.url, env={
        "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(other.certificate_path)})
    agent.wait_for_line(rf"certificate verify failed.*registrar_tls_ca_cert \({other.certificate_path}\)")
    agent.stop()
    agent = stage.agent("--registrar-url", elsewhere.url, env={
        "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(elsewhere.authority.certificate_path)})
    agent.wait_for_line("certificate verify failed.*hostname mismatch.*elsewhere.example")
    agent.stop()
    assert stage.registrar.requests == [] and elsewhere.requests == []
    elsewhere.stop()
    agent = stage.agent("--registrar-url", stage.registrar.url, env={
        "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(stage.authority.certificate_path)})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


def test_server_that_asks_for_a_certificate(stage):
    """C95: an empty list is what it gets, also where options of the pull agent name one."""
    context = stage.verifier.server.socket.context
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(stage.authority.certificate_path)
    agent = stage.agent(env={"KEYLIME_AGENT_SERVER_CERT": str(stage.authority.chain_path),
                             "KEYLIME_AGENT_SERVER_KEY": str(stage.authority.chain_path)})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert stage.verifier.requests
    assert all(request.peer_certificate is None for request in stage.verifier.requests)


# --- who it is -------------------------------------------------------------------------------------


def test_ids_that_differ(deployment, tmp_path):
    """C115c: both ids are registered, the other one is enrolled: each log names the id that is not."""
    verifier = deployment.start_verifier()
    deployment.start_registrar()
    second = tmp_path / "second"
    shutil.copytree(deployment.certificates, second / "cv_ca")
    other = deployment.start_agent(OTHER, "--avoid-tpm", env={"KEYLIME_DIR": str(second)}, log="other")
    other.wait_for_line(f"SUCCESS: Agent {OTHER} activated")
    other.stop()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"Agent id: {AGENT}")
    enrol(deployment, OTHER)
    agent.wait_for_line(rf"ERROR - Attestation failed: .*this agent \(id {AGENT}\) is not enrolled")
    verifier.wait_for_line(f"unenrolled agent '{AGENT}'")
    listed = deployment.tenant("-c", "cvlist", check=0).stdout
    assert OTHER in listed and AGENT not in listed


def test_registers_again_while_it_is_unknown(stage):
    """U15, D90: after three answers that it is not enrolled, and not more often than the longest delay."""
    stage.verifier.replace[("PATCH", "/9b0e5c8e")] = (
        200, {}, stage.verifier.session({"evaluation": "fail"}))
    agent = stage.agent(env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "2000"})
    agent.wait_for_line("Registering again: the verifier has not known this agent for a while")
    wait_until(lambda: len(stage.registrar.tags) >= 3, seconds=30)
    times = stage.registrar.times("GET", "/version")
    assert all(later - earlier > 1.8 for earlier, later in zip(times, times[1:]))
    assert len(stage.verifier.times("POST", "/sessions")) >= 3 * (len(times) - 1)
    stage.verifier.replace.clear()
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_registrar_that_lost_its_database(deployment):
    """U15: the agent comes back to a registrar that has forgotten it, and can be enrolled anew; no restart."""
    deployment.start_verifier()
    registrar = deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(deployment)
    wait_for_pass(deployment)
    registrar.stop()
    for path in deployment.keylime_dir.glob("registrar.sqlite*"):
        path.unlink()
    deployment.start_registrar()
    deployment.tenant("-c", "delete", "-u", AGENT, check=0)
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, env=UNCHECKED, check=1)
    wait_until(lambda: deployment.tenant("-c", "regstatus", "-u", AGENT).returncode == 0, seconds=30)
    enrol(deployment)
    wait_for_pass(deployment)
    assert agent.running()


def test_algorithms_that_are_not_accepted(deployment):
    """C116a, C116b: both logs name what is wrong and the lists; an update mends it while the agent runs."""
    verifier = deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(deployment, KEYLIME_TENANT_ACCEPT_TPM_SIGNING_ALGS="['ecdsa']")
    agent.wait_for_line(
        r"ERROR - Attestation failed: Negotiation failed with status code: 422: .*rsassa.*ecdsa.*"
        rf"accept_tpm_\* lists of the tenant, and: keylime_tenant -c update --push-model -u {AGENT}")
    agent.wait_for_line("State: Negotiating -> AttestationFailed")
    verifier.wait_for_line(rf"WARNING - .*{AGENT}.*rsassa.*ecdsa.*accept_tpm_signing_algs")
    deployment.tenant("-c", "update", "--push-model", "-u", AGENT, env=UNCHECKED, check=0)
    wait_for_pass(deployment)
    assert agent.running()


# --- large and odd answers -------------------------------------------------------------------------


def test_answer_that_repeats_the_evidence(stage, tmp_path):
    """push-agent §9.8: an upstream verifier's 202 holds all that was sent, whatever its size."""
    line = "10 " + "a" * 40 + " ima-ng sha256:" + "b" * 64 + " /usr/bin/tool\n"
    (tmp_path / "ima").write_text(line * 20000)
    item = {"evidence_class": "log", "evidence_type": "ima_log",
            "chosen_parameters": {"starting_offset": 0, "format": "text/plain"}}
    stage.verifier.replace[("POST", "/attestations")] = lambda request: (
        201, {"Location": request.path + "/0"}, stage.verifier.requested(more=[item]))
    stage.verifier.replace[("PATCH", "/0")] = lambda request: (
        202, {}, {"data": {"attributes": {"evidence": request.json}},
                  "meta": {"seconds_to_next_attestation": 7}})
    agent = stage.agent(env={"KEYLIME_AGENT_IMA_ML_PATH": str(tmp_path / "ima")})
    agent.wait_for_line("Waiting 7 seconds before next attestation")
    sent = next(r for r in stage.verifier.requests if r.method == "PATCH" and r.path.endswith("/0"))
    assert len(sent.body) > 2 << 20


def test_answers_that_would_take_memory(stage):
    """A megabyte of empty objects is refused before it becomes a hundred times that."""
    many = b'{"code": 200, "results": {"supported_versions": [' + b"{}," * 300000 + b"{}]}}"
    stage.registrar.replace[("GET", "/version")] = (200, {}, many)
    agent = stage.agent()
    agent.wait_for_line("Registration failed: the answer to GET /version has no usable")
    with open(f"/proc/{agent.pid}/status") as file:
        status = file.read()
    if int(re.search(r"VmSize:\s+(\d+)", status)[1]) > 1 << 30:
        pytest.skip("a sanitizer's build has other costs")
    assert int(re.search(r"VmHWM:\s+(\d+)", status)[1]) < 32 * 1024
    stage.registrar.replace.clear()
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


# --- the TPM's device file -------------------------------------------------------------------------


@pytest.fixture
def unprivileged(stage, request):
    """Environment of an agent that starts as root and becomes nobody, in a directory that is nobody's."""
    directory = tempfile.mkdtemp(prefix="keylime-run-as-")
    request.addfinalizer(lambda: shutil.rmtree(directory))
    os.chmod(directory, 0o711)
    work = os.path.join(directory, "keylime")
    os.mkdir(work)
    shutil.chown(work, "nobody", "nogroup")
    return {
        "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port),
        "KEYLIME_AGENT_RUN_AS": "nobody:nogroup", "KEYLIME_DIR": work,
    }


def with_devices(stage, env, *names):
    """An agent whose /dev has these files, which only root may open, and no TCTI."""
    make = "".join(f": > /dev/{name} && chmod 600 /dev/{name} && " for name in names)
    command = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none /dev && {make} exec "$0" "$@"']
    base = {**stage.deployment.env, **stage.deployment.agent_env(AGENT), **env}
    agent = Program("agent", [*command, BINARIES["agent"]], base,
                    stage.deployment.directory / f"agent-{'-'.join(names)}.log")
    stage.deployment.programs.append(agent)
    return agent


@needs_root
@pytest.mark.parametrize("names,text", [
    ((), r"no TPM: neither /dev/tpmrm0 nor /dev/tpm0 exists and the environment variable TCTI is not set"),
    (("tpm0",), r"no TPM: /dev/tpm0: Permission denied \(EACCES\) for user nobody"),
    (("tpm0", "tpmrm0"), r"no TPM: /dev/tpmrm0: Permission denied \(EACCES\) for user nobody")])
def test_devices_without_tcti(stage, unprivileged, names, text):
    """C8, C121: the first that exists of /dev/tpmrm0 and /dev/tpm0; none: each place is named."""
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    agent = with_devices(stage, unprivileged, *names)
    agent.wait_for_line(f"ERROR - {text}")
    assert agent.process.wait(5) == 1


@needs_root
def test_tpm_that_another_program_holds(stage, unprivileged):
    """C118: a device that is open elsewhere is told from one that is not there."""
    master, held = pty.openpty()
    device = os.ttyname(held)
    os.chmod(device, 0o666)
    fcntl.ioctl(held, termios.TIOCEXCL)  # whoever opens it now gets EBUSY, as with a TPM without manager
    agent = stage.deployment.start_agent(AGENT, tcti=f"device:{device}", env=unprivileged)
    agent.wait_for_line(
        rf"ERROR - no TPM: .*{device}: Device or resource busy: is keylime_agent running\? "
        r"\(systemctl status keylime_agent\)")
    assert agent.process.wait(5) == 1
    os.close(held)
    os.close(master)


@needs_root
def test_tpm_that_only_root_may_open(stage, unprivileged, request):
    """C121: path, EACCES, the user and the groups in effect, and the group that helps."""
    directory = tempfile.mkdtemp(prefix="keylime-device-")
    request.addfinalizer(lambda: shutil.rmtree(directory))
    os.chmod(directory, 0o755)
    device = os.path.join(directory, "tpmrm0")
    os.close(os.open(device, os.O_CREAT, 0o600))
    agent = stage.deployment.start_agent(AGENT, tcti=f"device:{device}", env=unprivileged)
    agent.wait_for_line(rf"ERROR - no TPM: .*{device}: Permission denied \(EACCES\) for user nobody, "
                        r"groups .*nogroup.*; add the user to the group 'tss'")
    assert agent.process.wait(5) == 1
