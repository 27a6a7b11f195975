# SPDX-License-Identifier: Apache-2.0
"""Measured boot policies and boot event logs at a real verifier (measured-boot 3, 7-9, 15;
tenant-and-management-api 7; decisions D57-D61)."""
import hashlib
import json
import pathlib

import pytest

from lib.boot_log import EV_SEPARATOR, usual
from lib.http_vectors import SHARED
from lib.log_site import LogSite, ima_item

ANY = json.dumps({"any": "thing"})
VECTORS = SHARED / "vectors/measured-boot"
EXAMPLE = pathlib.Path(__file__).parents[2] / "docs/examples/reference-state-hardware.json"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = LogSite(tmp_path_factory.mktemp("boot"))
    yield site
    site.deployment.stop()


def booted(site, log=None, **members):
    machine = site.machine()
    machine.boot(log or usual())
    return site.enrol(machine, **{"mb_policy": ANY, **members})


def test_a_policy_is_created_read_replaced_listed_and_deleted(site):
    path = "/v2.6/mbpolicies/life"
    assert site.call("POST", path, {"mb_policy": ANY}).status_code == 201
    assert site.call("GET", path).json()["results"] == {"name": "life", "mb_policy": ANY}
    assert "life" in site.call("GET", "/v2.6/mbpolicies/").json()["results"]["mbpolicy names"]
    again = site.call("POST", path, {"mb_policy": ANY})
    assert again.status_code == 409
    assert again.json()["status"] == "Measured boot policy with name life already exists"
    assert site.call("PUT", path, {"mb_policy": "{}"}).status_code == 201
    assert site.call("GET", path).json()["results"]["mb_policy"] == "{}"
    assert site.call("PUT", path, {"mb_policy": "{"}).status_code == 400
    machine = booted(site, mb_policy=None, mb_policy_name="life")
    in_use = site.call("DELETE", path)
    assert in_use.status_code == 409
    assert in_use.json()["status"] == \
        f"Can't delete mb_policy as it's currently in use by agent {machine.id}"
    assert site.call("DELETE", f"/v2.6/agents/{machine.id}").status_code == 200
    assert site.call("DELETE", path).status_code == 204
    assert site.call("GET", path).status_code == 404
    assert site.call("PUT", path, {"mb_policy": "{}"}).status_code == 404
    # No policy is one, too; an object is taken for its text.
    assert site.call("POST", path, {}).status_code == 201
    assert site.call("GET", path).json()["results"]["mb_policy"] is None
    assert site.call("PUT", path, {"mb_policy": {"a": 1}}).status_code == 201
    assert site.call("GET", path).json()["results"]["mb_policy"] == '{"a": 1}'
    assert site.call("DELETE", path).status_code == 204


def test_version_3_has_the_same_policies(site):
    document = {"data": {"type": "uefi_refstate", "id": "three", "attributes": {"mb_policy": ANY}}}
    assert site.call("POST", "/v3.0/refstates/uefi", document).status_code == 201
    shown = site.call("GET", "/v3.0/refstates/uefi/three").json()["data"]
    assert shown["attributes"] == {"name": "three", "mb_policy": ANY}
    assert site.call("PATCH", "/v3.0/refstates/uefi/three", document).status_code == 200
    assert site.call("DELETE", "/v3.0/refstates/uefi/three").status_code == 204
    assert site.call("GET", "/v3.0/refstates/uefi/three").status_code == 404


def test_the_log_must_give_the_quoted_pcrs(site):
    machine = booted(site)
    assert machine.record(site.admin)["has_mb_refstate"] == 1
    requested = machine.requested(machine.create())
    assert [each["evidence_type"] for each in requested] == ["tpm_quote", "uefi_log"]
    assert requested[1]["chosen_parameters"] == {"format": "application/octet-stream"}
    assert requested[0]["chosen_parameters"]["selected_subjects"]["sha256"] == \
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
    site.passes(machine)
    machine.ak.extend("sha256", 8, hashlib.sha256(b"another kernel").digest())
    attributes = site.fails(machine, "measured_boot.invalid_pcr_8")
    assert attributes["failure_reason"] == "broken_evidence_chain"
    context = attributes["failures"][0]["context"]
    assert context["pcr"] == 8 and context["expected"] != context["got"]
    machine.boot()
    site.passes(machine)


def test_a_log_that_is_none_or_missing(site):
    machine = booted(site)
    log = machine.event_log
    for data in (log.binary()[:-3], b"no log", b"\0" * 100):
        machine.event_log = type("Raw", (), {"binary": lambda self, data=data: data,
                                             "replay": log.replay})()
        attributes = site.cycle(machine)
        assert attributes["evaluation"] == "fail"
        assert attributes["failures"][0]["event_id"] == "measured_boot.parser.tpm2_eventlog.error"
        assert "offset" in attributes["failures"][0]["context"]["message"]
    machine.event_log = None
    attributes = site.cycle(machine)
    assert attributes["failures"][0]["event_id"] == "pcr_validation.unused_pcr_0"
    machine.event_log = log
    site.passes(machine)


