# SPDX-License-Identifier: Apache-2.0
"""An endorsement key in software: its public area after the TCG templates, ActivateCredential, and the
certificate of a TPM maker (tpm-formats 4.1, 6). For tests of registrars only."""
import base64
import datetime
import hashlib
import hmac
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .software_tpm import tpm2b

ATTRIBUTES_EK = 0x000300B2
POLICY_EK = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
HASHED = hashes.SHA256()
EK_USAGE = x509.ObjectIdentifier("2.23.133.8.1")


def kdfa(key, label, context, bits):
    data = struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits)
    return hmac.new(key, data, hashlib.sha256).digest()[: bits // 8]


def kdfe(z, label, party_u, party_v):
    return hashlib.sha256(struct.pack(">I", 1) + z + label + b"\0" + party_u + party_v).digest()


class SoftwareEk:
    """family: "rsa" (template L-1) or "ecc" (L-2)."""

    def __init__(self, family="rsa"):
        self.family = family
        if family == "rsa":
            self.key = rsa.generate_private_key(65537, 2048)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def tpm2b_public(self):
        head = struct.pack(">HHI", 0x0001 if self.family == "rsa" else 0x0023, 0x000B, ATTRIBUTES_EK)
        head += tpm2b(POLICY_EK) + struct.pack(">HHHH", 0x0006, 128, 0x0043, 0x0010)
        numbers = self.key.public_key().public_numbers()
        if self.family == "rsa":
            tail = struct.pack(">HI", 2048, 0) + tpm2b(numbers.n.to_bytes(256, "big"))
        else:
            tail = struct.pack(">HH", 0x0003, 0x0010)
            tail += tpm2b(numbers.x.to_bytes(32, "big")) + tpm2b(numbers.y.to_bytes(32, "big"))
        return tpm2b(head + tail)

    # --- ActivateCredential -----------------------------------------------------------------------

    def _seed(self, secret):
        if self.family == "rsa":
            oaep = padding.OAEP(padding.MGF1(HASHED), HASHED, b"IDENTITY\0")
            return self.key.decrypt(secret, oaep)
        (size,) = struct.unpack_from(">H", secret)
        x, y = secret[2 : 2 + size], secret[4 + size :]
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
        ).public_key()
        z = self.key.exchange(ec.ECDH(), point)
        own = self.key.public_key().public_numbers().x.to_bytes(32, "big")
        return kdfe(z, b"IDENTITY", x, own)

    def open(self, blob, name):
        """The credential sealed for the object `name`; AssertionError when it is for another one."""
        assert blob[:8] == bytes.fromhex("badcc0de00000001")
        (size,) = struct.unpack_from(">H", blob, 8)
        id_object, rest = blob[10 : 10 + size], blob[10 + size :]
        (secret_size,) = struct.unpack_from(">H", rest)
        assert len(rest) == 2 + secret_size
        seed = self._seed(rest[2:])
        (mac_size,) = struct.unpack_from(">H", id_object)
        mac, sealed = id_object[2 : 2 + mac_size], id_object[2 + mac_size :]
        integrity_key = kdfa(seed, b"INTEGRITY", b"", 256)
        assert hmac.new(integrity_key, sealed + name, hashlib.sha256).digest() == mac
        storage_key = kdfa(seed, b"STORAGE", name, 128)
        cipher = Cipher(algorithms.AES(storage_key), modes.CFB(bytes(16))).decryptor()
        opened = cipher.update(sealed) + cipher.finalize()
        (length,) = struct.unpack_from(">H", opened)
        return opened[2 : 2 + length]

    # --- the maker's certificate --------------------------------------------------------------------

    def certificate(self, maker, usage=EK_USAGE, days=(-1, 365)):
        return maker.issue(self.key.public_key(), "TPM", usage=usage, days=days)


def auth_tag(credential, agent_id):
    key = base64.b64encode(credential)
    return hmac.new(key, agent_id.encode(), hashlib.sha384).hexdigest()


class Maker:
    """A TPM maker's CA, or with `parent` an intermediate one."""

    SERVER_USAGE = x509.ExtendedKeyUsageOID.SERVER_AUTH

    def __init__(self, name="Maker", parent=None, days=(-1, 3650)):
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (parent or self).issue(self.key.public_key(), name, ca=True, days=days)

    def issue(self, public_key, name, usage=None, ca=False, days=(-1, 365), san=None):
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName([san]), critical=False)
        return builder.sign(self.key, HASHED)


def pem(*certificates):
    return "".join(
        each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates
    )


def der_base64(certificate):
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
