# SPDX-License-Identifier: Apache-2.0
"""The agent's options, identity and TPM: real servers, an emulated TPM (contract §3-5, §11)."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lib.program import BINARIES, wait_until
from lib.simulator import Simulator
from lib.stage import AGENT, Stage


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


def run_agent(deployment, *flags, env=None, name=None):
    """Run the agent to its end."""
    base = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""}
    return subprocess.run(
        [str(name or BINARIES["agent"]), *flags],
        env={**base, **(env or {})}, capture_output=True, text=True, timeout=20)


# --- command line and options ----------------------------------------------------------------------


def test_help_and_version_need_nothing(deployment, tmp_path):
    """U1, U2, C7, C51: without configuration, directory or TPM; under the name it was called by."""
    nowhere = {"KEYLIME_DIR": "/nowhere", "KEYLIME_AGENT_CONFIG": "/nowhere"}
    shown = run_agent(deployment, "--help", env=nowhere)
    assert shown.returncode == 0 and "http://127.0.0.1:8890" in shown.stdout
    for flag in ("--verifier-url", "--registrar-url", "--agent-identifier", "--ca-certificate",
                 "--attestation-interval-seconds", "--api-version", "--timeout", "--insecure",
                 "--avoid-tpm"):
        assert flag in shown.stdout
    assert run_agent(deployment, "--version", env=nowhere).stdout.startswith("keylime_push_model_agent ")
    link = tmp_path / "keylime-push-model-agent"
    link.symlink_to(BINARIES["agent"])
    assert "Usage: keylime-push-model-agent" in run_agent(deployment, "-h", name=link).stdout


@pytest.mark.parametrize("flags", [
    ["--bogus"], ["word"], ["--verifier-url"], ["--timeout", "0"], ["--timeout", "x"],
    ["--verifier-url", "http://h:8881"], ["--agent-identifier", "a/b"], ["--agent-identifier", ".."],
    ["--api-version", "v2.6"], ["--attestation-interval-seconds", "0"], ["--insecure=perhaps"],
    ["--timeout", "5", "--timeout", "5"], ["--registrar-url", "127.0.0.1:8890"]])
def test_usage_errors(deployment, flags):
    """C50-C58a: message on stderr, exit 2, nothing started."""
    done = run_agent(deployment, *flags)
    assert done.returncode == 2, done.stderr
    assert flags[0].split("=")[0].lstrip("-") in done.stderr
    assert not (deployment.keylime_dir / "agent_data.json").exists()


@pytest.mark.parametrize("option,value,needle", [
    ("VERIFIER_URL", "http://host:8881", "must use https"), ("VERIFIER_URL", "host:8881", "must use https"),
    ("API_VERSIONS", "2.6", "3.0"), ("UUID", "not-a-uuid", "hash_ek"),
    ("TPM_HASH_ALG", "sha1", "sha256"), ("TPM_HASH_ALG", "SHA-256", "sha256"),
    ("TPM_SIGNING_ALG", "ecschnorr", "ecdsa"), ("REGISTRAR_PORT", "0", "65535"),
    ("REGISTRAR_IP", "a_b", "host name"), ("ATTESTATION_INTERVAL_SECONDS", "1.5", "whole number"),
    ("EXPONENTIAL_BACKOFF_INITIAL_DELAY", "0", "whole number"), ("REGISTRAR_TLS_ENABLED", "maybe", "true"),
    ("EK_HANDLE", "0x01", "0x8101"), ("TPM_OWNERPASSWORD", "hex:zz", "hex digits"),
    ("RUN_AS", "nobody", "user:group"), ("VERIFIER_TLS_CA_CERT", "/nowhere/ca.pem", "/nowhere/ca.pem"),
    ("TPM_ENCRYPTION_ALG", "ecc", "do not fit")])
def test_bad_values_are_refused(deployment, option, value, needle):
    """C36-C47, C106: exit 1 with the option and what is allowed, before a TPM is opened."""
    env = {f"KEYLIME_AGENT_{option}": value, "TCTI": "swtpm:host=127.0.0.1,port=1"}
    if option == "TPM_ENCRYPTION_ALG":
        env["KEYLIME_AGENT_TPM_SIGNING_ALG"] = "rsassa"
    done = run_agent(deployment, env=env)
    assert done.returncode == 1
    assert needle in done.stderr and option.lower() in done.stderr.lower()
    assert "no TPM" not in done.stderr


@pytest.mark.parametrize("content", ["[agent]\nuuid = \"x\n", "[agent]\nuuid = abc\n", "[agent]\nuuid: x\n"])
def test_toml_errors_name_the_place(deployment, content):
    """C32, C119."""
    path = deployment.directory / "agent.conf"
    path.write_text(content)
    for flags in ([], ["--check-config"]):
        done = run_agent(deployment, *flags)
        assert done.returncode == 1
        assert re.search(re.escape(str(path)) + r":2:\d+: ", done.stderr), done.stderr


def test_shared_file_of_upstream(deployment):
    """C34, C48: the guide's example has no warning; options of the pull agent are silent."""
    (deployment.directory / "agent.conf").write_text(
        '[agent]\nuuid = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"\n'
        'verifier_url = "https://verifier.example.com:8881"\n'
        'verifier_tls_ca_cert = "/var/lib/keylime/cv_ca/cacert.crt"\n'
        'attestation_interval_seconds = 60\nregistrar_ip = "registrar.example.com"\n'
        'registrar_port = 8890\ntpm_hash_alg = "sha256"\ntpm_signing_alg = "rsassa"\n'
        'server_key = "default"\npayload_script = "autorun.sh"\nenable_agent_mtls = true\n'
        'trusted_client_ca = ["a", "b"]\nversion = "2.4"\n')
    done = run_agent(deployment, "--check-config")
    assert done.returncode == 0 and "WARN" not in done.stderr, done.stderr
    (deployment.directory / "agent.conf").write_text("[agent]\nno_such_option = 1\n")
    assert "no_such_option" in run_agent(deployment, "--check-config").stderr


