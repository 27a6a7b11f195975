# SPDX-License-Identifier: Apache-2.0
"""The verification endpoints, which anybody may ask for a verdict: GET /verify/identity and POST
/verify/evidence, under every version of the API (tenant-and-management-api 8; decisions D57, D73, D107)."""
import concurrent.futures
import hashlib
import json
import uuid

import pytest

from lib.boot_log import usual
from lib.deployment import Deployment
from lib.logging_agent import runtime_policy
from lib.measurement_list import MeasurementList
from lib.push_agent import enrolment
from lib.software_tpm import SoftwareAk, base64_text

VERSIONS = ("v2", "v2.0", "v2.1", "v2.2", "v2.3", "v2.4", "v2.5", "v2.6", "v3", "v3.0")
NONCE = "DGHFH6EQVYGKP7YHNVEAFQQR5TN4W4JA"
ZERO = "00" * 32
# Of a boot without an event log.
AGGREGATE = hashlib.sha256(bytes(20)).hexdigest()


class Site:
    def __init__(self, directory, env=None):
        self.deployment = Deployment(directory)
        self.verifier = self.deployment.start_verifier(env)
        self.admin = self.deployment.admin()
        self.stranger = self.deployment.anonymous()
        self.url = self.deployment.verifier_url

    def identity(self, version="v2.6", http=None, **query):
        return (http or self.stranger).get(f"{self.url}/{version}/verify/identity", params=query,
                                           timeout=20)

    def evidence(self, data, version="v2.6", kind="tpm", http=None):
        if version.startswith("v2"):
            body = {"type": kind, "data": data}
        else:
            body = {"data": {"type": "verification",
                             "attributes": {"evidence_type": kind, "evidence": data}}}
        return (http or self.stranger).post(f"{self.url}/{version}/verify/evidence", json=body,
                                            timeout=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("verification"))
    yield site
    site.deployment.stop()


def compound(ak, nonce=NONCE, bank="sha256", pcrs=(0,), **changes):
    """The text of a quote; `changes` replace one of its three parts."""
    made = ak.quote(nonce if isinstance(nonce, bytes) else nonce.encode(), bank, pcrs)
    parts = dict(zip(("message", "signature", "pcr_blob"), made)) | changes
    return "r" + ":".join(base64_text(part) for part in parts.values())


def submitted(ak, pcrs=(0,), **changes):
    """Evidence that passes; a change to ... removes a member."""
    data = {"quote": compound(ak, pcrs=pcrs), "nonce": NONCE, "hash_alg": "sha256",
            "tpm_ek": base64_text(b"\0\1ek"), "tpm_ak": ak.ak_tpm,
            "tpm_policy": json.dumps({"0": [ZERO]}), "runtime_policy": "", "mb_policy": "",
            "ima_measurement_list": "", "mb_log": ""} | changes
    return {name: value for name, value in data.items() if value is not ...}


