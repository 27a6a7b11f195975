# SPDX-License-Identifier: Apache-2.0
"""The situations of the guide's chapter on troubleshooting, with all programs real (contract C106 to C121): what
is wrong is provoked, the log names it with its remedy, and where the remedy is a command or a file, it is
applied as printed and helps."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import pytest

from lib.network import SilentPort
from lib.program import BINARIES, Program, free_port, wait_until
from lib.stage import AGENT, Stage

UNCHECKED = {"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"),
                                reason="needs root and setpriv")


@pytest.fixture
def servers(deployment):
    deployment.env.update(UNCHECKED)
    deployment.verifier = deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    deployment.start_registrar()
    return deployment


def start_agent(deployment, *flags, **more):
    """An agent with the software TPM."""
    return deployment.start_agent(AGENT, "--avoid-tpm", *flags, **more)


def enrol(deployment, **env):
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, env=env, check=0)


def wait_for(deployment, status, seconds=30):
    wait_until(lambda: deployment.status(AGENT) == status, seconds, what=status)


def attesting(servers, *flags, **more):
    """An agent that has passed once."""
    agent = start_agent(servers, *flags, **more)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(servers)
    wait_for(servers, "PASS")
    return agent


def follow(deployment, message, command, check=0):
    """Run the tenant's command that a message recommends."""
    found = re.search(rf"keylime_tenant (-c {command} (?:--push-model )?-u [\w.-]+)", message)
    assert found, message
    return deployment.tenant(*shlex.split(found[1]), check=check)


# --- the agent cannot connect to the verifier --------------------------------------------------------


@pytest.mark.parametrize("url", ["http://verifier.example.com:8881", "htps://verifier.example.com:8881",
                                 "verifier.example.com:8881"])
