# SPDX-License-Identifier: Apache-2.0
"""IAK and IDevID at the registrar: certificates, the proof that the AK lives beside the IAK, and when it
is needed (registrar-api 8.1, 8.5; tpm-formats 8.3)."""
import hashlib

import pytest
from cryptography import x509

from lib.registration import Machine, Registrar, base64_text
from lib.software_ek import Maker, der_base64, pem
from lib.software_tpm import TYPE_CERTIFY, SoftwareAk, tpm2b
from test_registrar import INVALID, check, trust

ATTRIBUTES_IAK = 0x000500F2
ATTRIBUTES_IDEVID = 0x000400F2
HARDWARE_MODULE_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
# SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
TPM_MODULE = bytes.fromhex("300b" "0605" "6781050102" "0402" "3031")
OTHER_MODULE = bytes.fromhex("300b" "0605" "6781050103" "0402" "3031")


class Device:
    """A machine whose TPM has an IAK and an IDevID."""

    def __init__(self, agent_id, maker, scheme="ecdsa", hash_name="sha256"):
        self.machine = Machine(agent_id)
        self.maker = maker
        bits = {"sha384": 384, "sha512": 521}.get(hash_name) if scheme == "ecdsa" else None
        self.iak = SoftwareAk(scheme, hash_name, bits=bits, attributes=ATTRIBUTES_IAK)
        self.idevid = SoftwareAk("ecdsa", attributes=ATTRIBUTES_IDEVID)

    def certificate(self, key, module=TPM_MODULE):
        san = x509.OtherName(HARDWARE_MODULE_NAME, module) if module else None
        return self.maker.issue(key.key.public_key(), "device", san=san)

    def certify(self, qualifying, name=None):
        """TPM2_Certify of the AK by the IAK."""
        name = name or self.machine.ak.name
        head = self.iak._attest_head(TYPE_CERTIFY, qualifying)
        message = head + tpm2b(name) + tpm2b(name)
        return message, self.iak.sign(message)

    def members(self, **changes):
        digest = hashlib.sha256(self.machine.agent_id.encode()).digest()
        attest, signature = self.certify(digest)
        members = {
            "iak_tpm": self.iak.ak_tpm,
            "iak_cert": pem(self.certificate(self.iak)),
            "idevid_tpm": self.idevid.ak_tpm,
            "idevid_cert": der_base64(self.certificate(self.idevid)),
            "iak_attest": base64_text(attest),
            "iak_sign": base64_text(signature),
        }
        members.update(changes)
        return members


@pytest.fixture
def maker():
    return Maker("Device maker")


@pytest.fixture
def registrar(deployment, maker):
    made = Registrar(deployment)
    trust(made, maker)
    return made


@pytest.mark.parametrize("scheme, hash_name", [
    ("ecdsa", "sha256"), ("ecdsa", "sha384"), ("ecdsa", "sha512"), ("rsapss", "sha256"),
    ("rsassa", "sha384"),
])
def test_device_identity(registrar, maker, scheme, hash_name):
    device = Device("a1", maker, scheme, hash_name)
    device.machine.enter(registrar.plain, **device.members())
    record = registrar.record("a1")
    assert not [name for name in record if name.startswith(("iak", "idevid"))]


def test_both_forms_of_the_agent_id_are_accepted(registrar, maker):
    device = Device("a1", maker)
    attest, signature = device.certify(b"a1")
    device.machine.enter(registrar.plain, **device.members(
        iak_attest=base64_text(attest), iak_sign=base64_text(signature)))


def refused(registrar, device, reason, **changes):
    answer = device.machine.register(registrar.plain, **device.members(**changes))
    status = check(answer, 400)["status"]
    assert status.startswith(f"{INVALID}: ") and reason in status, status


def test_proof_that_does_not_hold(registrar, maker):
    device = Device("a1", maker)
    other = Device("a1", maker)
    digest = hashlib.sha256(b"a1").digest()
    wrong = [
        device.certify(hashlib.sha256(b"a2").digest()),
        device.certify(b""),
        device.certify(digest, name=other.machine.ak.name),
        other.certify(digest, name=device.machine.ak.name),
    ]
    for attest, signature in wrong:
        refused(registrar, device, "iak_attest does not certify",
                iak_attest=base64_text(attest), iak_sign=base64_text(signature))
    attest, signature = device.certify(digest)
    for message, proof in (
        (attest[:-1], signature), (attest + b"\0", signature), (attest, signature[:3]),
        (attest, signature + b"\0"), (attest, b"\0\x16"),
    ):
        refused(registrar, device, "iak_attest does not certify",
                iak_attest=base64_text(message), iak_sign=base64_text(proof))
    for missing in ("iak_attest", "iak_sign"):
        refused(registrar, device, "required with iak_tpm", **{missing: None})
    assert registrar.list() == []


def test_keys_and_certificates_come_together(registrar, maker):
    device = Device("a1", maker)
    refused(registrar, device, "iak_tpm was sent without", iak_cert=None)
    refused(registrar, device, "iak_cert was sent without", iak_tpm=None)
    refused(registrar, device, "idevid_tpm was sent without", idevid_cert="")
    refused(registrar, device, "idevid_cert was sent without", idevid_tpm=...)


def test_certificates_that_do_not_fit(registrar, maker):
    device = Device("a1", maker)
    stranger = Device("a1", Maker("Stranger"))
    refused(registrar, device, "iak_cert does not hold the key",
            iak_cert=pem(device.certificate(device.idevid)))
    refused(registrar, device, "idevid_cert does not hold the key",
            idevid_cert=pem(device.certificate(device.iak)))
    refused(registrar, device, "Stranger", iak_cert=pem(stranger.certificate(device.iak)))
    refused(registrar, device, "does not say that the key is a TPM's",
            iak_cert=pem(device.certificate(device.iak, module=None)))
    refused(registrar, device, "does not say that the key is a TPM's",
            idevid_cert=pem(device.certificate(device.idevid, module=OTHER_MODULE)))
    refused(registrar, device, "iak_cert ", iak_cert="x")


def test_unsuitable_iak(registrar, maker):
    device = Device("a1", maker)
    device.iak.attributes = 0x000400F2  # would sign anything
    refused(registrar, device, "iak_tpm: ")


def test_another_iak_needs_another_proof(registrar, maker):
    device = Device("a1", maker)
    device.machine.enter(registrar.plain, **device.members())
    # The same IAK was proven; it may come again without.
    device.machine.enter(registrar.plain, **device.members(iak_attest=None, iak_sign=None))
    # Left out: stays.
    device.machine.enter(registrar.plain)
    device.machine.enter(registrar.plain, **device.members(iak_attest=None, iak_sign=None))
    proven = device.iak
    device.iak = SoftwareAk("ecdsa", attributes=ATTRIBUTES_IAK)
    refused(registrar, device, "required with iak_tpm", iak_attest=None, iak_sign=None)
    device.machine.enter(registrar.plain, **device.members())
    device.iak = proven
    refused(registrar, device, "required with iak_tpm", iak_attest=None, iak_sign=None)