def outcome(answer):
    """valid, claims, failures of either version."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if "results" in body:
        assert (body["code"], body["status"]) == (200, "Success")
        result = body["results"]
    else:
        assert answer.headers["Content-Type"] == "application/vnd.api+json"
        assert body["data"]["type"] == "verification" and len(body["data"]["id"]) == 64
        result = body["data"]["attributes"]
    assert list(result) == ["valid", "claims", "failures"]
    return result


def fails(answer, *events):
    result = outcome(answer)
    assert result["valid"] is False and result["claims"] == {}
    assert [failure["type"] for failure in result["failures"]] == list(events)
    return [failure["context"] for failure in result["failures"]]


def passes(answer, data):
    assert outcome(answer) == {"valid": True, "claims": data, "failures": []}


# --- evidence: the quote --------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_evidence_that_the_policy_allows_is_valid_in_every_version(site, version):
    data = submitted(SoftwareAk())
    passes(site.evidence(data, version), data)


@pytest.mark.parametrize("ak", [
    {}, {"scheme": "rsapss", "hash_name": "sha384"}, {"scheme": "ecdsa"},
    {"scheme": "ecdsa", "hash_name": "sha512", "bits": 521}, {"hash_name": "sha1"}],
    ids=lambda ak: "-".join(map(str, ak.values())) or "rsassa")
def test_every_sound_key_and_the_hash_that_was_named_count(site, ak):
    key = SoftwareAk(**ak)
    bank = key.hash_name
    data = submitted(key, quote=compound(key, bank=bank), hash_alg=bank,
                     tpm_policy=json.dumps({"0": ["00" * hashlib.new(bank).digest_size]}))
    passes(site.evidence(data), data)


def test_a_nonce_of_bytes_is_told_in_base64(site):
    ak, nonce = SoftwareAk(), bytes(range(20))
    data = submitted(ak, nonce=base64_text(nonce), quote=compound(ak, nonce))
    passes(site.evidence(data), data)


AK = SoftwareAk()
OTHER = SoftwareAk()


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("changes", [
    {"nonce": NONCE + "x"}, {"nonce": base64_text(b"other")}, {"hash_alg": "sha384"},
    {"tpm_ak": OTHER.ak_tpm},
    {"tpm_ak": SoftwareAk(attributes=0x00040072).ak_tpm},
    {"quote": compound(OTHER)}, {"quote": compound(AK, "")},
    {"quote": compound(AK, pcr_blob=AK.pcr_blob("sha256", (0, 1)))},
    {"quote": compound(AK, pcr_blob=b"\0" * 100)},
    {"quote": compound(AK, signature=b"\0\x14\0\x0b\0\0")}, {"quote": compound(AK, message=b"x")}],
    ids=str)
def test_a_quote_that_proves_nothing_is_invalid(site, version, changes):
    context, = fails(site.evidence(submitted(AK, **changes), version),
                     "qoute_validation.quote_validation")
    assert context["message"].startswith("quote: ")


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("changes", [
    {"quote": "x"}, {"quote": "r"}, {"quote": "r::"}, {"quote": compound(AK)[1:]},
    {"quote": compound(AK) + ":"}, {"quote": compound(AK).replace(":", ";")},
    {"quote": compound(AK).replace("r", "r!", 1)}, {"quote": compound(AK, signature=b"")},
    {"quote": compound(AK, message=bytes(5000))}, {"tpm_ak": "AAAA"}, {"tpm_ak": AK.ak_tpm + "AAAA"}],
    ids=lambda changes: str(changes)[:40])
def test_what_is_no_quote_or_key_at_all_is_invalid(site, version, changes):
    context, = fails(site.evidence(submitted(AK, **changes), version),
                     "qoute_validation.invalid_quote")
    assert context["message"].startswith("Quote validation failed: ")


def test_an_unknown_hash_is_named(site):
    context, = fails(site.evidence(submitted(AK, hash_alg="md5")), "qoute_validation.invalid_hash_alg")
    assert context == {"message": "TPM Quote is using an unrecognized hash algorithm: md5",
                       "data": "md5"}
    context, = fails(site.evidence(submitted(AK, hash_alg="é" * 100000)),
                     "qoute_validation.invalid_hash_alg")
    assert len(context["data"]) <= 64


def test_values_and_missing_pcrs_are_told_as_in_an_attestation(site):
    policy = json.dumps({"0": ["ab" * 32], "7": [ZERO], "mask": "0x81"})
    wrong, missing = fails(site.evidence(submitted(AK, tpm_policy=policy)),
                           "pcr_validation.invalid_pcr_0", "pcr_validation.missing_pcrs")
    assert wrong["got"] == ZERO and "7" in missing["message"]


# --- evidence: logs -------------------------------------------------------------------------------


class Machine:
    """A key whose PCRs stand where its logs lead."""

    def __init__(self, files=("/bin/sh",), boot=None):
        self.ak = SoftwareAk("ecdsa")
        self.list = MeasurementList()
        self.list.add("boot_aggregate", digest=AGGREGATE)
        self.digests = {name: [self.list.add(name)] for name in files}
        self.ak.pcrs["sha256"][10] = self.list.pcr["sha256"]
        self.boot = boot
        if boot:
            self.ak.pcrs["sha256"] |= boot.replay("sha256")

    def policy(self, **digests):
        return json.dumps(runtime_policy({"boot_aggregate": [AGGREGATE], **self.digests, **digests}))

    def submitted(self, pcrs=range(16), **changes):
        data = submitted(self.ak, pcrs, tpm_policy=..., runtime_policy=self.policy(),
                         ima_measurement_list=self.list.text().decode())
        if self.boot:
            data |= {"mb_log": base64_text(self.boot.binary()), "mb_policy": '{"any": "thing"}'}
        return {name: value for name, value in (data | changes).items() if value is not ...}


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
def test_a_list_and_a_boot_log_that_fit_are_valid(site, version):
    data = Machine(boot=usual()).submitted()
    passes(site.evidence(data, version), data)
    data = Machine(boot=usual()).submitted(mb_policy={}, runtime_policy=json.loads(Machine().policy()))
    passes(site.evidence(data, version), data)


def test_a_file_that_the_policy_does_not_list_is_told_with_its_path(site):
    machine = Machine(files=("/bin/sh", "/root/evil.sh"))
    del machine.digests["/root/evil.sh"]
    context, = fails(site.evidence(machine.submitted()), "ima.validation.ima-ng.not_in_allowlist")
    assert context["path"] == "/root/evil.sh"
    machine.digests["/root/evil.sh"] = ["00" * 32]
    fails(site.evidence(machine.submitted()), "ima.validation.ima-ng.runtime_policy_hash")


def test_a_list_that_does_not_lead_to_the_quote_is_invalid(site):
    machine = Machine(files=("/bin/sh", "/bin/true"))
    lines = machine.list.text().decode().splitlines(keepends=True)
    fails(site.evidence(machine.submitted(ima_measurement_list="".join(lines[:-1]))),
          "ima.pcr_mismatch")
    types = [failure["type"] for failure in outcome(site.evidence(
        machine.submitted(ima_measurement_list="nonsense\n")))["failures"]]
    assert "ima.parser.entry" in types


def test_what_the_quote_does_not_vouch_for_is_never_valid(site):
    machine = Machine()
    without_ten = [pcr for pcr in range(16) if pcr != 10]
    for changes in ({}, {"ima_measurement_list": ""}, {"runtime_policy": "",
                                                       "tpm_policy": json.dumps({"0": [ZERO]})}):
        context, = fails(site.evidence(machine.submitted(without_ten, **changes)),
                         "qoute_validation.quote_validation")
        assert "PCR" in context["message"]


def test_pcr_10_is_never_left_unexplained(site):
    """As upstream: a quote of it without a list, or a list without a policy, is not valid."""
    machine = Machine()
    policy = json.dumps({"0": [ZERO]})
    result = outcome(site.evidence(machine.submitted(
        runtime_policy="", ima_measurement_list="", tpm_policy=policy)))
    assert result["valid"] is False
    types = [failure["type"] for failure in outcome(site.evidence(machine.submitted(
        runtime_policy="", tpm_policy=policy)))["failures"]]
    assert set(types) == {"ima.validation.ima-ng.not_in_allowlist"}


def test_a_boot_log_must_give_the_quoted_pcrs(site):
    machine = Machine(boot=usual())
    machine.ak.extend("sha256", 8, bytes(32))
    fails(site.evidence(machine.submitted()), "measured_boot.invalid_pcr_8")
    machine = Machine(boot=usual())
    for log in ("", "no event log", base64_text(b"neither")):
        result = outcome(site.evidence(machine.submitted(mb_log=log)))
        assert result["valid"] is False and result["failures"]
    fails(site.evidence(machine.submitted([0, 10])), "measured_boot.missing_pcrs")


def test_a_boot_log_without_a_policy_must_give_the_quoted_pcrs_too(site):
    machine = Machine(boot=usual())
    policy = json.dumps({"10": [machine.ak.pcrs["sha256"][10].hex()]})
    data = machine.submitted(mb_policy=..., tpm_policy=policy)
    passes(site.evidence(data), data)
    fails(site.evidence(machine.submitted([0, 10], mb_policy=..., tpm_policy=policy)),
          "measured_boot.missing_pcrs")
    machine.ak.extend("sha256", 8, bytes(32))
    fails(site.evidence(machine.submitted(mb_policy=..., tpm_policy=policy)),
          "measured_boot.invalid_pcr_8")


def test_a_reference_state_is_always_evaluated(tmp_path):
    site = Site(tmp_path, {"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "reject-all"})
    try:
        result = outcome(site.evidence(Machine(boot=usual()).submitted()))
        assert result["valid"] is False and result["failures"]
    finally:
        site.deployment.stop()


# --- evidence: requests that are wrong --------------------------------------------------------------


def refused(answer, version, member, event=None, at=None):
    assert answer.status_code == 400, answer.text
    body = answer.json()
    if version.startswith("v2"):
        if event is None:
            return body["status"]
        assert body["status"] == "Bad Request"
        failure, = body["results"].pop("failures")
        assert body["results"] == {"valid": False, "claims": {}}
        assert failure["type"] == event
        return failure["context"]["message"]
    error, = body["errors"]
    assert error["code"] == "invalid_request"
    pointer = at or "/data/attributes/evidence" + (f"/{member}" if member else "")
    assert error["source"]["pointer"] == pointer
    return error["detail"]


@pytest.mark.parametrize("version", ["v2.0", "v2.6", "v3.0"])
def test_missing_members_are_named_in_order(site, version):
    left = submitted(AK)
    for member in ("tpm_ak", "tpm_ek", "hash_alg", "nonce", "quote"):
        for nothing in (..., "", None):
            data = submitted(AK, **{member: nothing})
            assert refused(site.evidence(data, version), version, member, "default.missing_param") \
                == f'missing parameter "{member}"'
        del left[member]
        assert member in refused(site.evidence(left, version), version, member,
                                 "default.missing_param")


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
def test_something_must_be_there_to_judge_by(site, version):
    for nothing in (..., "", None):
        data = submitted(AK, tpm_policy=nothing, runtime_policy=nothing, mb_policy=nothing)
        assert refused(site.evidence(data, version), version, None, "default.missing_policy") == (
            "at least one policy (tpm_policy, runtime_policy, or mb_policy) must be provided")


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("member", [
    "quote", "nonce", "hash_alg", "tpm_ek", "tpm_ak", "tpm_policy", "runtime_policy", "mb_policy",
    "ima_measurement_list", "mb_log"])
def test_members_of_the_wrong_type_are_named(site, version, member):
    for value in (5, True, [], ["x"], "a\0b") + (({},) if not member.endswith("policy") else ()):
        message = refused(site.evidence(submitted(AK, **{member: value}), version), version, member,
                          "default.invalid_param")
        assert message.startswith(f"{member}: "), value


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("member,value", [
    ("tpm_ek", "!"), ("tpm_ak", "!"), ("tpm_policy", "{"), ("tpm_policy", "[]"),
    ("tpm_policy", '{"24": []}'), ("tpm_policy", '{"0": ["xyz"]}'), ("runtime_policy", "{"),
    ("runtime_policy", "{}"), ("runtime_policy", "5"), ("mb_policy", "{"),
    ("runtime_policy", json.dumps(runtime_policy({}) | {"excludes": ["("]})),
    ("runtime_policy", "[" + "{}," * 300000 + "{}]"), ("mb_policy", "[" + "{}," * 30000 + "{}]"),
    ("tpm_policy", '{"0": ["' + '00", "' * 300000 + '"]}'), ("mb_policy", "[" * 100),
    ("tpm_policy", json.dumps("[" + "{}," * 300000 + "{}]")),
    ("runtime_policy", json.dumps(runtime_policy({}) | {
        "verification-keys": "[" + "{}," * 300000 + "{}]"}))],
    ids=lambda value: value[:20])
def test_what_the_requester_wrote_must_be_right(site, version, member, value):
    data = submitted(AK, **{member: value})
    message = refused(site.evidence(data, version), version, member, "default.invalid_param")
    assert message.startswith(f"{member}: ") and message.count(f"{member}: ") == 1


def test_the_ak_is_another_key_than_the_ek(site):
    data = submitted(AK, tpm_ek=AK.ak_tpm)
    assert refused(site.evidence(data), "v2.6", "tpm_ak", "default.invalid_param") == (
        "tpm_ak: must be another key than tpm_ek")


@pytest.mark.parametrize("version,type_name,data_name", [
    ("v2.6", "type", "data"), ("v3.0", "evidence_type", "evidence")])
def test_type_and_data_are_required(site, version, type_name, data_name):
    def ask(members):
        body = members if version == "v2.6" else {
            "data": {"type": "verification", "attributes": members}}
        return site.stranger.post(f"{site.url}/{version}/verify/evidence", json=body, timeout=20)

    def at(name):
        return f"/data/attributes/{name}"

    for members in ({}, {type_name: ""}, {type_name: None, data_name: {}}):
        assert refused(ask(members), version, None, at=at(type_name)) == \
            f"missing parameter '{type_name}'"
    for members in ({type_name: "tpm"}, {type_name: "tpm", data_name: ""}):
        assert refused(ask(members), version, None, at=at(data_name)) == \
            f"missing parameter '{data_name}'"
    for kind in ("tee", "TPM", 5, []):
        message = refused(ask({type_name: kind, data_name: {}}), version, None, at=at(type_name))
        assert message.startswith("invalid evidence type")
    for data in ("x", 5, []):
        assert refused(ask({type_name: "tpm", data_name: data}), version, None, at=at(data_name)) == \
            f"parameter '{data_name}' must be an object"


def test_version_3_wants_a_resource_of_the_right_type(site):
    url = f"{site.url}/v3.0/verify/evidence"
    for body in ({}, {"data": []}, {"data": {"type": "verification"}}, {"data": {"attributes": 5}}):
        assert site.stranger.post(url, json=body, timeout=20).status_code == 400
    answer = site.stranger.post(url, json={"data": {"type": "agent", "attributes": {}}}, timeout=20)
    assert answer.status_code == 409 and answer.json()["errors"][0]["code"] == "conflict"


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"5", b"null", b'{"type": "tpm"', b"\xff",
                                  b'{"a":' * 40 + b"5" + b"}" * 40, b"[" * 100000])
def test_bodies_that_are_no_object_are_refused(site, version, body):
    answer = site.stranger.post(f"{site.url}/{version}/verify/evidence", data=body, timeout=20)
    assert answer.status_code == 400 and answer.json()


def test_a_body_over_16_mib_is_refused_and_one_of_16_is_judged(site):
    data = submitted(AK, ima_measurement_list="x" * (16 * 1024 * 1024))
    assert site.evidence(data).status_code == 413
    data["ima_measurement_list"] = "x" * (16 * 1024 * 1024 - 20000)
    assert outcome(site.evidence(data))["valid"] is False


# --- identity -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def agent(site):
    """(id, key) of an enrolled agent."""
    agent_id, ak = str(uuid.uuid4()), SoftwareAk()
    answer = site.admin.post(f"{site.url}/v2.6/agents/{agent_id}", json=enrolment(ak), timeout=20)
    assert answer.status_code == 200, answer.text
    return agent_id, ak


def identity_of(answer, agent_id):
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if "results" in body:
        assert (body["code"], body["status"]) == (200, "Success")
        return body["results"]
    assert body["data"]["type"] == "identity" and body["data"]["id"] == agent_id
    return body["data"]["attributes"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_enrolled_key_proves_its_identity_in_every_version(site, agent, version):
    agent_id, ak = agent
    answer = site.identity(version, agent_uuid=agent_id, quote=compound(ak, pcrs=(3, 10)),
                           nonce=NONCE, hash_alg="sha256")
    assert identity_of(answer, agent_id) == {"valid": 1 if version.startswith("v2") else True}
    answer = site.identity(version, agent_uuid=agent_id, quote=compound(AK), nonce=NONCE,
                           hash_alg="sha256")
    wrong = identity_of(answer, agent_id)
    assert wrong.pop("valid") in (0, False)
    assert json.loads(wrong.pop("reason"))["message"].startswith("quote: ") and not wrong


@pytest.mark.parametrize("changes", [
    {"nonce": "other"}, {"quote": "x"}, {"quote": "r::"}, {"hash_alg": "md5"},
    {"hash_alg": "sha384"}], ids=str)
def test_other_identities_are_told_why(site, agent, changes):
    agent_id, ak = agent
    query = {"agent_uuid": agent_id, "quote": compound(ak), "nonce": NONCE, "hash_alg": "sha256"}
    results = identity_of(site.identity(**(query | changes)), agent_id)
    assert results["valid"] == 0 and json.loads(results["reason"])["message"]


def test_an_algorithm_that_the_enrolment_does_not_accept_proves_nothing(site):
    agent_id, ak = str(uuid.uuid4()), SoftwareAk(hash_name="sha1")
    site.admin.post(f"{site.url}/v2.6/agents/{agent_id}", json=enrolment(ak), timeout=20)
    answer = site.identity(agent_uuid=agent_id, quote=compound(ak, bank="sha1"), nonce=NONCE,
                           hash_alg="sha1")
    assert identity_of(answer, agent_id)["valid"] == 0


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
def test_missing_parameters_are_named_in_order(site, version):
    query = {"agent_uuid": "a", "quote": "b", "nonce": "c", "hash_alg": "d"}
    for name in ("hash_alg", "nonce", "quote", "agent_uuid"):
        for blank in (True, False):
            if blank:
                query[name] = ""
            else:
                del query[name]
            answer = site.identity(version, **query)
            assert answer.status_code == 400
            body = answer.json()
            text = body["status"] if "status" in body else body["errors"][0]["detail"]
            assert text == f"missing query parameter '{name}'"


@pytest.mark.parametrize("version", ["v2.6", "v3.0"])
@pytest.mark.parametrize("agent_id", ["unknown", "a b", "../x", "a" * 1000, "\xe9"])
def test_an_agent_that_is_not_enrolled_is_not_found(site, version, agent_id):
    answer = site.identity(version, agent_uuid=agent_id, quote="b", nonce="c", hash_alg="d")
    assert answer.status_code == 404
    body = answer.json()
    text = body["status"] if "status" in body else body["errors"][0]["detail"]
    assert text == "agent id not found"


# --- who may ask, and how much ----------------------------------------------------------------------


def test_the_endpoints_can_be_for_administrators_only(tmp_path):
    site = Site(tmp_path, {"KEYLIME_VERIFIER_PUBLIC_VERIFY_ENDPOINTS": "False"})
    try:
        data = submitted(AK)
        for version in ("v2.6", "v3.0"):
            for answer, action in ((site.evidence(data, version), "verify_evidence"),
                                   (site.identity(version, agent_uuid="a"), "verify_identity")):
                assert answer.status_code == 403
                assert answer.json()["errors"][0]["detail"].startswith(
                    f"Action {action} requires admin authentication (mTLS certificate)")
            passes(site.evidence(data, version, http=site.admin), data)
            assert site.identity(version, http=site.admin).status_code == 400
    finally:
        site.deployment.stop()


def test_strangers_get_a_share_of_the_workers_and_others_are_served(site):
    """So many at once that some are sent away; meanwhile an administrator is answered."""
    data = submitted(AK, ima_measurement_list=("10 " + "0" * 40 + " ima-ng sha1:x y\n") * 150000)
    with concurrent.futures.ThreadPoolExecutor(16) as crowd:
        asked = [crowd.submit(site.evidence, data) for _ in range(32)]
        for _ in range(20):
            answer = site.admin.get(f"{site.url}/v2.6/agents/", timeout=20)
            assert answer.status_code == 200
        answers = [each.result() for each in asked]
    assert {answer.status_code for answer in answers} <= {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["Retry-After"] == "1"
    assert any(answer.status_code == 200 for answer in answers)
    assert any(answer.status_code == 503 for answer in answers)
    assert site.verifier.running()
