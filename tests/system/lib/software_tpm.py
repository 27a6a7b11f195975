# SPDX-License-Identifier: Apache-2.0
"""An attestation key in software that speaks the TPM's formats: public areas, TPM2_Certify, TPM2_Quote
and the blob of PCR values (tpm-formats 3, 7, 8). What it makes verifies like a TPM's own."""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ALGORITHMS = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
SCHEMES = {"rsassa": 0x0014, "rsapss": 0x0016, "ecdsa": 0x0018}
CURVES = {256: (0x0003, ec.SECP256R1), 384: (0x0004, ec.SECP384R1), 521: (0x0005, ec.SECP521R1)}
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384,
          "sha512": hashes.SHA512}
ATTRIBUTES_AK = 0x00050072
MAGIC = 0xFF544347
TYPE_CERTIFY = 0x8017
TYPE_QUOTE = 0x8018


def tpm2b(data):
    return struct.pack(">H", len(data)) + data


def base64_text(data):
    return base64.b64encode(data).decode()


def pcr_bitmap(pcrs):
    bits = sum(1 << pcr for pcr in pcrs)
    return bits.to_bytes(3, "little")


class SoftwareAk:
    """One attestation key with a clock and PCR banks of its own.

    scheme: "rsassa", "rsapss" or "ecdsa"; hash_name: of the key's scheme; bits: of the key;
    open_scheme: leave the scheme of the public area NULL; attributes: other than an AK's, for refusals.
    """

    def __init__(self, scheme="rsassa", hash_name="sha256", bits=None, open_scheme=False,
                 attributes=ATTRIBUTES_AK, name_hash="sha256"):
        self.scheme = scheme
        self.hash_name = hash_name
        self.name_hash = name_hash
        self.family = "ecc" if scheme == "ecdsa" else "rsa"
        self.bits = bits or (256 if self.family == "ecc" else 2048)
        if self.family == "ecc":
            self.key = ec.generate_private_key(CURVES[self.bits][1]())
        else:
            self.key = rsa.generate_private_key(65537, self.bits)
        self.attributes = attributes
        self.open_scheme = open_scheme
        self.clock = 1000
        self.reset_count = 1
        self.restart_count = 0
        self.safe = True
        self.firmware_version = 0x2024010100000000
        self.pcrs = {bank: {pcr: bytes(hashlib.new(bank).digest_size) for pcr in range(24)}
                     for bank in ("sha1", "sha256", "sha384", "sha512")}

    # --- the key ------------------------------------------------------------------------------------

    @property
    def tpmt(self):
        """TPMT_PUBLIC."""
        head = struct.pack(">HHI", 0x0023 if self.family == "ecc" else 0x0001,
                           ALGORITHMS[self.name_hash], self.attributes)
        head += tpm2b(b"") + struct.pack(">H", 0x0010)
        if self.open_scheme:
            head += struct.pack(">H", 0x0010)
        else:
            head += struct.pack(">HH", SCHEMES[self.scheme], ALGORITHMS[self.hash_name])
        numbers = self.key.public_key().public_numbers()
        if self.family == "ecc":
            size = (self.bits + 7) // 8
            return (head + struct.pack(">HH", CURVES[self.bits][0], 0x0010)
                    + tpm2b(numbers.x.to_bytes(size, "big")) + tpm2b(numbers.y.to_bytes(size, "big")))
        return (head + struct.pack(">HI", self.bits, 0)
                + tpm2b(numbers.n.to_bytes(self.bits // 8, "big")))

    @property
    def tpm2b_public(self):
        return tpm2b(self.tpmt)

    @property
    def ak_tpm(self):
        """Base64 TPM2B_PUBLIC, as an enrolment carries it."""
        return base64_text(self.tpm2b_public)

    @property
    def name(self):
        digest = hashlib.new(self.name_hash, self.tpmt).digest()
        return struct.pack(">H", ALGORITHMS[self.name_hash]) + digest

    # --- signing ------------------------------------------------------------------------------------

    def sign(self, message, scheme=None, hash_name=None):
        """TPMT_SIGNATURE over a message."""
        scheme = scheme or self.scheme
        hash_name = hash_name or self.hash_name
        algorithm = HASHES[hash_name]()
        head = struct.pack(">HH", SCHEMES[scheme], ALGORITHMS[hash_name])
        if scheme == "ecdsa":
            r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(algorithm)))
            size = (self.bits + 7) // 8
            return head + tpm2b(r.to_bytes(size, "big")) + tpm2b(s.to_bytes(size, "big"))
        if scheme == "rsapss":
            how = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        else:
            how = padding.PKCS1v15()
        return head + tpm2b(self.key.sign(message, how, algorithm))

    def _attest_head(self, kind, extra_data):
        self.clock += 100
        return (struct.pack(">IH", MAGIC, kind) + tpm2b(self.name) + tpm2b(extra_data)
                + struct.pack(">QIIB", self.clock, self.reset_count, self.restart_count,
                              1 if self.safe else 0)
                + struct.pack(">Q", self.firmware_version))

    def certify(self, challenge, certified_name=None):
        """TPM2_Certify of the AK by itself: (message, signature)."""
        name = certified_name or self.name
        message = self._attest_head(TYPE_CERTIFY, challenge) + tpm2b(name) + tpm2b(name)
        return message, self.sign(message)

    # --- PCRs and quotes ----------------------------------------------------------------------------

    def extend(self, bank, pcr, digest):
        self.pcrs[bank][pcr] = hashlib.new(bank, self.pcrs[bank][pcr] + digest).digest()

    def pcr_blob(self, bank, pcrs, values=None):
        """`subject_data`: selection and values, little-endian (tpm-formats 7.4)."""
        values = values or self.pcrs[bank]
        blob = struct.pack("<I", 1)
        blob += struct.pack("<HB", ALGORITHMS[bank], 3) + pcr_bitmap(pcrs) + bytes(2)
        blob += bytes(8 * 15)
        ordered = sorted(pcrs)
        lists = [ordered[i:i + 8] for i in range(0, len(ordered), 8)]
        blob += struct.pack("<I", len(lists))
        for members in lists:
            blob += struct.pack("<I", len(members))
            for pcr in members:
                blob += struct.pack("<H", len(values[pcr])) + values[pcr].ljust(64, b"\0")
            blob += bytes(66 * (8 - len(members)))
        return blob

    def quote(self, nonce, bank, pcrs, signed_pcrs=None):
        """TPM2_Quote: (message, signature, subject_data). `signed_pcrs`: sign another selection than
        the blob tells."""
        signed = sorted(pcrs if signed_pcrs is None else signed_pcrs)
        digest = hashlib.new(self.hash_name, b"".join(self.pcrs[bank][pcr] for pcr in signed))
        message = self._attest_head(TYPE_QUOTE, nonce)
        message += struct.pack(">IHB", 1, ALGORITHMS[bank], 3) + pcr_bitmap(signed)
        message += tpm2b(digest.digest())
        return message, self.sign(message), self.pcr_blob(bank, pcrs)

    def reboot(self):
        """A reset: counters as a TPM counts them, PCRs back to zero."""
        self.reset_count += 1
        self.restart_count = 0
        for bank in self.pcrs.values():
            for pcr in bank:
                bank[pcr] = bytes(len(bank[pcr]))

    # --- what agents send ---------------------------------------------------------------------------

    def capabilities(self, banks=("sha1", "sha256"), pcrs=range(24)):
        """`capabilities` of a tpm_quote item, as the push agents compose them."""
        return {
            "component_version": "2.0",
            "hash_algorithms": list(banks),
            "signature_schemes": ["rsassa", "rsapss", "ecdsa"],
            "available_subjects": {bank: list(pcrs) for bank in banks},
            "certification_keys": [{
                "key_class": "asymmetric", "key_algorithm": self.family, "key_size": self.bits,
                "server_identifier": "ak", "local_identifier": self.name.hex(),
                "public": base64_text(self.tpmt),
                "allowable_hash_algorithms": [self.hash_name],
                "allowable_signature_schemes": [self.scheme]}],
        }

    def possession(self, challenge_text):
        """`authentication_provided` for a session's challenge (base64 text)."""
        message, signature = self.certify(base64.b64decode(challenge_text))
        return [{"authentication_class": "pop", "authentication_type": "tpm_pop",
                 "data": {"message": base64_text(message), "signature": base64_text(signature)}}]

    def evidence(self, chosen):
        """The `data` of a tpm_quote item for its chosen parameters."""
        bank = chosen["hash_algorithm"]
        message, signature, blob = self.quote(base64.b64decode(chosen["challenge"]), bank,
                                              chosen["selected_subjects"][bank])
        return {"subject_data": base64_text(blob), "message": base64_text(message),
                "signature": base64_text(signature)}
