# SPDX-License-Identifier: Apache-2.0
"""Runtime policies and IMA measurement lists at a real verifier: stored policies, enrolment with them,
growing lists, failures and their explanation, reboots, and what survives a restart (ima 7-12,
tenant-and-management-api 4.3, 6; decisions D39-D56, D69, D74, D81, D83)."""
import base64
import hashlib
import itertools
import json
import struct

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from lib.log_site import LogSite, ima_item
from lib.logging_agent import LoggingAgent, encoded, runtime_policy
from lib.program import free_port, wait_until
from lib.push_agent import enrolment
from lib.software_tpm import SoftwareAk

EMPTY = runtime_policy({}, generator=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = LogSite(tmp_path_factory.mktemp("runtime"))
    yield site
    site.deployment.stop()


# --- stored policies ------------------------------------------------------------------------------------


def test_a_policy_is_created_read_replaced_listed_and_deleted(site):
    text = json.dumps(runtime_policy({"/bin/sh": ["0" * 64]}), indent=1)
    assert site.store("life", text).status_code == 201
    shown = site.call("GET", "/v2.6/allowlists/life").json()
    assert shown["results"] == {"name": "life", "tmp_policy": None, "runtime_policy": text}
    assert "life" in site.call("GET", "/v2.6/allowlists/").json()["results"]["runtimepolicy names"]
    again = site.store("life", text)
    assert again.status_code == 409
    assert again.json()["status"] == "Runtime policy with name life already exists"
    other = json.dumps(EMPTY)
    assert site.store("life", other, "PUT").status_code == 201
    assert site.call("GET", "/v2.6/allowlists/life").json()["results"]["runtime_policy"] == other
    deleted = site.call("DELETE", "/v2.6/allowlists/life")
    assert deleted.status_code == 204 and deleted.content == b""
    for method in ("GET", "DELETE"):
        answer = site.call(method, "/v2.6/allowlists/life")
        assert answer.status_code == 404
        assert answer.json()["status"] == "Runtime policy life not found"
    unknown = site.store("life", other, "PUT")
    assert unknown.status_code == 404 and "use POST to create" in unknown.json()["status"]


def test_version_3_has_the_same_policies(site):
    document = {"data": {"type": "ima_policy", "id": "three",
                         "attributes": {"runtime_policy": encoded(EMPTY)}}}
    created = site.call("POST", "/v3.0/policies/ima", document)
    assert created.status_code == 201, created.text
    assert created.headers["Location"] == "/v3.0/policies/ima/three"
    shown = site.call("GET", "/v3.0/policies/ima/three").json()["data"]
    assert shown["attributes"]["runtime_policy"] == json.dumps(EMPTY)
    assert site.call("GET", "/v2.6/allowlists/three").status_code == 200
    assert site.call("POST", "/v3.0/policies/ima", document).status_code == 409
    assert site.call("PATCH", "/v3.0/policies/ima/three", document).status_code == 200
    ids = [each["id"] for each in site.call("GET", "/v3.0/policies/ima").json()["data"]]
    assert "three" in ids
    for body, code in (({"data": {"type": "x", "attributes": {}}}, 409), ({}, 400),
                       ({"data": {"type": "ima_policy", "id": "n", "attributes": {}}}, 400),
                       ({"data": {"type": "ima_policy", "id": "n", "attributes": {
                           "runtime_policy": encoded({})}}}, 400)):
        answer = site.call("POST", "/v3.0/policies/ima", body)
        assert answer.status_code == code and answer.json()["errors"][0]["detail"], answer.text
    assert site.call("DELETE", "/v3.0/policies/ima/three").status_code == 204
    for method in ("GET", "DELETE"):
        assert site.call(method, "/v3.0/policies/ima/three").status_code == 404
    assert site.call("PATCH", "/v3.0/policies/ima/three", document).status_code == 404


@pytest.mark.parametrize("policy,words", [
    ("{", "JSON"), ("[]", "JSON"), (b"\xff{}", "UTF-8"), ({}, "meta"),
    ({**EMPTY, "release": -1}, "release"), ({**EMPTY, "excludes": ["a", "("]}, "excludes[1]"),
    ({**EMPTY, "digests": {"/bin/sh": ["xy"]}}, "/bin/sh"),
    ({**EMPTY, "ima": {"ignored_keyrings": [], "log_hash_alg": "md5"}}, "log_hash_alg")])
def test_a_broken_policy_is_refused_with_its_member(site, policy, words):
    answer = site.store("broken", policy)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["status"], answer.text
    assert site.call("GET", "/v2.6/allowlists/broken").status_code == 404


def test_a_request_without_a_policy_is_refused(site):
    for body in ({}, {"runtime_policy": None}, {"runtime_policy": ""}, {"runtime_policy": 7},
                 {"runtime_policy": "*"}, {"runtime_policy": encoded(EMPTY), "runtime_policy_key": "*"}):
        answer = site.call("POST", "/v2.6/allowlists/none", body)
        assert answer.status_code == 400 and "runtime_policy" in answer.json()["status"], answer.text


# --- enrolment ------------------------------------------------------------------------------------------


def test_a_policy_in_use_stays_and_its_users_are_named(site):
    site.store("used", EMPTY)
    machines = [site.enrol(site.machine(), runtime_policy_name="used") for _ in range(2)]
    answer = site.call("DELETE", "/v2.6/allowlists/used")
    assert answer.status_code == 409
    assert all(each.id in answer.json()["status"] for each in machines), answer.text
    assert answer.json()["status"].startswith("Can't delete allowlist as it's currently in use by")
    for machine in machines:
        assert site.call("DELETE", f"/v2.6/agents/{machine.id}").status_code == 200
    assert site.call("DELETE", "/v2.6/allowlists/used").status_code == 204


def test_an_enrolment_stores_its_policy_under_the_agents_id(site):
    machine = site.enrol(site.machine(), EMPTY)
    path = f"/v2.6/allowlists/{machine.id}"
    assert site.call("GET", path).json()["results"]["runtime_policy"] == json.dumps(EMPTY)
    assert machine.record(site.admin)["has_runtime_policy"] == 0, "nothing in it to judge"
    assert site.call("DELETE", f"/v2.6/agents/{machine.id}").status_code == 200
    assert site.call("GET", path).status_code == 404


def test_names_and_policies_of_an_enrolment(site):
    site.store("taken", EMPTY)
    machine = site.machine()

    def enrol(**members):
        return site.call("POST", f"/v2.6/agents/{machine.id}", enrolment(machine.ak, **members))

    taken = enrol(runtime_policy=encoded(EMPTY), runtime_policy_name="taken")
    assert taken.status_code == 409
    assert taken.json()["status"].startswith("IMA policy with name taken already exists.")
    unknown = enrol(runtime_policy_name="nope")
    assert unknown.status_code == 404
    assert unknown.json()["status"] == "Could not find IMA policy with name nope!"
    # A refused enrolment leaves nothing behind.
    refused = enrol(runtime_policy=encoded(EMPTY), runtime_policy_name="fresh", mb_policy="{")
    assert refused.status_code == 400
    conflict = enrol(runtime_policy=encoded(runtime_policy({"/a": ["0" * 64]})),
                         runtime_policy_name="fresh", tpm_policy='{"10": ["%s"]}' % ("0" * 64))
    assert conflict.status_code == 400 and "PCR 10" in conflict.json()["status"], conflict.text
    assert site.call("GET", "/v2.6/allowlists/fresh").status_code == 404
    assert enrol(runtime_policy=encoded(EMPTY), runtime_policy_name="fresh").status_code == 200
    assert site.call("GET", "/v2.6/allowlists/fresh").status_code == 200
    # Another agent's own policy is not replaced.
    other = site.machine()
    named = {"runtime_policy_name": machine.id}
    site.store(machine.id, EMPTY)
    other.enrol(site.admin, **named)
    patched = site.call("PATCH", f"/v3.0/agents/{machine.id}", {"data": {
        "type": "agent", "attributes": {"runtime_policy": encoded(EMPTY)}}})
    assert patched.status_code == 409, patched.text


# --- lists ----------------------------------------------------------------------------------------------


def test_a_growing_list_is_sent_once(site):
    machine = site.machine()
    machine.run("/bin/sh", "/bin/ls")
    allowed = machine.policy()
    for path in ("/usr/bin/a", "/usr/bin/b"):
        later = LoggingAgent(None, None)
        allowed["digests"][path] = later.run(path)
    site.enrol(machine, allowed)
    assert machine.record(site.admin)["has_runtime_policy"] == 1
    created = machine.create()
    requested = machine.requested(created)
    assert [each["evidence_type"] for each in requested] == ["tpm_quote", "ima_log"]
    assert requested[1]["chosen_parameters"] == {"starting_offset": 0, "format": "text/plain"}
    assert 10 in requested[0]["chosen_parameters"]["selected_subjects"]["sha256"]
    first = site.passes(machine)
    item = ima_item(first)
    assert item["chosen_parameters"]["starting_offset"] == 0
    assert item["data"] == {"entry_count": 3, "entries": None, "certified_entry_count": 3}
    machine.run("/usr/bin/a")
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 3
    assert ima_item(site.passes(machine))["data"]["entry_count"] == 0
    machine.run("/usr/bin/b")
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 4
    assert machine.status(site.admin) == "PASS"


@pytest.mark.parametrize("bank", ["sha1", "sha256", "sha384", "sha512"])
def test_each_bank_is_replayed(site, bank):
    """The bank that is quoted is the one of the attestation key's hash."""
    machine = site.machine(ak=SoftwareAk(hash_name=bank), bank=bank)
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy(), accept_tpm_hash_algs=["sha512", "sha384", "sha256", "sha1"])
    assert machine.chosen(machine.create())["hash_algorithm"] == bank
    site.passes(machine)
    machine.run("/tmp/x")
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")


