# SPDX-License-Identifier: Apache-2.0
"""A verifier, its administrator, and machines that send logs."""
from .logging_agent import LoggingAgent, encoded
from .program import wait_until
from .site import Site


class LogSite(Site):
    FAST = {**Site.FAST, "KEYLIME_VERIFIER_AUTO_RECOVER_ATTESTATION_FAILURES": "True"}

    def call(self, method, path, body=None):
        return self.admin.request(method, self.deployment.verifier_url + path, json=body, timeout=60)

    def store(self, name, policy, method="POST", **members):
        """A runtime policy under /allowlists."""
        return self.call(method, f"/v2.6/allowlists/{name}",
                         {"runtime_policy": encoded(policy), **members})

    def machine(self, **members):
        return LoggingAgent(self.deployment.verifier_url,
                            self.deployment.certificates / "cacert.crt", **members)

    def enrol(self, machine, policy=None, **members):
        if policy is not None:
            members["runtime_policy"] = encoded(policy)
        machine.enrol(self.admin, **members)
        machine.authenticate()
        return machine

    def verdict(self, machine, seconds=90):
        """Attributes of the newest attestation once it is decided."""
        def decided():
            attributes = machine.latest(self.admin)["attributes"]
            return attributes if attributes["stage"] == "verification_complete" else None
        return wait_until(decided, seconds, "the verdict")

    def cycle(self, machine):
        machine.attest()
        return self.verdict(machine)

    def passes(self, machine):
        attributes = self.cycle(machine)
        assert attributes["evaluation"] == "pass", attributes["failures"]
        return attributes

    def fails(self, machine, *events):
        attributes = self.cycle(machine)
        assert attributes["evaluation"] == "fail", attributes
        assert [each["event_id"] for each in attributes["failures"]] == list(events), attributes
        return attributes


def ima_item(attributes):
    return next(each for each in attributes["evidence"] if each["evidence_type"] == "ima_log")
