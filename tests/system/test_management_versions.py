# SPDX-License-Identifier: Apache-2.0
"""Every management endpoint under every version of the API: the life of an agent and of the two kinds of
named policies, with the answers of the reference (tenant-and-management-api 3.1, 4, 6, 7, 9)."""
import json

import pytest

from lib.deployment import Deployment
from lib.logging_agent import encoded, runtime_policy
from lib.push_agent import enrolment
from lib.software_tpm import SoftwareAk

V2 = ("/v2", "/v2.0", "/v2.1", "/v2.2", "/v2.3", "/v2.4", "/v2.5", "/v2.6")
V3 = ("/v3", "/v3.0")
TEXT = json.dumps(runtime_policy({"/bin/sh": ["0" * 64]}))
OTHER_TEXT = json.dumps(runtime_policy({}))
KINDS = {
    # What the two versions call it, and what is stored.
    "runtime": dict(
        v2="allowlists", v3="policies/ima", type="ima_policy", member="runtime_policy",
        names="runtimepolicy names", noun="Runtime policy", short="allowlist",
        sent=(encoded(TEXT), encoded(OTHER_TEXT)), shown=(TEXT, OTHER_TEXT), bad="!",
        extra={"tmp_policy": None}),
    "boot": dict(
        v2="mbpolicies", v3="refstates/uefi", type="uefi_refstate", member="mb_policy",
        names="mbpolicy names", noun="Measured boot policy", short="mb_policy",
        sent=('{"a": 1}', "{}"), shown=('{"a": 1}', "{}"), bad="{", extra={}),
}


class Site:
    def __init__(self, directory):
        self.deployment = Deployment(directory)
        self.deployment.start_verifier()
        self.admin = self.deployment.admin()

    def ask(self, method, path, body=None):
        return self.admin.request(method, self.deployment.verifier_url + path, json=body, timeout=30)

    def v2(self, status, method, path, body=None):
        """The answer's results; its envelope is held to the version's."""
        answer = self.ask(method, path, body)
        assert answer.status_code == status, (path, answer.text)
        if status == 204:
            assert answer.content == b""
            return None
        assert answer.headers["Content-Type"] == "application/json"
        document = answer.json()
        assert list(document) == ["code", "status", "results"] and document["code"] == status
        return document["results"] if status < 400 else document["status"]

    def v3(self, status, method, path, body=None):
        """The answer's data, or its error."""
        answer = self.ask(method, path, body)
        assert answer.status_code == status, (path, answer.text)
        if status == 204:
            assert answer.content == b""
            return None
        assert answer.headers["Content-Type"] == "application/vnd.api+json"
        document = answer.json()
        assert list(document) == ["data" if status < 400 else "errors", "links", "jsonapi"]
        assert document["links"] == {"self": path} and document["jsonapi"] == {"version": "1.1"}
        if status == 201:
            assert answer.headers["Location"] == document["data"]["links"]["self"]
        if status < 400:
            return document["data"]
        error, = document["errors"]
        assert error["status"] == str(status)
        return error


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("versions"))
    yield made
    made.deployment.stop()


def resource(kind, attributes, name=None):
    return {"data": {"type": kind, **({"id": name} if name else {}), "attributes": attributes}}


@pytest.mark.parametrize("version", V2)
def test_the_life_of_an_agent_in_version_2(site, version):
    agent = f"agent{version.replace('/', '-')}"
    path = f"{version}/agents/{agent}"
    for method, suffix in (("GET", ""), ("DELETE", ""), ("PUT", "/stop"), ("PUT", "/reactivate")):
        assert site.v2(404, method, path + suffix) == "agent id not found"
    assert site.v2(400, "POST", path, {}) == "tpm_policy: is required"
    assert site.v2(200, "POST", path, enrolment(SoftwareAk("ecdsa"))) == {}
    assert "already exists" in site.v2(409, "POST", path, enrolment(SoftwareAk("ecdsa")))
    record = site.v2(200, "GET", path)
    assert record["operational_state"] == 3 and record["attestation_status"] == "PENDING"
    assert [agent] in site.v2(200, "GET", f"{version}/agents/")["uuids"]
    assert site.v2(200, "GET", f"{version}/agents?bulk=True")[agent] == record
    assert site.v2(200, "GET", f"{version}/agents?verifier=other") == {"uuids": []}
    assert site.v2(200, "PUT", f"{path}/stop") == {}
    assert site.v2(200, "GET", path)["operational_state"] == 10
    assert site.v2(200, "PUT", f"{path}/reactivate") == {}
    assert site.v2(200, "GET", path)["operational_state"] == 3
    assert site.v2(200, "DELETE", path) == {}
    assert site.v2(404, "GET", path) == "agent id not found"