@pytest.mark.parametrize("column", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("template", ["ima", "ima-ng", "ima-sig", "ima-ngv2", "ima-sigv2", "ima-modsig",
                                      "evm-sig"])
def test_each_template_is_judged(site, template, column):
    machine = site.machine(column=column)
    policy = machine.policy()
    policy["digests"]["/bin/sh"] = [machine.list.add_form(template, "/bin/sh")]
    site.enrol(machine, policy)
    site.passes(machine)
    machine.list.add_form(template, "/tmp/x")
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    machine.list.lines[-1] = machine.list.lines[-1].replace(b"/tmp/x", b"/bin/sh")
    site.fails(machine, "ima.validation.ima_hash", "ima.pcr_mismatch")


def test_an_unknown_file_fails_and_says_why(site):
    machine = site.machine()
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy())
    site.passes(machine)
    machine.run("/tmp/rootkit")
    machine.list.add("/bin/sh", content=b"changed")
    attributes = site.fails(machine, "ima.validation.ima-ng.not_in_allowlist",
                            "ima.validation.ima-ng.runtime_policy_hash")
    assert attributes["failure_reason"] == "policy_violation"
    unknown, changed = (each["context"] for each in attributes["failures"])
    assert unknown["entry"] == 3 and unknown["path"] == "/tmp/rootkit"
    assert changed["entry"] == 4 and changed["path"] == "/bin/sh"
    assert len(changed["expected"]) == 1 and changed["got"] not in changed["expected"]
    assert attributes["failures"][0]["severity_label"] == "emergency"
    # Kept for the operator, as it came.
    assert ima_item(attributes)["data"]["entries"] == machine.list.text(2).decode()
    record = machine.record(site.admin)
    assert record["attestation_status"] == "FAIL" and record["severity_level"] == 6
    assert record["last_event_id"] == "ima.validation.ima-ng.not_in_allowlist"
    # It is asked for again, and fails again.
    again = site.fails(machine, "ima.validation.ima-ng.not_in_allowlist",
                       "ima.validation.ima-ng.runtime_policy_hash")
    assert ima_item(again)["chosen_parameters"]["starting_offset"] == 2
    site.verifier.wait_for_line("/tmp/rootkit")


