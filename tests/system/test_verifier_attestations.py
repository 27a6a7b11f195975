# SPDX-License-Identifier: Apache-2.0
"""Attestations at a real verifier: the honest cycle, every gate, every kind of evidence that must not be
believed, silence and retention (verifier-push-api 5-8; contract C19, C21, C22, C102, C103, C112, C116)."""
import base64
import concurrent.futures
import copy
import datetime
import json
import re
import time

import pytest

from lib.program import wait_until
from lib.push_agent import PushAgent
from lib.site import Site
from lib.software_tpm import SoftwareAk, base64_text

ZERO = "00" * 32


class AgentSite(Site):
    def agent(self, tpm_policy=None, ak=None, authenticate=True, **members):
        agent = PushAgent(self.deployment.verifier_url,
                          self.deployment.certificates / "cacert.crt", ak)
        agent.enrol(self.admin, tpm_policy, **members)
        if authenticate:
            agent.authenticate()
        return agent

    def verdict(self, agent):
        """Attributes of the newest attestation once it is decided."""
        def decided():
            attributes = agent.latest(self.admin)["attributes"]
            return attributes if attributes["stage"] == "verification_complete" else None
        return wait_until(decided, 10, "the verdict")

    def cycle(self, agent):
        agent.attest()
        return self.verdict(agent)

    def call(self, agent, method):
        answer = self.admin.put(f"{agent.url}/v2.6/agents/{agent.id}/{method}", timeout=20)
        assert answer.status_code == 200, answer.text

    def log(self):
        return self.verifier.output()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = AgentSite(tmp_path_factory.mktemp("site"))
    yield made
    made.deployment.stop()


@pytest.fixture
def own_site(tmp_path):
    """Call it with options: a verifier for this test alone."""
    made = []

    def make(**options):
        env = {f"KEYLIME_VERIFIER_{name.upper()}": str(value) for name, value in options.items()}
        made.append(AgentSite(tmp_path / f"site-{len(made)}", env))
        return made[-1]

    yield make
    for each in made:
        each.deployment.stop()


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def errors(answer, status, code):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["jsonapi"] == {"version": "1.1"} and "self" in body["links"]
    found = body["errors"]
    assert {each["code"] for each in found} == {code}, found
    assert {each["status"] for each in found} == {str(status)}
    return found


def problems(answer):
    """{pointer: detail} of a 422."""
    return {each["source"]["pointer"]: each["detail"]
            for each in errors(answer, 422, "invalid_resource_data")}


# --- the honest cycle ---------------------------------------------------------------------------------


def test_C102_C103_cycle_passes_and_is_logged(site):
    agent = site.agent({"15": [ZERO]})
    assert agent.status(site.admin) == "PENDING"
    created = agent.create()
    assert created.headers["Location"] == f"/v3.0/agents/{agent.id}/attestations/0"
    assert "Retry-After" not in created.headers
    body = created.json()
    assert body["links"]["self"] == f"/v3.0/agents/{agent.id}/attestations"
    attributes = body["data"]["attributes"]
    assert attributes["stage"] == "awaiting_evidence"
    assert attributes["system_info"]["boot_time"] == "2026-11-20T08:00:00.000000+00:00"
    assert len(attributes["evidence_requested"]) == 1
    chosen = agent.chosen(created)
    assert "format" not in chosen
    assert len(base64.b64decode(chosen["challenge"])) == 16
    assert chosen["selected_subjects"] == {"sha256": [15], "sha1": None}
    assert (chosen["signature_scheme"], chosen["hash_algorithm"]) == ("rsassa", "sha256")
    offered = agent.ak.capabilities()["certification_keys"][0]
    assert chosen["certification_key"] == offered

    answer = agent.submit(created.headers["Location"], agent.ak.evidence(chosen))
    assert answer.status_code == 202 and "Retry-After" not in answer.headers
    body = answer.json()
    assert body["meta"]["seconds_to_next_attestation"] == 1
    assert body["data"]["attributes"]["evidence"] == []
    assert body["data"]["attributes"]["stage"] == "evaluating_evidence"

    attributes = site.verdict(agent)
    assert attributes["evaluation"] == "pass" and attributes["failure_reason"] is None
    assert attributes["failures"] == [] and attributes["warnings"] == []
    item = attributes["evidence"][0]
    assert item["capabilities"]["available_subjects"]["sha256"] == list(range(24))
    assert item["chosen_parameters"] == chosen
    assert item["data"]["meta"]["pcrs"] == {"sha256": {"15": "0x" + ZERO}}
    assert item["data"]["meta"]["clock_info"]["reset_count"] == 1
    record = agent.record(site.admin)
    assert record["attestation_status"] == "PASS" and record["attestation_count"] == 1
    for line in (f"Created attestation 0 for agent '{agent.id}'",
                 f"Received evidence for attestation 0 of agent '{agent.id}': tpm_quote",
                 f"Starting verification of attestation 0 for agent '{agent.id}'...",
                 f"Attestation 0 for agent '{agent.id}' successfully passed verification"):
        assert line in site.log()
    assert site.cycle(agent)["evaluation"] == "pass"
    assert agent.record(site.admin)["attestation_count"] == 2


