# SPDX-License-Identifier: Apache-2.0
"""Agents with the software TPM before servers that answer what a test says."""
from .fake_keylime import FakeRegistrar, FakeVerifier
from .fake_server import Authority

AGENT = "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"


class Stage:
    """Fake servers, an authority, and agents with the software TPM."""

    def __init__(self, deployment, directory):
        self.deployment = deployment
        self.directory = directory
        self.authority = Authority(directory / "authority")
        self.registrar = FakeRegistrar()
        self.verifier = FakeVerifier(self.authority)
        self.agents = 0

    def agent(self, *flags, env=None, wrapper=()):
        self.agents += 1
        base = {
            "KEYLIME_AGENT_VERIFIER_URL": self.verifier.url,
            "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(self.authority.certificate_path),
            "KEYLIME_AGENT_REGISTRAR_PORT": str(self.registrar.port),
        }
        return self.deployment.start_agent(
            AGENT, "--avoid-tpm", *flags, env={**base, **(env or {})}, log=f"agent-{self.agents}",
            wrapper=wrapper)

    def stop(self):
        for server in (self.registrar, self.verifier):
            server.stop()
