# SPDX-License-Identifier: Apache-2.0
"""What ends by time: attestations, tokens, challenges, stale agents; each with its line in the log."""
import re
import sqlite3
import time

import pytest

from lib.notification_site import ZERO, Receiver
from lib.program import wait_until
from lib.push_agent import PushAgent
from lib.site import Site

DAY = 86400 * 10**6


class LifeSite(Site):
    def __init__(self, directory, **options):
        super().__init__(directory, {"KEYLIME_VERIFIER_HOUSEKEEPING_INTERVAL": "1",
                                     **{f"KEYLIME_VERIFIER_{name.upper()}": str(value)
                                        for name, value in options.items()}})

    def agent(self, cycles=1):
        agent = PushAgent(self.deployment.verifier_url, self.deployment.certificates / "cacert.crt")
        agent.enrol(self.admin, {"15": [ZERO]}).authenticate()
        for count in range(1, cycles + 1):
            self.attest(agent)
            wait_until(lambda: agent.record(self.admin)["attestation_count"] == count, 20, "the verdict")
        return agent

    @staticmethod
    def challenge(agent):
        """The 201, once the verifier wants to hear from it."""
        return wait_until(lambda: next((each for each in [agent.create()] if each.status_code == 201), None),
                          20, "a challenge", 0.2)

    def attest(self, agent):
        created = self.challenge(agent)
        answer = agent.submit(created.headers["Location"], agent.ak.evidence(agent.chosen(created)))
        assert answer.status_code == 202, answer.text

    def change(self, sql, *parameters):
        """As if time had passed."""
        with sqlite3.connect(self.deployment.keylime_dir / "verifier.sqlite", timeout=30) as database:
            database.execute(sql, parameters)

    def wait_for(self, pattern):
        return self.verifier.wait_for_line(pattern, 40)

    def enrolled(self, agent):
        return self.admin.get(f"{agent.url}/v2.6/agents/{agent.id}", timeout=20).status_code == 200


@pytest.fixture
def sites(tmp_path):
    """Call it with options of [verifier]."""
    made = []

    def make(**options):
        made.append(LifeSite(tmp_path / f"site-{len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.deployment.stop()


def test_attestations_are_bounded_by_count(sites):
    site = sites(attestation_history_max=2)
    agent = site.agent(cycles=6)
    assert len(agent.attestations(site.admin)) <= 3
    site.wait_for(rf"INFO - Deleted \d old attestations of agent '{agent.id}' \(attestation_history_max")


def test_attestations_of_silent_agents_are_bounded_by_age(sites):
    site = sites(attestation_history_days=3)
    agent = site.agent(cycles=3)
    site.change("UPDATE attestations SET capabilities_received_at = capabilities_received_at - ?", 4 * DAY)
    site.change("UPDATE agents SET last_received_quote = last_received_quote - ?", 4 * DAY)
    site.wait_for(r"INFO - Deleted 2 attestations older than 3 days \(attestation_history_days\)")
    assert len(agent.attestations(site.admin)) == 1


def test_expired_tokens_are_deleted(sites):
    site = sites(session_lifetime=5)
    agent = site.agent()
    site.wait_for(r"INFO - Deleted 1 expired tokens and 0 used session ids")
    assert agent.create().status_code == 401


def test_challenges_that_nobody_answered_are_deleted(sites):
    site = sites()
    agent = site.agent()
    site.challenge(agent)
    site.change("UPDATE attestations SET challenges_expire_at = challenges_expire_at - ?", DAY)
    site.wait_for(r"INFO - Deleted 1 challenges that were never answered")
    assert len(agent.attestations(site.admin)) == 1
    agent.authenticate()
    assert site.challenge(agent).headers["Location"].endswith("/2")  # an index is never used again


def test_stale_agents_are_warned_of_by_default(sites):
    """And nothing else happens to them, least of all FAIL."""
    site = sites(stale_agent_after=3)
    agent = site.agent()
    site.wait_for(rf"WARNING - Agent '{agent.id}' is stale, nothing was heard from it for 0.0 days")
    assert agent.status(site.admin) in ("PASS", "TIMEOUT")
    agent.authenticate()
    site.attest(agent)
    wait_until(lambda: agent.status(site.admin) == "PASS", 20, "PASS")


def test_archived_agents_are_stopped_until_they_are_reactivated(sites):
    site = sites(stale_agent_after=3, stale_agent_action="archive")
    agent = site.agent(cycles=3)
    site.wait_for(rf"WARNING - Agent '{agent.id}' is stale, .* it is archived")
    assert site.enrolled(agent) and agent.status(site.admin) in ("PASS", "TIMEOUT")
    assert len(agent.attestations(site.admin)) == 1
    assert agent.create().status_code == 401
    agent.authenticate()
    refused = agent.create()
    assert refused.status_code == 403 and "agent_attestations_disabled" in refused.text
    site.restart({"KEYLIME_VERIFIER_STALE_AGENT_AFTER": "3600"})
    answer = site.admin.put(f"{agent.url}/v2.6/agents/{agent.id}/reactivate", timeout=20)
    assert answer.status_code == 200
    site.attest(agent)
    wait_until(lambda: agent.status(site.admin) == "PASS", 20, "PASS")


def test_deleted_agents_are_gone_and_told_of(sites):
    receiver = Receiver(None)
    site = sites(stale_agent_after=3, stale_agent_action="delete",
                 revocations_enabled_revocation_notifications="['webhook']", revocations_webhook_url=receiver.hook,
                 revocations_notification_events="['deleted']")
    agent = site.agent()
    site.wait_for(rf"WARNING - Agent '{agent.id}' is stale, .* its enrolment is deleted")
    assert not site.enrolled(agent)
    receiver.wait_for(agent, "deleted")
    receiver.stop()


def test_agents_that_attest_are_not_stale(sites):
    site = sites(stale_agent_after=4, stale_agent_action="delete")
    agent = site.agent()
    until = time.monotonic() + 9
    while time.monotonic() < until:
        site.attest(agent)
    assert site.enrolled(agent)


def test_an_outage_of_the_verifier_makes_no_agent_stale(sites):
    """After it, the time counts anew: a fleet is not thrown away because its verifier was off."""
    site = sites(stale_agent_after=604800, stale_agent_action="delete", housekeeping_interval=1)
    agent = site.agent()
    assert site.verifier.stop() == 0
    site.change("UPDATE agents SET last_received_quote = last_received_quote - ?, created_at = created_at - ?",
                30 * DAY, 30 * DAY)
    site.change("UPDATE heartbeats SET beaten_at = beaten_at - ?", 30 * DAY)
    site.verifier = site.deployment.start_verifier(site.env)
    time.sleep(3)
    assert site.enrolled(agent) and not re.search("is stale", site.verifier.output())
    # With a verifier that ran all the time, it would be.
    site.change("UPDATE heartbeats SET beaten_at = beaten_at - ? WHERE name = 'stale_since'", 30 * DAY)
    site.wait_for(rf"Agent '{agent.id}' is stale, nothing was heard from it for 30.0 days")


@pytest.mark.parametrize("options", [{"stale_agent_action": "fail"}, {"stale_agent_after": "-1"},
                                     {"housekeeping_interval": "0"}, {"attestation_history_max": "0"}])
def test_bad_values_are_refused(deployment, options):
    env = {f"KEYLIME_VERIFIER_{name.upper()}": value for name, value in options.items()}
    program = deployment.start("verifier", "--check-config", env=env)
    assert program.process.wait(30) == 1
    assert list(options)[0] in program.output()
