# SPDX-License-Identifier: Apache-2.0
"""A machine is enrolled, attests, and is caught: all four programs, an emulated TPM, both databases."""
import hashlib
import re
import subprocess

import pytest

from lib.program import wait_until

AGENT = "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"


@pytest.fixture(params=["sqlite", "postgresql"])
def servers(request, deployment):
    """Verifier and registrar, each with its own database of this kind."""
    env = {"verifier": {"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"}, "registrar": {}}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        for name in env:
            env[name][f"KEYLIME_{name.upper()}_DATABASE_URL"] = server.create(name)
    deployment.start_verifier(env["verifier"])
    deployment.start_registrar(env["registrar"])
    return deployment


def enrol(deployment, policy, *more, agent=AGENT, check=0):
    return deployment.tenant(
        "-c", "add", "--push-model", "-u", agent, "--tpm_policy", policy, *more, check=check
    )


def test_registers_attests_and_is_caught(servers, simulator):
    """C75, C81, C82, C94, C101-C104; a changed PCR turns PASS into FAIL with the reason."""
    servers.trust(simulator)
    simulator.extend(15, hashlib.sha256(b"approved").hexdigest())
    approved = simulator.pcr(15)
    agent = servers.start_agent(AGENT, tcti=simulator.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} registered")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    servers.tenant("-c", "regstatus", "-u", AGENT, check=0)

    enrol(servers, '{"15": ["%s"]}' % approved)
    wait_until(lambda: servers.status(AGENT) == "PASS", what="PASS")
    agent.wait_for_line(r"State: Negotiating -> Attesting")
    agent.wait_for_line(r"SUCCESS! Evidence accepted by the Verifier\.")
    shown = servers.tenant("-c", "cvstatus", "--push-model", "-u", AGENT, check=0).stdout
    assert '"ip": null, "port": null' in shown
    assert f"PCR 15 (sha256) = 0x{approved}" in shown

    simulator.extend(15, hashlib.sha256(b"not approved").hexdigest())
    wait_until(lambda: servers.status(AGENT) == "FAIL", what="FAIL")
    shown = servers.tenant("-c", "cvstatus", "--push-model", "-u", AGENT, check=0).stdout
    assert approved in shown and simulator.pcr(15) in shown
    failure = [line for line in shown.splitlines() if "failure:" in line]
    assert failure and "15" in failure[0], shown
    # The agent learns of it too (C105).
    agent.wait_for_line(r"Verifier reports FAIL", seconds=40)

    # FAIL stays until the operator clears it (U13), and the new value is enrolled.
    servers.tenant(
        "-c", "update", "--push-model", "-u", AGENT,
        "--tpm_policy", '{"15": ["%s"]}' % simulator.pcr(15), check=0,
    )
    servers.tenant("-c", "reactivate", "-u", AGENT, check=0)
    wait_until(lambda: servers.status(AGENT) == "PASS", what="PASS after the update")

    servers.tenant("-c", "delete", "-u", AGENT, check=0)
    assert servers.status(AGENT) is None
    assert agent.stop() == 0
    assert simulator.transient_handles() == []


