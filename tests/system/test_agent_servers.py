# SPDX-License-Identifier: Apache-2.0
"""The agent before servers that misbehave: back-off, pace, tokens (contract §4-6, §9, §11)."""
import hashlib
import re
import signal
import time

import pytest

from lib.fake_keylime import FakeVerifier
from lib.program import wait_until
from lib.stage import AGENT, Stage

JSON_API = "application/vnd.api+json"


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


def distances(times):
    return [later - earlier for earlier, later in zip(times, times[1:])]


def expect_delays(times, delays, jitter=0.25):
    for seen, wanted in zip(distances(times), delays):
        assert wanted * (1 - jitter) - 0.02 <= seen <= wanted * (1 + jitter) + 0.3, (times, delays)


# --- messages ------------------------------------------------------------------------------------


def test_every_request_is_as_documented(stage):
    """push-agent §6.2, §19; C55, C96: paths, headers, bodies of one whole cycle."""
    agent = stage.agent()
    agent.wait_for_line(r"SUCCESS! Evidence accepted by the Verifier\.")
    version, register, activate = stage.registrar.requests[:3]
    assert (version.method, version.path) == ("GET", "/version")
    assert (register.method, register.path) == ("POST", f"/v2.6/agents/{AGENT}")
    assert (activate.method, activate.path) == ("PUT", f"/v2.6/agents/{AGENT}")
    assert stage.registrar.tags == [True]
    body = register.json
    assert body["ip"] == "127.0.0.1" and body["port"] == 9002 and body["mtls_cert"] == "disabled"
    assert body["iak_cert"] is None and body["idevid_cert"] is None
    assert register.headers["content-type"] == "application/json"

    create, prove, offer, evidence = stage.verifier.requests[:4]
    assert (create.method, create.path) == ("POST", "/v3.0/sessions")
    assert (prove.method, prove.path) == ("PATCH", "/v3.0/sessions/9b0e5c8e")
    assert (offer.method, offer.path) == ("POST", f"/v3.0/agents/{AGENT}/attestations")
    assert (evidence.method, evidence.path) == ("PATCH", f"/v3.0/agents/{AGENT}/attestations/0")
    for request in (create, prove, offer, evidence):
        assert request.headers["content-type"] == JSON_API
        assert request.json["data"]["attributes"]
    for request in (offer, evidence):
        assert request.headers["authorization"] == "Bearer token-1"
        assert len(request.headers["x-request-id"]) == 6
    assert "authorization" not in create.headers
    items = offer.json["data"]["attributes"]["evidence_supported"]
    assert [item["evidence_type"] for item in items] == ["tpm_quote"]
    collected = evidence.json["data"]["attributes"]["evidence_collected"]
    assert set(collected[0]["data"]) == {"message", "signature", "subject_data"}
    for line in (
        "State: Unregistered -> Registered", "State: Registered -> Negotiating",
        "State: Negotiating -> Attesting", "State: Attesting -> Negotiating",
        "--- Phase 1: Sending Capabilities Negotiation ---",
        "--- Phase 2: Preparing and Sending Evidence ---",
        f"SUCCESS: Agent {AGENT} registered", f"SUCCESS: Agent {AGENT} activated",
        "Waiting 1 seconds before next attestation...",
    ):
        assert line in agent.output()
    assert "token-1" not in agent.output()
    assert agent.stop() == 0


def test_token_is_kept_and_shown_as_hash(stage):
    """push-agent §12, D34: one session for many cycles; the log has the fingerprint only."""
    agent = stage.agent(env={"RUST_LOG": "keylime_push_model_agent=debug,keylime=debug"})
    wait_until(lambda: len(stage.verifier.times("PATCH", "/0")) >= 3)
    assert stage.verifier.sessions == 1
    assert "token-1" not in agent.output()
    assert 'authorization: "Bearer <hash:' in agent.output()


def test_shown_hash_changes_when_the_token_does(stage):
    """push-agent §12: what follows "Bearer" in the log tells tokens apart; one phase 1 for each negotiation."""
    answers = ["usual", "usual", (401, {}, {"errors": []})]
    stage.verifier.replace[("POST", "/attestations")] = lambda request: answers.pop(0) if answers else "usual"
    agent = stage.agent(env={"RUST_LOG": "keylime_push_model_agent=trace,keylime=trace"})
    wait_until(lambda: len(stage.verifier.times("PATCH", "/0")) >= 4)
    assert agent.stop() == 0
    assert "DEBUG" in agent.output()
    shown = re.findall(r'authorization: "Bearer (.*)"', agent.output())
    hashes = [f"<hash:{hashlib.sha256(token.encode()).hexdigest()[:8]}>" for token in ("token-1", "token-2")]
    assert [text for text, before in zip(shown, [None, *shown]) if text != before] == hashes
    negotiated = len(stage.verifier.times("POST", "/attestations"))
    assert agent.output().count("Phase 1") in (negotiated, negotiated + 1)  # the last one may be cut off


