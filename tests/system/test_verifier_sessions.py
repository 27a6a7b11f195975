# SPDX-License-Identifier: Apache-2.0
"""Sessions, tokens and limits of the verifier, as an agent and a stranger see them (contract C96)."""
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import uuid

import pytest
from lib.program import free_port
from lib.push_client import JSON_API, PushClient, decoded, enrolment, session_request
from lib.software_tpm import SoftwareAk, base64_text

POSTGRESQL = pathlib.Path(__file__).resolve().parents[1] / "postgresql-server"
AGENT = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, deployment):
    """Environment of a verifier on each database engine."""
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgresql")
    return {"KEYLIME_VERIFIER_DATABASE_URL": server.create("sessions")}


def client_of(deployment, agent_id=AGENT, ak=None):
    return PushClient(deployment.anonymous(), deployment.verifier_url, agent_id, ak)


def enrol(deployment, client, **changes):
    answer = deployment.admin().post(
        f"{deployment.verifier_url}/v2.6/agents/{client.agent_id}",
        json=enrolment(client.ak, **changes))
    assert answer.status_code == 200, answer.text


def when(text):
    moment = datetime.datetime.fromisoformat(text)
    assert moment.utcoffset() == datetime.timedelta(0)
    return moment


# --- a session's life -------------------------------------------------------------------------------


def test_an_enrolled_agent_gets_a_token_that_opens_its_own_record(deployment, engine):
    verifier = deployment.start_verifier(engine)
    client = client_of(deployment)
    enrol(deployment, client)

    created = client.create_session()
    assert created.status_code == 200
    assert created.headers["Content-Type"] == "application/json"
    data = created.json()["data"]
    assert data["type"] == "session"
    assert uuid.UUID(data["id"]).version == 4 and data["id"] == str(uuid.UUID(data["id"]))
    attributes = data["attributes"]
    assert set(attributes) == {"agent_id", "authentication_requested", "created_at",
                               "challenges_expire_at"}
    assert attributes["agent_id"] == AGENT
    (method,) = attributes["authentication_requested"]
    assert method["authentication_class"] == "pop" and method["authentication_type"] == "tpm_pop"
    challenge = method["chosen_parameters"]["challenge"]
    assert len(decoded(challenge)) == 16
    life = when(attributes["challenges_expire_at"]) - when(attributes["created_at"])
    assert life == datetime.timedelta(seconds=60)

    provided = client.ak.possession(challenge)
    proven = client.prove(data["id"], provided)
    assert proven.status_code == 200, proven.text
    assert proven.headers["Cache-Control"] == "no-store"
    result = proven.json()["data"]["attributes"]
    assert set(result) == {"agent_id", "evaluation", "token", "authentication", "created_at",
                           "challenges_expire_at", "response_received_at", "token_expires_at"}
    assert result["evaluation"] == "pass"
    assert result["created_at"] == attributes["created_at"]
    assert result["challenges_expire_at"] == attributes["challenges_expire_at"]
    (echo,) = result["authentication"]
    assert echo["chosen_parameters"] == {"challenge": challenge}
    assert echo["data"] == provided[0]["data"]
    token = result["token"]
    assert re.fullmatch(re.escape(data["id"]) + r"\.[A-Za-z0-9_-]{43}", token)
    lifetime = when(result["token_expires_at"]) - when(result["response_received_at"])
    assert 179 <= lifetime.total_seconds() <= 181

    own = client.read_self(token)
    assert own.status_code == 200 and own.json()["results"]["attestation_status"] == "PENDING"
    assert token not in verifier.output() and token.split(".")[1] not in verifier.output()


def test_enrolled_and_unenrolled_agents_get_the_same_answer_to_a_request(deployment):
    deployment.start_verifier()
    known, stranger = client_of(deployment), client_of(deployment, "stranger")
    enrol(deployment, known)

    def shape(answer):
        attributes = answer.json()["data"]["attributes"]
        return (answer.status_code, sorted(answer.headers), sorted(attributes),
                sorted(attributes["authentication_requested"][0]), len(answer.content) -
                len(attributes["agent_id"]))

    assert shape(known.create_session()) == shape(stranger.create_session())