def test_a_log_must_be_offered(site):
    machine = booted(site)
    for change in (lambda items: items.pop(1),
                   lambda items: items[1]["capabilities"].update(formats=["text/plain"]),
                   lambda items: items[1]["capabilities"].update(supports_partial_access=True)):
        document = machine.capabilities_document()
        change(document["data"]["attributes"]["evidence_supported"])
        answer = machine.create(document)
        assert answer.status_code == 422, answer.text
        assert "evidence_supported" in answer.json()["errors"][0]["source"]["pointer"]


def test_boot_pcrs_are_no_ones_but_the_boot_policys(site):
    from lib.push_agent import enrolment
    machine = site.machine()
    answer = site.call("POST", f"/v2.6/agents/{machine.id}", enrolment(
        machine.ak, {"4": ["0" * 64]}, mb_policy=ANY))
    assert answer.status_code == 400 and "PCR 4" in answer.json()["status"], answer.text


def test_both_logs_and_the_boot_aggregate(site):
    """The aggregate that the event log gives need not be in the policy (ima 5.5)."""
    machine = site.machine()
    log = usual()
    for pcr in (8, 9):
        log.add(pcr, EV_SEPARATOR, bytes(4))
    machine.boot(log)
    pcrs = log.replay("sha256")
    aggregate = hashlib.sha256(b"".join(pcrs[pcr] for pcr in range(10))).hexdigest()
    machine.list.lines.clear()
    machine.list.pcr = {"sha256": bytes(32)}
    machine.list.add("boot_aggregate", digest=aggregate)
    machine.run("/bin/sh")
    policy = machine.policy("/bin/sh")
    del policy["digests"]["boot_aggregate"]
    site.enrol(machine, policy, mb_policy=ANY)
    assert [each["evidence_type"] for each in machine.requested(machine.create())] == \
        ["tpm_quote", "uefi_log", "ima_log"]
    attributes = site.passes(machine)
    assert ima_item(attributes)["data"]["certified_entry_count"] == 2
    machine.run("/tmp/x")
    machine.ak.extend("sha256", 4, b"\1" * 32)
    attributes = site.cycle(machine)
    assert [each["event_id"] for each in attributes["failures"]] == \
        ["ima.validation.ima-ng.not_in_allowlist", "measured_boot.invalid_pcr_4"]
    assert attributes["failure_reason"] == "broken_evidence_chain"


def test_evaluation_once_for_each_boot_and_policy(tmp_path):
    """A policy that rejects is evaluated whenever something changed since it last passed (D57)."""
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "reject-all"})
    try:
        machine = booted(site)
        site.fails(machine, "measured_boot.policy_reject-all")
        site.restart({"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "accept-all"})
        site.passes(machine)
        site.passes(machine)
        site.restart({"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "reject-all"})
        site.fails(machine, "measured_boot.policy_reject-all")
    finally:
        site.deployment.stop()


def test_a_reference_state_is_checked_and_judged(tmp_path):
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "example"})
    try:
        wrong = site.call("POST", "/v2.6/mbpolicies/wrong", {"mb_policy": ANY})
        assert wrong.status_code == 400 and wrong.json()["status"].startswith("mb_policy"), wrong.text
        state = {"has_secureboot": True}
        wrong = site.call("POST", "/v2.6/mbpolicies/wrong", {"mb_policy": json.dumps(state)})
        assert wrong.status_code == 400
        if not VECTORS.exists():
            pytest.skip(f"no vectors at {VECTORS}")
        reference = sorted((VECTORS / "refstates").glob("*.json"))[0].read_text()
        machine = booted(site, mb_policy=reference)
        attributes = site.cycle(machine)
        assert attributes["evaluation"] == "fail", "another machine's reference state"
        assert attributes["failures"][0]["event_id"] == "measured_boot.policy_example"
        assert attributes["failures"][0]["context"]["message"]
    finally:
        site.deployment.stop()


def test_what_can_hardly_be_meant_is_said(tmp_path):
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME": "hardware"})
    try:
        state = json.loads(EXAMPLE.read_text())
        del state["kernels"]
        state["mokdig"] = [{"sha256": "0xab"}]
        answer = site.call("POST", "/v2.6/mbpolicies/odd", {"mb_policy": json.dumps(state)})
        assert answer.status_code == 201, answer.text
        site.verifier.wait_for_line("Measured boot policy 'odd': kernels is absent")
        site.verifier.wait_for_line("Measured boot policy 'odd': mokdig.0..sha256 is no digest of sha256")
    finally:
        site.deployment.stop()


def test_what_is_given_up_is_said_at_start(tmp_path):
    site = LogSite(tmp_path, {"KEYLIME_VERIFIER_MEASURED_BOOT_PROFILE": "upstream"})
    try:
        site.verifier.wait_for_line("measured_boot_profile = upstream")
        site.verifier.wait_for_line("measured_boot_policy_name = accept-all")
    finally:
        site.deployment.stop()