@pytest.mark.parametrize("source", ["file", "variable", "flag"])
def test_C106_verifier_url_is_https(deployment, url, source):
    """Refused where it stands, with the value and an example, before anything is opened."""
    conf = deployment.directory / "agent.conf"
    env = {"PATH": "/usr/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": "", "TCTI": "swtpm:host=127.0.0.1,port=1"}
    flags = []
    if source == "file":
        conf.write_text(f'[agent]\nverifier_url = "{url}"\n')
    elif source == "variable":
        env["KEYLIME_AGENT_VERIFIER_URL"] = url
    else:
        flags = ["--verifier-url", url]
    done = subprocess.run([BINARIES["agent"], *flags], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == (2 if flags else 1)
    place = {"file": f"{conf}:2:", "variable": "KEYLIME_AGENT_VERIFIER_URL", "flag": "--verifier-url"}[source]
    told = next(line for line in done.stderr.splitlines() if "must use https" in line)
    for part in (place, url, "https://verifier.example.com:8881"):
        assert part in told, told


def test_C107_wrong_host_or_port(servers):
    """A name that is none, a port without listener with the address that was tried; then the right one."""
    port = free_port()
    agent = start_agent(servers, "--verifier-url", "https://no-such-host.invalid:8881", log="name")
    agent.wait_for_line(r"WARNING - Network error \(connection failed\): .*name not found.*verifier_url.*"
                        r"POST https://no-such-host\.invalid:8881/v3\.0/sessions")
    agent.stop()
    agent = start_agent(servers, "--verifier-url", f"https://localhost:{port}", log="port")
    agent.wait_for_line(rf"WARNING - Network error \(connection failed\): localhost:{port} "
                        rf"\(.*127\.0\.0\.1:{port}.*\): connection refused.*verifier_url.*"
                        rf"POST https://localhost:{port}/v3\.0/sessions")


def test_C107_port_of_another_https_service(servers):
    """The registrar's port with TLS, of all: the answer is not taken for a verifier's."""
    agent = start_agent(servers, "--verifier-url", servers.registrar_url)
    agent.wait_for_line(r"Attestation failed: .*answers, but is no Keylime verifier \(status 40[45]\).*verifier_url.*"
                        r"8881.*mode = push")


def test_C108_port_without_tls(servers):
    agent = start_agent(servers, "--verifier-url", f"https://localhost:{servers.registrar_port}")
    agent.wait_for_line(r"Network error.*no TLS on this port.*verifier_url: the verifier's is 8881")


def test_C109_verifier_that_is_down(servers):
    """Each try is told; once it runs again, the same agent goes on."""
    agent = attesting(servers)
    servers.verifier.stop()
    agent.wait_for_line(r"WARNING - Network error \(connection failed\).*refused.*that the server runs.*attempt 1 of")
    start = len(agent.output())
    servers.start_verifier()
    agent.wait_for_line("SUCCESS! Evidence accepted", start=start)
    wait_for(servers, "PASS")


def test_C109_verifier_on_the_loopback_address_only(servers):
    """The verifier says so at its start; an agent that uses another address of the machine is led to option ip."""
    servers.verifier.wait_for_line(rf"Listening on 127\.0\.0\.1:{servers.verifier_port} \(HTTPS\) with")
    servers.verifier.wait_for_line("INFO - Only agents of this machine can connect: option ip is 127.0.0.1")
    agent = start_agent(servers, "--verifier-url", f"https://127.0.0.2:{servers.verifier_port}")
    agent.wait_for_line(r"Network error \(connection failed\): 127\.0\.0\.2:\d+: connection refused.*listens there.*"
                        r"option ip")


def test_C110_dropped_packets(servers):
    """A packet filter between them: agent and tenant end within their time-outs, with URL and cause."""
    silent = SilentPort()
    agent = start_agent(servers, "--timeout", "300", "--verifier-url", f"https://127.0.0.1:{silent.port}")
    agent.wait_for_line(r"Network error \(timeout\).*no connection within 300 ms.*firewall.*"
                        rf"POST https://127\.0\.0\.1:{silent.port}/v3\.0/sessions, attempt 1 of \d, next in")
    done = servers.tenant("-c", "cvlist", "-vp", str(silent.port), check=1,
                          env={"KEYLIME_TENANT_REQUEST_TIMEOUT": "1"})
    assert f"127.0.0.1:{silent.port}" in done.stdout and "no connection within 1000 ms" in done.stdout
    silent.stop()


def test_C111_verifier_with_another_ca(servers, tmp_path):
    """The verifier has made a new CA. Both logs say so; the copy that the agent asks for mends it while it runs."""
    copy = tmp_path / "cacert.crt"
    shutil.copy(servers.certificates / "cacert.crt", copy)
    agent = attesting(servers, env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(copy)})
    servers.verifier.stop()
    shutil.rmtree(servers.certificates)
    verifier = servers.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"}, log="second")
    told = agent.wait_for_line("certificate verify failed: .*")[0]
    for part in (f"verifier_tls_ca_cert ({copy})", "Keylime Certificate Authority", "issued by",
                 f"scp verifier:/var/lib/keylime/cv_ca/cacert.crt {copy}"):
        assert part in told, told
    verifier.wait_for_line(r"WARNING - .*127\.0\.0\.1.* rejected our certificate")
    wait_until(lambda: agent.output().count("certificate verify failed") > 3)
    assert verifier.output().count("rejected our certificate") == 1
    shutil.copy(servers.certificates / "cacert.crt", copy)
    start = len(agent.output())
    agent.wait_for_line("SUCCESS! Evidence accepted", start=start)


# --- time-outs --------------------------------------------------------------------------------------


