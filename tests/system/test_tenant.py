# SPDX-License-Identifier: Apache-2.0
"""keylime_tenant: command line, output, exit status, and what it refuses before anything is sent."""
import json
import os
import shutil
import stat
import time

import pytest

from lib.program import free_port, wait_until

AGENT = "7e57ed00-0000-4000-8000-00000000beef"
UNKNOWN = "00000000-0000-4000-8000-000000000bad"


@pytest.fixture
def servers(deployment):
    deployment.start_verifier()
    deployment.start_registrar()
    return deployment


@pytest.fixture
def registered(servers):
    """An agent with a software TPM, registered and not enrolled."""
    agent = servers.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    servers.env["KEYLIME_TENANT_REQUIRE_EK_CERT"] = "False"
    return servers


def lines_of(done, level):
    return [line for line in done.stdout.splitlines() if f" - {level} - " in line]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bogus"],
        ["-u"],
        ["surplus"],
        ["-u", "a", "-u", "b"],
        ["--push-model=yes"],
        ["--runtime"],  # could be several
        ["-c", "add", "-u", AGENT],  # pull model
        ["-c", "add", "--push-model", "-f", "payload"],
        ["-c", "add", "--push-model", "--cert", "default"],
        ["-c", "add", "--push-model", "--verify"],
        ["-c", "addruntimepolicy", "--runtime-policy-name", "edge"],
        ["-c", "add", "--push-model", "--exclude", "x"],
        ["-c", "add", "--push-model", "--runtime-policy-url", "https://localhost/p"],
        ["-c", "add", "--push-model", "--runtime-policy-checksum", "00"],
        ["-c", "add", "--push-model", "--runtime-policy-sig-key", "k.pem"],
        ["-c", "add", "--push-model", "--runtime-policy", "a", "--allowlist", "b"],
    ],
)
def test_wrong_command_line(deployment, arguments):
    """U8, decision D106: exit status 2 and one sentence; nothing is asked of any server."""
    done = deployment.tenant(*arguments, check=2)
    assert done.stdout == ""
    assert done.stderr.startswith("keylime_tenant: ")


def test_help_version_and_configuration(deployment):
    """U1, U2, U4."""
    shown = deployment.tenant("--help", check=0)
    assert "cvstatus" in shown.stdout and "--tpm_policy" in shown.stdout
    assert deployment.tenant("-V", check=0).stdout.startswith("keylime_tenant ")
    shown = deployment.tenant("--check-config", check=0).stdout
    assert "require_ek_cert" in shown and "KEYLIME_TENANT_VERIFIER_PORT" in shown


def test_bad_configuration(deployment):
    """A value that is not allowed names its source."""
    done = deployment.tenant(
        "-c", "cvlist", env={"KEYLIME_TENANT_REQUEST_TIMEOUT": "soon"}, check=1
    )
    assert "KEYLIME_TENANT_REQUEST_TIMEOUT" in done.stderr and "soon" in done.stderr


def test_unknown_command(servers):
    done = servers.tenant("-c", "frobnicate", check=1)
    assert "Invalid command specified: frobnicate" in done.stdout


def test_line_format(servers):
    """Scripts cut on `time - logger - LEVEL - message` (tenant-and-management-api 2.11)."""
    done = servers.tenant("-c", "cvlist", check=0)
    for line in done.stdout.splitlines():
        if " - keylime" in line:
            stamp, logger, level, message = line.split(" - ", 3)
            time.strptime(stamp[:19], "%Y-%m-%d %H:%M:%S")
            assert stamp[19] == "." and logger.startswith("keylime.") and level.isupper()
    assert (
        f"From verifier 127.0.0.1 port {servers.verifier_port} retrieved: "
        "\"{'code': 200, 'status': 'Success', 'results': {'uuids': []}}\"" in done.stdout
    )