def test_inert_flags_of_upstream(stage):
    """C58a: accepted with a warning each."""
    agent = stage.agent("-j", "x.json", "--attestation-index", "1", "--session-index=1",
                        "--message-type", "Attestation", "--method", "POST")
    agent.wait_for_line("SUCCESS! Evidence accepted")
    for flag in ("json-file|-j", "attestation-index", "session-index", "message-type", "method"):
        assert re.search(rf"WARNING.*({flag}).*no effect", agent.output())


def test_logs_are_opened_where_configured(stage, tmp_path):
    """Read while the agent may; a log that is not there is said, and does not stop it."""
    (tmp_path / "ima").write_text("10 aa ima-ng sha256:bb /usr/bin/tool\n")
    agent = stage.agent(env={"KEYLIME_AGENT_IMA_ML_PATH": str(tmp_path / "ima"),
                             "KEYLIME_AGENT_MEASUREDBOOT_ML_PATH": str(tmp_path / "absent")})
    agent.wait_for_line(f"Opened the IMA measurement list: {tmp_path}/ima")
    agent.wait_for_line(f"WARNING.*Measured boot log not available: {tmp_path}/absent: No such file")
    agent.wait_for_line("SUCCESS! Evidence accepted")


# --- identity --------------------------------------------------------------------------------------


def test_generated_id_is_kept(stage):
    """C44a: over restarts and kill -9; a new one in an empty directory."""
    env = {"KEYLIME_AGENT_UUID": "generate"}
    first = stage.agent(env=env)
    made = first.wait_for_line(r"Generated a new UUID: (\S+)")[1]
    first.wait_for_line(f"SUCCESS: Agent {made} activated")
    first.kill()
    second = stage.agent(env=env)
    second.wait_for_line(f"SUCCESS: Agent {made} activated")
    assert "Generated" not in second.output()
    second.stop()
    assert (stage.deployment.keylime_dir / "agent_id").stat().st_mode & 0o777 == 0o600
    for path in stage.deployment.keylime_dir.iterdir():
        path.unlink()
    assert stage.agent(env=env).wait_for_line(r"Generated a new UUID: (\S+)")[1] != made