def test_C112_agent_that_stands_still(servers):
    """PASS, TIMEOUT with a line that leads to the agent, PASS again as soon as it goes on."""
    agent = attesting(servers)
    agent.signal(signal.SIGSTOP)
    told = servers.verifier.wait_for_line(f"WARNING - Agent '{AGENT}' is marked as failed.*")[0]
    for part in ("no evidence for", "the limit is 5.0 s", "check attestation_interval_seconds on the agent"):
        assert part in told, told
    assert servers.status(AGENT) == "TIMEOUT"
    agent.signal(signal.SIGCONT)
    servers.verifier.wait_for_line(f"INFO - .*Agent '{AGENT}' has recovered")
    wait_for(servers, "PASS")
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_C112_agent_killed_while_the_verifier_restarts(servers):
    """The deadline is kept in the database: it passes all the same."""
    agent = attesting(servers)
    servers.verifier.stop()
    agent.kill()
    verifier = servers.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    verifier.wait_for_line(f"WARNING - Agent '{AGENT}' is marked as failed")
    assert servers.status(AGENT) == "TIMEOUT"


def test_C113_interval_above_the_limit(servers):
    """C38c: as with both defaults, a long interval of the agent's: the verifier's pace is kept, with one warning."""
    agent = attesting(servers, "--attestation-interval-seconds", "60")
    told = agent.wait_for_line("WARNING - attestation_interval_seconds = 60 is not below.*")[0]
    assert "limit of 5 s" in told and "quote_interval" in told
    accepted = agent.output().count("SUCCESS! Evidence accepted")
    wait_until(lambda: agent.output().count("SUCCESS! Evidence accepted") > accepted + 6)
    assert servers.status(AGENT) == "PASS"
    assert agent.output().count("is not below the verifier's limit") == 1
    assert "marked as failed" not in servers.verifier.output()


# --- authentication ----------------------------------------------------------------------------------


def test_C115a_not_enrolled_and_another_key(servers):
    """Before the enrolment, after a deletion, and with a new key: both logs name it; what the agent recommends is
    done word for word, and helps without a restart."""
    agent = start_agent(servers)
    agent.wait_for_line("WARNING - Authentication failed with evaluation: fail")
    told = agent.wait_for_line("ERROR - Attestation failed: .*")[0]
    assert f"(id {AGENT}) is not enrolled at the verifier, or its attestation key has changed" in told
    servers.verifier.wait_for_line(f"WARNING - .*Authentication failed for unenrolled agent '{AGENT}'")
    shown = follow(servers, told, "status", check=1).stdout
    assert f"Agent {AGENT} exists on registrar" in shown and "does not exist on Verifier" in shown
    follow(servers, told, "add")
    wait_for(servers, "PASS")

    servers.tenant("-c", "delete", "-u", AGENT, check=0)
    told = agent.wait_for_line(r"ERROR - Attestation failed: Negotiation failed with status code: 404.*")[0]
    follow(servers, told, "add")
    wait_for(servers, "PASS")

    agent.stop()
    (servers.keylime_dir / "agent_data.json").unlink()
    agent = start_agent(servers, log="new-key")
    told = agent.wait_for_line(r"ERROR - Registration failed: .*403.*")[0]
    follow(servers, told, "regdelete")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    servers.verifier.wait_for_line(
        f"WARNING - .*Authentication failed for agent '{AGENT}': proof does not match the enrolled AK")
    told = agent.wait_for_line("ERROR - Attestation failed: .*its attestation key has changed.*")[0]
    follow(servers, told, "update")
    wait_for(servers, "PASS")


def test_C115b_tpm_in_lockout(servers, simulator):
    """Too many wrong passwords from somewhere: the TPM refuses its keys, in words; the agent goes on after it."""
    servers.trust(simulator)
    agent = servers.start_agent(AGENT, tcti=simulator.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(servers)
    wait_for(servers, "PASS")
    simulator.tool("tpm2_dictionarylockout", "--setup-parameters", "--max-tries=1", "--recovery-time=60",
                   "--lockout-recovery-time=60")
    simulator.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-p", "secret", "-c",
                   str(simulator.directory / "key.ctx"))
    simulator.tool("tpm2_flushcontext", "-t")
    start = len(agent.output())
    with pytest.raises(subprocess.CalledProcessError):
        simulator.tool("tpm2_create", "-C", str(simulator.directory / "key.ctx"), "-P", "wrong", "-G", "ecc")
    told = agent.wait_for_line("ERROR - Attestation failed: .*lockout.*", start=start)[0]
    assert "tpm2_dictionarylockout" in told, told
    agent.wait_for_line("-> AttestationFailed", start=start)
    simulator.tool("tpm2_dictionarylockout", "--clear-lockout")
    start = len(agent.output())
    agent.wait_for_line("SUCCESS! Evidence accepted", start=start)