def test_an_updated_policy_counts_for_the_next_attestation(site):
    machine = site.machine()
    machine.run("/bin/sh", "/bin/new")
    site.store("changing", machine.policy("/bin/sh"))
    site.enrol(machine, runtime_policy_name="changing")
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    assert site.store("changing", machine.policy(), "PUT").status_code == 201
    site.passes(machine)
    assert machine.status(site.admin) == "PASS"
    # A digest that is withdrawn is found among entries that were certified before.
    assert site.store("changing", machine.policy("/bin/sh"), "PUT").status_code == 201
    attributes = site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    assert ima_item(attributes)["chosen_parameters"]["starting_offset"] == 0


def test_a_reboot_begins_anew(site):
    machine = site.machine()
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy())
    site.passes(machine)
    machine.boot()
    machine.run("/bin/sh")
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 0
    # The clock does not tell of the reboot: the list is asked for from the wrong place, once.
    boot_time = machine.boot_time
    machine.boot()
    machine.boot_time = boot_time
    machine.run("/bin/sh")
    attributes = site.fails(machine, "ima.log_restart_required")
    assert attributes["failure_reason"] == "broken_evidence_chain"
    assert machine.status(site.admin) == "PASS", "no failure of the machine"
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 0


def test_a_list_that_was_tampered_with_does_not_reach_the_quote(site):
    machine = site.machine()
    machine.run("/bin/sh", "/bin/ls")
    site.enrol(machine, machine.policy())
    created = machine.create()
    document = machine.answer_document(created)
    data = document["data"]["attributes"]["evidence_collected"][1]["data"]
    lines = data["entries"].splitlines(keepends=True)
    data["entries"] = "".join([lines[0], lines[2], lines[1]])
    assert machine.submit_document(created.headers["Location"], document).status_code == 202
    attributes = site.verdict(machine)
    assert [each["event_id"] for each in attributes["failures"]] == ["ima.pcr_mismatch"]
    assert attributes["failure_reason"] == "broken_evidence_chain"
    site.passes(machine)


