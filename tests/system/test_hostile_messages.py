# SPDX-License-Identifier: Apache-2.0
"""Each message of the protocol with one thing wrong, to the real servers: a 4xx that says what is wrong,
never a 5xx; nothing is stored or believed; an honest agent attests meanwhile (decisions D23, D71, D76)."""
import base64
import json
import uuid

import pytest

from lib import http_vectors as vectors
from lib.honest_client import Site
from lib.memory import resident
from lib.mutation import mutants, texts
from lib.program import wait_until
from lib.push_agent import JSON_API, enrolment
from lib.registration import Machine
from lib.software_ek import SoftwareEk
from lib.software_tpm import SoftwareAk

MEMORY_GROWTH = 48 * 1024  # KiB: what a few allocator arenas keep, not what the requests sent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def unharmed(site):
    programs = (site.verifier, site.registrar)
    before = [resident(each) for each in programs]
    yield
    site.check()
    for program, size in zip(programs, before):
        assert size is None or resident(program) < size + MEMORY_GROWTH, program.name


class Sender:
    """Requests on a kept connection; each answer is judged at once."""

    def __init__(self, site, admin=False, plain=False):
        self.http = site.deployment.admin() if admin else site.deployment.anonymous()
        self.url = site.deployment.registrar_plain_url if plain else site.deployment.verifier_url
        self.count = 0

    def send(self, name, method, path, body, headers=None):
        # Failed proofs are limited for each address: each comes from one of its own.
        self.count += 1
        forwarded = f"10.{self.count >> 16 & 255}.{self.count >> 8 & 255}.{self.count & 255}"
        answer = self.http.request(
            method, self.url + path, data=body, timeout=20,
            headers={"Content-Type": "application/json", "X-Forwarded-For": forwarded,
                     **(headers or {})})
        told = f"{name}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, told
        if answer.status_code >= 400:
            try:
                vectors.complaint(vectors.Answer(answer.status_code, {}, answer.content))
            except (AssertionError, KeyError, TypeError, ValueError) as error:
                raise AssertionError(f"{told}: does not say what is wrong") from error
        return answer


def bodies(message):
    yield from mutants(message)
    for number, text in enumerate(texts(message)):
        yield f"text {number}: {text[:40]!r}", text


# --- registrar ----------------------------------------------------------------------------------------


def test_registration(site):
    sender = Sender(site, plain=True)
    machine = Machine("machine", SoftwareEk("ecc"), SoftwareAk("ecdsa"))
    message = machine.body(ekcert="", iak_cert=..., idevid_cert=...)
    for name, body in bodies(message):
        agent_id = str(uuid.uuid4())
        answer = sender.send(name, "POST", f"/v2.6/agents/{agent_id}", body)
        assert answer.status_code in (200, 400, 413), (name, answer.text)
        if answer.status_code == 200:
            assert name.split(":")[0] not in ("/ek_tpm", "/aik_tpm"), name
            shown = site.admin.get(f"{site.deployment.registrar_url}/v2.6/agents/{agent_id}")
            assert shown.status_code == 404, "an agent that proved nothing is shown"


def test_activation(site):
    sender = Sender(site, plain=True)
    for name, body in bodies({"auth_tag": "0" * 96}):
        machine = Machine(str(uuid.uuid4()), SoftwareEk("ecc"), SoftwareAk("ecdsa"))
        sender.send("register", "POST", f"/v2.6/agents/{machine.agent_id}",
                    json.dumps(machine.body()))
        answer = sender.send(name, "PUT", f"/v2.6/agents/{machine.agent_id}", body)
        assert answer.status_code in (400, 413), (name, answer.text)


# --- sessions -----------------------------------------------------------------------------------------


def test_session_requests(site):
    sender = Sender(site)
    message = {"data": {"type": "session", "attributes": {
        "agent_id": site.honest.agent.id,
        "authentication_supported": [
            {"authentication_class": "pop", "authentication_type": "tpm_pop"}]}}}
    for name, body in bodies(message):
        answer = sender.send(name, "POST", "/v3.0/sessions", body)
        assert answer.status_code in (200, 400, 413), (name, answer.text)


def test_proofs(site):
    sender = Sender(site)
    agent = site.agent()
    session, challenge = agent.open_session()

    def proof():
        return {"data": {"type": "session", "id": session, "attributes": {
            "agent_id": agent.id, "authentication_provided": agent.ak.possession(challenge)}}}

    passed = set()
    for name, body in bodies(proof()):
        answer = sender.send(name, "PATCH", f"/v3.0/sessions/{session}", body)
        if answer.status_code == 200:
            # Used up. The mutant that passed had nothing of the proof itself changed.
            assert answer.json()["data"]["attributes"]["evaluation"] == "pass", (name, answer.text)
            passed.add(name.split(":")[0])
            session, challenge = agent.open_session()
        elif answer.status_code == 404:
            session, challenge = agent.open_session()
        else:
            assert answer.status_code in (400, 401, 413), (name, answer.text)
    for pointer in passed:
        assert "data/type" in pointer or "data/id" in pointer or "authentication_class" in pointer, \
            passed


# --- attestations -------------------------------------------------------------------------------------


def test_capabilities(site):
    sender = Sender(site)
    agent = site.agent()
    accepted = 0
    for name, body in bodies(agent.capabilities_document()):
        headers = {**agent.headers, "Content-Type": JSON_API}
        answer = sender.send(name, "POST", f"/v3.0/agents/{agent.id}/attestations", body, headers)
        assert answer.status_code in (201, 400, 409, 413, 422), (name, answer.text)
        if answer.status_code == 422:
            for error in answer.json()["errors"]:
                assert error["source"]["pointer"].startswith("/data/attributes/"), answer.text
        accepted += answer.status_code == 201
        if accepted == 9:  # ten open ones a minute are enough for an agent (decision D80)
            agent, accepted = site.agent(), 0