# --- stuck in Negotiating ------------------------------------------------------------------------------


@pytest.mark.parametrize("option,accepted,offered", [
    ("accept_tpm_signing_algs", "ecdsa", "rsassa"), ("accept_tpm_hash_algs", "sha512", "sha256"),
    ("accept_tpm_encryption_algs", "ecc", "rsa")])
def test_C116b_algorithms(servers, option, accepted, offered):
    """Both logs have what is offered, what is accepted, and the option; the update that the agent names helps."""
    agent = start_agent(servers)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(servers, **{f"KEYLIME_TENANT_{option.upper()}": f"['{accepted}']"})
    told = agent.wait_for_line(r"ERROR - Attestation failed: Negotiation failed with status code: 422: .*")[0]
    assert offered in told and accepted in told and option in told, told
    agent.wait_for_line("State: Negotiating -> AttestationFailed")
    refused = servers.verifier.wait_for_line(rf"WARNING - .*Refused a request of agent '{AGENT}': .*{option}.*")[0]
    assert offered in refused and accepted in refused, refused
    follow(servers, told, "update")
    wait_for(servers, "PASS")
    assert agent.running()


@pytest.mark.parametrize("status", [429, 503])
def test_C117_refused_for_ever(deployment, tmp_path, status):
    """Rounds of tries with growing delays, a pause between them, and each is told."""
    stage = Stage(deployment, tmp_path)
    stage.verifier.replace[("POST", "/attestations")] = (status, {}, {"errors": []})
    agent = stage.agent(env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "2"})
    wait_until(lambda: agent.output().count("INFO - Trying again in") >= 2, 40)
    stage.stop()
    output = agent.output()
    assert output.count("State: Negotiating -> AttestationFailed") >= 2
    assert f"Negotiation failed with status code: {status}" in output
    times = stage.verifier.times("POST", "/attestations")
    assert all(later - earlier > 0.1 for earlier, later in zip(times, times[1:]))


# --- the service does not start ------------------------------------------------------------------------


@pytest.mark.parametrize("content,line", [
    (b'[agent]\nuuid = "x\n', 2), (b"[agent]\nuuid = abc\n", 2), (b"[agent]\nuuid: generate\n", 2),
    (b"[agent]\nuuid = generate\n", 2), (b"[agent\n", 1), (b'[agent]\nuuid = "a"\nuuid = "b"\n', 3),
    (b"[agent]\nuuid = \xff\n", 2), (b'\xff\xfe[\0a\0', 1), (b'\xef\xbb\xbf[agent]\nuuid = "generate"\n', 1)])
