# SPDX-License-Identifier: Apache-2.0
"""Every captured request (vectors/http) against the real servers: the answer has the captured status, or
the better one that a table below names with its reason, and a refusal says what is wrong."""
import time

import pytest

from lib import http_vectors as vectors
from lib.deployment import Deployment
from lib.http_replay import Replay

# Ours is another status than the captured one: (status, decision or reference, reason).
DIFFERENCES = {
    # registrar
    "registrar/register-no-content-type": (200, "D25", "a JSON object is read whatever its type"),
    "registrar/register-aik-not-tpm2b": (400, "D23", "wrong input is no error of the server"),
    "registrar/register-ek-not-tpm2b": (400, "D23", "wrong input is no error of the server"),
    "registrar/register-odd-agent-id": (400, "D24", "ids are letters, digits, dot, hyphen, underscore"),
    "registrar/register-long-agent-id": (400, "D24", "ids have at most 80 characters"),
    "registrar/register-v3-agents": (200, "D26", "version 3 answers after doing the work"),
    "registrar/register-v3-agent-id-in-path": (200, "D26", "the compatible path serves version 3 too"),
    "registrar/activate-tag-integer": (400, "D23", "wrong input is no error of the server"),
    "registrar/activate-tag-not-ascii": (400, "D23", "wrong input is no error of the server"),
    "registrar/get-v3-agent": (200, "D26", "version 3 answers with the record"),
    "registrar/no-host-header": (400, "RFC 9112 3.2", "HTTP/1.1 demands a Host header"),
    # sessions
    "session/create-no-type": (200, "D76", "the type of a session request is not needed"),
    "session/create-attributes-string": (400, "D71", "wrong input is no error of the server"),
    "session/create-agent-id-integer": (400, "D71", "an agent id is a text"),
    "session/create-methods-of-strings": (400, "D71", "wrong input is no error of the server"),
    "session/proof-again-after-success": (404, "D31", "a session that succeeded is used up"),
    "expiry/session-challenge-expired-again": (200, "D31", "an expired challenge fails each time alike"),
    # negotiation
    "negotiation/authorization-lower-case-scheme": (201, "D37", "schemes are case-insensitive (RFC 9110)"),
    "negotiation/no-data": (400, "D71", "wrong input is no error of the server"),
    "negotiation/unknown-top-level-member": (201, "D76", "unknown members are ignored"),
    "negotiation/other-type": (409, "D71", "JSON:API's answer to a wrong type"),
    "negotiation/attributes-string": (422, "D71", "wrong input is no error of the server"),
    "negotiation/evidence-class-missing": (422, "D71", "wrong input is no error of the server"),
    "negotiation/evidence-type-unknown-only": (422, "D79", "each attestation has a quote"),
    "negotiation/system-info-string": (422, "D71", "wrong input is no error of the server"),
    "negotiation/null-attribute": (201, "D76", "a null attribute is an absent one"),
    # evidence
    "evidence/item-without-data": (422, "D71", "wrong input is no error of the server"),
    "evidence/item-data-string": (422, "D71", "wrong input is no error of the server"),
    "evidence/subject-data-short": (422, "D3", "a blob that cannot be read is refused at receipt"),
    "evidence/subject-data-not-base64": (422, "D3", "a blob that cannot be read is refused at receipt"),
    "evidence/subject-data-object": (422, "D3", "a blob that cannot be read is refused at receipt"),
    "evidence/no-policy-agent-evidence": (422, "D79", "agents without policy are asked for a quote"),
    # management
    "management/enrol-tpm-policy-object": (400, "D83", "the captured value is no digest"),
    "management/enrol-hash-algs-string": (400, "D83", "the lists are lists"),
    "management/enrol-runtime-policy-not-base64": (400, "D83", "a policy that is none is refused"),
    "management/status-v3": (200, "D73", "version 3 is implemented"),
    "management/update-v3": (400, "D73", "version 3 is implemented; this body is no resource"),
    "management/reactivate-unknown-agent": (404, "D74", "an unknown agent is not found"),
    "management/policy-v3-list": (200, "D73", "version 3 is implemented"),
    "management/policy-v3-create": (400, "D73", "version 3 is implemented; this body is no resource"),
    "management/policy-bad-json-no-content-type": (400, "D74", "wrong input is no error of the server"),
    "management/policy-without-runtime-policy": (400, "D74", "wrong input is no error of the server"),
    # general
    "general/v3-root": (200, "D73", "version 3 is implemented"),
    "general/double-slash": (400, "D71", "no absolute path of RFC 3986"),
}
# Reading answers 200, not 201.
DIFFERENCES.update({
    f"{key}": (200, "D70", "reading creates nothing")
    for key in (
        "flow/attestation-list-empty", "flow/attestation-latest-after-verdict",
        "flow/attestation-by-index", "flow/attestation-list", "flow/second-attestation-latest",
        "flow/third-attestation-latest-fail", "read/awaiting-evidence",
        "evidence/message-short-then-verdict", "evidence/signature-short-then-verdict",
        "evidence/message-wrong-magic-then-verdict", "evidence/message-trailing-bytes-then-verdict",
        "evidence/certify-instead-of-quote-then-verdict",
        "evidence/ima-entry-count-missing-then-verdict")})