def test_names_that_are_no_utf8(site):
    machine = site.machine()
    machine.list.add(b"/tmp/\xff\xfe")
    site.enrol(machine, machine.policy("boot_aggregate"))
    attributes = site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    context = attributes["failures"][0]["context"]
    assert context["path"] == "/tmp/\\xff\\xfe"
    shown = ima_item(attributes)["data"]["entries"]
    assert shown.encode() == machine.list.text().replace(b"\xff\xfe", b"\\xff\\xfe")


# --- refusals before the 202 ----------------------------------------------------------------------------


def changed_log(machine, change):
    document = machine.capabilities_document()
    item = document["data"]["attributes"]["evidence_supported"][2]
    change(document["data"]["attributes"], item)
    return document


@pytest.mark.parametrize("change,pointer", [
    (lambda top, item: item["capabilities"].pop("entry_count"), "capabilities/entry_count"),
    (lambda top, item: item["capabilities"].update(entry_count=0), "chosen_parameters/starting_offset"),
    (lambda top, item: item["capabilities"].update(entry_count=-1), "capabilities/entry_count"),
    (lambda top, item: item["capabilities"].pop("formats"), "capabilities/formats"),
    (lambda top, item: item["capabilities"].update(formats=["text/html"]), "evidence_supported"),
    (lambda top, item: item["capabilities"].update(supports_partial_access=False), "evidence_supported"),
    (lambda top, item: top["evidence_supported"].remove(item), "evidence_supported"),
    (lambda top, item: top.pop("system_info"), "system_info/boot_time")])
def test_capabilities_that_do_not_do(site, change, pointer):
    machine = site.machine()
    site.enrol(machine, machine.policy())
    answer = machine.create(changed_log(machine, change))
    assert answer.status_code == 422, answer.text
    pointers = [each["source"]["pointer"] for each in answer.json()["errors"]]
    assert any(each.endswith(pointer) for each in pointers), pointers
    site.passes(machine)


def test_a_shorter_list_than_certified_is_refused(site):
    machine = site.machine()
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy())
    site.passes(machine)
    answer = machine.create(changed_log(
        machine, lambda top, item: item["capabilities"].update(entry_count=1)))
    assert answer.status_code == 422 and "'2'" in answer.json()["errors"][0]["detail"], answer.text