def test_unknown_agent(servers):
    """C76, C83, C101."""
    port, tls_port = servers.verifier_port, servers.registrar_tls_port
    done = servers.tenant("-c", "cvstatus", "-u", UNKNOWN, check=1)
    assert f"Verifier at 127.0.0.1 with Port {port} does not have agent {UNKNOWN}." in done.stdout
    assert f"Agent {UNKNOWN} does not exist on Verifier (127.0.0.1:{port})." in done.stdout
    done = servers.tenant("-c", "regstatus", "-u", UNKNOWN, check=1)
    assert f"Agent {UNKNOWN} does not exist on the registrar." in done.stdout
    assert (
        '{"code": 404, "status": "Agent %s does not exist on registrar 127.0.0.1 port %s.", '
        '"results": {}}' % (UNKNOWN, tls_port) in done.stdout
    )
    done = servers.tenant("-c", "add", "--push-model", "-u", UNKNOWN, check=1)
    assert f"Agent ${UNKNOWN} data not found in the Registrar." in done.stdout
    servers.tenant("-c", "reactivate", "-u", UNKNOWN, check=1)
    servers.tenant("-c", "regdelete", "-u", UNKNOWN, check=1)
    # Deleting what is not there is what was asked for.
    servers.tenant("-c", "delete", "-u", UNKNOWN, check=0)


def test_invalid_agent_id(servers):
    done = servers.tenant("-c", "cvstatus", "-u", "bad uuid!", check=1)
    assert "use invalid characters" in done.stdout


@pytest.mark.parametrize("command", ["cvstatus", "regstatus", "cvlist", "reglist"])
def test_server_is_down(servers, command):
    """C76, U7: one line with the URL and the cause."""
    dead = str(free_port())
    done = servers.tenant("-c", command, "-u", AGENT, "-vp", dead, "-rp", dead, check=1)
    errors = lines_of(done, "ERROR")
    assert len(errors) == 1, done.stdout
    assert f"127.0.0.1:{dead}" in errors[0] and "refused" in errors[0]


@pytest.mark.parametrize(
    "policy,words",
    [
        ("{bad json", "--tpm_policy"),
        ('["15"]', "object"),
        ('{"10": "%s"}' % ("0" * 64), "PCR number 10"),
        ('{"16": "%s"}' % ("0" * 64), "PCR number 16"),
        ('{"24": "%s"}' % ("0" * 64), "24"),
        ('{"x": "%s"}' % ("0" * 64), "x"),
        ('{"15": 7}', "15"),
        ('{"15": ["zz"]}', "15"),
        ('{"15": ["00"]}', "15"),
    ],
)
def test_bad_tpm_policy(registered, policy, words):
    """Refused before anything is sent to the verifier."""
    done = registered.tenant(
        "-c", "add", "--push-model", "-u", AGENT, "--tpm_policy", policy, check=1
    )
    assert words in lines_of(done, "ERROR")[-1]
    assert registered.status(AGENT) is None


def test_enrolment_and_lists(registered):
    """C75, C80, C82, C84, U19, U21: add, again, lists, bulk, update, delete, regdelete."""
    zero = "0" * 64
    done = registered.tenant(
        "-c", "add", "--push-model", "-u", AGENT, "-t", "192.0.2.1", "-tp", "7",
        "--tpm_policy", '{"15": "%s"}' % zero.upper(), check=0,
    )
    assert "TPM PCR Mask from policy is 0x8000" in done.stdout
    assert f"Agent {AGENT} (192.0.2.1:7) added to Verifier" in done.stdout
    again = registered.tenant("-c", "add", "--push-model", "-u", AGENT, check=1)
    assert 'Run "delete" or "update" first.' in again.stdout

    record = json.loads(
        registered.tenant("-c", "cvstatus", "--json", "-u", AGENT, check=0).stdout
    )[AGENT]
    assert record["ip"] is None and record["port"] is None
    assert record["operational_state"] == "Get Quote"
    assert json.loads(record["tpm_policy"]) == {"15": [zero], "mask": "0x8000"}
    assert record["accept_tpm_signing_algs"] == ["rsassa", "rsapss", "ecdsa"]
    listed = json.loads(registered.tenant("-c", "cvlist", "--json", check=0).stdout)
    assert listed == {"uuids": [[AGENT]]}
    none = json.loads(registered.tenant("-c", "cvlist", "--json", "-vi", "other", check=0).stdout)
    assert none == {"uuids": []}
    bulk = json.loads(registered.tenant("-c", "bulkinfo", "--json", check=0).stdout)
    assert list(bulk) == [AGENT]
    assert json.loads(registered.tenant("-c", "reglist", "--json", check=0).stdout) == {
        "uuids": [AGENT]
    }
    shown = registered.tenant("-c", "status", "-u", AGENT, check=0).stdout
    assert f"Agent {AGENT} exists on registrar" in shown and "attestation_status" in shown

    wait_until(lambda: registered.status(AGENT) == "PASS", what="PASS")
    registered.tenant("-c", "update", "--push-model", "-u", AGENT, check=0)
    record = json.loads(
        registered.tenant("-c", "cvstatus", "--json", "-u", AGENT, check=0).stdout
    )[AGENT]
    assert json.loads(record["tpm_policy"]) == {"mask": "0x0"}
    assert record["attestation_count"] > 0  # the history was kept

    shown = registered.tenant("-c", "delete", "-u", AGENT, check=0).stdout
    assert f"Agent {AGENT} deleted from the CV" in shown and "regdelete" in shown
    registered.tenant("-c", "cvstatus", "-u", AGENT, check=1)
    registered.tenant("-c", "regstatus", "-u", AGENT, check=0)
    registered.tenant("-c", "regdelete", "-u", AGENT, check=0)
    registered.tenant("-c", "regstatus", "-u", AGENT, check=1)