def test_forms_of_the_id(stage):
    """C44c, C44d, C52: normalised; a change is announced; the flag wins everywhere."""
    agent = stage.agent(env={"KEYLIME_AGENT_UUID": "5E2A7C548F0B4C1E9D3A0B6F6A1C2D33"})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    agent.stop()
    other = stage.agent("--agent-identifier", "Machine_7.x")
    other.wait_for_line(f"WARNING.*agent id changed from {AGENT} to Machine_7.x")
    other.wait_for_line("SUCCESS! Evidence accepted")
    assert stage.registrar.requests[-1].path.endswith("/agents/Machine_7.x")
    sessions = [r for r in stage.verifier.requests if r.path == "/v3.0/sessions"]
    assert sessions[-1].json["data"]["attributes"]["agent_id"] == "Machine_7.x"
    assert stage.verifier.times("POST", "/agents/Machine_7.x/attestations")


def test_shared_default_id_is_warned_of(stage):
    agent = stage.agent(env={"KEYLIME_AGENT_UUID": "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"})
    agent.wait_for_line("WARNING.*every default installation")


def test_boot_time_is_constant(stage):
    """D97: the same value over restarts of the agent."""
    values = set()
    for _ in range(2):
        agent = stage.agent()
        agent.wait_for_line("SUCCESS! Evidence accepted")
        agent.stop()
    for request in stage.verifier.requests:
        if request.path.endswith("/attestations"):
            values.add(request.json["data"]["attributes"]["system_info"]["boot_time"])
    assert len(values) == 1 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", values.pop())


def test_damaged_identity_is_never_replaced(stage):
    """D94: exit 1 and a remedy instead of a silent new key."""
    agent = stage.agent()
    agent.wait_for_line("SUCCESS! Evidence accepted")
    agent.stop()
    path = stage.deployment.keylime_dir / "agent_data.json"
    path.write_text(path.read_text()[:100])
    again = stage.agent()
    again.wait_for_line(r"ERROR - .*agent_data\.json.*remove it")
    assert again.process.wait(5) == 1
    assert len(path.read_text()) == 100


# --- privileges ------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_privileges_are_dropped(stage, request):
    """C100, U18: the CA file is root's alone and still used; umask; no new privileges."""
    os.chmod(stage.authority.certificate_path, 0o600)
    # Not below pytest's own directory: whichever pytest starts next closes that to other users.
    directory = tempfile.mkdtemp(prefix="keylime-run-as-")
    request.addfinalizer(lambda: shutil.rmtree(directory))
    shutil.chown(directory, "nobody", "nogroup")
    agent = stage.agent(env={"KEYLIME_AGENT_RUN_AS": "nobody:nogroup", "KEYLIME_DIR": directory})
    agent.wait_for_line("Dropped privileges to run as nobody:nogroup")
    agent.wait_for_line("SUCCESS! Evidence accepted")
    status = dict(
        line.split(":", 1) for line in open(f"/proc/{agent.pid}/status").read().splitlines())
    assert status["Uid"].split()[0] != "0" and len(set(status["Uid"].split())) == 1
    for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"].strip() == "1" and status["Umask"].strip() == "0077"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
@pytest.mark.parametrize("run_as", ("nobody:nogroup", "root:root"))
def test_capabilities_are_given_up(stage, request, run_as):
    """U18: as the service starts it, never root: what reads the CA file does not outlive the start. run_as
    is wondered at where it names another user."""
    os.chmod(stage.authority.certificate_path, 0o600)
    directory = tempfile.mkdtemp(prefix="keylime-capability-")
    request.addfinalizer(lambda: shutil.rmtree(directory))
    shutil.chown(directory, "nobody", "nogroup")
    agent = stage.agent(
        env={"KEYLIME_DIR": directory, "KEYLIME_AGENT_RUN_AS": run_as},
        wrapper=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                 "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"))
    agent.wait_for_line("SUCCESS! Evidence accepted")
    status = dict(
        line.split(":", 1) for line in open(f"/proc/{agent.pid}/status").read().splitlines())
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert ("run_as = 'root:root' has no effect" in agent.output()) == (run_as == "root:root")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_run_as_of_nobody_there(stage):
    agent = stage.agent(env={"KEYLIME_AGENT_RUN_AS": "no-such-user:nogroup"})
    agent.wait_for_line(r"run_as = 'no-such-user:nogroup': there is no such user")
    assert agent.process.wait(5) == 1


