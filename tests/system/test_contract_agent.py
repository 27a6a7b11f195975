# SPDX-License-Identifier: Apache-2.0
"""What the user guide says about the agent's configuration, command line and identity (contract C27 to C62,
U4, U25). Each test names the rows that it proves."""
import base64
import datetime
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.program import BINARIES
from lib.stage import AGENT, Stage


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


def run_agent(deployment, *flags, env=None, cwd=None):
    """Run the agent to its end."""
    base = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""}
    return subprocess.run([str(BINARIES["agent"]), *flags], env={**base, **(env or {})}, cwd=cwd,
                          capture_output=True, text=True, timeout=20)


# --- problems, all at once -------------------------------------------------------------------------


def test_every_problem_in_one_run(deployment):
    """U4: rules of one option and rules between options, in one run; start and --check-config refuse alike."""
    conf = deployment.directory / "agent.conf"
    conf.write_text('[agent]\nregistrar_port = 0\napi_versions = "2.6"\ntpm_signing_alg = "ecdsa"\n'
                    'tpm_encryption_alg = "rsa"\nek_handle = "7"\ntpm_ownerpassword = "hex:0"\n'
                    'enable_iak_idevid = true\niak_idevid_template = "H-9"\niak_cert = "none.pem"\n'
                    'avoid_tpm = true\n')
    expected = [rf"{re.escape(str(conf))}:{line}:\d+: \[agent\] {option} = " for line, option in [
        (2, "registrar_port"), (3, "api_versions"), (5, "tpm_encryption_alg"), (6, "ek_handle"),
        (7, "tpm_ownerpassword"), (8, "enable_iak_idevid"), (9, "iak_idevid_template"), (10, "iak_cert")]]
    nowhere = {"KEYLIME_DIR": "/nowhere"}
    expected.append(r"KEYLIME_DIR: \[agent\] keylime_dir = '/nowhere': No such file or directory")
    checked = run_agent(deployment, "--check-config", env=nowhere)
    started = run_agent(deployment, env=nowhere)
    assert checked.returncode == 1 and started.returncode == 1
    problems = [line.split(": ", 1)[1] for line in checked.stderr.splitlines() if "[agent]" in line]
    assert len(problems) == len(expected), checked.stderr
    for pattern in expected:
        assert any(re.match(pattern, line) for line in problems), (pattern, problems)
    assert problems == [line.split(": ", 1)[1] for line in started.stderr.splitlines() if "[agent]" in line]
    assert "hex:0" not in checked.stderr


def test_a_refused_word_is_no_second_problem(deployment):
    """U4: what depends on a value that was refused is not judged."""
    done = run_agent(deployment, "--check-config", env={
        "KEYLIME_AGENT_TPM_SIGNING_ALG": "dsa", "KEYLIME_AGENT_TPM_ENCRYPTION_ALG": "ecc"})
    assert done.returncode == 1
    assert "tpm_signing_alg = 'dsa'" in done.stderr and "do not fit" not in done.stderr


# --- identity --------------------------------------------------------------------------------------


def test_each_former_key_is_kept(stage):
    """D94: the second change does not overwrite what the first has put aside; hints name this agent's id."""
    directory = stage.deployment.keylime_dir
    contents = []
    for algorithm in ("sha256", "sha384", "sha512"):
        agent = stage.agent(env={"KEYLIME_AGENT_TPM_HASH_ALG": algorithm})
        agent.wait_for_line("Made a new attestation key")
        contents.append((directory / "agent_data.json").read_text())
        if algorithm != "sha256":
            agent.wait_for_line(f"WARNING.*tpm_hash_alg was changed.*regdelete -u {AGENT}$")
        agent.stop()
    assert (directory / "agent_data.json.bak").read_text() == contents[0]
    assert (directory / "agent_data.json.bak.1").read_text() == contents[1]
    assert not (directory / "agent_data.json.bak.2").exists()


def test_hints_name_the_id(stage):
    """C115a: commands in messages can be pasted: the id is this agent's own."""
    stage.registrar.replace[("POST", AGENT)] = (
        403, {}, {"code": 403, "status": "different TPM identity", "results": {}})
    agent = stage.agent()
    agent.wait_for_line(f"keylime_tenant -c regdelete -u {AGENT}")
    agent.stop()
    path = stage.deployment.keylime_dir / "agent_data.json"
    path.write_text("{}")
    damaged = stage.agent()
    damaged.wait_for_line(f"ERROR.*regdelete -u {AGENT}, start the agent.*update --push-model -u {AGENT}")


def device_certificate(path, key):
    """A certificate for a device key, as its maker gives it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    now = datetime.datetime.utcnow()
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key)
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def test_detected_device_keys_are_the_tpms(stage, simulator):
    """tpm-formats §4.4: with a certificate for the TPM's own P-256 IAK, detect registers that key."""
    env = {
        "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port),
        "KEYLIME_AGENT_ENABLE_IAK_IDEVID": "true",
    }
    named = stage.deployment.start_agent(AGENT, tcti=simulator.tcti, log="named", env={
        **env, "KEYLIME_AGENT_IAK_IDEVID_TEMPLATE": "H-2"})
    named.wait_for_line("SUCCESS! Evidence accepted")
    named.stop()
    wanted = next(r.json for r in stage.registrar.requests if r.method == "POST")["iak_tpm"]
    area = base64.b64decode(wanted)
    point = ec.EllipticCurvePublicNumbers(
        int.from_bytes(area[-66:-34], "big"), int.from_bytes(area[-32:], "big"), ec.SECP256R1())
    device_certificate(stage.deployment.keylime_dir / "iak-cert.crt", point.public_key())
    stage.registrar.requests.clear()
    detected = stage.deployment.start_agent(AGENT, tcti=simulator.tcti, log="detected", env=env)
    detected.wait_for_line("SUCCESS! Evidence accepted")
    body = next(r.json for r in stage.registrar.requests if r.method == "POST")
    assert body["iak_tpm"] == wanted and body["iak_cert"]