# --- back-off --------------------------------------------------------------------------------------


def test_registration_backs_off_and_starts_again(stage):
    """C59, C61, C63, C65: 1 + retries attempts, doubling delays, then a new round after W."""
    stage.registrar.replace[("GET", "/version")] = None
    agent = stage.agent(env={
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "4",
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "600",
    })
    agent.wait_for_line(r"Registration failed: GET http://\S+/version: Network error")
    times = stage.registrar.times("GET", "/version")
    assert len(times) == 5
    expect_delays(times, [0.2, 0.4, 0.6, 0.6])
    assert "attempt 4 of 5" in agent.output()
    agent.wait_for_line("State: Unregistered -> RegistrationFailed")
    stage.registrar.replace.clear()
    agent.wait_for_line("State: RegistrationFailed -> Unregistered")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


def test_default_first_delay_is_ten_seconds(stage):
    """C60: 7.5 to 12.5 s are announced."""
    stage.registrar.stop()
    agent = stage.agent(env={
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_INITIAL_DELAY": "10000",
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "300000",
    })
    found = agent.wait_for_line(r"Network error \(connection failed\).*attempt 1 of 6, next in (\S+) s")
    assert 7.5 <= float(found[1]) <= 12.5
    begun = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("route", [("POST", "/sessions"), ("POST", "/attestations"), ("PATCH", "/0")])
@pytest.mark.parametrize("status", [500, 429, 503, 408])
def test_overloaded_verifier(stage, route, status):
    """C63: sessions and attestations alike are retried."""
    left = [2]

    def busy(request):
        left[0] -= 1
        return (status, {}, {"errors": []}) if left[0] >= 0 else "usual"

    stage.verifier.replace[route] = busy
    agent = stage.agent()
    agent.wait_for_line(r"SUCCESS! Evidence accepted")
    expect_delays(stage.verifier.times(*route)[:3], [0.2, 0.4])
    assert agent.output().count(f"the verifier answered {status}") == 2


@pytest.mark.parametrize("route", [("POST", "/sessions"), ("POST", "/attestations")])
def test_retry_after_is_obeyed(stage, route):
    """C64, D85."""
    answers = [(429, {"Retry-After": "2"}, {"errors": []})]
    stage.verifier.replace[route] = lambda request: answers.pop() if answers else "usual"
    stage.agent().wait_for_line(r"SUCCESS! Evidence accepted")
    times = stage.verifier.times(*route)
    assert 1.9 <= times[1] - times[0] <= 3.0


