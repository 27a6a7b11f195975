# SPDX-License-Identifier: Apache-2.0
"""Servers under attack, and an honest agent that must not notice: it attests all the time, and what the
servers did to it and what memory they took is asked after each test."""
import threading
import time

import requests

from .deployment import Deployment
from .program import wait_until
from .push_agent import PushAgent
from .software_tpm import SoftwareAk

ZERO = "00" * 32
OPTIONS = {
    "KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5",
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "1000000",
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_AGENT": "1000000",
    "KEYLIME_VERIFIER_TRUSTED_PROXIES": "['127.0.0.1']",
    "KEYLIME_VERIFIER_MAX_UPLOAD_SIZE": "1048576",
    "KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP": "0",
}


class HonestAgent(threading.Thread):
    """Attests until it is told to stop; `troubles` are the answers that it should not have got."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site = site
        self.agent = site.agent()
        self.ended = threading.Event()
        self.passes = 0
        self.slowest = 0.0
        self.troubles = []

    def ask(self, function, *arguments):
        begun = time.monotonic()
        answer = function(*arguments)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        return answer

    def cycle(self):
        created = self.ask(self.agent.create)
        if created.status_code in (429, 503):  # the interval, or the verdict is not there yet
            return
        if created.status_code != 201:
            self.troubles.append(created.text)
            return
        evidence = self.agent.ak.evidence(self.agent.chosen(created))
        answer = self.ask(self.agent.submit, created.headers["Location"], evidence)
        if answer.status_code == 202:
            self.passes += 1
        else:
            self.troubles.append(answer.text)

    def run(self):
        while not self.ended.wait(0.1):
            try:
                self.cycle()
            except requests.exceptions.RequestException as error:
                self.troubles.append(repr(error))


class Site:
    """A verifier and a registrar that share one authority, and the honest agent."""

    def __init__(self, directory, env=None):
        self.deployment = Deployment(directory)
        self.options = {**OPTIONS, **(env or {})}
        self.verifier = self.deployment.start_verifier(self.options)
        self.registrar = self.deployment.start_registrar(self.options)
        self.admin = self.deployment.admin()
        self.ak = SoftwareAk("ecdsa")
        self.honest = HonestAgent(self)
        self.honest.start()

    def agent(self):
        agent = PushAgent(self.deployment.verifier_url,
                          self.deployment.certificates / "cacert.crt",
                          SoftwareAk("ecdsa"))
        agent.enrol(self.admin, {"0": [ZERO]})
        agent.authenticate()
        return agent

    def check(self):
        """The honest agent goes on and is shown as good; both servers are alive."""
        before = self.honest.passes
        wait_until(lambda: self.honest.passes > before + 1, 15, "the honest agent's next attestation")
        assert self.honest.troubles == []
        assert self.honest.slowest < 5, "the honest agent waited too long for an answer"
        assert self.honest.agent.status(self.admin) == "PASS"
        assert self.verifier.running() and self.registrar.running()
        assert self.deployment.anonymous().get(
            f"{self.deployment.registrar_url}/version", timeout=10).status_code == 200

    def stop(self):
        self.honest.ended.set()
        self.honest.join(20)
        self.deployment.stop()
