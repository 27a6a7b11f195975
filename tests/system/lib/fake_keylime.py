# SPDX-License-Identifier: Apache-2.0
"""A registrar and a verifier that believe everything, with answers that a test can replace."""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .fake_server import FakeServer

CREDENTIAL = bytes(range(32))
NONCE = bytes(range(16))


def _kdfa(seed, label, context, bits):
    """KDFa with SHA-256, one round (tpm-formats §6.2)."""
    mac = hmac.HMAC(seed, hashes.SHA256())
    mac.update(struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits))
    return mac.finalize()[: bits // 8]


def make_credential(ek_tpm2b, ak_tpm2b):
    """The blob for an RSA-2048 EK and an AK with SHA-256 name."""
    name = b"\x00\x0b" + hashlib.sha256(ak_tpm2b[2:]).digest()
    key = rsa.RSAPublicNumbers(65537, int.from_bytes(ek_tpm2b[-256:], "big")).public_key()
    seed = bytes(range(100, 132))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0")
    secret = key.encrypt(seed, oaep)
    encryptor = Cipher(
        algorithms.AES(_kdfa(seed, b"STORAGE", name, 128)), modes.CFB(bytes(16))
    ).encryptor()
    identity = encryptor.update(struct.pack(">H", 32) + CREDENTIAL)
    mac = hmac.HMAC(_kdfa(seed, b"INTEGRITY", b"", 256), hashes.SHA256())
    mac.update(identity + name)
    outer = struct.pack(">H", 32) + mac.finalize()
    id_object = outer + identity
    return (
        bytes.fromhex("badcc0de00000001")
        + struct.pack(">H", len(id_object))
        + id_object
        + struct.pack(">H", len(secret))
        + secret
    )


class FakeRegistrar(FakeServer):
    """`replace` maps (method, end of path) to an answer or a function of the request."""

    def __init__(self, authority=None, port=0):
        self.replace = {}
        self.tags = []
        super().__init__(self._answer, authority, port)

    def _answer(self, request):
        for (method, end), answer in self.replace.items():
            if request.method == method and request.path.endswith(end):
                answered = answer(request) if callable(answer) else answer
                if answered != "usual":
                    return answered
        return self.usual(request)

    def usual(self, request):
        results = {}
        if request.path == "/version":
            results = {"current_version": "2.6", "supported_versions": ["2.5", "2.6", "3.0"]}
        elif request.method == "POST":
            body = request.json
            blob = make_credential(
                base64.b64decode(body["ek_tpm"]), base64.b64decode(body["aik_tpm"])
            )
            results = {"blob": base64.b64encode(blob).decode()}
        elif request.method == "PUT":
            agent_id = request.path.rsplit("/", 1)[1]
            mac = hmac.HMAC(base64.b64encode(CREDENTIAL), hashes.SHA384())
            mac.update(agent_id.encode())
            right = mac.finalize().hex() == request.json["auth_tag"]
            self.tags.append(right)
            if not right:
                return 400, {}, {"code": 400, "status": "wrong tag", "results": {}}
        return 200, {}, {"code": 200, "status": "Success", "results": results}


class FakeVerifier(FakeServer):
    def __init__(self, authority, port=0, seconds=1):
        self.replace = {}
        self.seconds = seconds
        self.sessions = 0
        super().__init__(self._answer, authority, port)

    _answer = FakeRegistrar._answer

    def usual(self, request):
        if request.path == "/v3.0/sessions":
            self.sessions += 1
            return 200, {}, self.session({"authentication_requested": [self.method()]})
        if request.path.startswith("/v3.0/sessions/"):
            return 200, {}, self.session({"evaluation": "pass", "token": f"token-{self.sessions}"})
        if request.method == "POST":
            return 201, {"Location": request.path + "/0"}, self.requested()
        if request.method == "PATCH":
            meta = {"seconds_to_next_attestation": self.seconds}
            return 202, {}, {"data": {"type": "attestation"}, "meta": meta}
        return 404, {}, {"code": 404, "status": "not found", "results": {}}

    @staticmethod
    def method():
        challenge = base64.b64encode(NONCE).decode()
        return {
            "authentication_class": "pop",
            "authentication_type": "tpm_pop",
            "chosen_parameters": {"challenge": challenge},
        }

    @staticmethod
    def session(attributes):
        return {"data": {"type": "session", "id": "9b0e5c8e", "attributes": attributes}}

    @staticmethod
    def requested(pcrs=(0, 10), bank="sha256", scheme="rsassa", more=()):
        parameters = {
            "challenge": base64.b64encode(NONCE).decode(),
            "signature_scheme": scheme,
            "hash_algorithm": bank,
            "selected_subjects": {bank: list(pcrs)},
        }
        item = {
            "evidence_class": "certification",
            "evidence_type": "tpm_quote",
            "chosen_parameters": parameters,
        }
        attributes = {"stage": "awaiting_evidence", "evidence_requested": [item, *more]}
        return {"data": {"type": "attestation", "attributes": attributes}}
