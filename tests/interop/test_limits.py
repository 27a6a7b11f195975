# SPDX-License-Identifier: Apache-2.0
"""Where upstream's programs cannot do what ours can: what they answer, and that our side adapts or says so.
Each is recorded in docs/interoperability.md as upstream's limit, not as a cell that passes."""
import pytest

from lib.program import wait_until
from lib.registration import Machine, Session
from lib.software_ek import SoftwareEk
from lib.software_tpm import SoftwareAk
from upstream import OURS, UPSTREAM

AGENT = "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"
TOO_NEW = "upstream's verifier accepts only tpm_signing_alg = rsassa with tpm_hash_alg = sha256"
KEYS = {
    "ecdsa": {"KEYLIME_AGENT_TPM_ENCRYPTION_ALG": "ecc", "KEYLIME_AGENT_TPM_SIGNING_ALG": "ecdsa"},
    "rsapss": {"KEYLIME_AGENT_TPM_SIGNING_ALG": "rsapss"},
}


def attesting(deployment, machine, env):
    """An agent of ours, enrolled by our tenant."""
    deployment.env.update(
        KEYLIME_TENANT_REQUIRE_EK_CERT="False",  # this TPM's is for its EK of RSA
        KEYLIME_TENANT_ACCEPT_TPM_SIGNING_ALGS="['rsassa', 'rsapss', 'ecdsa']")  # upstream's file lacks the others
    deployment.start_servers()
    agent = deployment.start_agent(AGENT, tcti=machine.tcti, env=env)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, "--tpm_policy", '{"15": ["%s"]}' % ("00" * 32),
                      check=0)
    return agent


@pytest.mark.limit("the verifier takes no proof by an attestation key of {key}; our agent says so at its start, "
                   "and asks again in its usual pace; our verifier takes it")
@pytest.mark.parametrize("key", KEYS)
def test_keys_of_other_schemes(mixed, machine, key):
    deployment = mixed(UPSTREAM, UPSTREAM, OURS)
    agent = attesting(deployment, machine, KEYS[key])
    agent.wait_for_line(TOO_NEW)
    agent.wait_for_line("Authentication failed with evaluation: fail")
    assert agent.running() and deployment.status(AGENT) == "PENDING"


@pytest.mark.parametrize("key", KEYS)
def test_they_pass_at_our_verifier(mixed, machine, key):
    deployment = mixed(UPSTREAM, OURS, OURS)
    attesting(deployment, machine, KEYS[key])
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")


@pytest.mark.limit("the registrar answers 500 to version 3.0 of the API; our agent uses its highest 2.x also when 3.0 "
                   "is allowed; our registrar answers 200")
def test_registrar_of_version_3(mixed, machine):
    deployment = mixed(UPSTREAM, UPSTREAM, OURS)
    deployment.start_servers()
    other = Machine("11111111-8f0b-4c1e-9d3a-0b6f6a1c2d33", SoftwareEk("rsa"), SoftwareAk())
    plain = Session(deployment.registrar_plain_url, None)
    assert plain.post("/v3.0/agents", json=other.body(agent_id=other.agent_id)).status_code == 500
    agent = deployment.start_agent(AGENT, tcti=machine.tcti, env={
        "KEYLIME_AGENT_REGISTRAR_API_VERSIONS": "2.5,2.6,3.0"})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


@pytest.mark.limit("the verifier cannot change an enrolment (`PATCH /v3.0/agents/...` is 400 without a word): our "
                   "tenant's `update` deletes and adds there, and is one step at ours")
def test_update_of_an_enrolment(mixed):
    deployment = mixed(UPSTREAM, UPSTREAM, OURS)
    deployment.start_servers()
    answer = deployment.admin().patch(f"{deployment.verifier_url}/v3.0/agents/{AGENT}", json={}, timeout=20)
    assert answer.status_code in (400, 404, 405, 500) and not answer.text.strip("{} \n")