def test_retry_after_on_success_is_ignored(stage):
    """D85: only 429 and 503 may delay."""
    stage.verifier.replace[("POST", "/attestations")] = lambda request: (
        201, {"Location": request.path + "/0", "Retry-After": "60"}, stage.verifier.requested())
    stage.agent().wait_for_line(r"SUCCESS! Evidence accepted")


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_refusals_are_not_retried(stage, status):
    """C63: a refusal is one request, then the pause."""
    error = {"errors": [{"status": str(status), "code": "invalid_resource_data",
                         "detail": "no such thing", "source": {"pointer": "/data/x"}}]}
    stage.verifier.replace[("POST", "/attestations")] = (status, {}, error)
    agent = stage.agent(env={"KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS": "5",
                             "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "5000"})
    agent.wait_for_line(
        rf"Attestation failed: Negotiation failed with status code: {status}: no such thing \(/data/x\)")
    agent.wait_for_line("State: Negotiating -> AttestationFailed")
    time.sleep(1)
    assert len(stage.verifier.times("POST", "/attestations")) == 1


def test_timeout_flag(stage):
    """C56: --timeout counts silence, for the registrar too."""
    stage.registrar.replace[("GET", "/version")] = "silence"
    agent = stage.agent("--timeout", "300", env={
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "1"})
    agent.wait_for_line(r"Network error \(timeout\)")
    agent.wait_for_line("Registration failed")
    first, second = stage.registrar.times("GET", "/version")[:2]
    assert 0.3 + 0.15 - 0.05 <= second - first <= 0.3 + 0.25 + 0.4


# --- authentication --------------------------------------------------------------------------------


def test_401_authenticates_again_at_once(stage):
    """push-agent §10, D84: a token that no longer counts costs one round."""
    answers = [(401, {}, {"errors": [{"status": "401", "title": "Unauthorized"}]})]
    stage.verifier.replace[("POST", "/attestations")] = (
        lambda request: answers.pop() if answers else "usual")
    agent = stage.agent()
    agent.wait_for_line("Received 401 Unauthorized, clearing token for future requests")
    agent.wait_for_line("Received 401 Unauthorized, retrying immediately to re-authenticate")
    agent.wait_for_line("SUCCESS! Evidence accepted")
    first, second = stage.verifier.times("POST", "/attestations")[:2]
    assert second - first < 0.5
    assert stage.verifier.requests[-1].headers["authorization"] == "Bearer token-2"


def test_401_for_ever_is_no_tight_loop(stage):
    """C117: rounds are spaced by one second at least, doubling."""
    stage.verifier.replace[("POST", "/attestations")] = (401, {}, {"errors": []})
    agent = stage.agent(env={"KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS": "60"})
    wait_until(lambda: len(stage.verifier.times("POST", "/attestations")) >= 4)
    gaps = distances(stage.verifier.times("POST", "/attestations"))
    assert gaps[0] < 0.5 and 0.9 <= gaps[1] <= 2.0 and 1.9 <= gaps[2] <= 3.0
    assert "State: Negotiating -> Negotiating" in agent.output()


@pytest.mark.parametrize("code,kept", [("challenges_expired", True), (None, False)])
def test_403_drops_the_token_only_at_the_gate(stage, code, kept):
    """Answers about the attestation say nothing against the token."""
    error = {"status": "403", "title": "Forbidden", "detail": "no"}
    if code:
        error["code"] = code
    answers = [(403, {}, {"errors": [error]})]
    stage.verifier.replace[("PATCH", "/0")] = lambda request: answers.pop() if answers else "usual"
    agent = stage.agent()
    agent.wait_for_line("Verifier rejected the evidence with code: 403")
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert stage.verifier.sessions == (1 if kept else 2)


def test_failed_evaluation(stage):
    """C115a: the line that scripts search for, and what to do."""
    stage.verifier.replace[("PATCH", "/9b0e5c8e")] = (
        200, {}, FakeVerifier.session({"evaluation": "fail"}))
    agent = stage.agent()
    agent.wait_for_line("WARNING - Authentication failed with evaluation: fail")
    agent.wait_for_line(rf"Attestation failed: .*not enrolled.*keylime_tenant -c status -u {AGENT}")


def test_other_authentication_methods_are_passed_over(stage):
    """push-agent §21.11: class and type decide, not the position."""
    other = {"authentication_class": "x", "authentication_type": "y",
             "chosen_parameters": {"challenge": "AA=="}}
    stage.verifier.replace[("POST", "/sessions")] = (
        200, {}, FakeVerifier.session({"authentication_requested": [other, FakeVerifier.method()]}))
    stage.agent().wait_for_line("SUCCESS! Evidence accepted")


# --- hostile answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("location", [
    "https://other.example/v3.0/agents/x/attestations/0", "http://localhost/x", "//other/x", None])
def test_location_elsewhere_is_not_followed(stage, location):
    """D87: token and evidence go to the verifier or nowhere."""
    headers = {"Location": location} if location else {}
    stage.verifier.replace[("POST", "/attestations")] = (201, headers, stage.verifier.requested())
    agent = stage.agent()
    agent.wait_for_line("Attestation failed: the verifier's (Location|201 answer)")
    assert stage.verifier.times("PATCH", "/0") == []


def test_redirects_are_not_followed(stage):
    stage.verifier.replace[("POST", "/attestations")] = (
        307, {"Location": stage.verifier.url + "/elsewhere"}, {})
    stage.agent().wait_for_line("Negotiation failed with status code: 307")
    assert not stage.verifier.times("POST", "/elsewhere")


@pytest.mark.parametrize("answer", [
    FakeVerifier.requested(pcrs=(24,)), FakeVerifier.requested(bank="sha1"),
    FakeVerifier.requested(scheme="ecdsa"), {"data": {"attributes": {"evidence_requested": []}}}, [], b"<html>",
    FakeVerifier.requested(more=[{"evidence_class": "log", "evidence_type": "ima_log",
                                  "chosen_parameters": {"format": "text/plain"}}])])
def test_impossible_requests_send_nothing(stage, answer):
    """D98: no evidence and no error document; the cause is logged and the agent goes on."""
    stage.verifier.replace[("POST", "/attestations")] = lambda request: (
        201, {"Location": request.path + "/0"}, answer)
    agent = stage.agent()
    agent.wait_for_line("Attestation failed: ")
    assert stage.verifier.times("PATCH", "/0") == []
    stage.verifier.replace.clear()
    agent.wait_for_line("SUCCESS! Evidence accepted")