def test_an_unenrolled_agent_fails_and_passes_once_it_is_enrolled(deployment):
    verifier = deployment.start_verifier()
    client = client_of(deployment)
    session_id, challenge = client.challenge()
    answer = client.prove(session_id, client.ak.possession(challenge))
    assert answer.status_code == 200
    attributes = answer.json()["data"]["attributes"]
    assert attributes["evaluation"] == "fail"
    assert "token" not in attributes and "token_expires_at" not in attributes
    verifier.wait_for_line(f"Authentication failed for unenrolled agent '{AGENT}'")
    enrol(deployment, client)
    assert client.authenticate().json()["data"]["attributes"]["evaluation"] == "pass"


@pytest.mark.parametrize("scheme,hash_name,bits,open_scheme", [
    ("rsassa", "sha256", 2048, False), ("rsassa", "sha384", 3072, False),
    ("rsassa", "sha512", 2048, False), ("rsapss", "sha256", 2048, False),
    ("ecdsa", "sha256", 256, False), ("ecdsa", "sha384", 384, False),
    ("ecdsa", "sha512", 521, False), ("ecdsa", "sha256", 256, True),
    ("rsassa", "sha256", 2048, True)])
def test_every_sound_algorithm_proves_possession(deployment, scheme, hash_name, bits, open_scheme):
    deployment.start_verifier()
    ak = SoftwareAk(scheme, hash_name, bits, open_scheme=open_scheme)
    client = client_of(deployment, ak=ak)
    enrol(deployment, client)
    assert client.authenticate().json()["data"]["attributes"]["evaluation"] == "pass"


def test_sha1_proves_possession_only_where_the_operator_named_it(deployment):
    deployment.start_verifier()
    client = client_of(deployment, ak=SoftwareAk("rsassa", "sha1"))
    enrol(deployment, client)
    assert client.authenticate().status_code == 401
    named = client_of(deployment, "other", ak=SoftwareAk("rsassa", "sha1"))
    enrol(deployment, named, accept_tpm_hash_algs=["sha1"])
    assert named.authenticate().json()["data"]["attributes"]["evaluation"] == "pass"


# --- proofs that are none ---------------------------------------------------------------------------


def proof(message, signature, kind="tpm_pop"):
    return [{"authentication_class": "pop", "authentication_type": kind,
             "data": {"message": message, "signature": signature}}]


def wrong_proofs(ak, challenge):
    """name -> authentication_provided, each wrong in one thing."""
    good = decoded(challenge)
    message, signature = ak.certify(good)
    text, signed = base64_text(message), base64_text(signature)
    flipped = bytearray(signature)
    flipped[-1] ^= 1
    changed = bytearray(message)
    changed[-1] ^= 1
    other = SoftwareAk()
    other_name, other_signature = ak.certify(good, certified_name=other.name)
    foreign_message, foreign_signature = other.certify(good)
    old_message, old_signature = ak.certify(bytes(16))
    text_message, text_signature = ak.certify(challenge.encode())
    quote, quote_signature, _ = ak.quote(good, "sha256", [0])
    return {
        "none": [],
        "null": None,
        "no object": ["tpm_pop"],
        "other method": proof(text, signed, "tpm_iak"),
        "no data": [{"authentication_class": "pop", "authentication_type": "tpm_pop"}],
        "empty texts": proof("", ""),
        "no signature": proof(text, ""),
        "no base64": proof("*", signed),
        "base64 without padding": proof(text, signed.rstrip("=") + "="),
        "bit of the signature": proof(text, base64_text(bytes(flipped))),
        "bit of the message": proof(base64_text(bytes(changed)), signed),
        "trailing byte of the message": proof(
            base64_text(message + b"\0"), base64_text(ak.sign(message + b"\0"))),
        "trailing byte of the signature": proof(text, base64_text(signature + b"\0")),
        "cut message": proof(base64_text(message[:40]), signed),
        "other key's name": proof(base64_text(other_name), base64_text(other_signature)),
        "other key": proof(base64_text(foreign_message), base64_text(foreign_signature)),
        "other challenge": proof(base64_text(old_message), base64_text(old_signature)),
        "challenge as text": proof(base64_text(text_message), base64_text(text_signature)),
        "quote": proof(base64_text(quote), base64_text(quote_signature)),
    }


