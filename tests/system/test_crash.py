# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random points under load: everything that was answered 2xx is found again (contract U14,
decisions D69, D80)."""
import random
import threading
import time

import requests

from lib.program import wait_until
from lib.push_agent import PushAgent

ZERO = "00" * 32
CRASHES = 5
AGENTS = 4


class Driver(threading.Thread):
    """An agent that never gives up, and remembers what it was promised."""

    def __init__(self, agent, stop):
        super().__init__()
        self.agent, self.stop = agent, stop
        self.created = []   # indices answered 201
        self.accepted = []  # indices answered 202
        self.failure = None

    def ask(self, function, *arguments):
        """(answer, lost): lost = some try before it got no answer."""
        lost = False
        until = time.monotonic() + 60
        while True:
            try:
                answer = function(*arguments)
            except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
                lost = True
                assert time.monotonic() < until, "the verifier did not come back"
                time.sleep(0.02)
                continue
            if answer.status_code not in (429, 503):
                return answer, lost
            assert time.monotonic() < until, answer.text
            time.sleep(0.01)  # impatient, for the load

    def cycle(self):
        created, _ = self.ask(self.agent.create)
        assert created.status_code == 201, f"a token answered before is unknown: {created.text}"
        location = created.headers["Location"]
        index = int(location.rsplit("/", 1)[1])
        assert not self.created or index > self.created[-1], "an index is never used again"
        self.created.append(index)
        data = self.agent.ak.evidence(self.agent.chosen(created))
        answer, lost = self.ask(self.agent.submit, location, data)
        if answer.status_code == 202:
            self.accepted.append(index)
        else:
            # The evidence was stored and only the answer to it was lost.
            assert lost and answer.status_code == 403 and "evidence_immutable" in answer.text, (
                answer.text)

    def run(self):
        try:
            while not self.stop.is_set():
                self.cycle()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error


def test_U14_what_was_answered_is_found_after_a_crash(deployment):
    env = {"KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5",
           "KEYLIME_VERIFIER_ATTESTATION_HISTORY_MAX": "100000",
           "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "100000"}
    verifier = deployment.start_verifier(env)
    admin = deployment.admin()
    stop = threading.Event()
    drivers = []
    for _ in range(AGENTS):
        agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt")
        agent.enrol(admin, {"15": [ZERO]}).authenticate()
        drivers.append(Driver(agent, stop))
    for driver in drivers:
        driver.start()
    seed = random.randrange(1 << 30)
    print("seed", seed)
    moments = random.Random(seed)
    for _ in range(CRASHES):
        time.sleep(moments.uniform(0.3, 1.2))
        verifier.kill()
        verifier = deployment.start_verifier(env)
    time.sleep(0.5)
    stop.set()
    for driver in drivers:
        driver.join(90)
    assert [driver.failure for driver in drivers] == [None] * AGENTS
    verifier.kill()
    deployment.start_verifier(env)
    for driver in drivers:
        check(driver, admin)


def check(driver, admin):
    agent = driver.agent

    def decided():
        return agent.latest(admin)["attributes"]["stage"] == "verification_complete"

    wait_until(decided, 20, "the verdict on what was stored before the crash")
    kept = {}
    before = 1 << 60
    while True:
        page = agent.attestations(admin, f"?page[before]={before}")
        if not page:
            break
        kept.update({int(each["id"]): each["attributes"] for each in page})
        before = int(page[0]["id"])
    assert len(driver.accepted) > 10, "the test produced no load"
    missing = [index for index in driver.accepted if index not in kept]
    assert missing == []
    assert {kept[index]["evaluation"] for index in driver.accepted} == {"pass"}
    record = agent.record(admin)
    assert record["attestation_status"] == "PASS"
    assert record["attestation_count"] == sum(
        1 for each in kept.values() if each["evaluation"] == "pass")
