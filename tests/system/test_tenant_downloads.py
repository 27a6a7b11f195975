# SPDX-License-Identifier: Apache-2.0
"""What the tenant fetches before it sends anything: policies, allow lists and keys behind URLs, and the
signatures of keys (tenant-and-management-api 2.3, 2.4)."""
import hashlib
import json
import pathlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib.fake_server import Authority, FakeServer
from lib.program import free_port
from test_runtime_policies import FileSigner
from test_tenant_policies import POLICY, machine, servers, verdict, write  # noqa: F401

# Signed by `signer`; see the README there.
OPENPGP = pathlib.Path(__file__).parents[1] / "unit/tenant/openpgp"
KEY = (OPENPGP / "ima-key.pem").read_bytes()
ENROL = ("-c", "add", "--push-model", "-u")


class Files:
    """An HTTPS server of files; a status in place of content is answered without any."""

    def __init__(self, directory):
        self.content = {}
        self.server = FakeServer(self.answer, Authority(directory / "web"))
        self.trust = {"CURL_CA_BUNDLE": str(self.server.authority.certificate_path)}

    def answer(self, request):
        found = self.content.get(request.path, 404)
        return (found, {"Location": f"{self.server.url}/list"}, b"") if isinstance(found, int) else \
            (200, {"Content-Type": "text/plain"}, found)

    def put(self, name, content):
        self.content["/" + name] = content
        return f"{self.server.url}/{name}"


@pytest.fixture
def web(tmp_path):
    files = Files(tmp_path)
    yield files
    files.server.stop()


def ecdsa_pair(tmp_path, content):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM,
                                           serialization.PublicFormat.SubjectPublicKeyInfo)
    return write(tmp_path / "ec.pem", public.decode()), key.sign(content, ec.ECDSA(hashes.SHA256()))


def test_an_allow_list_behind_a_url(servers, machine, web, tmp_path):
    digest = machine.run("/bin/sh")[0]
    machine.run("/tmp/x")
    aggregate = machine.policy()["digests"]["boot_aggregate"][0]
    url = web.put("list", f"{aggregate}  boot_aggregate\n{digest}  /bin/sh\n".encode())
    exclude = write(tmp_path / "exclude", "/tmp/.*\n")
    done = servers.tenant(*ENROL, machine.id, "--allowlist-url", url, "--exclude", exclude, env=web.trust,
                          check=0)
    assert f"--allowlist-url: downloading {url}" in done.stdout and "are deprecated" in done.stdout
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "pass"
    machine.run("/usr/bin/unknown")
    assert verdict(servers, machine)["evaluation"] == "fail"


def test_an_allow_list_behind_a_url_is_stored_by_name(servers, web):
    url = web.put("list", b"0" * 64 + b"  boot_aggregate\n")
    servers.tenant("-c", "addallowlist", "--allowlist-name", "old", "--allowlist-url", url, env=web.trust,
                   check=0)
    shown = servers.tenant("-c", "showallowlist", "--allowlist-name", "old", "--json", check=0).stdout
    assert json.loads(json.loads(shown)["results"]["runtime_policy"])["digests"] == \
        {"boot_aggregate": ["0" * 64]}


def test_a_policy_behind_a_url_needs_its_checksum(servers, web):
    text = json.dumps(POLICY).encode()
    url = web.put("policy", text)
    arguments = ["-c", "addruntimepolicy", "--runtime-policy-name", "far", "--runtime-policy-url", url,
                 "--runtime-policy-checksum"]
    done = servers.tenant(*arguments, "00" * 32, env=web.trust, check=1)
    assert hashlib.sha256(text).hexdigest() in done.stdout
    servers.tenant("-c", "showruntimepolicy", "--runtime-policy-name", "far", check=1)
    servers.tenant(*arguments, hashlib.sha256(text).hexdigest(), env=web.trust, check=0)


@pytest.mark.parametrize("option", ["--allowlist-url", "--signature-verification-key-url",
                                    "--runtime-policy-url"])
