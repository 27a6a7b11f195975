# SPDX-License-Identifier: Apache-2.0
"""What upstream's agent puts on the wire, message by message (push-agent 6.2, 7.3, 8.1, 9, 19): bodies,
headers and their spelling, the quote that always covers PCR 16; and what it needs of each answer, checked
as strictly as its deserialiser does (9.5, 9.8, 20.2)."""
import base64
import hashlib
import http.client
import json
import random
import ssl
import string

from lib.measurement_list import MeasurementList
from lib.registration import Machine
from lib.software_ek import SoftwareEk
from lib.software_tpm import SoftwareAk, base64_text

JSON_API = "application/vnd.api+json"
BANK = "sha256"
IMA_PCR = 10
KEY_PCR = 16
KEY_MEMBERS = {"key_algorithm", "key_class", "key_size", "server_identifier", "local_identifier", "public"}
QUOTE_PARAMETERS = {"challenge", "selected_subjects", "hash_algorithm", "signature_scheme",
                    "certification_key"}
BANKS = {"sha1", "sha256", "sha384", "sha512", "sm3_256"}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class RustAgent:
    """One machine. `log` grows by itself; a restart is a new object over the same keys."""

    def __init__(self, deployment, agent_id, ek=None, ak=None, uefi_log=b""):
        self.deployment = deployment
        self.id = agent_id
        self.ek = ek or SoftwareEk("rsa")
        self.ak = ak or SoftwareAk("rsassa")
        self.machine = Machine(agent_id, self.ek, self.ak)
        self.log = MeasurementList()
        self.uefi_log = uefi_log
        self.boot_time = "2026-11-20T08:58:12Z"
        self.token = None
        self.offset = None  # of the measurement list, as it was asked for last
        self._extend_key_pcr()

    def restart(self):
        """The service is restarted: the same TPM and logs, no token."""
        made = RustAgent(self.deployment, self.id, self.ek, self.ak, self.uefi_log)
        made.log = self.log
        made.boot_time = self.boot_time
        return made

    def _extend_key_pcr(self):
        """PCR 16 is reset and extended with the digest of the AK's public key before each quote."""
        self.ak.pcrs[BANK][KEY_PCR] = bytes(32)
        self.ak.extend(BANK, KEY_PCR, hashlib.sha256(self.ak.tpmt).digest())

    # --- transport ------------------------------------------------------------------------------

    def _context(self):
        context = ssl.create_default_context(cafile=str(self.deployment.certificates / "cacert.crt"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as rustls does
        return context

    def _send(self, method, path, body, headers):
        connection = http.client.HTTPSConnection("localhost", self.deployment.verifier_port, timeout=5,
                                                 context=self._context())
        text = json.dumps(body, separators=(",", ":"))
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**headers, "content-length": str(len(text))}.items():
            connection.putheader(name, value)
        connection.endheaders(text.encode())
        answer = Answer(connection.getresponse())
        connection.close()
        if answer.status in (200, 201, 202):
            assert "retry-after" not in answer.headers  # the agent would send it again (20.2 row 10)
        return answer

    def _session_request(self, method, path, body):
        return self._send(method, path, body, {"content-type": JSON_API, "accept": "*/*"})

    def _attestation_request(self, method, path, body):
        request_id = "".join(random.choices(string.ascii_lowercase + string.digits, k=6))
        answer = self._send(method, path, body, {
            "x-request-id": request_id, "content-type": JSON_API, "accept": JSON_API,
            "authorization": f"Bearer {self.token}"})
        if answer.status in (401, 403):
            self.token = None
        return answer

    # --- registration ---------------------------------------------------------------------------

    def register(self, plain):
        """Over plain HTTP, which is its default; `plain` is a requests session with a base URL."""
        versions = plain.get("/version").json()["results"]
        assert "2.6" in versions["supported_versions"]
        answer = self.machine.register(plain)
        assert answer.status_code == 200 and isinstance(answer.json()["results"], dict)
        answer = self.machine.activate(plain)
        assert answer.status_code == 200 and answer.json()["results"] == {}

    # --- session --------------------------------------------------------------------------------

    def authenticate(self):
        """True: there is a token now."""
        answer = self._session_request("POST", "/v3.0/sessions", {
            "data": {"type": "session", "attributes": {
                "agent_id": self.id,
                "authentication_supported": [
                    {"authentication_class": "pop", "authentication_type": "tpm_pop"}]}}})
        assert answer.status // 100 == 2, answer.text
        data = answer.json["data"]
        attributes = data["attributes"]
        assert isinstance(data["id"], str) and attributes["agent_id"] == self.id
        assert {"created_at", "challenges_expire_at"} <= set(attributes)
        requested = attributes["authentication_requested"][0]
        challenge = requested["chosen_parameters"]["challenge"]
        answer = self._session_request("PATCH", f"/v3.0/sessions/{data['id']}", {
            "data": {"type": "session", "id": data["id"], "attributes": {
                "agent_id": self.id,
                "authentication_provided": self.ak.possession(challenge)}}})
        assert answer.status // 100 == 2, answer.text
        attributes = answer.json["data"]["attributes"]
        assert {"agent_id", "evaluation", "created_at", "challenges_expire_at",
                "response_received_at"} <= set(attributes)
        self.token = attributes.get("token") if attributes["evaluation"] == "pass" else None
        return self.token is not None

    # --- negotiation ----------------------------------------------------------------------------

    def capabilities(self):
        quote = self.ak.capabilities(banks=[BANK])
        quote["signature_schemes"] = ["ecdsa", "ecschnorr", "rsapss", "rsassa"]
        return {"data": {"type": "attestation", "attributes": {
            "evidence_supported": [
                {"evidence_class": "certification", "evidence_type": "tpm_quote", "capabilities": quote},
                {"evidence_class": "log", "evidence_type": "uefi_log",
                 "capabilities": {"evidence_version": "2.1", "entry_count": 2,
                                  "supports_partial_access": False, "appendable": False,
                                  "formats": ["application/octet-stream"]}},
                {"evidence_class": "log", "evidence_type": "ima_log",
                 "capabilities": {"entry_count": len(self.log), "supports_partial_access": True,
                                  "appendable": True, "formats": ["text/plain"]}}],
            "system_info": {"boot_time": self.boot_time}}}}

    def negotiate(self):
        return self._attestation_request(
            "POST", f"/v3.0/agents/{self.id}/attestations", self.capabilities())

    def requests_of(self, answer):
        """The items of a 201, checked as the agent reads them."""
        assert answer.status == 201, answer.text
        assert answer.headers["location"].startswith("/v3.0/agents/"), answer.headers
        data = answer.json["data"]
        assert isinstance(data["type"], str) and isinstance(data["attributes"]["stage"], str)
        items = data["attributes"]["evidence_requested"]
        assert items and items[0]["evidence_type"] == "tpm_quote"
        for item in items:
            assert isinstance(item["evidence_class"], str)
            parameters = item["chosen_parameters"]
            if item["evidence_class"] == "log":
                assert isinstance(parameters["format"], str)
                assert parameters.get("starting_offset", 0) >= 0
            else:
                self._check_quote_parameters(parameters)
        return items

    def _check_quote_parameters(self, parameters):
        assert "format" not in parameters and QUOTE_PARAMETERS & set(parameters)
        assert parameters["signature_scheme"] == "rsassa" and parameters["hash_algorithm"] == BANK
        for bank, pcrs in parameters["selected_subjects"].items():
            assert bank not in BANKS or pcrs is None or all(0 <= pcr <= 23 for pcr in pcrs)
        if parameters.get("certification_key") is not None:
            assert KEY_MEMBERS <= set(parameters["certification_key"])

    # --- evidence -------------------------------------------------------------------------------

    def _collect(self, item):
        parameters = item["chosen_parameters"]
        if item["evidence_type"] == "tpm_quote":
            self._extend_key_pcr()
            self.ak.pcrs[BANK][IMA_PCR] = self.log.pcr[BANK]
            message, signature, blob = self.ak.quote(
                base64.b64decode(parameters["challenge"]), BANK,
                sorted({*(parameters["selected_subjects"][BANK] or []), KEY_PCR}))
            return {"message": base64_text(message), "signature": base64_text(signature),
                    "subject_data": base64_text(blob)}
        if item["evidence_type"] == "uefi_log":
            return {"entries": base64_text(self.uefi_log)}
        first = self.offset = parameters.get("starting_offset", 0)
        if first > len(self.log):
            first = 0  # it sends the whole list without a word (9.3)
        return {"entries": self.log.text(first).decode(), "entry_count": len(self.log) - first}

    def evidence(self, items):
        return {"data": {"type": "attestation", "attributes": {"evidence_collected": [
            {"evidence_class": item["evidence_class"], "evidence_type": item["evidence_type"],
             "data": self._collect(item)} for item in items]}}}

    def submit(self, negotiated):
        items = self.requests_of(negotiated)
        return self._attestation_request("PATCH", negotiated.headers["location"], self.evidence(items))

    def interval_of(self, answer):
        """seconds_to_next_attestation of a 202 that deserialises whole, as the agent needs it."""
        assert answer.status == 202, answer.text
        data = answer.json["data"]
        assert isinstance(data["type"], str) and isinstance(data["attributes"]["stage"], str)
        for item in data["attributes"]["evidence"]:
            assert {"evidence_class", "evidence_type", "capabilities", "data"} <= set(item)
        seconds = answer.json["meta"]["seconds_to_next_attestation"]
        assert isinstance(seconds, int) and seconds >= 0
        return seconds

    def attest(self):
        """One cycle, with the re-authentication that a 401 asks for; the seconds to wait."""
        for _ in range(2):
            if self.token is None:
                assert self.authenticate()
            negotiated = self.negotiate()
            if negotiated.status == 401:
                continue
            answer = self.submit(negotiated)
            if answer.status != 401:
                return self.interval_of(answer)
        raise AssertionError("401 twice in a row")