def test_every_wrong_proof_fails_and_leaves_the_challenge_usable(deployment):
    verifier = deployment.start_verifier()
    client = client_of(deployment)
    enrol(deployment, client)
    session_id, challenge = client.challenge()
    for number, (name, provided) in enumerate(wrong_proofs(client.ak, challenge).items()):
        answer = client.prove(session_id, provided)
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
        assert answer.headers["WWW-Authenticate"] == "Bearer", name
        attributes = answer.json()["data"]["attributes"]
        assert attributes["evaluation"] == "fail", name
        assert "token" not in attributes, name
        assert set(attributes["authentication"][0]["data"]) == {"message", "signature"}, name
        assert number < 20, "the limit of failed proofs would hide the rest"
    verifier.wait_for_line(f"agent '{AGENT}': proof does not match the enrolled AK")
    answer = client.prove(session_id, client.ak.possession(challenge))
    assert answer.json()["data"]["attributes"]["evaluation"] == "pass"


def test_a_session_that_succeeded_is_used_up(deployment, engine):
    deployment.start_verifier(engine)
    client = client_of(deployment)
    enrol(deployment, client)
    session_id, challenge = client.challenge()
    provided = client.ak.possession(challenge)
    token = client.prove(session_id, provided).json()["data"]["attributes"]["token"]
    for again in (provided, client.ak.possession(challenge), []):
        answer = client.prove(session_id, again)
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["detail"] == "Session not found"
    assert client.read_self(token).status_code == 200


def test_an_expired_challenge_fails_as_often_as_it_is_answered(deployment):
    deployment.start_verifier({"KEYLIME_VERIFIER_NONCE_LIFETIME": "1"})
    client = client_of(deployment)
    enrol(deployment, client)
    session_id, challenge = client.challenge()
    time.sleep(1.2)
    for _ in range(2):
        answer = client.prove(session_id, client.ak.possession(challenge))
        assert answer.status_code == 200
        attributes = answer.json()["data"]["attributes"]
        assert attributes["evaluation"] == "fail" and "token" not in attributes
        assert attributes["token_expires_at"] is None


# --- ids and bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("session_id", [
    "abc", "00000000-0000-4000-8000-00000000dead", "0" * 36, "%00", "x" * 3000])
def test_made_up_session_ids_are_not_found(deployment, session_id):
    deployment.start_verifier()
    client = client_of(deployment)
    answer = client.prove(session_id, [])
    assert answer.status_code == 404
    assert answer.json() == {"errors": [
        {"status": "404", "title": "Not Found", "detail": "Session not found"}]}