def test_downloads_that_fail(servers, machine, web, tmp_path, option):
    """No server, no trust, another name, another status, a redirection: nothing is enrolled."""
    more = ["--runtime-policy-checksum", "00" * 32] if option == "--runtime-policy-url" else []
    other = Authority(tmp_path / "other", hosts=["elsewhere.example.org"])
    stranger = FakeServer(web.answer, other)
    web.put("list", b"0" * 64 + b"  boot_aggregate\n")
    try:
        for url, env, words in [
            (f"https://localhost:{free_port()}/list", web.trust, "refused"),
            (f"{web.server.url}/list", {}, "certificate"),
            (f"{stranger.url}/list", {"CURL_CA_BUNDLE": str(other.certificate_path)}, "elsewhere.example.org"),
            (web.put("none", 404), web.trust, "answered 404"),
            (web.put("moved", 302), web.trust, "answered 302"),
            (f"{web.server.url}/list", {"CURL_CA_BUNDLE": str(tmp_path / "no")}, "CA file"),
        ]:
            done = servers.tenant(*ENROL, machine.id, option, url, *more, env=env, check=1)
            said = done.stdout.splitlines()[-1]
            assert option in said and words in said, said
    finally:
        stranger.stop()
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)


def test_a_silent_server_is_given_up(servers, machine, web):
    web.server.answer = lambda request: "silence"
    done = servers.tenant(*ENROL, machine.id, "--allowlist-url", f"{web.server.url}/list",
                          env={**web.trust, "KEYLIME_TENANT_REQUEST_TIMEOUT": "1"}, check=1)
    assert "--allowlist-url" in done.stdout.splitlines()[-1]


def test_a_key_of_any_size_is_not_taken(servers, machine, web):
    url = web.put("key", KEY + bytes(10 * 1024 * 1024))
    done = servers.tenant(*ENROL, machine.id, "--signature-verification-key-url", url, env=web.trust, check=1)
    assert "larger than" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("arguments", [
    ["--allowlist-url", "http://localhost/list"],
    ["--allowlist-url", "/etc/list"],
    ["--allowlist-url", "https://localhost/list", "--allowlist", "list"],
    ["--allowlist-url", "https://localhost/list", "--runtime-policy", "policy"],
    ["--signature-verification-key-url", "http://localhost/key"],
    ["--signature-verification-key-sig", "s", "--signature-verification-key-sig-key", "k"],
    ["--signature-verification-key", "a", "--signature-verification-key-sig", "s"],
    ["--signature-verification-key", "a", "--signature-verification-key-sig-key", "k"],
    ["--signature-verification-key", "a", "--signature-verification-key-sig", "s",
     "--signature-verification-key-sig", "t", "--signature-verification-key-sig-key", "k",
     "--signature-verification-key-sig-key", "k"],
    ["--signature-verification-key", "a", "--signature-verification-key-sig-url", "https://localhost/s",
     "--signature-verification-key-sig-url-key", "k"],
    ["--signature-verification-key-url", "https://localhost/a", "--signature-verification-key-sig-url",
     "https://localhost/s"],
])
def test_options_that_do_not_fit(deployment, arguments):
    done = deployment.tenant(*ENROL, "a", *arguments, check=2)
    assert done.stdout == "" and done.stderr.startswith("keylime_tenant: --")