@pytest.mark.parametrize("options, bank", [
    ({"scheme": "rsassa", "hash_name": "sha384"}, "sha384"),
    ({"scheme": "rsapss"}, "sha256"),
    ({"scheme": "rsassa", "bits": 3072}, "sha256"),
    ({"scheme": "ecdsa"}, "sha256"),
    ({"scheme": "ecdsa", "bits": 384, "hash_name": "sha384"}, "sha384"),
])
def test_algorithms_of_the_enrolled_key_are_negotiated(site, options, bank):
    agent = site.agent({}, SoftwareAk(**options))
    document = agent.capabilities_document(
        agent.ak.capabilities(banks=("sha1", "sha256", "sha384", "sha512")))
    created = agent.create(document)
    chosen = agent.chosen(created)
    assert chosen["hash_algorithm"] == bank
    assert chosen["signature_scheme"] == options["scheme"]
    answer = agent.submit(created.headers["Location"], agent.ak.evidence(chosen))
    assert answer.status_code == 202
    assert site.verdict(agent)["evaluation"] == "pass"


def test_agent_without_policy_proves_one_pcr(site):
    """Identity only: PCR 0, or the lowest one that the TPM offers."""
    agent = site.agent()
    assert agent.chosen(agent.create())["selected_subjects"]["sha256"] == [0]
    document = agent.capabilities_document(agent.ak.capabilities(pcrs=[7, 9, 23]))
    created = agent.create(document)
    chosen = agent.chosen(created)
    assert chosen["selected_subjects"] == {"sha256": [7], "sha1": None}
    agent.ak.extend("sha256", 7, b"anything")
    answer = agent.submit(created.headers["Location"], agent.ak.evidence(chosen))
    assert answer.status_code == 202
    assert site.verdict(agent)["evaluation"] == "pass"
    assert agent.status(site.admin) == "PASS"


def test_further_pcrs_in_the_quote_are_accepted(site):
    agent = site.agent({"15": [ZERO]})
    agent.ak.extend("sha256", 16, b"agents of upstream extend PCR 16")
    created = agent.create()
    nonce = base64.b64decode(agent.chosen(created)["challenge"])
    quote = agent.quote_data(*agent.ak.quote(nonce, "sha256", [3, 15, 16]))
    assert agent.submit(created.headers["Location"], quote).status_code == 202
    assert site.verdict(agent)["evaluation"] == "pass"


def test_evidence_for_latest_and_hexadecimal_are_accepted(site):
    agent = site.agent({"15": [ZERO]})
    data = agent.ak.evidence(agent.chosen(agent.create()))
    data["message"] = "0x" + base64.b64decode(data["message"]).hex()
    answer = agent.submit(f"/v3/agents/{agent.id}/attestations/latest", data)
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["links"]["self"] == f"/v3/agents/{agent.id}/attestations/0"
    assert site.verdict(agent)["evaluation"] == "pass"


# --- violations and what follows ----------------------------------------------------------------------


def test_C102_violation_of_the_tpm_policy_fails_and_sticks(site):
    agent = site.agent({"15": [ZERO]})
    assert site.cycle(agent)["evaluation"] == "pass"
    agent.ak.extend("sha256", 15, b"unwanted")
    got = agent.ak.pcrs["sha256"][15].hex()
    verdict = site.cycle(agent)
    assert verdict["evaluation"] == "fail" and verdict["failure_reason"] == "policy_violation"
    context = verdict["failures"][0]["context"]
    assert "15" in context["message"] and ZERO in context["message"] and got in context["message"]
    record = agent.record(site.admin)
    assert record["attestation_status"] == "FAIL"
    assert record["last_event_id"] == verdict["failures"][0]["event_id"]
    assert re.search(f"WARNING - Attestation 1 for agent '{agent.id}' failed.*PCR 15.*{got}",
                     site.log())
    # U13: a later pass does not hide it; only an operator does.
    agent.ak.pcrs["sha256"][15] = bytes(32)
    assert site.cycle(agent)["evaluation"] == "pass"
    assert agent.status(site.admin) == "FAIL"
    site.call(agent, "reactivate")
    assert agent.status(site.admin) == "PENDING"
    site.cycle(agent)
    assert agent.status(site.admin) == "PASS"


def test_auto_recovery_is_an_option(own_site):
    site = own_site(auto_recover_attestation_failures="True")
    agent = site.agent({"15": [ZERO]})
    agent.ak.extend("sha256", 15, b"unwanted")
    site.cycle(agent)
    assert agent.status(site.admin) == "FAIL"
    agent.ak.pcrs["sha256"][15] = bytes(32)
    site.cycle(agent)
    assert agent.status(site.admin) == "PASS"


