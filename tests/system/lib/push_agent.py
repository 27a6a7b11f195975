# SPDX-License-Identifier: Apache-2.0
"""An agent made of a software key and requests: each step of an attestation by itself, so that a test
can do one wrong."""
import json
import uuid

import requests

from .software_tpm import SoftwareAk, base64_text

JSON_API = "application/vnd.api+json"
ACCEPT_ALL = {
    "accept_tpm_hash_algs": ["sha512", "sha384", "sha256"],
    "accept_tpm_encryption_algs": ["ecc", "rsa"],
    "accept_tpm_signing_algs": ["rsassa", "rsapss", "ecdsa"],
}


def enrolment(ak, tpm_policy=None, **members):
    """Body of POST /v2.6/agents/{id} as tenants send it."""
    body = {
        "v": None, "cloudagent_ip": None, "cloudagent_port": None,
        "tpm_policy": json.dumps(tpm_policy or {}),
        "runtime_policy": "", "runtime_policy_name": "", "runtime_policy_key": "",
        "mb_policy": None, "mb_policy_name": "",
        "ima_sign_verification_keys": "", "metadata": "{}", "revocation_key": "",
        **ACCEPT_ALL,
        "ak_tpm": ak.ak_tpm, "mtls_cert": None, "supported_version": "2.6",
    }
    body.update(members)
    return body


class PushAgent:
    """Talks to `url`, which a test may change between any two steps."""

    def __init__(self, url, ca, ak=None, agent_id=None):
        self.url = url
        self.ca = ca
        self.ak = ak or SoftwareAk()
        self.id = agent_id or str(uuid.uuid4())
        self.token = None
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(ca)

    # --- enrolment by an administrator ----------------------------------------------------------

    def enrol(self, admin, tpm_policy=None, **members):
        answer = admin.post(f"{self.url}/v2.6/agents/{self.id}",
                            json=enrolment(self.ak, tpm_policy, **members), timeout=20)
        assert answer.status_code == 200, answer.text
        return self

    def record(self, admin):
        answer = admin.get(f"{self.url}/v2.6/agents/{self.id}", timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def status(self, admin):
        return self.record(admin)["attestation_status"]

    def latest(self, admin):
        answer = admin.get(f"{self.url}/v3.0/agents/{self.id}/attestations/latest", timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def attestations(self, admin, query=""):
        answer = admin.get(f"{self.url}/v3.0/agents/{self.id}/attestations{query}", timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    # --- session ---------------------------------------------------------------------------------

    def open_session(self):
        """POST /sessions: (session id, challenge text)."""
        answer = self.http.post(f"{self.url}/v3.0/sessions", timeout=20, json={
            "data": {"type": "session", "attributes": {
                "agent_id": self.id,
                "authentication_supported": [
                    {"authentication_class": "pop", "authentication_type": "tpm_pop"}]}}})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        chosen = data["attributes"]["authentication_requested"][0]["chosen_parameters"]
        return data["id"], chosen["challenge"]

    def prove(self, session_id, challenge):
        """PATCH /sessions/{id}; keeps the token."""
        answer = self.http.patch(f"{self.url}/v3.0/sessions/{session_id}", timeout=20, json={
            "data": {"type": "session", "id": session_id, "attributes": {
                "agent_id": self.id,
                "authentication_provided": self.ak.possession(challenge)}}})
        assert answer.status_code == 200, answer.text
        attributes = answer.json()["data"]["attributes"]
        assert attributes["evaluation"] == "pass", answer.text
        self.token = attributes["token"]
        return attributes

    def authenticate(self):
        return self.prove(*self.open_session())

    # --- attestation -----------------------------------------------------------------------------

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": JSON_API,
                "Accept": JSON_API}

    def capabilities_document(self, capabilities=None):
        return {"data": {"type": "attestation", "attributes": {
            "evidence_supported": [
                {"evidence_class": "certification", "evidence_type": "tpm_quote",
                 "capabilities": capabilities or self.ak.capabilities()},
                {"evidence_class": "log", "evidence_type": "uefi_log",
                 "capabilities": {"evidence_version": "2.1", "entry_count": 96,
                                  "supports_partial_access": False, "appendable": False,
                                  "formats": ["application/octet-stream"]}},
                {"evidence_class": "log", "evidence_type": "ima_log",
                 "capabilities": {"entry_count": 5120, "supports_partial_access": True,
                                  "appendable": True, "formats": ["text/plain"]}}],
            "system_info": {"boot_time": "2026-11-20T08:00:00Z"}}}}

    def create(self, document=None, headers=None):
        """POST .../attestations: the answer, whatever it is."""
        return self.http.post(
            f"{self.url}/v3.0/agents/{self.id}/attestations", timeout=20,
            data=json.dumps(self.capabilities_document() if document is None else document),
            headers={**self.headers, **(headers or {})})

    def chosen(self, created):
        """chosen_parameters of the quote in a 201."""
        assert created.status_code == 201, created.text
        return created.json()["data"]["attributes"]["evidence_requested"][0]["chosen_parameters"]

    def evidence_document(self, data):
        return {"data": {"type": "attestation", "attributes": {"evidence_collected": [
            {"evidence_class": "certification", "evidence_type": "tpm_quote", "data": data}]}}}

    def submit_document(self, location, document, headers=None):
        """PATCH of the path that the 201 named."""
        return self.http.patch(self.url + location, data=json.dumps(document), timeout=20,
                               headers={**self.headers, **(headers or {})})

    def submit(self, location, data):
        return self.submit_document(location, self.evidence_document(data))

    def attest(self):
        """One honest cycle; the 202's answer."""
        created = self.create()
        answer = self.submit(created.headers["Location"], self.ak.evidence(self.chosen(created)))
        assert answer.status_code == 202, answer.text
        return answer

    def quote_data(self, message, signature, blob):
        return {"message": base64_text(message), "signature": base64_text(signature),
                "subject_data": base64_text(blob)}
