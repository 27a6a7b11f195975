# SPDX-License-Identifier: Apache-2.0
"""Whom the agent trusts, and what it says when a server cannot be used (contract §9, §11)."""
import json
import shutil
import socket

import pytest

from lib.fake_keylime import FakeRegistrar, FakeVerifier
from lib.fake_server import Authority
from lib.program import free_port
from lib.stage import AGENT, Stage


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


# --- trust -----------------------------------------------------------------------------------------


def test_wrong_authority(stage, tmp_path):
    """C9, C88, C111: nothing is sent, and the message has the way out."""
    other = Authority(tmp_path / "other", name="another CA")
    agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(other.certificate_path)})
    found = agent.wait_for_line(r"certificate verify failed.*")[0]
    assert "verifier_tls_ca_cert" in found and "scp" in found and str(other.certificate_path) in found
    assert "test CA" in found
    assert stage.verifier.requests == []


def test_system_store_does_not_count(stage, tmp_path):
    """C89."""
    other = Authority(tmp_path / "other")
    agent = stage.agent(env={
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(other.certificate_path),
        "SSL_CERT_FILE": str(stage.authority.certificate_path)})
    agent.wait_for_line("certificate verify failed")
    assert stage.verifier.requests == []


@pytest.mark.parametrize("hosts,days,option", [
    (("elsewhere.example",), 1, "KEYLIME_AGENT_TLS_ACCEPT_INVALID_HOSTNAMES"),
    (("localhost",), -1, None)])
def test_wrong_name_and_expired(stage, tmp_path, hosts, days, option):
    """C57, C90: only the name can be waived by tls_accept_invalid_hostnames; --insecure waives all."""
    stage.verifier.stop()
    stage.authority = Authority(tmp_path / "second", hosts=hosts, days=days)
    stage.verifier = FakeVerifier(stage.authority)
    agent = stage.agent()
    agent.wait_for_line("certificate verify failed")
    agent.stop()
    if option:
        lenient = stage.agent(env={option: "true"})
        lenient.wait_for_line("INSECURE: TLS hostname verification is DISABLED!")
        lenient.wait_for_line("SUCCESS! Evidence accepted")
        lenient.stop()
    else:
        strict = stage.agent(env={"KEYLIME_AGENT_TLS_ACCEPT_INVALID_HOSTNAMES": "true"})
        strict.wait_for_line("certificate verify failed")
        strict.stop()
    insecure = stage.agent("--insecure", env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": "/nowhere"})
    insecure.wait_for_line("INSECURE: TLS certificate validation is DISABLED!")
    insecure.wait_for_line("SUCCESS! Evidence accepted")


def test_bundle_that_changes(stage, tmp_path):
    """C9, C91: a second certificate in the file counts as soon as it is there."""
    bundle = tmp_path / "bundle.pem"
    other = Authority(tmp_path / "other", name="another CA")
    bundle.write_bytes(other.certificate_path.read_bytes())
    agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(bundle)})
    agent.wait_for_line("certificate verify failed")
    with open(bundle, "ab") as file:
        file.write(stage.authority.certificate_path.read_bytes())
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_no_client_certificate_is_sent(stage):
    """C95: also when options of the pull agent name one."""
    agent = stage.agent(env={"KEYLIME_AGENT_SERVER_CERT": str(stage.authority.certificate_path),
                             "KEYLIME_AGENT_SERVER_KEY": str(stage.authority.chain_path)})
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_registrar_tls_is_never_dropped(stage, tmp_path):
    """C92: a broken handshake is not answered with plain HTTP, however often."""
    seen = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    stage.registrar.stop()
    shutil.copy(stage.authority.certificate_path, tmp_path / "ca.pem")
    agent = stage.agent(env={
        "KEYLIME_AGENT_REGISTRAR_TLS_ENABLED": "true",
        "KEYLIME_AGENT_REGISTRAR_TLS_PORT": str(listener.getsockname()[1]),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(listener.getsockname()[1]),
        "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(tmp_path / "ca.pem"),
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "1"})
    for _ in range(6):
        connection, _ = listener.accept()
        seen.append(connection.recv(16))
        connection.close()
    listener.close()
    assert all(first[:1] == b"\x16" for first in seen), seen
    assert agent.running()


def test_registrar_over_tls(stage):
    stage.registrar.stop()
    stage.registrar = FakeRegistrar(stage.authority)
    agent = stage.agent("--registrar-url", stage.registrar.url, env={
        "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(stage.authority.certificate_path)})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")


# --- what is wrong is said -------------------------------------------------------------------------


def test_plain_port(stage):
    """C108: verifier_url points at a port without TLS."""
    agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_URL": f"https://localhost:{stage.registrar.port}"})
    agent.wait_for_line(r"Network error.*no TLS on this port")


def test_nobody_listens(stage):
    """C107, C109: the URL and the cause; recovery without a restart."""
    port = free_port()
    agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_URL": f"https://localhost:{port}"})
    agent.wait_for_line(
        rf"Network error \(connection failed\).*refused.*https://localhost:{port}/v3.0/sessions")
    stage.verifier.stop()
    stage.verifier = FakeVerifier(stage.authority, port)
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_name_that_does_not_resolve(stage):
    agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_URL": "https://no-such-host.invalid:8881"})
    agent.wait_for_line(r"Network error \(connection failed\).*no-such-host\.invalid")


@pytest.mark.parametrize("status,text", [
    (200, r"answers, but is no Keylime verifier \(status 200\)"), (404, "mode = push")])
def test_another_service(stage, status, text):
    """C107, C116c."""
    stage.verifier.replace[("POST", "/sessions")] = (status, {}, b"<html>hello</html>")
    stage.agent().wait_for_line(text)


def test_unenrolled_agent(stage):
    """C84: 404 names the agent and the command; the agent goes on by itself."""
    error = {"errors": [{"status": "404", "code": "not_found", "detail": "no agent"}]}
    stage.verifier.replace[("POST", "/attestations")] = (404, {}, error)
    agent = stage.agent()
    agent.wait_for_line(rf"agent {AGENT} is not enrolled.*keylime_tenant -c add --push-model -u {AGENT}")
    stage.verifier.replace.clear()
    agent.wait_for_line("SUCCESS! Evidence accepted")


def test_identity_file_is_as_upstreams(stage):
    """push-agent §5.3: the format, and the mode of D94."""
    stage.agent().wait_for_line("SUCCESS! Evidence accepted")
    path = stage.deployment.keylime_dir / "agent_data.json"
    data = json.loads(path.read_text())
    assert set(data) == {"ak_hash_alg", "ak_sign_alg", "ak_public", "ak_private", "ek_hash"}
    assert data["ak_hash_alg"] == "Sha256" and data["ak_sign_alg"] == "RsaSsa"
    assert path.stat().st_mode & 0o777 == 0o600