def other_nonce(agent, nonce):
    return agent.ak.quote(bytes(16), "sha256", [15])


def base64_nonce(agent, nonce):
    return agent.ak.quote(base64.b64encode(nonce), "sha256", [15])


def tampered_message(agent, nonce):
    message, signature, blob = agent.ak.quote(nonce, "sha256", [15])
    return message[:-1] + bytes([message[-1] ^ 1]), signature, blob


def tampered_signature(agent, nonce):
    message, signature, blob = agent.ak.quote(nonce, "sha256", [15])
    return message, signature[:-1] + bytes([signature[-1] ^ 1]), blob


def tampered_values(agent, nonce):
    message, signature, _ = agent.ak.quote(nonce, "sha256", [15])
    return message, signature, agent.ak.pcr_blob("sha256", [15], {15: b"\1" * 32})


def foreign_key(agent, nonce):
    return SoftwareAk().quote(nonce, "sha256", [15])


def other_selection(agent, nonce):
    """The signed selection is compared with the one that came beside it."""
    return agent.ak.quote(nonce, "sha256", [15], signed_pcrs=[23])


def certification(agent, nonce):
    message, signature = agent.ak.certify(nonce)
    return message, signature, agent.ak.pcr_blob("sha256", [15])


def wrong_magic(agent, nonce):
    message, _, blob = agent.ak.quote(nonce, "sha256", [15])
    message = b"\xfe" + message[1:]
    return message, agent.ak.sign(message), blob


def trailing_bytes(agent, nonce):
    message, _, blob = agent.ak.quote(nonce, "sha256", [15])
    message += b"\0"
    return message, agent.ak.sign(message), blob


def short_message(agent, nonce):
    message, _, blob = agent.ak.quote(nonce, "sha256", [15])
    return message[:10], agent.ak.sign(message[:10]), blob


def short_signature(agent, nonce):
    message, signature, blob = agent.ak.quote(nonce, "sha256", [15])
    return message, signature[:20], blob


def other_scheme(agent, nonce):
    message, _, blob = agent.ak.quote(nonce, "sha256", [15])
    return message, agent.ak.sign(message, scheme="rsapss"), blob


def other_hash(agent, nonce):
    message, _, blob = agent.ak.quote(nonce, "sha256", [15])
    return message, agent.ak.sign(message, hash_name="sha1"), blob


@pytest.mark.parametrize("forge", [
    other_nonce, base64_nonce, tampered_message, tampered_signature, tampered_values, foreign_key,
    other_selection, certification, wrong_magic, trailing_bytes, short_message, short_signature,
    other_scheme, other_hash])
def test_evidence_that_proves_nothing_fails(site, forge):
    agent = site.agent({"15": [ZERO]})
    site.cycle(agent)
    created = agent.create()
    nonce = base64.b64decode(agent.chosen(created)["challenge"])
    answer = agent.submit(created.headers["Location"], agent.quote_data(*forge(agent, nonce)))
    assert answer.status_code == 202, answer.text
    verdict = site.verdict(agent)
    assert verdict["evaluation"] == "fail"
    assert verdict["failure_reason"] == "broken_evidence_chain"
    assert verdict["failures"][0]["event_id"] == "qoute_validation.quote_validation"
    record = agent.record(site.admin)
    assert record["attestation_status"] == "FAIL" and record["attestation_count"] == 1


def test_replayed_evidence_fails(site):
    agent = site.agent({"15": [ZERO]})
    created = agent.create()
    data = agent.ak.evidence(agent.chosen(created))
    agent.submit(created.headers["Location"], data)
    assert site.verdict(agent)["evaluation"] == "pass"
    created = agent.create()
    assert agent.submit(created.headers["Location"], data).status_code == 202
    assert site.verdict(agent)["failure_reason"] == "broken_evidence_chain"


def test_evidence_of_another_enrolled_agent_fails(site):
    honest, other = site.agent({"15": [ZERO]}), site.agent({"15": [ZERO]})
    created = other.create()
    data = honest.ak.evidence(other.chosen(created))
    assert other.submit(created.headers["Location"], data).status_code == 202
    assert site.verdict(other)["failure_reason"] == "broken_evidence_chain"
    assert honest.status(site.admin) == "PENDING"


def test_clock_of_the_tpm_may_not_go_back(site):
    agent = site.agent({"15": [ZERO]})
    agent.ak.clock = 500000
    agent.ak.reset_count = 5
    assert site.cycle(agent)["evaluation"] == "pass"
    agent.ak.reboot()
    assert site.cycle(agent)["evaluation"] == "pass", "a reset is no fault"
    agent.ak.clock = 1000
    assert site.cycle(agent)["evaluation"] == "fail"
    agent.ak.clock = 900000
    agent.ak.reset_count = 5
    assert site.cycle(agent)["evaluation"] == "fail", "an older boot"