@pytest.mark.parametrize("change", [
    lambda items: items[1]["data"].update(entries=items[1]["data"]["entries"][:-1]),
    lambda items: items[1]["data"].update(entries=""), lambda items: items[1]["data"].pop("entries"),
    lambda items: items[1]["data"].update(entries=[]), lambda items: items[1].pop("data"),
    lambda items: items[1]["data"].update(entries_raw="*"),
    lambda items: items[1]["data"].update(entries_raw=base64.b64encode(b"10 x\n").decode()),
    lambda items: items.reverse(), lambda items: items.pop()])
def test_evidence_that_is_not_what_was_asked_for(site, change):
    machine = site.machine()
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy())
    created = machine.create()
    document = machine.answer_document(created)
    change(document["data"]["attributes"]["evidence_collected"])
    answer = machine.submit_document(created.headers["Location"], document)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["source"]["pointer"].startswith(
        "/data/attributes/evidence_collected"), answer.text
    honest = machine.submit_document(created.headers["Location"], machine.answer_document(created))
    assert honest.status_code == 202, honest.text
    assert site.verdict(machine)["evaluation"] == "pass"


# --- what survives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
def test_progress_and_policies_survive_a_restart(site, crash):
    machine = site.machine()
    machine.run("/bin/sh")
    site.enrol(machine, machine.policy())
    site.passes(machine)
    site.restart(crash=crash)
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 2
    machine.run("/tmp/x")
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")


def test_evidence_that_was_acknowledged_is_judged_after_a_crash(site):
    """The log is in the database when the 202 leaves, whatever becomes of the verifier."""
    machine = site.machine()
    paths = [f"/usr/lib/module-{number:06}.so" for number in range(3000)]
    machine.run(*paths)
    site.enrol(machine, machine.policy())
    machine.attest()
    site.restart(crash=True)
    attributes = site.verdict(machine)
    assert attributes["evaluation"] == "pass", attributes["failures"]
    assert ima_item(attributes)["data"]["certified_entry_count"] == 3001
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 3001


def test_fifty_thousand_entries(site):
    machine = site.machine()
    machine.run(*[f"/usr/lib/python3/dist-packages/module-{number:06}.py" for number in range(50000)])
    site.enrol(machine, machine.policy())
    attributes = site.passes(machine)
    assert ima_item(attributes)["data"]["certified_entry_count"] == 50001
    machine.run("/tmp/x")
    attributes = site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    assert attributes["failures"][0]["context"]["entry"] == 50002


def test_many_failures_are_counted_and_the_first_hundred_told(site):
    machine = site.machine()
    policy = machine.policy()
    machine.run(*[f"/tmp/{number}" for number in range(500)])
    site.enrol(machine, policy)
    attributes = site.cycle(machine)
    assert attributes["evaluation"] == "fail" and len(attributes["failures"]) == 100


def test_logs_are_kept_for_the_newest_failures_only(site):
    machine = site.machine()
    policy = machine.policy()
    machine.run("/tmp/x")
    site.enrol(machine, policy)
    for _ in range(12):
        site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    kept = [ima_item(site.call("GET", f"/v3.0/agents/{machine.id}/attestations/{index}").json()
                     ["data"]["attributes"])["data"]["entries"] for index in range(12)]
    assert kept[:2] == [None, None] and all("/tmp/x" in each for each in kept[2:])


# --- signatures and keys ---------------------------------------------------------------------------------


def key_pair():
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM,
                                        serialization.PublicFormat.SubjectPublicKeyInfo)
    return key, base64.b64encode(pem).decode()


