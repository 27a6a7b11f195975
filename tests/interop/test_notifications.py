# SPDX-License-Identifier: Apache-2.0
"""Upstream's receiver takes what our verifier tells, and believes its signature (contract U22)."""
import datetime
import json
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from lib.fake_server import Authority
from lib.notification_site import NotificationSite, Receiver, SigningKey

RECEIVE = """
import json, sys
from keylime import revocation_notifier
taken = []
revocation_notifier.process_revocation(json.load(sys.stdin), taken.append, sys.argv[1])
print(json.dumps(taken))
"""


def certificate_of(key):
    """RevocationNotifier-cert.crt, as upstream's tenant makes it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RevocationNotifier")])
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.key.public_key())
            .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
            .sign(key.key, hashes.SHA256()))
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def told(tmp_path):
    """(agent, key, body): a failure, as it arrives at a webhook."""
    authority = Authority(tmp_path / "authority")
    receiver = Receiver(authority)
    site = NotificationSite(tmp_path / "site", authority, webhook_url=receiver.hook,
                            enabled_revocation_notifications="['webhook']")
    key = SigningKey()
    agent = site.agent(revocation_key=key.pem, metadata='{"place": "\u00e9"}')
    site.fail(agent)
    receiver.wait_for(agent, "revocation")
    yield agent, key, receiver.requests[0].body
    site.deployment.stop()
    receiver.stop()


def receive(installation, directory, key, body):
    """What upstream's code hands to the receiver's own."""
    certificate = directory / "RevocationNotifier-cert.crt"
    certificate.write_bytes(certificate_of(key))
    done = subprocess.run([installation.place / "bin/python", "-c", RECEIVE, certificate], input=body,
                          capture_output=True, timeout=60, env={"KEYLIME_DIR": str(directory), "PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_U22_upstreams_receiver_believes_our_signature(installation, told, tmp_path):
    agent, key, body = told
    message, = receive(installation, tmp_path, key, body)
    assert (message["type"], message["agent_id"], message["ip"]) == ("revocation", agent.id, None)
    assert "PCR 15" in json.loads(message["context"])["message"]
    assert receive(installation, tmp_path, key, body.replace(b"revocation", b"recovered!")) == []
    assert receive(installation, tmp_path, SigningKey(), body) == []