@pytest.mark.parametrize("blob", ["", None, "utzA3g==", "utzA3gAAAAH//w==", "!"])
def test_bad_registrar_blob(stage, blob):
    """push-agent §21.30: an error and another try, never an end."""
    stage.registrar.replace[("POST", AGENT)] = (
        200, {}, {"code": 200, "status": "Success", "results": {"blob": blob}})
    agent = stage.agent()
    agent.wait_for_line("Registration failed: ")
    stage.registrar.replace.clear()
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


def test_registrar_403_ends_after_ten_rounds(stage):
    """D93: another identity holds the id; exit 1 so that the service manager shows it."""
    stage.registrar.replace[("POST", AGENT)] = (
        403, {}, {"code": 403, "status": "different TPM identity", "results": {}})
    agent = stage.agent()
    agent.wait_for_line(r"Registration forbidden \(403\): different TPM identity.*regdelete")
    wait_until(lambda: not agent.running(), seconds=30)
    assert agent.process.returncode == 1
    assert len(stage.registrar.times("POST", AGENT)) == 10
    assert "State: Unregistered -> Failed" in agent.output()
    assert "Exiting state machine." in agent.output()


def test_registrar_without_version_route(stage):
    stage.registrar.replace[("GET", "/version")] = (404, {}, b"")
    agent = stage.agent()
    agent.wait_for_line("does not support the '/version' endpoint")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


# --- pace and liveness -----------------------------------------------------------------------------


@pytest.mark.parametrize("directive,own,expected,warned", [
    (1, 3, 3, False), (1, 60, 1, True), (2, 1, 2, False), (0, 1, 1, False)])
def test_pace(stage, directive, own, expected, warned):
    """C38: the verifier's directive and the agent's interval."""
    stage.verifier.seconds = directive
    agent = stage.agent("--attestation-interval-seconds", str(own))
    wait_until(lambda: len(stage.verifier.times("POST", "/attestations")) >= 3)
    for gap in distances(stage.verifier.times("POST", "/attestations"))[:2]:
        assert expected - 0.1 <= gap <= expected + 1.0
    warning = "attestation_interval_seconds = 60 is not below the verifier's limit"
    assert agent.output().count(warning) == (1 if warned else 0)


def test_without_directive_the_own_interval_holds(stage):
    stage.verifier.replace[("PATCH", "/0")] = (202, {}, {"data": {}})
    stage.agent("--attestation-interval-seconds=2").wait_for_line("Waiting 2 seconds")


def test_verifier_restart_of_seconds(stage):
    """README 3 row 28: the first retry after a success waits the last pace, not the long delay."""
    agent = stage.agent(env={
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_INITIAL_DELAY": "20000",
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "60000"})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    port = stage.verifier.port
    stage.verifier.stop()
    agent.wait_for_line(r"attempt 1 of 6, next in 1\.0 s")
    stage.verifier = FakeVerifier(stage.authority, port)
    wait_until(lambda: stage.verifier.times("PATCH", "/0"), seconds=6)


def test_own_verdict(stage):
    """C105, D99: a change of this agent's own status is logged."""
    status = ["PASS"]
    stage.verifier.replace[("GET", AGENT)] = lambda request: (
        200, {}, {"code": 200, "status": "Success", "results": {"attestation_status": status[0]}})
    agent = stage.agent()
    agent.wait_for_line("Verifier reports PASS")
    status[0] = "FAIL"
    agent.wait_for_line("WARNING - Verifier reports FAIL", seconds=25)
    asked = stage.verifier.times("GET", AGENT)
    cycles = stage.verifier.times("PATCH", "/0")
    assert len(asked) <= len(cycles) // 10 + 1


def test_own_verdict_can_be_left_out(stage):
    agent = stage.agent(env={"KEYLIME_AGENT_REPORT_STATUS": "false"})
    wait_until(lambda: len(stage.verifier.times("PATCH", "/0")) >= 4)
    assert stage.verifier.times("GET", AGENT) == []
    assert agent.running()


def test_sighup_registers_again(stage):
    """D90."""
    agent = stage.agent()
    agent.wait_for_line("SUCCESS! Evidence accepted")
    agent.signal(signal.SIGHUP)
    wait_until(lambda: len(stage.registrar.tags) == 2)
    assert stage.registrar.tags == [True, True]
    first, second = [r.json["aik_tpm"] for r in stage.registrar.requests if r.method == "POST"]
    assert first == second


def test_stop_is_prompt_while_a_server_is_silent(stage):
    """C74: SIGTERM ends a request in flight."""
    stage.registrar.replace[("GET", "/version")] = "silence"
    agent = stage.agent("--timeout", "60000")
    wait_until(lambda: stage.registrar.requests)
    begun = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - begun < 2
    assert "failed" not in agent.output()