def test_C119_syntax(deployment, content, line):
    """File, line, column and the reason; --check-config says the same, so a mistake is found before a restart."""
    conf = deployment.directory / "agent.conf"
    conf.write_bytes(content)
    told = []
    for flags in ([], ["--check-config"]):
        done = subprocess.run([BINARIES["agent"], *flags], capture_output=True, text=True, timeout=20,
                              env={"PATH": "/usr/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""})
        assert done.returncode == 1
        told.append(re.findall(rf"{re.escape(str(conf))}:{line}:\d+: .+", done.stderr))
        assert told[-1], done.stderr
    assert told[0] == told[1]


@pytest.mark.parametrize("content", [b'[agent]\r\nuuid = "generate"\r\n', b'[agent]\n\tuuid\t=\t"generate"\n'])
def test_C119_what_editors_leave_behind_is_no_mistake(deployment, content):
    """Ends of lines of other systems, and tabs."""
    (deployment.directory / "agent.conf").write_bytes(content)
    done = subprocess.run([BINARIES["agent"], "--check-config"], capture_output=True, text=True, timeout=20,
                          env={"PATH": "/usr/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""})
    assert done.returncode == 0 and "WARN" not in done.stderr, done.stderr


@pytest.fixture
def open_directory(request):
    """A directory that every user may enter, unlike pytest's own."""
    directory = tempfile.mkdtemp(prefix="keylime-trouble-")
    request.addfinalizer(lambda: shutil.rmtree(directory))
    os.chmod(directory, 0o755)
    return directory


def as_nobody(name, env, log, *flags):
    command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", BINARIES[name], *flags]
    return Program(name, command, env, log)


@needs_root
@pytest.mark.parametrize("directory_mode,file_mode,culprit", [(0o755, 0o000, "file"), (0o700, 0o644, "directory")])
def test_C120_ca_file_of_the_agent(servers, open_directory, directory_mode, file_mode, culprit):
    """Unreadable itself, or in a directory of another user: path, owner, mode and the user who must read it."""
    place = os.path.join(open_directory, "closed")
    os.mkdir(place)
    path = os.path.join(place, "cacert.crt")
    shutil.copy(servers.certificates / "cacert.crt", path)
    os.chmod(path, file_mode)
    os.chmod(place, directory_mode)
    work = os.path.join(open_directory, "work")
    os.mkdir(work)
    shutil.chown(work, "nobody", "nogroup")
    env = {**servers.env, **servers.agent_env(AGENT), "KEYLIME_DIR": work, "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": path}
    env.pop("KEYLIME_AGENT_CONFIG")
    agent = as_nobody("agent", env, servers.directory / "closed.log", "--avoid-tpm")
    assert agent.process.wait(20) == 1
    told = next(line for line in agent.output().splitlines() if " ERROR - " in line)
    reason = ("Permission denied (owner root, mode 0000); it must be readable" if culprit == "file" else
              f"Permission denied: directory {place} (owner root, mode 0700) cannot be entered")
    for part in (f"verifier_tls_ca_cert = {path}: ", f"{reason} by user nobody", f"scp verifier:"):
        assert part in told, told


@needs_root
def test_C120_server_key_of_the_verifier(servers, open_directory):
    """Unreadable, of another certificate: refused with path, owner, mode and user. Readable by all: a warning."""
    servers.verifier.stop()
    tls = os.path.join(open_directory, "tls")
    shutil.copytree(servers.certificates, tls)
    key = os.path.join(tls, "server-private.pem")
    for each in os.listdir(tls):
        os.chmod(os.path.join(tls, each), 0o644)
    os.chmod(tls, 0o755)
    work = os.path.join(open_directory, "work")
    os.mkdir(work)
    shutil.chown(work, "nobody", "nogroup")
    env = {**{name: value for name, value in servers.env.items() if not name.endswith("_CONFIG")},
           "KEYLIME_DIR": work, "KEYLIME_VERIFIER_TLS_DIR": tls, "KEYLIME_VERIFIER_TRUSTED_CLIENT_CA": "['cacert.crt']"}
    log = servers.directory / "nobody.log"
    verifier = as_nobody("verifier", env, log)
    servers.programs.append(verifier)
    verifier.wait_for_line("Listening on")
    verifier.wait_for_line(f"WARNING - Private key {key} is readable by every user")
    assert verifier.stop() == 0

    def refused(*parts):
        start = len(log.read_text())
        program = as_nobody("verifier", env, log)
        assert program.process.wait(20) == 1
        told = program.output()[start:].splitlines()[-1]
        for part in parts:
            assert part in told, told

    os.chmod(key, 0o600)
    refused(f"server key {key}: Permission denied (owner root, mode 0600); it must be readable by user nobody")
    shutil.copy(os.path.join(tls, "client-private.pem"), key)
    os.chmod(key, 0o644)
    refused(f"server key {key}", "does not belong to server certificate")
