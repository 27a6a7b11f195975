# SPDX-License-Identifier: Apache-2.0
"""A deployment with a running verifier and its administrator."""
from .deployment import Deployment


class Site:
    # So short that no creation is ever premature (half a second early is accepted).
    FAST = {"KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5",
            "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "100000"}

    def __init__(self, directory, env=None):
        self.deployment = Deployment(directory)
        self.env = {**self.FAST, **(env or {})}
        self.verifier = self.deployment.start_verifier(self.env)
        self.admin = self.deployment.admin()

    def restart(self, env=None, crash=False):
        if crash:
            self.verifier.kill()
        else:
            assert self.verifier.stop() == 0
        self.env.update(env or {})
        self.verifier = self.deployment.start_verifier(self.env)