def signed(key, policy, payload_type="application/vnd.keylime+json"):
    payload = json.dumps(policy).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    return {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type,
            "signatures": [{"keyid": "k", "sig": base64.b64encode(
                key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()}]}


def test_signed_policies(site):
    key, pem = key_pair()
    _, other = key_pair()
    machine = site.machine()
    machine.run("/bin/sh")
    envelope = signed(key, machine.policy())
    assert site.store("signed", envelope, runtime_policy_key=other).status_code == 401
    assert site.store("signed", signed(key, machine.policy(), "text/plain"),
                      runtime_policy_key=pem).status_code == 401
    assert site.store("signed", envelope, runtime_policy_key=pem).status_code == 201
    shown = site.call("GET", "/v2.6/allowlists/signed").json()["results"]["runtime_policy"]
    assert json.loads(shown) == envelope
    site.enrol(machine, runtime_policy_name="signed")
    site.passes(machine)
    machine.run("/tmp/x")
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
    assert site.store("unverified", envelope).status_code == 201
    site.verifier.wait_for_line("without a look at its signature")


def test_required_signatures_and_configured_keys(tmp_path):
    key, pem = key_pair()
    other_key, other = key_pair()
    (tmp_path / "key.pem").write_bytes(base64.b64decode(pem))
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_REQUIRE_ALLOW_LIST_SIGNATURES": "True",
                              "KEYLIME_VERIFIER_RUNTIME_POLICY_KEYS": f"['{tmp_path}/key.pem']"})
    try:
        assert site.store("plain", EMPTY).status_code == 400
        assert site.store("other", signed(other_key, EMPTY)).status_code == 401
        assert site.store("other", signed(other_key, EMPTY), runtime_policy_key=other).status_code == 401
        assert site.store("good", signed(key, EMPTY)).status_code == 201
        site.restart({"KEYLIME_VERIFIER_RUNTIME_POLICY_KEYS": "[]"})
        assert site.store("none", signed(key, EMPTY)).status_code == 401
        assert site.store("again", signed(key, EMPTY), runtime_policy_key=pem).status_code == 201
        machine = site.machine()
        site.enrol(machine)  # no policy needs no signature
    finally:
        site.deployment.stop()


def test_violations_by_option(tmp_path):
    site = LogSite(tmp_path)
    try:
        machine = site.machine()
        machine.run("/bin/sh")
        site.enrol(machine, machine.policy())
        machine.list.add_violation("/bin/sh")
        site.passes(machine)
        machine.list.add_violation("/tmp/x")
        site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")
        site.restart({"KEYLIME_VERIFIER_IMA_VIOLATIONS": "ignore"})
        site.passes(machine)
        machine.list.add_violation("/bin/sh")
        del site.env["KEYLIME_VERIFIER_IMA_VIOLATIONS"]
        site.restart({"KEYLIME_VERIFIER_IGNORE_TOMTOU_ERRORS": "True"})
        site.verifier.wait_for_line("does the reverse of its name")
        # What passed under another value is judged again.
        site.fails(machine, *["ima.validation.tomtou"] * 3)
    finally:
        site.deployment.stop()