def test_keys_of_files_and_urls_verify(servers, machine, web, tmp_path):
    """The first by OpenPGP, the second without a signature, the third by ECDSA: all of them count."""
    local, remote = FileSigner(), FileSigner()
    (tmp_path / "local.der").write_bytes(local.der)
    signer, signature = ecdsa_pair(tmp_path, remote.der)
    web.put("key", remote.der)
    web.put("key.sig", signature)
    plain = FakeServer(web.answer)  # what a signature vouches for may come over plain HTTP
    done = servers.tenant(
        *ENROL, machine.id, "--runtime-policy", write(tmp_path / "policy", machine.policy()),
        "--signature-verification-key", str(OPENPGP / "ima-key.pem"),
        "--signature-verification-key-sig", str(OPENPGP / "ima-key.pem.signer.asc"),
        "--signature-verification-key-sig-key", str(OPENPGP / "signer.asc"),
        "--sign_verification_key", str(tmp_path / "local.der"),
        "--signature-verification-key-url", f"{plain.url}/key",
        "--signature-verification-key-sig-url", f"{plain.url}/key.sig",
        "--signature-verification-key-sig-url-key", signer, check=0)
    plain.stop()
    assert done.stdout.count("Signature verification on") == 2 and "deprecated" in done.stdout
    machine.authenticate()
    for path, by in (("/usr/bin/a", local), ("/usr/bin/b", remote)):
        digest = hashlib.sha256(path.encode()).hexdigest()
        machine.list.add_signed(path, by.sign(digest))
        assert verdict(servers, machine)["evaluation"] == "pass", path
    machine.list.add_signed("/usr/bin/c", FileSigner().sign(hashlib.sha256(b"/usr/bin/c").hexdigest()))
    assert verdict(servers, machine)["evaluation"] == "fail"


@pytest.mark.parametrize("change,words", [
    ({"key": KEY.replace(b"\n-----END", b"=\n-----END")}, "not a good one"),
    ({"sig": (OPENPGP / "ima-key.pem.other.asc").read_bytes()}, "not a good one"),
    ({"sig": b"no signature"}, "not a good one"),
    ({"sig": b""}, "empty"),
    ({"signer": (OPENPGP / "expired.asc").read_text(),
      "sig": (OPENPGP / "ima-key.pem.expired.asc").read_bytes()}, "expired or is revoked"),
    ({"signer": (OPENPGP / "revoked.asc").read_text(),
      "sig": (OPENPGP / "ima-key.pem.revoked.asc").read_bytes()}, "OpenPGP key"),
    ({"signer": "-----BEGIN PGP PUBLIC KEY BLOCK-----\nnothing\n"}, "cannot be read"),
    ({"signer": "no key"}, "neither"),
    ({"signer": None}, "--signature-verification-key-sig-url-key"),
    ({"sig": 404}, "answered 404"), ({"key": 500}, "answered 500"),
])
def test_badly_signed_keys(servers, machine, web, tmp_path, change, words):
    files = {"key": KEY, "sig": (OPENPGP / "ima-key.pem.signer.asc").read_bytes(),
             "signer": (OPENPGP / "signer.asc").read_text(), **change}
    signer = write(tmp_path / "signer", files["signer"]) if files["signer"] else str(tmp_path / "none")
    done = servers.tenant(*ENROL, machine.id,
                          "--signature-verification-key-url", web.put("key", files["key"]),
                          "--signature-verification-key-sig-url", web.put("sig", files["sig"]),
                          "--signature-verification-key-sig-url-key", signer, env=web.trust, check=1)
    assert words in done.stdout.splitlines()[-1], done.stdout
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)
    local = tmp_path / "key"
    for name in ("key", "sig"):
        content = files[name]
        (tmp_path / name).write_bytes(b"" if isinstance(content, int) else content)
    servers.tenant(*ENROL, machine.id, "--signature-verification-key", str(local),
                   "--signature-verification-key-sig", str(tmp_path / "sig"),
                   "--signature-verification-key-sig-key", signer, check=1)
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)


def test_a_signature_of_another_key_by_ecdsa(servers, machine, tmp_path):
    signer, signature = ecdsa_pair(tmp_path, b"other content")
    (tmp_path / "sig").write_bytes(signature)
    done = servers.tenant(*ENROL, machine.id, "--signature-verification-key", str(OPENPGP / "ima-key.pem"),
                          "--signature-verification-key-sig", str(tmp_path / "sig"),
                          "--signature-verification-key-sig-key", signer, check=1)
    assert "not by the given key" in done.stdout.splitlines()[-1]


def test_a_stored_policy_takes_no_keys(servers, tmp_path):
    policy = write(tmp_path / "policy", POLICY)
    done = servers.tenant("-c", "addruntimepolicy", "--runtime-policy-name", "keys", "--runtime-policy", policy,
                          "--signature-verification-key", str(OPENPGP / "ima-key.pem"), check=0)
    assert "holds its keys itself" in done.stdout
