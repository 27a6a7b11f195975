# SPDX-License-Identifier: Apache-2.0
"""What a machine has that ran upstream's servers: its configuration files of version 2.6 with every option
at its default (configuration-and-operations 3, 4, 6, 7), and a CA directory as it makes one (10.4)."""
import base64
import datetime
import hashlib
import ipaddress
import os
import socket

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID, ObjectIdentifier

NETSCAPE_COMMENT = ObjectIdentifier("2.16.840.1.113730.1.13")

DURABLE = {
    "durable_attestation_import": "", "persistent_store_url": "", "transparency_log_url": "",
    "time_stamp_authority_url": "", "time_stamp_authority_certs_path": "",
    "persistent_store_format": "json", "persistent_store_encoding": "",
    "transparency_log_sign_algo": "sha256",
}
FILES = {
    "verifier.conf": {"verifier": {
        "version": "2.6", "uuid": "default", "ip": '"127.0.0.1"', "port": "8881",
        "registrar_ip": "127.0.0.1", "registrar_port": "8891", "enable_agent_mtls": "True",
        "tls_dir": "generate", "server_key": "default", "server_key_password": "",
        "server_cert": "default", "cert_subject_alternative_names": "", "trusted_client_ca": "default",
        "client_key": "default", "client_key_password": "", "client_cert": "default",
        "trusted_server_ca": "default", "authorization_provider": "simple", "database_url": "sqlite",
        "database_pool_sz_ovfl": "5,10", "auto_migrate_db": "True", "num_workers": "0",
        "max_workers": "16", "exponential_backoff": "True", "retry_interval": "2", "max_retries": "5",
        "quote_interval": "2", "max_upload_size": "104857600", "request_timeout": "60.0",
        "measured_boot_policy_name": "accept-all", "measured_boot_imports": "[]",
        "measured_boot_evaluate": "once",
        "severity_labels":
            '["info", "notice", "warning", "error", "critical", "alert", "emergency"]',
        "severity_policy": '[{"event_id": ".*", "severity_label" : "emergency"}]',
        "ignore_tomtou_errors": "False", **DURABLE, "signed_attributes": "",
        "require_allow_list_signatures": "False", "mode": "pull", "challenge_lifetime": "1800",
        "verification_timeout": "0", "session_create_rate_limit_per_ip": "50",
        "session_create_rate_limit_window_ip": "60", "session_create_rate_limit_per_agent": "15",
        "session_create_rate_limit_window_agent": "60", "session_lifetime": "180",
        "extend_token_on_attestation": "True", "auto_recover_attestation_failures": "False",
        "shutdown_drain_timeout": "10",
    }, "revocations": {
        "enabled_revocation_notifications": "['agent']", "zmq_ip": "127.0.0.1", "zmq_port": "8992",
        "webhook_url": "",
    }},
    "registrar.conf": {"registrar": {
        "version": "2.6", "ip": '"127.0.0.1"', "port": "8890", "tls_port": "8891", "tls_dir": "default",
        "server_key": "default", "server_key_password": "", "server_cert": "default",
        "cert_subject_alternative_names": "", "trusted_client_ca": "default",
        "authorization_provider": "simple", "database_url": "sqlite", "database_pool_sz_ovfl": "5,10",
        "max_workers": "16", "auto_migrate_db": "True", **DURABLE,
        "signed_attributes": "ek_tpm,aik_tpm,ekcert", "tpm_identity": "default",
        "malformed_cert_action": "warn",
    }},
    "ca.conf": {"ca": {
        "password": "default", "version": "2.6", "cert_country": "US",
        "cert_ca_name": "Keylime Certificate Authority", "cert_state": "MA",
        "cert_locality": "Lexington", "cert_organization": "Keylime", "cert_org_unit": "53",
        "cert_ca_lifetime": "3650", "cert_lifetime": "365", "cert_bits": "2048",
        "cert_crl_dist": "http://localhost:38080/crl",
    }},
    "logging.conf": {
        "logging": {"version": "2.6"},
        "loggers": {"keys": "root,keylime"}, "handlers": {"keys": "consoleHandler"},
        "formatters": {"keys": "formatter"},
        "formatter_formatter": {
            "format": "%(asctime)s.%(msecs)03d - %(name)s - %(levelname)s - %(message)s",
            "datefmt": "%Y-%m-%d %H:%M:%S"},
        "logger_root": {"level": "INFO", "handlers": "consoleHandler"},
        "handler_consoleHandler": {"class": "StreamHandler", "level": "INFO",
                                   "formatter": "formatter", "args": "(sys.stdout,)"},
        "logger_keylime": {"level": "INFO", "qualname": "keylime", "handlers": ""},
    },
}


def text_of(name):
    return "".join(f"[{section}]\n" + "".join(f"{option} = {value}\n" for option, value in rows.items())
                   for section, rows in FILES[name].items())


def make_authority(path):
    """`cv_ca` with CA, server and client: RSA, no extended key usage, no basic constraints in leaves."""
    path.mkdir(parents=True, mode=0o700)
    now = datetime.datetime.utcnow()
    ca_key = rsa.generate_private_key(65537, 2048)

    def name_of(common_name):
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in (
            (NameOID.COUNTRY_NAME, "US"), (NameOID.COMMON_NAME, common_name),
            (NameOID.STATE_OR_PROVINCE_NAME, "MA"), (NameOID.LOCALITY_NAME, "Lexington"),
            (NameOID.ORGANIZATION_NAME, "Keylime"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "53"))])

    def certificate(common_name, key, serial, days, extensions):
        builder = (
            x509.CertificateBuilder().subject_name(name_of(common_name))
            .issuer_name(name_of("Keylime Certificate Authority")).public_key(key.public_key())
            .serial_number(serial).not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=days)))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def private_pem(key):
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption())

    def write(name, data):
        (path / name).write_bytes(data)
        (path / name).chmod(0o640)

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    write("cacert.crt", certificate("Keylime Certificate Authority", ca_key, 1, 3650, [
        (x509.BasicConstraints(True, None), True), (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)]))
    names = sorted({"localhost", socket.gethostname(), socket.getfqdn()})
    subjects = {
        "server": [x509.DNSName(each) for each in names]
        + [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")],
        "client": [x509.DNSName("client")],
    }
    inner = {"ca": private_pem(ca_key), "lastserial": 3, "revoked_keys": []}
    for serial, (name, alternatives) in enumerate(subjects.items(), 2):
        key = rsa.generate_private_key(65537, 2048)
        extensions = [
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False),
            (x509.SubjectAlternativeName(alternatives), False)]
        if name == "server":
            comment = x509.UnrecognizedExtension(NETSCAPE_COMMENT, b"SSL Server")
            extensions.append((comment, False))
        write(f"{name}-cert.crt", certificate(name, key, serial, 365, extensions))
        write(f"{name}-private.pem", private_pem(key))
        inner[name] = private_pem(key)
    salt, iv = base64.b64encode(os.urandom(16)).decode(), os.urandom(16)
    sealing_key = hashlib.pbkdf2_hmac("sha256", b"default", salt.encode(), 100000, 32)
    sealed = iv + AESGCM(sealing_key).encrypt(iv, yaml.dump(inner).encode(), None)
    write("private.yml", yaml.dump({"priv": base64.b64encode(sealed), "salt": salt}).encode())
