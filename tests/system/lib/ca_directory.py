# SPDX-License-Identifier: Apache-2.0
"""Certificates by the CA that a server made for itself, as its operator could issue them."""
import base64
import datetime
import hashlib
import ipaddress
import pathlib

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

HOSTS = ("localhost", "127.0.0.1", "::1")


class CaDirectory:
    """`cv_ca` or `reg_ca`; the key store has its default password (tenant-and-management-api 10.2)."""

    def __init__(self, path, password=b"default"):
        self.path = pathlib.Path(path)
        self.certificate = x509.load_pem_x509_certificate((self.path / "cacert.crt").read_bytes())
        outer = yaml.safe_load((self.path / "private.yml").read_text())
        key = hashlib.pbkdf2_hmac("sha256", password, outer["salt"].encode(), 100000, 32)
        sealed = base64.b64decode(outer["priv"])
        inner = yaml.safe_load(AESGCM(key).decrypt(sealed[:16], sealed[16:], None))
        self.key = serialization.load_pem_private_key(inner["ca"], None)

    def issue(self, name, age=5, life=365 * 24 * 60, usages=(), same_names=False):
        """Replaces `<name>-cert.crt` by another one for the same key; `age` and `life` in minutes,
        `usages` are extended key usages. The names are those of this machine's loopback, or of the present one."""
        private = (self.path / f"{name}-private.pem").read_bytes()
        public = serialization.load_pem_private_key(private, None).public_key()
        begin = datetime.datetime.utcnow() - datetime.timedelta(minutes=age)
        path = self.path / f"{name}-cert.crt"
        hosts = [x509.IPAddress(ipaddress.ip_address(host)) if ":" in host or host[0].isdigit()
                 else x509.DNSName(host) for host in HOSTS]
        if same_names:
            present = x509.load_pem_x509_certificate(path.read_bytes())
            hosts = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(minutes=life))
            .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                           critical=False)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