def test_unsafe_clock_is_a_warning(site):
    agent = site.agent({"15": [ZERO]})
    agent.ak.safe = False
    verdict = site.cycle(agent)
    assert verdict["evaluation"] == "pass" and len(verdict["warnings"]) == 1


# --- the gates of POST ---------------------------------------------------------------------------------


def test_post_documents_that_are_no_attestation(site):
    agent = site.agent()
    document = agent.capabilities_document()
    wrong = copy.deepcopy(document)
    wrong["data"]["type"] = "session"
    errors(agent.create(wrong), 409, "conflict")
    del wrong["data"]["type"]
    errors(agent.create(wrong), 400, "invalid_request")
    errors(agent.create({"meta": {"a": 1}}), 400, "invalid_request")
    errors(agent.create({"data": "x"}), 400, "invalid_request")
    errors(agent.create({"data": [document["data"], document["data"]]}), 400, "invalid_request")
    assert agent.create(document, {"Content-Type": "application/json"}).status_code == 415
    assert agent.create({"data": [document["data"]], "included": []}).status_code == 201


def test_post_needs_the_agents_own_token(site):
    """C96: another agent's, one that was changed, an administrator's certificate instead of one."""
    agent, other = site.agent(), site.agent()
    token = agent.token
    agent.token = other.token
    assert agent.create().status_code == 403
    agent.token = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert agent.create().status_code == 401
    agent.token = token
    url = f"{agent.url}/v3.0/agents/{agent.id}/attestations"
    assert site.admin.post(url, json={}, timeout=20).status_code == 403


def test_post_of_a_deleted_agent(site):
    agent = site.agent()
    url = f"{agent.url}/v2.6/agents/{agent.id}"
    assert site.admin.delete(url, timeout=20).status_code in (200, 202)
    errors(agent.create(), 404, "not_found")


def test_stopped_agent_is_refused_until_reactivated(site):
    agent = site.agent({"15": [ZERO]})
    created = agent.create()
    site.call(agent, "stop")
    errors(agent.create(), 403, "agent_attestations_disabled")
    answer = agent.submit(created.headers["Location"], agent.ak.evidence(agent.chosen(created)))
    errors(answer, 403, "agent_attestations_disabled")
    site.call(agent, "reactivate")
    assert site.cycle(agent)["evaluation"] == "pass"


def test_stopped_agent_stays_stopped_whatever_is_sent(site):
    """D82: neither evidence that was on its way nor an update of the enrolment is a reactivation."""
    agent = site.agent({"15": ["11" * 32]})
    agent.attest()
    site.call(agent, "stop")
    assert site.verdict(agent)["evaluation"] == "fail"
    url = f"{site.deployment.verifier_url}/v3.0/agents/{agent.id}"
    members = {"tpm_policy": json.dumps({"15": [ZERO]}), "ak_tpm": agent.ak.ak_tpm}
    answer = site.admin.patch(url, timeout=20, json={
        "data": {"type": "agent", "id": agent.id, "attributes": members}})
    assert answer.status_code == 200, answer.text
    attributes = answer.json()["data"]["attributes"]
    assert attributes["operational_state"] == 10 and attributes["attestation_status"] == "PENDING"
    errors(agent.create(), 403, "agent_attestations_disabled")
    site.call(agent, "reactivate")
    assert site.cycle(agent)["evaluation"] == "pass"


def test_C18_premature_creation_is_told_to_wait(own_site):
    site = own_site(quote_interval="2")
    agent = site.agent()
    answer = agent.attest()
    assert answer.json()["meta"]["seconds_to_next_attestation"] == 2
    site.verdict(agent)
    refused = agent.create()
    errors(refused, 429, "premature_attestation")
    assert refused.headers["Retry-After"] in ("1", "2")
    time.sleep(2)
    assert agent.create().status_code == 201


def test_abandoned_challenges_are_replaced_and_bounded(site):
    agent = site.agent()
    for index in range(10):
        created = agent.create()
        assert created.headers["Location"].endswith(f"/attestations/{index}")
    refused = agent.create()
    errors(refused, 429, "premature_attestation")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert [each["id"] for each in agent.attestations(site.admin)] == ["9"]
    answer = agent.submit(created.headers["Location"], agent.ak.evidence(agent.chosen(created)))
    assert answer.status_code == 202
    site.verdict(agent)
    created = agent.create()
    assert created.status_code == 201 and created.headers["Location"].endswith("/10")


def test_simultaneous_creations_are_serialised(site):
    agent = site.agent()
    agents = []
    for _ in range(6):
        twin = PushAgent(agent.url, agent.ca, agent.ak, agent.id)
        twin.token = agent.token
        agents.append(twin)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: each.create(), agents))
    assert {each.status_code for each in answers} <= {201, 409}
    made = [each for each in answers if each.status_code == 201]
    assert made and len({each.headers["Location"] for each in made}) == len(made)
    for each in answers:
        if each.status_code == 409:
            errors(each, 409, "conflict")
            assert "Retry-After" not in each.headers
    assert len(agent.attestations(site.admin)) == 1


