# SPDX-License-Identifier: Apache-2.0
"""Both servers, with something of each kind in them, and everybody who may ask."""
import shutil
import sys
import tempfile

from description import SYSTEM_TESTS

sys.path.insert(0, str(SYSTEM_TESTS))

from lib.boot_log import usual  # noqa: E402
from lib.deployment import Deployment  # noqa: E402
from lib.logging_agent import LoggingAgent, encoded  # noqa: E402
from lib.program import wait_until  # noqa: E402
from lib.registration import Machine, Session  # noqa: E402
from lib.software_tpm import base64_text  # noqa: E402

AGENT = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"  # of the description's examples
NONCE = "DGHFH6EQVYGKP7YHNVEAFQQR5TN4W4JA"
OPTIONS = {
    # The clients of these tests are one address, and no crowd.
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "1000000",
    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_AGENT": "1000000",
    "KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP": "0",
    "KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5",
}


class Site:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="keylime-api-")
        self.deployment = Deployment(self.directory)
        self.programs = {"verifier": self.deployment.start_verifier(OPTIONS),
                         "registrar": self.deployment.start_registrar(OPTIONS)}
        self.urls = {"verifier": self.deployment.verifier_url,
                     "registrar": self.deployment.registrar_url}
        self.admin = self.deployment.admin()
        self.nobody = self.deployment.anonymous()
        self.agent = self.machine(AGENT)
        self.registrant = Machine(AGENT)
        self.facts = self.find_facts()

    def machine(self, agent_id=None):
        """A machine with logs, not enrolled."""
        made = LoggingAgent(self.urls["verifier"], self.nobody.verify, agent_id=agent_id)
        made.boot(usual())
        made.run("/bin/sh")
        return made

    def enrol(self, machine):
        machine.enrol(self.admin, runtime_policy=encoded(machine.policy()), mb_policy='{"any": "boot"}')
        machine.authenticate()

    def verdict(self, machine):
        """Of the newest attestation, once it is there."""
        def decided():
            attributes = machine.latest(self.admin)["attributes"]
            return attributes if attributes["stage"] == "verification_complete" else None
        return wait_until(decided, 60, "the verdict")

    def quote(self, machine, pcrs=(0,)):
        return "r" + ":".join(map(base64_text, machine.ak.quote(NONCE.encode(), "sha256", pcrs)))

    def find_facts(self):
        """What nobody can make up: keys, and what they sign, under the names of the API's members."""
        keys = self.registrant
        return {"ak_tpm": self.agent.ak.ak_tpm, "tpm_ak": self.agent.ak.ak_tpm,
                "quote": self.quote(self.agent), "nonce": NONCE, "hash_alg": "sha256",
                "ek_tpm": base64_text(keys.ek.tpm2b_public),
                "aik_tpm": base64_text(keys.ak.tpm2b_public)}

    def sow(self):
        """What requests ask for is there, whatever the last ones deleted."""
        if self.admin.get(f"{self.urls['verifier']}/v2.6/agents/{AGENT}").status_code == 404:
            self.enrol(self.agent)
            self.agent.attest()
        for kind, members in (("allowlists", {"runtime_policy": encoded(self.agent.policy())}),
                              ("mbpolicies", {"mb_policy": "{}"})):
            self.admin.post(f"{self.urls['verifier']}/v2.6/{kind}/debian-12", json=members)
        if self.admin.get(f"{self.urls['registrar']}/v2.6/agents/{AGENT}").status_code == 404:
            self.registrant.enter(Session(self.urls["registrar"], self.nobody.verify))

    def stop(self):
        self.deployment.stop()
        shutil.rmtree(self.directory)