def test_emulated_tpm_is_refused_by_default(servers, simulator):
    """C86: without the maker's certificate in the store nothing is enrolled."""
    agent = servers.start_agent(AGENT, tcti=simulator.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    refused = enrol(servers, "{}", check=1).stdout
    assert "tpm_cert_store" in refused and "require_ek_cert" in refused
    assert servers.status(AGENT) is None
    servers.tenant(
        "-c", "add", "--push-model", "-u", AGENT, check=0,
        env={"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"},
    )
    # No policy at all: the agent still proves that it is the same TPM (C75).
    wait_until(lambda: servers.status(AGENT) == "PASS", what="PASS without a policy")


def test_agent_without_tpm(servers):
    """C58: the software TPM attests for real, and an operator who wants a certificate refuses it."""
    agent = servers.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line("INSECURE:")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(servers, "{}", check=1)
    unchecked = {"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}
    servers.tenant(
        "-c", "add", "--push-model", "-u", AGENT, "--tpm_policy", '{"15": ["%s"]}' % ("0" * 64),
        check=0, env=unchecked,
    )
    wait_until(lambda: servers.status(AGENT) == "PASS", what="PASS")
    servers.tenant(
        "-c", "update", "--push-model", "-u", AGENT, "--tpm_policy",
        '{"15": ["%s"]}' % ("1" * 64), check=0, env=unchecked,
    )
    wait_until(lambda: servers.status(AGENT) == "FAIL", what="FAIL")


@pytest.mark.parametrize(
    "signing,hash_algorithm",
    [("rsassa", "sha256"), ("rsapss", "sha256"), ("ecdsa", "sha256"), ("ecdsa", "sha384"),
     ("rsassa", "sha384")],
)
def test_key_types_and_banks(deployment, simulator, signing, hash_algorithm):
    """C46a, C46b: each scheme and bank reaches PASS with the tenant's and verifier's defaults."""
    if hash_algorithm == "sha384" and "sha384" not in simulator.tool("tpm2_getcap", "pcrs"):
        pytest.skip("the simulator has no sha384 bank")
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(
        AGENT, tcti=simulator.tcti,
        env={"KEYLIME_AGENT_TPM_SIGNING_ALG": signing,
             "KEYLIME_AGENT_TPM_HASH_ALG": hash_algorithm},
    )
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    zero = "0" * (64 if hash_algorithm == "sha256" else 96)
    deployment.tenant(
        "-c", "add", "--push-model", "-u", AGENT, "--tpm_policy", '{"23": ["%s"]}' % zero,
        check=0, env={"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"},
    )
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
    shown = deployment.tenant("-c", "cvstatus", "-u", AGENT, check=0).stdout
    assert f"signed {signing}/{hash_algorithm}" in shown


def test_reboot_of_the_machine(deployment, simulator):
    """A TPM reset between two attestations is a new boot, not a fault (decision D12)."""
    deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "1"})
    deployment.start_registrar()
    deployment.trust(simulator)
    agent = deployment.start_agent(AGENT, tcti=simulator.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(deployment, '{"23": ["%s"]}' % ("0" * 64))
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
    agent.stop()
    wait_until(lambda: deployment.status(AGENT) == "TIMEOUT", what="TIMEOUT")
    simulator.restart()
    deployment.start_agent(AGENT, tcti=simulator.tcti, log="agent-after")
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS after the reboot")


def test_nothing_listens_and_nothing_is_polled(deployment, simulator):
    """C2, C16, C97: the agent owns no listening socket, the verifier opens no connection."""
    verifier = deployment.start_verifier()
    deployment.start_registrar()
    deployment.trust(simulator)
    agent = deployment.start_agent(
        AGENT, tcti=simulator.tcti,
        env={"KEYLIME_AGENT_IP": "127.0.0.1", "KEYLIME_AGENT_PORT": "9002"},
    )
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    enrol(deployment, "{}")
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
    for _ in range(5):
        sockets = subprocess.run(["ss", "-Htulnp"], capture_output=True, text=True, check=True)
        assert f"pid={agent.pid}," not in sockets.stdout
        connections = subprocess.run(["ss", "-Htnp"], capture_output=True, text=True, check=True)
        for line in connections.stdout.splitlines():
            if f"pid={verifier.pid}," in line:
                local = line.split()[3]
                assert re.search(rf":{deployment.verifier_port}$", local), line


def test_evidence_of_the_demo():
    """`make demo` is a user's first command: it runs to its end and shows both verdicts."""
    import os
    import pathlib

    root = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [str(root / "demo/run"), os.environ["BUILD_DIR"]],
        capture_output=True, text=True, timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout and "failure: " in done.stdout and "== Done" in done.stdout