class FileSigner:
    """Signs files as evmctl does; its key goes onto the kernel's ring."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key()
        point = public.public_bytes(serialization.Encoding.X962,
                                    serialization.PublicFormat.UncompressedPoint)
        self.key_id = hashlib.sha1(point).digest()[-4:]
        self.der = public.public_bytes(serialization.Encoding.DER,
                                       serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, digest):
        signature = self.key.sign(bytes.fromhex(digest), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return b"\x03\x02\x04" + self.key_id + struct.pack(">H", len(signature)) + signature


def test_a_learned_key_verifies_signatures_after_a_restart(site):
    signer = FileSigner()
    machine = site.machine()
    key_digest = machine.list.add_buffer(".ima", signer.der)
    site.enrol(machine, machine.policy(keyrings={".ima": [key_digest]}))
    site.passes(machine)
    site.restart()
    digest = hashlib.sha256(b"/usr/bin/signed").hexdigest()
    machine.list.add_signed("/usr/bin/signed", signer.sign(digest))
    assert ima_item(site.passes(machine))["chosen_parameters"]["starting_offset"] == 2
    machine.list.add_signed("/usr/bin/forged", signer.sign(digest))
    site.fails(machine, "ima.validation.ima-ng.not_in_allowlist")


def test_keys_of_the_enrolment_verify_signatures(site):
    signer = FileSigner()
    machine = site.machine()
    ring = {"pubkeys": [base64.b64encode(signer.der).decode()],
            "keyids": [int.from_bytes(signer.key_id, "big")]}
    wrong = {**ring, "keyids": [1]}
    refused = site.call("POST", f"/v2.6/agents/{machine.id}", enrolment(
        machine.ak, ima_sign_verification_keys=json.dumps(wrong)))
    assert refused.status_code == 400, refused.text
    site.enrol(machine, machine.policy(), ima_sign_verification_keys=json.dumps(ring))
    digest = hashlib.sha256(b"/usr/bin/signed").hexdigest()
    machine.list.add_signed("/usr/bin/signed", signer.sign(digest))
    site.passes(machine)


def test_C23_an_appraisal_ends_at_verification_timeout(tmp_path):
    """A list whose signatures take longer than the limit never passes; the log has agent, attestation, limit and
    option; another agent is judged meanwhile."""
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_VERIFICATION_TIMEOUT": "1"})
    try:
        signer = FileSigner()
        ring = {"pubkeys": [base64.b64encode(signer.der).decode()], "keyids": [int.from_bytes(signer.key_id, "big")]}
        slow, quick = site.machine(), site.machine()
        site.enrol(slow, slow.policy(), ima_sign_verification_keys=json.dumps(ring))
        site.enrol(quick, quick.policy())
        for number in range(40000):
            point = hashlib.sha256(b"%d" % number).digest()
            number_of = b"\x02\x21\x00" + b"\x80" + point[1:]
            signature = b"\x30\x46" + number_of + number_of
            slow.list.add_signed(f"/usr/bin/{number}", b"\x03\x02\x04" + signer.key_id +
                                 struct.pack(">H", len(signature)) + signature)
        created = slow.create()
        answer = slow.submit_document(created.headers["Location"], slow.answer_document(created))
        assert answer.status_code == 202, answer.text
        site.passes(quick)
        site.verifier.wait_for_line(rf"ERROR - .*Attestation 0 for agent '{slow.id}' was not verified within "
                                    r"verification_timeout \(1 s\)", 60)
        attributes = slow.latest(site.admin)["attributes"]
        assert attributes["evaluation"] == "fail", attributes
        assert attributes["failures"][0]["event_id"] == "internal.verification_timeout"
    finally:
        site.deployment.stop()


# --- several verifiers -----------------------------------------------------------------------------------


def test_every_step_may_go_to_another_verifier(deployment, postgresql):
    """Lists, progress and policies are in the database; memory holds nothing that counts."""
    ports = [free_port(), free_port()]
    env = {"KEYLIME_VERIFIER_DATABASE_URL": postgresql.create("verifier"),
           "KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5",
           "KEYLIME_VERIFIER_AUTO_RECOVER_ATTESTATION_FAILURES": "True"}
    for number, port in enumerate(ports):
        deployment.start_verifier({**env, "KEYLIME_VERIFIER_PORT": str(port)}, log=f"verifier-{number}")
    urls = itertools.cycle(f"https://localhost:{port}" for port in ports)
    admin = deployment.admin()
    machine = LoggingAgent(next(urls), deployment.certificates / "cacert.crt")
    machine.run(*[f"/usr/bin/{number}" for number in range(2000)])
    machine.enrol(admin, runtime_policy=encoded(machine.policy()), runtime_policy_name="fleet")

    def evaluation():
        machine.url = next(urls)
        attributes = machine.latest(admin)["attributes"]
        return attributes["evaluation"] if attributes["stage"] == "verification_complete" else None

    def cycle():
        machine.url = next(urls)
        created = machine.create()
        assert created.status_code == 201, created.text
        machine.url = next(urls)
        answer = machine.submit_document(created.headers["Location"], machine.answer_document(created))
        assert answer.status_code == 202, answer.text
        return machine.offset(created), wait_until(evaluation, 90, "the verdict")

    machine.authenticate()
    assert cycle() == (0, "pass")
    assert cycle() == (2001, "pass")
    machine.run("/tmp/x")
    assert cycle() == (2001, "fail")
    machine.url = next(urls)
    replaced = admin.put(f"{machine.url}/v2.6/allowlists/fleet", timeout=20,
                         json={"runtime_policy": encoded(machine.policy())})
    assert replaced.status_code == 201
    assert cycle() == (0, "pass")
    assert cycle() == (2002, "pass")