# --- capabilities ---------------------------------------------------------------------------------------

SUPPORTED = "/data/attributes/evidence_supported"
QUOTE = SUPPORTED + "/0/capabilities"


def at(document, pointer, value):
    """Sets (or with `...` removes) what a pointer names."""
    *path, last = pointer.strip("/").split("/")
    for part in path:
        document = document[int(part) if isinstance(document, list) else part]
    last = int(last) if isinstance(document, list) else last
    if value is ...:
        del document[last]
    else:
        document[last] = value


KEY = QUOTE + "/certification_keys/0"


@pytest.mark.parametrize("pointer, value, reported", [
    ("/data/attributes", ..., SUPPORTED),
    ("/data/attributes", "text", SUPPORTED),
    (SUPPORTED, ..., None),
    (SUPPORTED, [], None),
    (SUPPORTED, {}, None),
    (SUPPORTED, "nonsense", None),
    (SUPPORTED, [{}] * 17, None),
    (SUPPORTED + "/0", "text", None),
    (SUPPORTED + "/0", ..., SUPPORTED),
    (SUPPORTED + "/0/evidence_class", ..., None),
    (SUPPORTED + "/0/evidence_class", "other", None),
    (SUPPORTED + "/0/evidence_type", ..., None),
    (SUPPORTED + "/0/evidence_type", "tpm_other", SUPPORTED),
    (SUPPORTED + "/0/capabilities", ..., None),
    (SUPPORTED + "/0/capabilities", [], None),
    (QUOTE + "/component_version", "1.2", None),
    (QUOTE + "/component_version", 2, None),
    (QUOTE + "/signature_schemes", ..., None),
    (QUOTE + "/signature_schemes", [], None),
    (QUOTE + "/signature_schemes", "rsassa", None),
    (QUOTE + "/signature_schemes", [1], None),
    (QUOTE + "/signature_schemes", ["ecdsa"], None),
    (QUOTE + "/hash_algorithms", ..., None),
    (QUOTE + "/hash_algorithms", ["sha1"], QUOTE + "/available_subjects"),
    (QUOTE + "/available_subjects", ..., None),
    (QUOTE + "/available_subjects", [0, 1], None),
    (QUOTE + "/available_subjects", 7, None),
    (QUOTE + "/available_subjects/sha256", [24], None),
    (QUOTE + "/available_subjects/sha256", [-1], None),
    (QUOTE + "/available_subjects/sha256", "x", None),
    (QUOTE + "/available_subjects/sha256", [1, 2], QUOTE + "/available_subjects"),
    (QUOTE + "/available_subjects/sha256", ..., QUOTE + "/hash_algorithms"),
    (QUOTE + "/certification_keys", [], None),
    (QUOTE + "/certification_keys", ..., None),
    (QUOTE + "/certification_keys", ["x"], QUOTE + "/certification_keys/0"),
    (KEY + "/key_class", ..., None),
    (KEY + "/key_class", "other", None),
    (KEY + "/key_class", "symmetric", QUOTE + "/certification_keys"),
    (KEY + "/key_size", ..., None),
    (KEY + "/key_size", "big", None),
    (KEY + "/key_algorithm", ..., None),
    (KEY + "/public", "%%%", None),
    (KEY + "/public", "AAAA", QUOTE + "/certification_keys"),
    (KEY + "/allowable_signature_schemes", ["ecdsa"], None),
    (KEY + "/allowable_signature_schemes", ["rsapss"], QUOTE + "/signature_schemes"),
    (KEY + "/allowable_hash_algorithms", ["sha512"], QUOTE + "/hash_algorithms"),
    (SUPPORTED + "/2/capabilities/entry_count", -1, None),
    (SUPPORTED + "/2/capabilities/entry_count", ..., None),
    (SUPPORTED + "/2/capabilities/formats", 1, None),
    (SUPPORTED + "/1/capabilities/appendable", "yes", None),
    ("/data/attributes/system_info", "now", None),
    ("/data/attributes/system_info/boot_time", "yesterday", None),
])
def test_C116a_capabilities_are_refused_with_pointer(site, shared_agent, pointer, value, reported):
    document = shared_agent.capabilities_document()
    at(document, pointer, value)
    answer = shared_agent.create(document)
    reported = reported or pointer
    assert reported in problems(answer), answer.text
    line = f"Refused a request of agent '{shared_agent.id}': {reported}: "
    assert line in site.log()


@pytest.fixture(scope="module")
def shared_agent(site):
    """For refusals, which leave no trace."""
    return site.agent({"15": [ZERO]})


