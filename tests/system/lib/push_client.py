# SPDX-License-Identifier: Apache-2.0
"""What an agent and an operator say to the verifier, one call for each message."""
import base64

from .software_tpm import SoftwareAk

JSON_API = {"Content-Type": "application/vnd.api+json"}


def enrolment(ak, **changes):
    """The members that a tenant posts (tenant-and-management-api 2.10); a change to ... removes one."""
    members = {
        "v": None,
        "cloudagent_ip": "127.0.0.1",
        "cloudagent_port": 9002,
        "verifier_ip": "127.0.0.1",
        "verifier_port": "8881",
        "tpm_policy": '{"mask": "0x0"}',
        "runtime_policy": "",
        "runtime_policy_name": "",
        "runtime_policy_key": "",
        "mb_policy": None,
        "mb_policy_name": "",
        "ima_sign_verification_keys": "",
        "metadata": "{}",
        "revocation_key": "",
        "accept_tpm_hash_algs": ["sha512", "sha384", "sha256"],
        "accept_tpm_encryption_algs": ["ecc", "rsa"],
        "accept_tpm_signing_algs": ["rsassa", "rsapss", "ecdsa"],
        "ak_tpm": ak.ak_tpm,
        "mtls_cert": "disabled",
        "supported_version": "2.6",
    }
    members.update(changes)
    return {name: value for name, value in members.items() if value is not ...}


def session_request(agent_id, kind="tpm_pop"):
    return {"data": {"type": "session", "attributes": {
        "agent_id": agent_id,
        "authentication_supported": [
            {"authentication_class": "pop", "authentication_type": kind}]}}}


class PushClient:
    """One agent in front of one verifier; `http` is a requests session."""

    def __init__(self, http, url, agent_id, ak=None):
        self.http = http
        self.url = url
        self.agent_id = agent_id
        self.ak = ak or SoftwareAk()

    # --- sessions -----------------------------------------------------------------------------

    def create_session(self, **changes):
        body = session_request(changes.pop("agent_id", self.agent_id))
        return self.http.post(f"{self.url}/v3.0/sessions", json=body, **changes)

    def challenge(self):
        """(session id, challenge as base64 text) of a new session."""
        answer = self.create_session()
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        requested = data["attributes"]["authentication_requested"][0]
        return data["id"], requested["chosen_parameters"]["challenge"]

    def prove(self, session_id, provided, agent_id=None):
        body = {"data": {"type": "session", "id": session_id, "attributes": {
            "agent_id": agent_id or self.agent_id,
            "authentication_provided": provided}}}
        return self.http.patch(f"{self.url}/v3.0/sessions/{session_id}", json=body,
                               headers=JSON_API)

    def authenticate(self):
        """The answer to a good proof."""
        session_id, challenge = self.challenge()
        return self.prove(session_id, self.ak.possession(challenge))

    def token(self):
        answer = self.authenticate()
        assert answer.status_code == 200, answer.text
        attributes = answer.json()["data"]["attributes"]
        assert attributes["evaluation"] == "pass", answer.text
        return attributes["token"]

    # --- what a token opens -------------------------------------------------------------------

    def read_self(self, token):
        return self.http.get(f"{self.url}/v2.6/agents/{self.agent_id}",
                             headers={"Authorization": f"Bearer {token}"})


def decoded(text):
    return base64.b64decode(text, validate=True)
