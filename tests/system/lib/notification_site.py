# SPDX-License-Identifier: Apache-2.0
"""A verifier that tells what happens to its agents, receivers, and an RSA key that signs."""
import base64
import json
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .fake_server import FakeServer
from .push_agent import PushAgent
from .program import wait_until
from .site import Site

ZERO = "00" * 32
ALL_EVENTS = "['revocation', 'comm_error', 'recovered', 'enrolled', 'deleted']"


class SigningKey:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)

    @property
    def pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    def verify(self, body):
        """As upstream's receivers do it; raises where the signature is wrong."""
        self.key.public_key().verify(
            base64.b64decode(body["signature"], validate=True), body["msg"].encode(),
            padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH),
            hashes.SHA256())


class Receiver(FakeServer):
    """Answers what `answers` says of the requests in turn, then 200; a number, "silence" or None."""

    def __init__(self, authority, answers=(), port=0):
        self.answers = list(answers)
        super().__init__(self.next_answer, authority, port)

    def next_answer(self, request):
        answer = self.answers.pop(0) if self.answers else 200
        return (answer, {}, {}) if isinstance(answer, int) else answer

    def messages(self, agent=None, kind=None):
        """What was taken, oldest first."""
        found = [json.loads(request.json["msg"]) for request in self.requests]
        return [each for each in found if agent in (None, each["agent_id"]) and kind in (None, each["type"])]

    def kinds(self, agent):
        return [each["type"] for each in self.messages(agent.id)]

    def wait_for(self, agent, kind, seconds=30):
        return wait_until(lambda: self.messages(agent.id, kind), seconds, f"{kind} of {agent.id}")[0]

    @property
    def hook(self):
        return self.url + "/hook?secret=1"


class NotificationSite(Site):
    """Options of [verifier] and [revocations] by name."""

    REVOCATIONS = re.compile("enabled_|notification_|webhook_|zmq_")

    def __init__(self, directory, authority, **options):
        env = {"KEYLIME_VERIFIER_REVOCATIONS_WEBHOOK_TRUSTED_CA": f"['{authority.certificate_path}']",
               "KEYLIME_VERIFIER_RETRY_INTERVAL": "0.2", **self.variables(options)}
        super().__init__(directory, env)

    @classmethod
    def variables(cls, options):
        return {f"KEYLIME_VERIFIER_{'REVOCATIONS_' if cls.REVOCATIONS.match(name) else ''}{name.upper()}": str(value)
                for name, value in options.items()}

    def agent(self, url=None, **members):
        agent = PushAgent(url or self.deployment.verifier_url, self.deployment.certificates / "cacert.crt")
        return agent.enrol(self.admin, {"15": [ZERO]}, **members)

    def fail(self, agent):
        """FAIL by a PCR that its policy does not allow."""
        agent.authenticate()
        agent.ak.extend("sha256", 15, b"unwanted")
        agent.attest()

    def log(self):
        return self.verifier.output()