# --- TPM -------------------------------------------------------------------------------------------


def simulated(stage, simulator, *flags, env=None, log="agent-tpm"):
    base = {
        "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port),
    }
    return stage.deployment.start_agent(
        AGENT, *flags, tcti=simulator.tcti, env={**base, **(env or {})}, log=log)


def test_no_tpm(deployment, stage):
    """C8: each place tried is named, with TCTI."""
    agent = deployment.start_agent(AGENT, tcti="swtpm:host=127.0.0.1,port=1", env={
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path)})
    agent.wait_for_line(r"ERROR - no TPM: cannot open 'swtpm:host=127\.0\.0\.1,port=1'.*TCTI")
    assert agent.process.wait(5) == 1
    missing = deployment.start_agent(AGENT, tcti="device:/dev/no-such-tpm", log="missing", env={
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path)})
    missing.wait_for_line("/dev/no-such-tpm: No such file")
    assert missing.process.wait(5) == 1


def test_key_survives_and_nothing_stays_in_the_tpm(stage, simulator):
    """C47, push-agent §13: the same AK after a restart; no object or session is left behind."""
    for run in range(2):
        agent = simulated(stage, simulator, log=f"agent-{run}")
        agent.wait_for_line("SUCCESS! Evidence accepted")
        assert agent.stop() == 0
        assert simulator.transient_handles() == []
        assert simulator.tool("tpm2_getcap", "handles-loaded-session").split() == []
    first, second = [r.json for r in stage.registrar.requests if r.method == "POST"]
    assert first == second
    assert first["ekcert"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert simulator.pcr(16) == "0" * 64


def test_objects_in_use(stage, simulator):
    """tpm-formats §11: between cycles only the AK is loaded."""
    agent = simulated(stage, simulator, "--attestation-interval-seconds", "2")
    agent.wait_for_line("Waiting")
    assert len([word for word in simulator.transient_handles() if word != "-"]) == 1


@pytest.mark.parametrize("identity", [False, True])
def test_nothing_stays_after_failures(stage, simulator, identity):
    """tpm-formats §11: whatever fails, and however often, the AK alone stays loaded and no session."""
    answers = ["", "utzA3g==", "utzA3gAAAAEAAgAAAAIAAA==", "utzA3gAAAAEAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAg"
               + "A" * 40 + "=="]
    stage.registrar.replace[("POST", AGENT)] = lambda request: (
        200, {}, {"code": 200, "status": "Success", "results": {"blob": answers[len(stage.registrar.requests) % 4]}})
    agent = simulated(stage, simulator, env={
        "KEYLIME_AGENT_ENABLE_IAK_IDEVID": str(identity).lower(), "KEYLIME_AGENT_IAK_IDEVID_TEMPLATE": "H-2"})
    wait_until(lambda: agent.output().count("ERROR - Registration failed") >= 6, seconds=40)
    agent.wait_for_line("Trying again", start=agent.output().rfind("Registration failed"))
    assert len([word for word in simulator.transient_handles() if word != "-"]) <= 1
    assert simulator.tool("tpm2_getcap", "handles-loaded-session").split() == []
    stage.registrar.replace.clear()
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert agent.stop() == 0
    assert simulator.transient_handles() == []


def test_persistent_device_keys(stage, simulator):
    """D95: IAK and IDevID at persistent handles, the IAK with a password; registered again and again."""
    kinds = ("ecc256:ecdsa-sha256:null", "rsa2048:rsassa-sha256:null")
    for number, handle in enumerate(("0x81020000", "0x81020001")):
        context = stage.directory / f"key-{number}"
        simulator.tool("tpm2_createprimary", "-C", "e", "-G", kinds[number], "-c", str(context), "-a",
                       "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign",
                       *(["-p", "secret-of-the-iak"] if number == 0 else []))
        simulator.tool("tpm2_flushcontext", "-t")
        simulator.tool("tpm2_evictcontrol", "-C", "o", "-c", str(context), handle)
        simulator.tool("tpm2_flushcontext", "-t")
    agent = simulated(stage, simulator, env={
        "KEYLIME_AGENT_ENABLE_IAK_IDEVID": "true", "KEYLIME_AGENT_IAK_HANDLE": "0x81020000",
        "KEYLIME_AGENT_IDEVID_HANDLE": "81020001", "KEYLIME_AGENT_IAK_PASSWORD": "secret-of-the-iak"})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    for _ in range(2):
        count = len(stage.registrar.tags)
        agent.signal(signal.SIGHUP)
        wait_until(lambda: len(stage.registrar.tags) > count)
    assert all(stage.registrar.tags)
    bodies = [r.json for r in stage.registrar.requests if r.method == "POST"]
    assert len({body["iak_tpm"] for body in bodies}) == 1 and bodies[0]["iak_tpm"] != bodies[0]["idevid_tpm"]
    assert agent.stop() == 0
    assert "secret-of-the-iak" not in agent.output()
    assert simulator.transient_handles() == []


def test_hash_ek(stage, simulator):
    """C44b: equals SHA-256 of the certificate's public key in PEM."""
    agent = simulated(stage, simulator, env={"KEYLIME_AGENT_UUID": "hash_ek"})
    found = agent.wait_for_line(r"Using hashed EK as agent identifier: ([0-9a-f]{64})$")[1]
    wait_until(lambda: len(stage.registrar.requests) >= 2)
    pem = stage.registrar.requests[1].json["ekcert"]
    key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem, text=True,
                         capture_output=True, check=True).stdout
    assert hashlib.sha256(key.encode()).hexdigest() == found