# Pointers that are not compared: values of this run; with "!" not even whether they are there.
VALUES = (
    "/data/id", "/data/links/self",  # the captured ones name version "3" (D70)
    "/results/supported_versions",  # without 1.0 (D27)
    "/results/mtls_cert!",  # "disabled", not null (D28)
    "/results/(ip|port)", "/results/uuids",
    ".*/challenge", ".*/token", ".*_at", ".*/boot_time", ".*/(message|signature|subject_data|blob)",
    ".*/clock_info/.*", ".*/pcrs/sha256/10!", ".*/selected_subjects/.*", ".*/(ek|aik)_tpm",
    "/results/last_.*", "/data/attributes/agent_id",
)
LOGS = (".*/evidence/1/data/entries!",)  # lists are kept for failures, and shown with them (D81)
EVIDENCE = ("/data/attributes/evidence!",)  # the 202 does not echo (D78)
CAPABILITIES = (".*/(capabilities|certification_key)/.*",)  # those of this run's agents
UNREADABLE = (".*/meta/clock_info!",)  # nothing is shown of a message that cannot be read (D1)
LISTS = ("/data!",)  # a list is an array of resources (D70)

if not vectors.CAPTURE.exists():
    pytest.skip(f"there are no vectors at {vectors.CAPTURE}", allow_module_level=True)
CASES = {case["key"]: case for case in vectors.load()}

LIMITS_OFF = {
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "100000",
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_AGENT": "100000",
    "KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP": "0",
}
EXPIRY = {"KEYLIME_VERIFIER_SESSION_LIFETIME": "6", "KEYLIME_VERIFIER_NONCE_LIFETIME": "2"}


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """(answers by key, bodies expected by key): all cases sent, in their order."""
    deployment = Deployment(tmp_path_factory.mktemp("vectors"))
    answers, expected = {}, {}
    try:
        verifier = deployment.start_verifier(LIMITS_OFF)
        registrar = deployment.start_registrar(LIMITS_OFF)
        sender = Replay(deployment, list(CASES.values()))
        for key, case in CASES.items():
            if case["group"] == "expiry":
                continue
            answers[key] = sender.send(case)
            expected[key] = sender.expected(case)
        assert verifier.running() and registrar.running()
        verifier.stop()
        deployment.start_verifier({**LIMITS_OFF, **EXPIRY})
        for key, case in CASES.items():
            if case["group"] != "expiry":
                continue
            sender.prepare(case)
            time.sleep(0 if key.endswith("-again") else 2.5)
            answers[key] = sender.send(case, prepared=True)
            expected[key] = None
        yield answers, expected
    finally:
        deployment.stop()


def test_the_tables_name_cases_that_exist():
    assert set(DIFFERENCES) <= set(CASES)
    for key, (status, _, _) in DIFFERENCES.items():
        assert status != CASES[key]["response"]["status"], key


def test_the_documentation_has_the_same_table():
    text = (vectors.SOURCE / "docs" / "interoperability.md").read_text()
    for key, (status, decision, _) in DIFFERENCES.items():
        captured = CASES[key]["response"]["status"]
        shown = "5xx" if captured >= 500 else captured
        assert f"| {key} | {shown} | {status} | {decision} |\n" in text
    assert text.count("\n| registrar/") == sum(key.startswith("registrar/") for key in DIFFERENCES)
    for decision in {decision for _, decision, _ in DIFFERENCES.values()}:
        assert f"{decision} |" in text.split("Recorded requests")[0] or f"{decision}," in text


@pytest.mark.parametrize("key", CASES)
def test_answer(replay, key):
    answers, expected = replay
    case, answer = CASES[key], answers[key]
    captured = case["response"]["status"]
    assert answer.status == DIFFERENCES.get(key, (captured,))[0], answer
    if answer.status is None:
        return
    if answer.status >= 400:
        check_refusal(case, answer)
    elif answer.status != 307 and answer.status // 100 == captured // 100:
        check_success(case, answer, expected[key])


def check_refusal(case, answer):
    assert answer.headers["content-type"].startswith("application/"), answer.headers
    form = vectors.complaint(answer)
    if answer.status == 401 and form != "resource":
        assert answer.headers["www-authenticate"].startswith("Bearer"), answer.headers
    if answer.status == 405:
        assert answer.headers["allow"], answer.headers
    if answer.status in (429, 503):
        assert int(answer.headers["retry-after"]) > 0
    if answer.status != case["response"]["status"]:
        return
    try:
        theirs = vectors.Answer(answer.status, {}, case["response"]["body"]).json()
    except ValueError:
        return  # upstream's page for people
    if "errors" in theirs:
        codes = {each.get("code") for each in theirs["errors"]}
        assert {each.get("code") for each in answer.json()["errors"]} == codes, answer
    else:
        assert set(theirs) <= set(answer.json()), answer


def check_success(case, answer, expected):
    if expected is None:
        return
    ignored = VALUES + LOGS
    if answer.status == 202 or case["name"] == "awaiting-evidence":  # there: asked for (D79)
        ignored += EVIDENCE
    if case["name"] == "attestation-list":
        ignored += LISTS
    if case["group"] != "flow":
        ignored += CAPABILITIES + UNREADABLE
    assert vectors.differences(expected, answer.json(), ignored) == []
