# SPDX-License-Identifier: Apache-2.0
"""Requests that docs/api describes, near misses of them, and the life of a real agent, at real servers over
TLS: every answer is one that the description knows. Run by `run-fuzz`, whose environment has
schemathesis."""
import hashlib
import json
import os
import re
import urllib.parse

import hypothesis
import pytest
import schemathesis
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from api_site import AGENT, NONCE, Site, wait_until
from description import SERVERS, load, operations, path_of, resolved

EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "20"))
# What an honest client relies on. Not asked: that all which fits the description is accepted (a random
# text is no TPM's key), nor that all else is refused (members that are not known are ignored).
CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
    checks.unsupported_method, checks.allow_header_conformance,
]


@pytest.fixture(scope="module")
def site():
    made = Site()
    yield made
    made.stop()


# --- the description by itself --------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_the_description_is_openapi_3_1(server):
    document = load(server)
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def contents(document, value):
    """Every media type object of the description, bodies and answers alike."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if "/" in name and "schema" in (each or {}))
        for each in value.values():
            yield from contents(document, each)
    elif isinstance(value, list):
        for each in value:
            yield from contents(document, each)


@pytest.mark.parametrize("server", SERVERS)
def test_the_examples_are_what_they_are_examples_of(server):
    document = load(server)
    count = 0
    for content in contents(document, document):
        schema = {**content["schema"], "components": document["components"]}
        for example in content.get("examples", {}).values():
            OAS31Validator(schema).validate(resolved(document, example)["value"])
            count += 1
    assert count > 8


# --- made-up requests -----------------------------------------------------------------------------


def choice(case, number):
    """The same for the same request, so that a finding can be found again."""
    text = json.dumps([case.method, case.path, case.path_parameters, case.query, repr(case.body)],
                      default=repr)
    return hashlib.sha256(text.encode()).digest()[0] % number


def grounded(value, facts):
    """With what nobody can make up in the place of made-up texts."""
    if isinstance(value, dict):
        return {name: facts[name] if name in facts and isinstance(each, str) else grounded(each, facts)
                for name, each in value.items()}
    if isinstance(value, list):
        return [grounded(each, facts) for each in value]
    return value


def send(case, site, server, session, headers):
    response = case.call(base_url=site.urls[server], session=session, headers=headers,
                         verify=session.verify, timeout=20)
    case.validate_response(response, checks=CHECKS)


def ask(case, site, server):
    if "agent_id" in (case.path_parameters or {}) and choice(case, 4) > 0:
        case.path_parameters["agent_id"] = AGENT
    if choice(case, 2) == 0:
        case.body = grounded(case.body, site.facts)
    case.headers = {name: value for name, value in (case.headers or {}).items()
                    if name.lower() != "authorization"}
    site.sow()
    security = case.operation.definition.raw.get("security", [{"administrator": []}])
    for_agents = security == [{"agent": []}]
    if choice(case, 5) == 0:
        send(case, site, server, site.nobody, {})
        send(case, site, server, site.admin, {"Authorization": "Bearer none"})
    if for_agents:
        send(case, site, server, site.nobody, {"Authorization": f"Bearer {site.agent.token}"})
    else:
        send(case, site, server, site.admin, {})


# Query parameters that are not known are ignored, as members are.
config = schemathesis.Config.from_dict({"generation": {"allow-extra-parameters": False}})
verifier = schemathesis.openapi.from_path(path_of("verifier"), config=config)
registrar = schemathesis.openapi.from_path(path_of("registrar"), config=config)
settings = hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize="CI" in os.environ, database=None,
    suppress_health_check=list(hypothesis.HealthCheck))


@verifier.parametrize()
@settings
def test_the_verifier_answers_as_described(case, site):
    ask(case, site, "verifier")


@registrar.parametrize()
@settings
def test_the_registrar_answers_as_described(case, site):
    ask(case, site, "registrar")


# --- a real agent ---------------------------------------------------------------------------------


class Witness:
    """Holds every answer of some sessions to the description, and remembers which were given."""

    def __init__(self, site):
        self.seen = set()
        self.schemas = {site.urls["verifier"]: verifier, site.urls["registrar"]: registrar}
        self.templates = {
            url: [(method, path, re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(
                r"\{", "{").replace(r"\}", "}"))))
                  for method, path, _ in operations(schema.raw_schema)]
            for url, schema in self.schemas.items()}

    def watch(self, session):
        session.hooks["response"].append(self.look)
        return session

    def look(self, response, **_):
        asked = urllib.parse.urlsplit(response.request.url)
        server = f"{asked.scheme}://{asked.netloc}"
        fits = [path for method, path, pattern in self.templates[server]
                if method == response.request.method and pattern.fullmatch(asked.path.rstrip("/"))]
        path = min(fits, key=lambda each: each.count("{"))  # "latest" is no index
        operation = self.schemas[server][path][response.request.method]
        assert str(response.status_code) in operation.definition.raw["responses"], response.text
        operation.validate_response(response)
        self.seen.add((path, response.request.method, response.status_code))


@pytest.fixture
def witness(site):
    return Witness(site)


def attest(site, machine):
    """One cycle, with a mistake at each step; the verdict is there."""
    machine.create({"data": {"type": "attestation", "attributes": {}}})
    created = wait_until(lambda: answered(machine.create(), 201), 60, "the next attestation")
    machine.submit_document(created.headers["Location"], machine.evidence_document({}))
    answer = machine.submit_document(created.headers["Location"], machine.answer_document(created))
    assert answer.status_code == 202, answer.text
    machine.submit_document(created.headers["Location"], machine.answer_document(created))
    return site.verdict(machine)["evaluation"]


def answered(answer, status):
    return answer if answer.status_code == status else None


def test_the_life_of_an_agent_is_as_described(site, witness):
    machine = site.machine()
    witness.watch(machine.http)
    admin = witness.watch(site.deployment.admin())
    early = machine.open_session()
    site.enrol(machine)
    machine.http.patch(f"{machine.url}/v3.0/sessions/{early[0]}", json={"data": {
        "type": "session", "attributes": {"agent_id": machine.id, "authentication_provided": []}}})
    agent = f"{machine.url}/v3.0/agents/{machine.id}"
    assert admin.get(f"{agent}/attestations/latest").status_code == 404
    assert attest(site, machine) == "pass"
    machine.run("/root/evil.sh")
    assert attest(site, machine) == "fail"
    for path in ("", "/attestations", "/attestations/latest", "/attestations/0"):
        assert admin.get(agent + path).status_code == 200
    assert machine.http.get(f"{machine.url}/v2.6/agents/{machine.id}",
                            headers=machine.headers).status_code == 200
    statuses = {}
    for path, method, status in witness.seen:
        statuses.setdefault((method, path.removeprefix("/v3.0")), set()).add(status)
    attestations = "/agents/{agent_id}/attestations"
    assert statuses["PATCH", "/sessions/{session_id}"] == {200, 401}
    assert statuses["POST", attestations] >= {201, 422}
    assert statuses["PATCH", attestations + "/{index}"] == {202, 403, 422}
    assert statuses["GET", attestations + "/latest"] == {200, 404}


def test_verdicts_are_as_described(site, witness):
    site.sow()
    http = witness.watch(site.deployment.anonymous())
    machine = site.machine()
    data = {"quote": site.quote(machine, range(16)), "nonce": NONCE, "hash_alg": "sha256",
            "tpm_ek": "AAEA", "tpm_ak": machine.ak.ak_tpm, "tpm_policy": {"0": ["00" * 32]},
            "ima_measurement_list": "10 nonsense"}
    for changes, valid in (({}, False), ({"quote": site.quote(machine, [20]), "tpm_policy": {},
                                         "ima_measurement_list": ""}, True)):
        answer = http.post(f"{machine.url}/v2.6/verify/evidence",
                           json={"type": "tpm", "data": data | changes})
        assert answer.json()["results"]["valid"] is valid
        answer = http.post(f"{machine.url}/v3.0/verify/evidence", json={"data": {
            "type": "verification", "attributes": {"evidence_type": "tpm", "evidence": data | changes}}})
        assert answer.json()["data"]["attributes"]["valid"] is valid
    for quote, valid in ((site.facts["quote"], True), ("r", False)):
        query = {"agent_uuid": AGENT, "quote": quote, "nonce": NONCE, "hash_alg": "sha256"}
        answer = http.get(f"{machine.url}/v2.6/verify/identity", params=query)
        assert answer.json()["results"]["valid"] == int(valid)
        answer = http.get(f"{machine.url}/v3.0/verify/identity", params=query)
        assert answer.json()["data"]["attributes"]["valid"] is valid
    assert len(witness.seen) == 4 and {status for _, _, status in witness.seen} == {200}


def test_both_servers_still_run(site):
    for name, program in site.programs.items():
        assert program.running(), name