def test_all_problems_come_in_one_answer(shared_agent):
    document = shared_agent.capabilities_document()
    at(document, KEY + "/key_size", ...)
    at(document, QUOTE + "/signature_schemes", [])
    at(document, SUPPORTED + "/2/capabilities/entry_count", -1)
    at(document, "/data/attributes/system_info/boot_time", "?")
    assert len(problems(shared_agent.create(document))) == 4


@pytest.mark.parametrize("pointer, value", [
    ("/data/attributes/unknown", 1),
    ("/data/attributes/system_info", ...),
    ("/data/attributes/system_info", None),
    ("/data/attributes/system_info/boot_time", 1795454619),
    (SUPPORTED + "/0/evidence_class", "CERTIFICATION"),
    (SUPPORTED + "/2/evidence_type", "future_log"),
    (QUOTE + "/evidence_version", None),
    (QUOTE + "/available_subjects/sha256", [str(pcr) for pcr in range(24)]),
    (QUOTE + "/available_subjects/sha1", None),
    (QUOTE + "/signature_schemes", '["rsassa", "ecschnorr"]'),
    (KEY + "/key_size", "2048"),
    (KEY + "/server_identifier", ...),
    (KEY + "/allowable_hash_algorithms", ...),
])
def test_capabilities_are_read_with_tolerance(site, pointer, value):
    agent = site.agent({"15": [ZERO]})
    document = agent.capabilities_document()
    at(document, pointer, value)
    agent.chosen(agent.create(document))


def test_key_is_found_by_public_area_or_name_or_role(site):
    agent = site.agent({"15": [ZERO]})
    document = agent.capabilities_document()
    at(document, KEY + "/public", agent.ak.ak_tpm)
    assert agent.create(document).status_code == 201, "with the size prefix"
    at(document, KEY + "/public", ...)
    assert agent.create(document).status_code == 201, "by name"
    at(document, KEY + "/local_identifier", "000b" + ZERO)
    assert QUOTE + "/certification_keys" in problems(agent.create(document))
    at(document, KEY + "/local_identifier", ...)
    assert agent.create(document).status_code == 201, "as 'ak'"
    at(document, KEY + "/server_identifier", "other")
    assert QUOTE + "/certification_keys" in problems(agent.create(document))


def test_another_key_is_chosen_past(site):
    agent = site.agent({"15": [ZERO]})
    document = agent.capabilities_document()
    own = document["data"]["attributes"]["evidence_supported"][0]["capabilities"][
        "certification_keys"][0]
    at(document, QUOTE + "/certification_keys",
       [SoftwareAk().capabilities()["certification_keys"][0], own])
    assert agent.chosen(agent.create(document))["certification_key"] == own


@pytest.mark.parametrize("members, named, option", [
    ({"accept_tpm_signing_algs": ["ecdsa"]}, ["rsassa", "['ecdsa']"], "accept_tpm_signing_algs"),
    ({"accept_tpm_hash_algs": ["sha512"]}, ["sha256", "['sha512']"], "accept_tpm_hash_algs"),
    ({"accept_tpm_encryption_algs": ["ecc"]}, ["rsa2048", "['ecc']"],
     "accept_tpm_encryption_algs"),
])
def test_C116b_refused_algorithms_are_named(site, members, named, option):
    agent = site.agent({"15": [ZERO]}, **members)
    details = " ".join(problems(agent.create()).values())
    for word in [*named, option]:
        assert word in details
    assert details in site.log()


# --- the gates and the reading of PATCH ------------------------------------------------------------------


def test_C22_index_and_stage_of_evidence(site):
    agent = site.agent({"15": [ZERO]})
    path = f"/v3.0/agents/{agent.id}/attestations"
    errors(agent.submit(f"{path}/0", {}), 404, "not_found")
    errors(agent.submit(f"{path}/latest", {}), 404, "not_found")
    first = agent.create()
    second = agent.create()
    data = agent.ak.evidence(agent.chosen(second))
    old = agent.ak.evidence(agent.chosen(first))
    for index in ("0", "2", "01", "abc", "+1"):
        errors(agent.submit(f"{path}/{index}", old), 403, "old_attestation")
    assert agent.submit(f"{path}/1", data).status_code == 202
    errors(agent.submit(f"{path}/1", data), 403, "evidence_immutable")
    site.verdict(agent)
    errors(agent.submit(f"{path}/latest", data), 403, "evidence_immutable")


def test_C21_challenge_expires(own_site):
    site = own_site(challenge_lifetime="1")
    agent = site.agent({"15": [ZERO]})
    created = agent.create()
    attributes = created.json()["data"]["attributes"]
    life = seconds(attributes["challenges_expire_at"]) - seconds(
        attributes["capabilities_received_at"])
    assert life == 1
    time.sleep(1.1)
    data = agent.ak.evidence(agent.chosen(created))
    errors(agent.submit(created.headers["Location"], data), 403, "challenges_expired")
    assert agent.latest(site.admin)["attributes"]["stage"] == "awaiting_evidence"
    again = agent.create()
    assert agent.chosen(again)["challenge"] != agent.chosen(created)["challenge"]
    agent.submit(again.headers["Location"], agent.ak.evidence(agent.chosen(again)))
    assert site.verdict(agent)["evaluation"] == "pass"