@pytest.mark.parametrize("version", V3)
def test_the_life_of_an_agent_in_version_3(site, version):
    agent = f"agent{version.replace('/', '-')}"
    path = f"{version}/agents/{agent}"
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", resource("agent", {}))):
        assert site.v3(404, method, path, body)["code"] == "not_found"
    wrong = site.v3(400, "POST", f"{version}/agents", resource("agent", {}, agent))
    assert wrong["source"] == {"pointer": "/data/attributes/tpm_policy"}
    enrolled = resource("agent", enrolment(SoftwareAk("ecdsa")), agent)
    created = site.v3(201, "POST", f"{version}/agents", enrolled)
    assert (created["type"], created["id"]) == ("agent", agent)
    assert created["links"] == {"self": path}
    assert site.v3(409, "POST", f"{version}/agents", enrolled)["code"] == "conflict"
    shown = site.v3(200, "GET", path)
    assert shown == created
    assert shown["attributes"] == site.v2(200, "GET", f"/v2.6/agents/{agent}")
    assert shown in site.v3(200, "GET", f"{version}/agents")
    changed = site.v3(200, "PATCH", path, resource("agent", {"metadata": {"rack": 7}}, agent))
    assert changed["attributes"] == shown["attributes"] | {"meta_data": '{"rack": 7}'}
    assert site.v3(409, "PATCH", path, resource("agent", {}, "other"))["code"] == "conflict"
    assert site.v3(409, "PATCH", path, resource("agents", {}))["code"] == "conflict"
    for method, at in (("PATCH", path), ("POST", f"{version}/agents")):
        wrong = site.v3(400, method, at, resource("agent", {}, {"no": "text"}))
        assert wrong["source"] == {"pointer": "/data/id"}
    assert site.v3(200, "GET", f"{path}/attestations") == []
    for which in ("latest", "0"):
        assert site.v3(404, "GET", f"{path}/attestations/{which}")["code"] == "not_found"
    site.v3(204, "DELETE", path)
    assert site.v3(404, "GET", path)["code"] == "not_found"


@pytest.mark.parametrize("version", V2)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_life_of_a_policy_in_version_2(site, version, kind):
    name = f"policy{version.replace('/', '-')}"
    path = f"{version}/{kind['v2']}/{name}"
    first, second = ({kind["member"]: sent} for sent in kind["sent"])
    for method in ("GET", "DELETE"):
        assert site.v2(404, method, path) == f"{kind['noun']} {name} not found"
    assert "does not already exist" in site.v2(404, "PUT", path, first)
    assert site.v2(400, "POST", path, {kind["member"]: kind["bad"]})
    assert site.v2(201, "POST", path, first) == {}
    assert site.v2(409, "POST", path, first) == f"{kind['noun']} with name {name} already exists"
    assert site.v2(200, "GET", path) == {
        "name": name, kind["member"]: kind["shown"][0], **kind["extra"]}
    assert name in site.v2(200, "GET", f"{version}/{kind['v2']}/")[kind["names"]]
    assert site.v2(201, "PUT", path, second) == {}
    assert site.v2(200, "GET", path)[kind["member"]] == kind["shown"][1]
    user = f"{version}/agents/user{version.replace('/', '-')}"
    site.v2(200, "POST", user, enrolment(SoftwareAk("ecdsa"), **{f"{kind['member']}_name": name}))
    assert f"Can't delete {kind['short']}" in site.v2(409, "DELETE", path)
    site.v2(200, "DELETE", user)
    site.v2(204, "DELETE", path)
    site.v2(404, "GET", path)


@pytest.mark.parametrize("version", V3)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_life_of_a_policy_in_version_3(site, version, kind):
    name = f"policy{version.replace('/', '-')}"
    all_of_them = f"{version}/{kind['v3']}"
    path = f"{all_of_them}/{name}"
    first, second = (resource(kind["type"], {kind["member"]: sent}, name) for sent in kind["sent"])
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", first)):
        assert site.v3(404, method, path, body)["code"] == "not_found"
    wrong = site.v3(400, "POST", all_of_them,
                    resource(kind["type"], {kind["member"]: kind["bad"]}, name))
    assert wrong["source"] == {"pointer": f"/data/attributes/{kind['member']}"}
    created = site.v3(201, "POST", all_of_them, first)
    assert created == {
        "type": kind["type"], "id": name, "links": {"self": path},
        "attributes": {"name": name, **kind["extra"], kind["member"]: kind["shown"][0]}}
    assert site.v3(409, "POST", all_of_them, first)["code"] == "conflict"
    assert site.v3(409, "POST", all_of_them, resource("other", {}))["code"] == "conflict"
    assert site.v3(400, "POST", all_of_them, resource(kind["type"], {}))["code"] == "invalid_request"
    assert site.v3(200, "GET", path) == created
    assert name in [each["id"] for each in site.v3(200, "GET", all_of_them)]
    replaced = site.v3(200, "PATCH", path, second)
    assert replaced["attributes"][kind["member"]] == kind["shown"][1]
    assert site.v3(409, "PATCH", path, resource(kind["type"], {}, "other"))["code"] == "conflict"
    for method, at in (("PATCH", path), ("POST", all_of_them)):
        wrong = site.v3(400, method, at, resource(kind["type"], {}, 5))
        assert wrong["source"] == {"pointer": "/data/id"}
    assert site.v2(200, "GET", f"/v2.6/{kind['v2']}/{name}") == replaced["attributes"]
    site.v3(204, "DELETE", path)
    site.v3(404, "GET", path)


@pytest.mark.parametrize("version", V2 + V3)
def test_what_a_version_does_not_have(site, version):
    """Routes of the other version, methods that a path does not have, and paths of neither."""
    others = {
        V2: ("/policies/ima", "/refstates/uefi", "/agents/a/attestations", "/sessions"),
        V3: ("/allowlists", "/mbpolicies", "/agents/a/stop", "/agents/a/session"),
    }[V2 if version in V2 else V3]
    ask = site.v2 if version in V2 else site.v3
    for path in (*others, "/nothing", "/verify", "/agents/a/b/c"):
        ask(404, "GET", version + path)
    for method, path in (("PUT", "/agents"), ("POST", "/verify/identity"), ("GET", "/verify/evidence")):
        answer = site.ask(method, version + path)
        assert answer.status_code == 405 and answer.headers["Allow"]


@pytest.mark.parametrize("version", ["/v1", "/v1.0", "/v2.7", "/v3.1", "/v4", "/v2.6.0", "/V2", ""])
def test_other_versions_are_not_there(site, version):
    assert site.ask("GET", f"{version}/agents").status_code == 404
