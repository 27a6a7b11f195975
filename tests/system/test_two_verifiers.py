# SPDX-License-Identifier: Apache-2.0
"""Two verifiers on one PostgreSQL: every request of an agent may go to either, and one may be killed at
any moment (design 3 "State"; decisions D31, D66, D69)."""
import itertools
import re
import threading
import time

import pytest
import requests

from lib.program import free_port, wait_until
from lib.push_agent import PushAgent

ZERO = "00" * 32
CYCLES = 12


class Pair:
    def __init__(self, deployment, database_url, env=None):
        self.deployment = deployment
        self.ports = [free_port(), free_port()]
        self.env = {"KEYLIME_VERIFIER_DATABASE_URL": database_url,
                    "KEYLIME_VERIFIER_QUOTE_INTERVAL": "1",
                    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "100000", **(env or {})}
        self.verifiers = [self.start(0), self.start(1)]
        self.admin = deployment.admin()

    def start(self, number):
        return self.deployment.start_verifier(
            {**self.env, "KEYLIME_VERIFIER_PORT": str(self.ports[number])},
            log=f"verifier-{number}")

    def url(self, number):
        return f"https://localhost:{self.ports[number]}"

    def agent(self):
        agent = PushAgent(self.url(0), self.deployment.certificates / "cacert.crt")
        return agent.enrol(self.admin, {"15": [ZERO]})

    def logs(self):
        return "".join(verifier.output() for verifier in self.verifiers)


@pytest.fixture
def pair(deployment, postgresql):
    return Pair(deployment, postgresql.create("verifier"))


def evaluation(agent, admin):
    return agent.latest(admin)["attributes"]["evaluation"]


def test_every_step_may_go_to_the_other_verifier(pair):
    """Session, proof, challenge, evidence and reading each at another verifier than the step before."""
    agent = pair.agent()
    urls = itertools.cycle([pair.url(0), pair.url(1)])

    def step(function, *arguments):
        agent.url = next(urls)
        return function(*arguments)

    session = step(agent.open_session)
    step(agent.prove, *session)
    for count in range(1, 5):
        created = step(agent.create)
        data = agent.ak.evidence(agent.chosen(created))
        assert step(agent.submit, created.headers["Location"], data).status_code == 202
        wait_until(lambda: step(evaluation, agent, pair.admin) == "pass", 10, "the verdict")
        assert step(agent.record, pair.admin)["attestation_count"] == count
        time.sleep(1.0)
    next(urls)
    session = step(agent.open_session)
    next(urls)
    step(agent.prove, *session)
    assert step(agent.record, pair.admin)["attestation_status"] == "PASS"


class Driver(threading.Thread):
    """One agent that alternates between the verifiers and goes to the other when one is away."""

    def __init__(self, pair, agent, first):
        super().__init__()
        self.pair, self.agent = pair, agent
        self.turn = first
        self.accepted = 0
        self.failure = None

    def other(self):
        self.turn = 1 - self.turn
        self.agent.url = self.pair.url(self.turn)

    def ask(self, function, *arguments):
        """An answer from whichever verifier lives; waits as it is told."""
        until = time.monotonic() + 170
        while True:
            self.other()
            try:
                answer = function(*arguments)
            except requests.exceptions.ConnectionError:
                assert time.monotonic() < until, "no verifier answers"
                time.sleep(0.05)
                continue
            if answer.status_code not in (429, 503):
                return answer
            assert time.monotonic() < until, answer.text
            time.sleep(int(answer.headers["Retry-After"]))

    def cycle(self):
        created = self.ask(self.agent.create)
        if created.status_code == 401:
            self.agent.authenticate()
            return
        if created.status_code == 409:
            return
        data = self.agent.ak.evidence(self.agent.chosen(created))
        answer = self.ask(self.agent.submit, created.headers["Location"], data)
        # 403: the first try had been stored, only its answer was lost.
        assert answer.status_code == 202 or "evidence_immutable" in answer.text, answer.text
        self.accepted += 1

    def run(self):
        try:
            while self.accepted < CYCLES:
                self.cycle()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error


def test_one_verifier_is_killed_in_mid_cycle(pair):
    """kill -9 of one under load: no attestation fails, none is lost, every agent goes on."""
    drivers = []
    for number in range(4):
        agent = pair.agent()
        agent.authenticate()
        drivers.append(Driver(pair, agent, number % 2))
    for driver in drivers:
        driver.start()
    time.sleep(2.3)
    pair.verifiers[1].kill()
    time.sleep(3)
    pair.verifiers[1] = pair.start(1)
    for driver in drivers:
        driver.join(240)
    assert [driver.failure for driver in drivers] == [None] * len(drivers)
    for driver in drivers:
        agent = driver.agent
        agent.url = pair.url(0)
        wait_until(lambda: evaluation(agent, pair.admin) != "pending", 150, "the last verdict")
        answered = [each["attributes"] for each in agent.attestations(pair.admin)
                    if each["attributes"]["stage"] == "verification_complete"]
        assert len(answered) == driver.accepted
        assert {each["evaluation"] for each in answered} == {"pass"}
        record = agent.record(pair.admin)
        assert record["attestation_count"] == driver.accepted
        assert record["attestation_status"] == "PASS"


def test_silence_is_noticed_once(pair):
    agent = pair.agent()
    agent.authenticate()
    agent.attest()
    wait_until(lambda: agent.status(pair.admin) == "TIMEOUT", 10, "the time-out")
    time.sleep(2)
    assert len(re.findall(f"Agent '{agent.id}' is marked as failed", pair.logs())) == 1


def test_simultaneous_creations_at_both(pair):
    agent = pair.agent()
    agent.authenticate()
    twins = []
    for number in range(8):
        twin = PushAgent(pair.url(number % 2), agent.ca, agent.ak, agent.id)
        twin.token = agent.token
        twins.append(twin)
    answers = []
    threads = [threading.Thread(target=lambda each=each: answers.append(each.create()))
               for each in twins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer.headers["Location"] for answer in answers if answer.status_code == 201]
    assert made and len(set(made)) == len(made)
    assert len(agent.attestations(pair.admin)) == 1