def test_challenge_of_an_older_policy_is_not_used(site):
    """A policy that asks for more than was requested: the agent gets a new challenge, no failure."""
    agent = site.agent({"15": [ZERO]})
    created = agent.create()
    answer = site.admin.patch(f"{agent.url}/v3.0/agents/{agent.id}", timeout=20, json={
        "data": {"type": "agent", "attributes": {
            "tpm_policy": '{"14": ["%s"], "15": ["%s"]}' % (ZERO, ZERO)}}})
    if answer.status_code != 200:
        pytest.skip(f"update is not served: {answer.status_code} {answer.text}")
    data = agent.ak.evidence(agent.chosen(created))
    errors(agent.submit(created.headers["Location"], data), 403, "challenges_expired")
    assert site.cycle(agent)["evaluation"] == "pass"
    assert agent.status(site.admin) == "PASS"


COLLECTED = "/data/attributes/evidence_collected"
DATA = COLLECTED + "/0/data"


@pytest.fixture(scope="module")
def awaiting(site):
    """An agent with an open challenge; refused evidence leaves it open."""
    agent = site.agent({"15": [ZERO]})
    return agent, agent.create()


def short_blob(ak):
    return base64_text(ak.pcr_blob("sha256", [15])[:-1])


@pytest.mark.parametrize("pointer, value, reported", [
    ("/data/attributes", ..., COLLECTED),
    (COLLECTED, ..., None),
    (COLLECTED, [], None),
    (COLLECTED, {}, None),
    (COLLECTED, [{}, {}], None),
    (COLLECTED + "/0", "x", None),
    (COLLECTED + "/0/evidence_class", "log", COLLECTED + "/0"),
    (COLLECTED + "/0/evidence_type", "ima_log", COLLECTED + "/0"),
    (DATA, ..., None),
    (DATA, "x", None),
    (DATA, [], None),
    (DATA + "/message", ..., None),
    (DATA + "/message", "", None),
    (DATA + "/message", "%%%", None),
    (DATA + "/message", 5, None),
    (DATA + "/message", "A" * 8192, None),
    (DATA + "/signature", ..., None),
    (DATA + "/subject_data", ..., None),
    (DATA + "/subject_data", {"sha256": {"15": ZERO}}, None),
    (DATA + "/subject_data", "AAAA", None),
    (DATA + "/subject_data", short_blob, None),
    (DATA + "/subject_data", lambda ak: base64_text(ak.pcr_blob("sha256", [14])), None),
    (DATA + "/subject_data", lambda ak: base64_text(ak.pcr_blob("sha1", [15])), None),
])
def test_evidence_is_refused_with_pointer(site, awaiting, pointer, value, reported):
    agent, created = awaiting
    document = agent.evidence_document(agent.ak.evidence(agent.chosen(created)))
    at(document, pointer, value(agent.ak) if callable(value) and value is not ... else value)
    answer = agent.submit_document(created.headers["Location"], document)
    assert (reported or pointer) in problems(answer), answer.text
    assert agent.latest(site.admin)["attributes"]["stage"] == "awaiting_evidence"


def test_evidence_of_a_failed_agent_program_is_an_invalid_request(awaiting):
    agent, created = awaiting
    document = {"data": {"type": "error", "attributes": {"evidence_collected": []}}}
    errors(agent.submit_document(created.headers["Location"], document), 400, "invalid_request")
    errors(agent.submit_document(created.headers["Location"], {"meta": {}}), 400,
           "invalid_request")
    answer = agent.submit_document(created.headers["Location"], document,
                                   {"Content-Type": "application/json"})
    assert answer.status_code == 415


# --- reading and retention -------------------------------------------------------------------------------


def test_reading_attestations(site):
    agent = site.agent({"15": [ZERO]})
    url = f"{agent.url}/v3.0/agents/{agent.id}/attestations"
    answer = site.admin.get(url, timeout=20)
    assert answer.status_code == 200 and answer.json()["data"] == []
    for missing in ("latest", "0", "abc", "-1", "99999999999999999999"):
        errors(site.admin.get(f"{url}/{missing}", timeout=20), 404, "not_found")
    nobody = f"{agent.url}/v3.0/agents/00000000-0000-4000-8000-00000000dead/attestations"
    for path in ("", "/latest", "/0"):
        errors(site.admin.get(nobody + path, timeout=20), 404, "not_found")
    for _ in range(3):
        site.cycle(agent)
    assert [each["id"] for each in agent.attestations(site.admin)] == ["0", "1", "2"]
    assert [each["id"] for each in agent.attestations(site.admin, "?page[limit]=2")] == ["1", "2"]
    page = agent.attestations(site.admin, "?page%5Bbefore%5D=2&page%5Blimit%5D=1")
    assert [each["id"] for each in page] == ["1"]
    for bad in ("?page[limit]=0", "?page[limit]=101", "?page[before]=-1", "?page[limit]=x"):
        errors(site.admin.get(url + bad, timeout=20), 400, "invalid_request")
    one = site.admin.get(f"{url}/1", timeout=20)
    assert one.status_code == 200 and "Location" not in one.headers
    assert one.json()["data"] == page[0]
    assert page[0]["links"]["self"] == f"/v3.0/agents/{agent.id}/attestations/1"
    for path in ("", "/latest", "/0"):
        answer = agent.http.get(url + path, headers=agent.headers, timeout=20)
        assert answer.status_code == 403, "an agent may not read"