def test_bank_that_is_missing(stage, simulator):
    """C46a: the banks that the TPM has are named."""
    agent = simulated(stage, simulator, env={"KEYLIME_AGENT_TPM_HASH_ALG": "sha512"})
    agent.wait_for_line(r"tpm_hash_alg: the TPM has no PCR bank for sha512; it has:.* sha256")
    assert agent.process.wait(5) == 1


def test_K8_a_pcr_that_moves_all_the_time(stage, simulator):
    """Four changes are stood through; the fifth ends this attestation, and the next one works."""
    agent = simulated(stage, simulator)
    agent.wait_for_line("SUCCESS! Evidence accepted")
    start = len(agent.output())
    simulator.move_pcr_10(4)
    agent.wait_for_line("mismatched on attempt 4", start=start)
    agent.wait_for_line("SUCCESS! Evidence accepted", start=agent.output().rindex("on attempt 4"))
    assert "Attestation failed" not in agent.output()
    simulator.move_pcr_10(5)
    agent.wait_for_line("ERROR - Attestation failed: .*the PCRs changed during each of 5 quotes")
    agent.wait_for_line("SUCCESS! Evidence accepted", start=agent.output().rindex("on attempt 5"))


def test_tpm_that_dies_and_returns(stage, simulator):
    """C115b: an error in words, AttestationFailed, and a fresh context once it is back."""
    agent = simulated(stage, simulator)
    agent.wait_for_line("SUCCESS! Evidence accepted")
    start = len(agent.output())
    simulator.stop()
    agent.wait_for_line(r"ERROR - Attestation failed: .*(TPM|tcti)", start=start)
    agent.wait_for_line("-> AttestationFailed", start=start)
    simulator.start()
    agent.wait_for_line("The TPM is open again", start=start)
    start = len(agent.output())
    agent.wait_for_line("SUCCESS! Evidence accepted", start=start)


def test_tpm_that_stays_away(stage, simulator):
    """C115b: exit 1 after ten intervals."""
    agent = simulated(stage, simulator)
    agent.wait_for_line("SUCCESS! Evidence accepted")
    simulator.stop()
    assert agent.process.wait(25) == 1
    assert "Unrecoverable error" in agent.output()