def test_an_id_serves_its_agent_only(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    other = client_of(deployment, "other", client.ak)
    enrol(deployment, other)
    session_id, challenge = client.challenge()
    answer = client.prove(session_id, client.ak.possession(challenge), agent_id="other")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"] == "Agent ID mismatch"
    for position in range(0, 36):
        if session_id[position] == "-" or position in (14, 19):
            continue
        digit = "0" if session_id[position] != "0" else "1"
        forged = session_id[:position] + digit + session_id[position + 1:]
        answer = client.prove(forged, client.ak.possession(challenge))
        assert answer.status_code in (400, 404), f"digit {position}"


REQUIRED = "agent_id is required"
METHODS = "authentication_supported must include tpm_pop authentication type"


@pytest.mark.parametrize("attributes,detail", [
    ({}, REQUIRED), ({"agent_id": None}, REQUIRED), ({"agent_id": ""}, REQUIRED),
    ({"agent_id": 5}, "agent_id must be"), ({"agent_id": ["a"]}, "agent_id must be"),
    ({"agent_id": "a b"}, "agent_id must be"), ({"agent_id": "a" * 81}, "agent_id must be"),
    ({"agent_id": ".."}, "agent_id must be"), ({"agent_id": "a\u0000b"}, "agent_id must be"),
    ({"agent_id": "a"}, METHODS), ({"agent_id": "a", "authentication_supported": []}, METHODS),
    ({"agent_id": "a", "authentication_supported": ["tpm_pop"]}, METHODS),
    ({"agent_id": "a", "authentication_supported": "tpm_pop"}, METHODS),
    ({"agent_id": "a", "authentication_supported": [{"authentication_type": "x"}]}, METHODS),
    ("text", REQUIRED), ([], REQUIRED), (None, REQUIRED)])
def test_malformed_session_requests_are_answered_400(deployment, attributes, detail):
    deployment.start_verifier()
    answer = deployment.anonymous().post(
        f"{deployment.verifier_url}/v3.0/sessions",
        json={"data": {"type": "session", "attributes": attributes}})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["status"] == "400" and error["title"] == "Bad Request"
    assert error["detail"].startswith(detail)


def test_session_bodies_need_no_content_type_and_may_be_an_array_of_one(deployment):
    deployment.start_verifier()
    http, url = deployment.anonymous(), f"{deployment.verifier_url}/v3.0/sessions"
    body = session_request("a")
    for headers in ({}, {"Content-Type": "text/plain"}, JSON_API):
        answer = http.post(url, data=json.dumps(body), headers=headers)
        assert answer.status_code == 200, headers
    body["data"] = [body["data"]]
    body["data"][0]["unknown"] = {"is": "ignored"}
    assert http.post(url, json=body).status_code == 200
    for text in ("", "{", "[1]", "null", "{}x", '{"data"'):
        assert http.post(url, data=text).status_code == 400, text
    assert http.post(url.replace("v3.0", "v3"), json=session_request("a")).status_code == 200
    assert http.get(url).status_code == 405


def test_evidence_of_possession_must_be_an_array(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    session_id, _ = client.challenge()
    assert client.prove(session_id, {"authentication_type": "tpm_pop"}).status_code == 400


def test_an_authorization_header_is_not_looked_at_by_sessions(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    answer = client.create_session(headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 200


# --- tokens -----------------------------------------------------------------------------------------


def test_tokens_that_are_none_are_refused(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    enrol(deployment, client)
    token = client.token()
    session_id, secret = token.split(".")
    wrong = ["", "x", ".", session_id, session_id + ".", "." + secret, token + "x", token[:-1],
             str(uuid.uuid4()) + "." + secret, session_id + "." + secret[::-1],
             session_id + "." + base64_text(bytes(32)), token + ".", token + "="]
    for text in wrong:
        answer = client.http.get(f"{client.url}/v2.6/agents/{AGENT}",
                                 headers={"Authorization": "Bearer " + text})
        assert answer.status_code == 401, text
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        (error,) = answer.json()["errors"]
        assert error["title"] == "Unauthorized"
    assert client.read_self(token).status_code == 200
    lower = client.http.get(f"{client.url}/v2.6/agents/{AGENT}",
                            headers={"Authorization": "bearer " + token})
    assert lower.status_code == 200


def test_a_new_proof_replaces_the_earlier_token(deployment, engine):
    deployment.start_verifier(engine)
    client = client_of(deployment)
    enrol(deployment, client)
    first, second = client.token(), client.token()
    assert client.read_self(first).status_code == 401
    assert client.read_self(second).status_code == 200


def test_a_token_ends_with_its_lifetime(deployment):
    deployment.start_verifier({"KEYLIME_VERIFIER_SESSION_LIFETIME": "1"})
    client = client_of(deployment)
    enrol(deployment, client)
    token = client.token()
    assert client.read_self(token).status_code == 200
    time.sleep(1.2)
    answer = client.read_self(token)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["detail"] == "Authentication token expired"


def test_a_token_serves_its_own_agent_only(deployment):
    deployment.start_verifier()
    client, other = client_of(deployment), client_of(deployment, "other")
    enrol(deployment, client)
    enrol(deployment, other)
    token = client.token()
    answer = other.read_self(token)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["detail"] == (
        f"Agent {AGENT} cannot access resource other (ownership required)")
    bearer = {"Authorization": f"Bearer {token}"}
    for query in ("agents=other", "agent_id=other"):
        answer = client.http.get(f"{client.url}/v2.6/agents/{AGENT}?{query}", headers=bearer)
        assert answer.json()["results"]["verifier_port"] == 8881
        assert other.ak.ak_tpm not in answer.text
    for path in ("/v2.6/agents", "/v3.0/agents", f"/v3.0/agents/{AGENT}/attestations"):
        assert client.http.get(client.url + path, headers=bearer).status_code == 403, path
    admin = deployment.admin()
    as_agent = admin.get(f"{client.url}/v2.6/agents/other", headers=bearer)
    assert as_agent.status_code == 403, "a token counts, not the certificate beside it"


def test_a_token_outlives_restart_and_reenrolment_but_not_another_key(deployment, engine):
    verifier = deployment.start_verifier(engine)
    client = client_of(deployment)
    enrol(deployment, client)
    token = client.token()
    assert verifier.stop() == 0
    deployment.start_verifier(engine)
    assert client.read_self(token).status_code == 200

    admin, url = deployment.admin(), f"{deployment.verifier_url}/v2.6/agents/{AGENT}"
    assert admin.delete(url).status_code == 200
    assert client.read_self(token).status_code == 404
    enrol(deployment, client)
    assert client.read_self(token).status_code == 200

    assert admin.delete(url).status_code == 200
    changed = client_of(deployment, ak=SoftwareAk())
    enrol(deployment, changed)
    assert client.read_self(token).status_code == 401
    assert admin.delete(url).status_code == 200
    enrol(deployment, client)
    assert client.read_self(token).status_code == 401, "gone for good once it was refused"


def test_two_verifiers_on_one_database_honour_each_others_challenges(deployment, postgresql):
    shared = {"KEYLIME_VERIFIER_DATABASE_URL": postgresql.create("replicas")}
    deployment.start_verifier(shared, log="first")
    first = client_of(deployment)
    enrol(deployment, first)
    port = free_port()
    deployment.start_verifier({**shared, "KEYLIME_VERIFIER_PORT": str(port)}, log="second")
    second = PushClient(deployment.anonymous(), f"https://localhost:{port}", AGENT, first.ak)
    session_id, challenge = first.challenge()
    answer = second.prove(session_id, second.ak.possession(challenge))
    token = answer.json()["data"]["attributes"]["token"]
    assert first.read_self(token).status_code == 200
    assert first.prove(session_id, first.ak.possession(challenge)).status_code == 404


class Cluster:
    """A PostgreSQL of one test, which it may stop."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, command):
        done = subprocess.run([str(POSTGRESQL), command, str(self.directory)], timeout=90,
                              capture_output=True, text=True)
        if done.returncode == 77:
            pytest.skip("PostgreSQL is not installed")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def cluster():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-"))
    directory.chmod(0o711)
    made = Cluster(directory)
    yield made
    made.run("stop")
    shutil.rmtree(directory, ignore_errors=True)


def test_while_the_database_is_away_agents_are_told_to_come_again(deployment, cluster):
    deployment.start_verifier({"KEYLIME_VERIFIER_DATABASE_URL": cluster.run("start")})
    client = client_of(deployment)
    enrol(deployment, client)
    token = client.token()
    cluster.run("halt")
    session_id, challenge = client.challenge()
    admin = deployment.admin()
    for answer in (client.read_self(token),
                   client.prove(session_id, client.ak.possession(challenge)),
                   admin.get(f"{client.url}/v2.6/agents/{AGENT}"),
                   admin.get(f"{client.url}/v3.0/agents/{AGENT}")):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert "postgres" not in answer.text.lower()
    cluster.run("start")
    assert client.read_self(token).status_code == 200
    answer = client.prove(session_id, client.ak.possession(challenge))
    assert answer.json()["data"]["attributes"]["evaluation"] == "pass"


# --- limits -----------------------------------------------------------------------------------------


def test_unproven_requests_are_limited_for_each_agent_and_address(deployment):
    deployment.start_verifier({"KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_WINDOW_AGENT": "2"})
    client = client_of(deployment)
    for _ in range(15):
        assert client.create_session().status_code == 200
    answer = client.create_session()
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert answer.json()["errors"] == [{
        "status": "429", "title": "Too Many Requests",
        "detail": "Rate limit exceeded for this agent. Please try again later."}]
    assert client.create_session(agent_id="other").status_code == 200
    time.sleep(int(answer.headers["Retry-After"]) + 0.1)
    assert client.create_session().status_code == 200, "no penalty grows"


def test_unproven_requests_are_limited_for_each_address(deployment):
    deployment.start_verifier({"KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "5"})
    client = client_of(deployment)
    for number in range(5):
        assert client.create_session(agent_id=f"agent-{number}").status_code == 200
    answer = client.create_session(agent_id="agent-9")
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["errors"][0]["detail"] == "Rate limit exceeded. Please try again later."


def test_agents_that_prove_themselves_are_never_limited(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    enrol(deployment, client)
    for _ in range(60):
        client.token()


def test_failed_proofs_are_limited_for_each_address(deployment):
    deployment.start_verifier()
    client = client_of(deployment)
    enrol(deployment, client)
    session_id, challenge = client.challenge()
    for _ in range(20):
        assert client.prove(session_id, []).status_code == 401
    answer = client.prove(session_id, client.ak.possession(challenge))
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60


def test_behind_a_trusted_proxy_the_clients_address_counts(deployment):
    deployment.start_verifier({
        "KEYLIME_VERIFIER_TRUSTED_PROXIES": "['127.0.0.1', '::1']",
        "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "2"})
    client = client_of(deployment)
    for address in ("198.51.100.1", "198.51.100.2"):
        codes = [client.create_session(headers={"X-Forwarded-For": address}).status_code
                 for _ in range(3)]
        assert codes == [200, 200, 429], address