def test_retention_keeps_what_explains_the_state(own_site):
    """The newest N; beside them the last pass and the first failure of the present run."""
    site = own_site(attestation_history_max="3")
    agent = site.agent({"15": [ZERO]})
    for _ in range(6):
        site.cycle(agent)
    assert [each["id"] for each in agent.attestations(site.admin)] == ["3", "4", "5"]
    agent.ak.extend("sha256", 15, b"unwanted")
    for _ in range(6):
        site.cycle(agent)
    kept = {each["id"]: each["attributes"]["evaluation"]
            for each in agent.attestations(site.admin)}
    assert kept == {"5": "pass", "6": "fail", "9": "fail", "10": "fail", "11": "fail"}


# --- tokens ----------------------------------------------------------------------------------------------


def test_pass_prolongs_the_token_and_failure_does_not(own_site):
    site = own_site(session_lifetime="2")
    agent = site.agent({"15": [ZERO]})
    token = agent.token
    for _ in range(4):
        assert site.cycle(agent)["evaluation"] == "pass"
        time.sleep(0.9)
    assert agent.token == token
    agent.ak.extend("sha256", 15, b"unwanted")
    until = time.monotonic() + 4
    while agent.create().status_code == 201 and time.monotonic() < until:
        created = agent.create()
        if created.status_code == 201:
            agent.submit(created.headers["Location"], agent.ak.evidence(agent.chosen(created)))
            site.verdict(agent)
        time.sleep(0.4)
    assert agent.create().status_code == 401


# --- silence ---------------------------------------------------------------------------------------------


def status_at(agent, admin, start, when):
    time.sleep(max(0, start + when - time.monotonic()))
    return agent.status(admin)


def test_C19_C112_silent_agent_times_out_and_recovers(own_site):
    site = own_site(quote_interval="1")
    agent = site.agent({"15": [ZERO]})
    agent.attest()
    start = time.monotonic()
    silent = site.agent(authenticate=False)
    assert status_at(agent, site.admin, start, 4.0) == "PASS"
    assert status_at(agent, site.admin, start, 4.8) == "PASS"
    assert status_at(agent, site.admin, start, 6.5) == "TIMEOUT"
    assert re.search(f"WARNING - Agent '{agent.id}' is marked as failed.*5.0 s.*"
                     "check attestation_interval_seconds on the agent", site.log())
    assert site.log().count(f"Agent '{agent.id}' is marked as failed") == 1
    site.verifier.wait_for_line(f"WARNING - Agent '{silent.id}' has never attested", 5)
    assert silent.status(site.admin) == "PENDING"
    assert site.cycle(agent)["evaluation"] == "pass"
    assert agent.status(site.admin) == "PASS"
    assert f"Agent '{agent.id}' has recovered" in site.log()
    time.sleep(2)
    assert site.log().count(f"Agent '{silent.id}' has never attested") == 1


def test_C19_deadline_survives_a_restart(own_site):
    site = own_site(quote_interval="1")
    agent = site.agent({"15": [ZERO]})
    agent.attest()
    start = time.monotonic()
    site.verdict(agent)
    time.sleep(1)
    site.restart(crash=True)
    assert status_at(agent, site.admin, start, 4.5) == "PASS"
    assert status_at(agent, site.admin, start, 6.6) == "TIMEOUT"


def test_deadline_that_passes_while_no_verifier_runs_starts_anew(own_site):
    site = own_site(quote_interval="1")
    agent = site.agent({"15": [ZERO]})
    agent.attest()
    site.verdict(agent)
    time.sleep(1.5)
    site.verifier.kill()
    time.sleep(5)
    site.restart(crash=True)
    start = time.monotonic()
    assert status_at(agent, site.admin, start, 2.5) == "PASS"
    assert agent.create().status_code in (201, 401)
    assert status_at(agent, site.admin, start, 7) == "TIMEOUT"


def test_stopped_agent_is_not_timed_out(own_site):
    site = own_site(quote_interval="0.5")
    agent = site.agent({"15": [ZERO]})
    site.cycle(agent)
    site.call(agent, "stop")
    time.sleep(4)
    assert agent.status(site.admin) == "PASS"