def write_script(path, body):
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_ek_check_script(registered, tmp_path):
    """Decision D20: the operator's program decides as well, and is told what it needs."""
    seen = tmp_path / "seen"
    accepts = write_script(tmp_path / "accepts", f'env > {seen}; pwd >> {seen}; exit 0\n')
    refuses = write_script(tmp_path / "refuses", "echo not ours; exit 3\n")
    add = ["-c", "add", "--push-model", "-u", AGENT]
    done = registered.tenant(*add, env={"KEYLIME_TENANT_EK_CHECK_SCRIPT": refuses}, check=1)
    assert "did not accept" in done.stdout and "not ours" in done.stdout
    assert registered.status(AGENT) is None
    missing = str(tmp_path / "missing")
    registered.tenant(*add, env={"KEYLIME_TENANT_EK_CHECK_SCRIPT": missing}, check=1)
    registered.tenant(*add, env={"KEYLIME_TENANT_EK_CHECK_SCRIPT": accepts}, check=0)
    variables = seen.read_text()
    assert f"AGENT_UUID={AGENT}" in variables and "EK=-----BEGIN PUBLIC KEY-----" in variables
    assert "EK_TPM=" in variables and "EK_CERT=\n" in variables and "PROVKEYS={}" in variables
    assert f"TPM_CERT_STORE={registered.tpm_cert_store}" in variables
    assert str(registered.keylime_dir) in variables.splitlines()[-1]


def test_only_the_configured_ca_is_trusted(servers, tmp_path):
    """Decision D100: another CA, and another host name, are refused; the opt-outs work and say so."""
    other = tmp_path / "other"
    other.mkdir()
    certificates = servers.certificates
    copy = tmp_path / "client"
    shutil.copytree(certificates, copy)
    # The server's own certificate is no CA of it.
    shutil.copy(certificates / "client-cert.crt", copy / "wrong.crt")
    env = {"KEYLIME_TENANT_TLS_DIR": str(copy),
           "KEYLIME_TENANT_TRUSTED_SERVER_CA": f"['{copy}/wrong.crt']"}
    refused = servers.tenant("-c", "cvlist", env=env, check=1)
    assert "certificate" in lines_of(refused, "ERROR")[0]
    several = {**env,
               "KEYLIME_TENANT_TRUSTED_SERVER_CA": f"['{copy}/wrong.crt', '{copy}/cacert.crt']"}
    servers.tenant("-c", "cvlist", env=several, check=0)
    everything = {"KEYLIME_TENANT_TRUSTED_SERVER_CA": "all"}
    accepted = servers.tenant("-c", "cvlist", env=everything, check=0)
    assert any("not checked" in line for line in lines_of(accepted, "WARNING"))
    # 127.0.0.2 is the same server under a name that its certificate does not have.
    if os.path.exists("/proc/net/tcp"):
        plain = servers.tenant("-c", "cvlist", "-v", "127.0.0.2", check=1)
        assert "127.0.0.2" in lines_of(plain, "ERROR")[0]


def test_client_certificate_is_needed(servers, tmp_path):
    """C85: a missing or unreadable key file is named."""
    env = {"KEYLIME_TENANT_CLIENT_KEY": str(tmp_path / "none.pem")}
    done = servers.tenant("-c", "cvlist", env=env, check=1)
    assert "none.pem" in done.stdout + done.stderr