def test_evidence(site):
    sender = Sender(site)
    agent = site.agent()
    created = agent.create()

    def evidence():
        return agent.evidence_document(agent.ak.evidence(agent.chosen(created)))

    accepted = {}
    for name, body in bodies(evidence()):
        answer = sender.send(name, "PATCH", created.headers["Location"], body,
                             {**agent.headers, "Content-Type": JSON_API})
        assert answer.status_code in (202, 400, 409, 422), (name, answer.text)
        if answer.status_code == 202:
            accepted[name] = (agent, created)
            agent = site.agent()
            created = agent.create()
    for name, (agent, created) in accepted.items():
        data = site_verdict(site, agent)
        changed = name.split(":")[0].rsplit("/", 1)[-1] in ("message", "signature", "subject_data")
        # The evidence of the first agent, or a changed part of it, proves nothing for this one.
        assert data["evaluation"] == "fail" or not changed, (name, data)


def site_verdict(site, agent):
    def decided():
        attributes = agent.latest(site.admin)["attributes"]
        return attributes if attributes["stage"] == "verification_complete" else None
    return wait_until(decided, 10, "the verdict")


# --- management ---------------------------------------------------------------------------------------


def test_enrolments(site):
    sender = Sender(site, admin=True)
    agent_id = str(uuid.uuid4())
    for name, body in bodies(enrolment(site.ak, {"0": ["00" * 32]})):
        answer = sender.send(name, "POST", f"/v2.6/agents/{agent_id}", body)
        # 404: a text of the fuzz in the place of a policy's name names none.
        allowed = (200, 400, 404) if "policy_name:" in name else (200, 400)
        assert answer.status_code in allowed, (name, answer.text)
        if answer.status_code == 200:
            assert not name.startswith("/ak_tpm:"), name
            shown = site.admin.get(f"{sender.url}/v2.6/agents/{agent_id}")
            assert shown.status_code == 200 and shown.json(), shown.text
            sender.send("delete", "DELETE", f"/v2.6/agents/{agent_id}", None)


def test_version_3_enrolments_and_updates(site):
    sender = Sender(site, admin=True)
    agent_id = str(uuid.uuid4())
    message = {"data": {"type": "agent", "id": agent_id,
                        "attributes": enrolment(site.ak, {"0": ["00" * 32]})}}
    assert sender.send("good", "POST", "/v3.0/agents", json.dumps(message)).status_code == 201
    for name, body in bodies(message):
        answer = sender.send(name, "PATCH", f"/v3.0/agents/{agent_id}", body)
        allowed = (200, 400, 409, 422) + ((404,) if "policy_name:" in name else ())
        assert answer.status_code in allowed, (name, answer.text)
    for name, body in bodies({"data": {"type": "agent", "id": agent_id, "attributes": {}}}):
        answer = sender.send(name, "POST", "/v3.0/agents", body)
        assert answer.status_code in (400, 409, 422), (name, answer.text)
    assert sender.send("delete", "DELETE", f"/v3.0/agents/{agent_id}", None).status_code < 300


# --- paths, queries, headers --------------------------------------------------------------------------


ODD = ("%00", "%2e%2e", "..", "%2F", "a%2Fb", "'", "%27%20OR%201=1--", "a" * 4000, "%", "%zz", "%ff",
       "*", "{}", "-1", "0", "99999999999999999999", "%F0%9F%98%80", ".", "latest", "null")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_odd_paths(site, method):
    wire = vectors.Wire(site.deployment.verifier_port,
                        str(site.deployment.certificates / "cacert.crt"),
                        [str(site.deployment.certificates / name)
                         for name in ("client-cert.crt", "client-private.pem")])
    for odd in ODD:
        for path in (f"/v2.6/agents/{odd}", f"/v3.0/agents/{odd}/attestations/{odd}",
                     f"/v3.0/sessions/{odd}", f"/{odd}/agents", f"/v2.6/{odd}",
                     f"/v2.6/agents/?verifier={odd}&bulk={odd}",
                     f"/v3.0/agents/{site.honest.agent.id}/attestations?page[limit]={odd}"):
            answer = wire.request(method, path, {"Content-Type": JSON_API}, "{}", admin=True)
            assert answer.status is not None and answer.status < 500, (path, answer)
            if answer.status >= 400:
                vectors.complaint(answer)


def test_odd_tokens(site):
    sender = Sender(site)
    agent = site.honest.agent
    session, secret = agent.token.split(".")
    for token in ("", ".", "..", "a.b", "A" * 60000, session, session + ".", "." + secret,
                  f"{session}.{secret}.", f"{session}.{secret[:-1]}", f"{session}.{secret}A",
                  f"{session}.{secret.swapcase()}", f"{uuid.uuid4()}.{secret}",
                  f"{session}.{'A' * 43}", f"{session}.{base64.b64encode(b'x' * 32).decode()}",
                  f"{session} {secret}", f"{session}.{secret[:20]}\t{secret[20:]}", "%00", "'"):
        answer = sender.send(token[:80], "POST", f"/v3.0/agents/{agent.id}/attestations",
                             "{}", {"Authorization": f"Bearer {token}", "Content-Type": JSON_API})
        assert answer.status_code in (401, 431), (token[:80], answer.text)
