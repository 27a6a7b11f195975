# SPDX-License-Identifier: Apache-2.0
"""Upstream's agent with our servers and our tenant. It is not in the registry of its language, so its
messages are composed here (rust_agent.py; contract C124)."""
import hashlib
import json
import time

import pytest

from lib.measurement_list import MeasurementList
from lib.program import wait_until
from lib.registration import Session
from rust_agent import RustAgent
from upstream import OURS, UPSTREAM

AGENT = "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"


class Site:
    def __init__(self, deployment):
        self.deployment = deployment
        deployment.start_servers()
        self.agent = RustAgent(deployment, AGENT)
        self.plain = Session(deployment.registrar_plain_url, None)
        self.agent.register(self.plain)

    def enrol(self, *arguments):
        self.deployment.tenant("-c", "add", "--push-model", "-u", AGENT, *arguments,
                               env={"KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}, check=0)

    def cycle(self):
        """Attest, wait as told, and give the status that follows."""
        pause = self.agent.attest()
        wait_until(lambda: self.settled(), what="the verdict")
        time.sleep(pause)
        return self.deployment.status(AGENT)

    def settled(self):
        admin = self.deployment.admin()
        answer = admin.get(f"{self.deployment.verifier_url}/v3.0/agents/{AGENT}/attestations/latest")
        return answer.json()["data"]["attributes"]["evaluation"] != "pending"


@pytest.fixture
def site(mixed):
    return Site(mixed(OURS, OURS, OURS))


@pytest.mark.matrix("quote", agent="composed")
def test_full_cycles(site):
    """Registers, proves its key, attests at the pace it is told."""
    site.enrol("--tpm_policy", '{"15": ["%s"]}' % ("00" * 32))
    for _ in range(3):
        assert site.cycle() == "PASS"
    assert site.deployment.record(AGENT)["attestation_count"] == 3


def test_before_its_enrolment(site):
    """A proof of an agent that nobody enrolled yet: a complete answer that says fail, no token."""
    assert not site.agent.authenticate()
    site.enrol("--tpm_policy", "{}")
    assert site.cycle() == "PASS"


def test_authenticates_again_after_401(site):
    """The token is no longer good: 401, and the next session goes on."""
    site.enrol("--tpm_policy", "{}")
    assert site.cycle() == "PASS"
    site.agent.token = site.agent.token[:-1] + ("A" if site.agent.token[-1] != "A" else "B")
    assert site.cycle() == "PASS"


def test_recovers_after_403(site):
    """Stopped by an operator: 403 costs it the token; reactivated, it goes on by itself."""
    site.enrol("--tpm_policy", "{}")
    assert site.cycle() == "PASS"
    admin = site.deployment.admin()
    stop = f"{site.deployment.verifier_url}/v2.6/agents/{AGENT}/stop"
    assert admin.put(stop, data="", timeout=20).status_code == 200
    assert site.agent.negotiate().status == 403 and site.agent.token is None
    site.deployment.tenant("-c", "reactivate", "-u", AGENT, check=0)
    assert site.cycle() == "PASS"


def test_restart_of_the_agent(site):
    """A new process has no token; it registers again with the same keys and goes on."""
    site.enrol("--tpm_policy", "{}")
    assert site.cycle() == "PASS"
    site.agent = site.agent.restart()
    site.agent.register(site.plain)
    assert site.cycle() == "PASS"


def test_local_failure_is_refused_and_forgotten(site):
    """It sends type "error" when it cannot collect: 4xx, and the next negotiation works (20.2 row 13)."""
    site.enrol("--tpm_policy", "{}")
    assert site.agent.authenticate()
    negotiated = site.agent.negotiate()
    answer = site.agent._attestation_request(
        "PATCH", negotiated.headers["location"],
        {"data": {"type": "error", "attributes": {"evidence_collected": []}}})
    assert answer.status // 100 == 4, answer.text
    assert site.cycle() == "PASS"


def runtime_policy(*paths):
    return {
        "meta": {"version": 1, "generator": 3}, "release": 0,
        "digests": {path: [hashlib.sha256(path.encode()).hexdigest()] for path in paths},
        "excludes": [], "keyrings": {},
        "ima": {"ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": None},
        "ima-buf": {}, "verification-keys": "",
    }


@pytest.mark.matrix("runtime integrity", agent="composed")
def test_growing_measurement_list(site, tmp_path):
    """Only what is new is asked for, over a 401, a restart and a failure; a boot begins anew."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(runtime_policy("boot_aggregate", "/bin/a", "/bin/b", "/bin/c")))
    site.agent.log.add("boot_aggregate")
    site.agent.log.add("/bin/a")
    site.enrol("--runtime-policy", str(policy))
    assert site.cycle() == "PASS" and site.agent.offset == 0
    assert site.cycle() == "PASS" and site.agent.offset == 2
    site.agent.log.add("/bin/b")
    site.agent.token = "not a token"
    assert site.cycle() == "PASS" and site.agent.offset == 2
    site.agent = site.agent.restart()
    site.agent.log.add("/bin/c")
    assert site.cycle() == "PASS" and site.agent.offset == 3

    site.agent.ak.reboot()
    site.agent.boot_time = "2026-11-21T08:00:00Z"
    site.agent.log = MeasurementList()
    site.agent.log.add("boot_aggregate")
    assert site.cycle() == "PASS" and site.agent.offset == 0
    site.agent.log.add("/tmp/unknown")
    assert site.cycle() == "FAIL"


@pytest.mark.parametrize("registrar", [OURS, UPSTREAM])
def test_composed_messages_are_upstreams(mixed, registrar):
    """The same messages at upstream's own verifier: what is composed here is what it expects."""
    site = Site(mixed(registrar, UPSTREAM, OURS))
    site.enrol("--tpm_policy", '{"15": ["%s"]}' % ("00" * 32))
    for _ in range(2):
        assert site.cycle() == "PASS"