def test_handle_and_password(stage, simulator):
    """D95: a persistent EK and the hierarchy's password are used."""
    assert "0x81010001" in simulator.tool("tpm2_getcap", "handles-persistent")
    simulator.tool("tpm2_changeauth", "-c", "endorsement", "secret")
    refused = simulated(stage, simulator, log="refused")
    refused.wait_for_line("ERROR - ")
    assert refused.process.wait(10) == 1
    agent = simulated(stage, simulator, log="allowed", env={
        "KEYLIME_AGENT_EK_HANDLE": "0x81010001", "KEYLIME_AGENT_TPM_OWNERPASSWORD": "secret"})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert agent.stop() == 0
    assert "secret" not in agent.output()
    assert simulator.transient_handles() == []


def test_device_identity(stage, simulator):
    """D95, registrar-api §8.5: IAK and IDevID go with the keys, and the AK's certification."""
    agent = simulated(stage, simulator, env={"KEYLIME_AGENT_ENABLE_IAK_IDEVID": "true",
                                             "KEYLIME_AGENT_IAK_IDEVID_TEMPLATE": "H-2"})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    body = next(r.json for r in stage.registrar.requests if r.method == "POST")
    for member in ("iak_tpm", "idevid_tpm", "iak_attest", "iak_sign"):
        assert body[member]
    agent.stop()
    assert simulator.transient_handles() == []


def test_sha512(deployment, tmp_path):
    """C46a: the third bank, all the way to PASS."""
    simulator = Simulator(tmp_path / "sha512", banks="sha512")
    try:
        deployment.start_verifier()
        deployment.start_registrar()
        agent = deployment.start_agent(AGENT, tcti=simulator.tcti, env={
            "KEYLIME_AGENT_TPM_HASH_ALG": "sha512", "KEYLIME_AGENT_TPM_SIGNING_ALG": "ecdsa"})
        agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
        admin = deployment.admin()
        record = admin.get(f"{deployment.registrar_url}/v2.6/agents/{AGENT}").json()["results"]
        body = {
            "ak_tpm": record["aik_tpm"], "tpm_policy": json.dumps({"23": ["0" * 128]}),
            "accept_tpm_hash_algs": ["sha512"], "accept_tpm_encryption_algs": ["ecc"],
            "accept_tpm_signing_algs": ["ecdsa"], "supported_version": "2.6", "mtls_cert": "disabled",
            "metadata": "{}", "runtime_policy": "", "runtime_policy_name": "",
            "runtime_policy_key": "", "mb_policy": None, "mb_policy_name": "",
            "ima_sign_verification_keys": "", "revocation_key": "", "v": None,
            "cloudagent_ip": None, "cloudagent_port": None,
        }
        added = admin.post(f"{deployment.verifier_url}/v2.6/agents/{AGENT}", json=body)
        assert added.status_code == 200, added.text

        def status():
            got = admin.get(f"{deployment.verifier_url}/v2.6/agents/{AGENT}")
            return got.json()["results"]["attestation_status"]

        wait_until(lambda: status() == "PASS", what="PASS")
    finally:
        simulator.stop()


# --- cost ------------------------------------------------------------------------------------------


def test_cost_between_cycles(stage):
    """design §7: asleep between cycles, at most 10 ms of CPU a cycle (software RSA included), 8 MiB."""
    stage.verifier.seconds = 2
    agent = stage.agent("--attestation-interval-seconds", "2")
    agent.wait_for_line("Waiting 2 seconds")
    process = f"/proc/{agent.pid}"

    def status(member):
        with open(f"{process}/status") as file:
            return int(re.search(rf"^{member}:\s+(\d+)", file.read(), re.MULTILINE)[1])

    def cpu_seconds():
        with open(f"{process}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    time.sleep(0.3)
    before = status("voluntary_ctxt_switches")
    time.sleep(1.2)
    assert status("voluntary_ctxt_switches") == before
    cycles = len(stage.verifier.times("PATCH", "/0"))
    used = cpu_seconds()
    wait_until(lambda: len(stage.verifier.times("PATCH", "/0")) >= cycles + 3)
    time.sleep(0.3)
    if status("VmSize") > 1 << 30:
        pytest.skip("a sanitizer's build has other costs")
    assert (cpu_seconds() - used) / 3 < 0.010
    assert status("VmRSS") <= 8 * 1024
