# SPDX-License-Identifier: Apache-2.0
"""The tools before files that are cut short, unreadable, another's or old, and before full disks: exit status 1 (2
where a check cannot judge), one sentence that names the file, and nothing half done (issue "Bad input"; U7)."""
import datetime
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lib import full_disk
from lib.ca_directory import CaDirectory
from lib.fake_server import Authority as Foreign
from lib.logging_agent import runtime_policy
from test_completions import PROGRAMS
from test_tenant_answers import AS_OWNER, errors, scene  # noqa: F401 (a fixture)

POLICY = runtime_policy({"boot_aggregate": ["0" * 64], "/bin/sh": ["1" * 64]})
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
needs_mounts = pytest.mark.skipif(not full_disk.usable(), reason="mount namespaces are not allowed here")


def cut(path):
    """Half of what it was, as a copy that was broken off leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# --- the tenant ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option,name", [
    ("CLIENT_CERT", "client-cert.crt"), ("CLIENT_KEY", "client-private.pem"), ("TRUSTED_SERVER_CA", "cacert.crt")])
def test_tenant_with_half_a_file(deployment, option, name):
    deployment.start_verifier().stop()
    cut(deployment.certificates / name)
    done = deployment.tenant("-c", "cvlist", check=1)
    assert len(errors(done)) == 1 and name in errors(done)[0], done.stdout


def test_tenant_without_its_files(deployment):
    """Before the servers' files are copied: which is missing, and where they come from."""
    found = errors(deployment.tenant("-c", "cvlist", check=1))
    assert len(found) == 1 and "client-cert.crt: No such file or directory" in found[0]
    assert "keylime_ca -c bundle --for tenant" in found[0]


def test_tenant_with_a_key_that_everybody_reads(deployment):
    deployment.start_verifier()
    key = deployment.certificates / "client-private.pem"
    assert "readable by every user" not in deployment.tenant("-c", "cvlist", check=0).stdout
    key.chmod(0o644)
    done = deployment.tenant("-c", "cvlist", check=0)
    assert f"WARNING - Private key {key} is readable by every user (mode 0644): chmod 0600 {key}" in done.stdout


def test_tenant_with_the_key_of_another_certificate(deployment):
    deployment.start_verifier()
    shutil.copy(deployment.certificates / "server-private.pem", deployment.certificates / "client-private.pem")
    done = deployment.tenant("-c", "cvlist", check=1)
    assert len(errors(done)) == 1, done.stdout
    assert "client-private.pem does not belong to client certificate" in errors(done)[0]


def test_tenant_with_an_expired_certificate(deployment):
    deployment.start_verifier()
    CaDirectory(deployment.certificates).issue("client", age=100, life=50, usages=[ExtendedKeyUsageOID.CLIENT_AUTH])
    done = deployment.tenant("-c", "cvlist", check=1)
    assert "client-cert.crt has expired on" in errors(done)[0]
    assert "the server refuses the client certificate" in errors(done)[-1], done.stdout


def test_tenant_with_a_foreign_certificate(deployment, tmp_path):
    deployment.start_verifier()
    foreign = Foreign(tmp_path / "foreign", days=100)
    done = deployment.tenant("-c", "cvlist", check=1, env={
        "KEYLIME_TENANT_CLIENT_CERT": str(foreign.chain_path), "KEYLIME_TENANT_CLIENT_KEY": str(foreign.chain_path)})
    assert len(errors(done)) == 1 and "the server refuses the client certificate" in errors(done)[0], done.stdout


@needs_root
@pytest.mark.parametrize("option", ["--runtime-policy", "--mb-policy", "--runtime-policy-sig-key", "--exclude"])
def test_tenant_with_a_policy_that_it_may_not_read(deployment, tmp_path, option):
    """Nothing is asked of the verifier (there is none that could answer)."""
    deployment.start_verifier()
    good, listed, closed = tmp_path / "good", tmp_path / "list", tmp_path / "closed"
    good.write_text(json.dumps(POLICY))
    listed.write_text("1" * 64 + "  /bin/sh\n")
    closed.write_text("x")
    closed.chmod(0)
    command = "addmbpolicy" if option == "--mb-policy" else "addruntimepolicy"
    more = {"--runtime-policy-sig-key": ["--runtime-policy", str(good)], "--exclude": ["--allowlist", str(listed)]}
    done = subprocess.run([*AS_OWNER, PROGRAMS["keylime_tenant"], command, "--runtime-policy-name", "n",
                           "--mb-policy-name", "n", option, str(closed), *more.get(option, [])],
                          env={"PATH": "/usr/bin:/bin", **deployment.env}, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert option in errors(done)[-1] and "Permission denied" in errors(done)[-1], done.stdout
    for kind in ("runtime", "mb"):
        assert "'n'" not in deployment.tenant(f"list{kind}policy", check=0).stdout


@pytest.mark.parametrize("option,command", [("--runtime-policy", "addruntimepolicy"), ("--mb-policy", "addmbpolicy")])
def test_tenant_with_half_a_policy(deployment, tmp_path, option, command):
    deployment.start_verifier()
    path = tmp_path / "policy"
    path.write_text(json.dumps(POLICY))
    cut(path)
    done = deployment.tenant(command, "--runtime-policy-name", "n", "--mb-policy-name", "n", option, str(path), check=1)
    assert option in errors(done)[-1] and "not JSON" in errors(done)[-1], done.stdout
    for kind in ("runtime", "mb"):
        assert "'n'" not in deployment.tenant(f"list{kind}policy", check=0).stdout


# --- keylime_ca ------------------------------------------------------------------------------------------


class Authority:
    def __init__(self, directory):
        self.place = directory / "ca"
        (directory / "ca.conf").write_text("")
        self.env = {"KEYLIME_DIR": str(directory), "KEYLIME_CA_CONFIG": str(directory / "ca.conf"),
                    "KEYLIME_CA_PASSWORD": "secret"}
        self.run("init", status=0)
        self.run("create", "-n", "alice", status=0)

    def run(self, *arguments, status, before=(), env=None):
        done = subprocess.run([*before, PROGRAMS["keylime_ca"], *map(str, arguments)], capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", **self.env, **(env or {})}, timeout=60)
        assert done.returncode == status, done.stderr
        lines = [line for line in done.stderr.splitlines() if " - ERROR - " in line]
        assert len(lines) == (1 if status else 0), done.stderr
        return lines[0] if lines else done.stderr


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


COMMANDS = {"create": ["create", "-n", "bob"], "revoke": ["revoke", "-n", "alice"],
            "bundle": ["bundle", "--for", "tenant", "-n", "bob", "-o"]}


def command_of(name, directory):
    return [*COMMANDS[name], *([directory / "folder"] if name == "bundle" else [])]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name,words", [
    ("cacert.crt", "holds no readable PEM certificate"), ("private.yml", "put a backup of it in its place")])
def test_ca_with_half_a_file(authority, tmp_path, command, name, words):
    """Nothing new is in the directory, and no folder is made."""
    cut(authority.place / name)
    before = contents(authority.place)
    said = authority.run(*command_of(command, tmp_path), status=1)
    assert name in said and words in said, said
    assert contents(authority.place) == before and not (tmp_path / "folder").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_ca_with_a_wrong_password(authority, tmp_path, command):
    before = contents(authority.place)
    said = authority.run(*command_of(command, tmp_path), status=1, env={"KEYLIME_CA_PASSWORD": "other"})
    assert "private.yml" in said and "wrong password" in said, said
    assert contents(authority.place) == before and not (tmp_path / "folder").exists()


@needs_root
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["cacert.crt", "private.yml"])
def test_ca_with_a_file_that_it_may_not_read(authority, tmp_path, command, name):
    (authority.place / name).chmod(0)
    said = authority.run(*command_of(command, tmp_path), status=1, before=AS_OWNER)
    assert name in said and "Permission denied" in said, said
    assert not (tmp_path / "folder").exists() and not (authority.place / "bob-cert.crt").exists()


@needs_root
@pytest.mark.parametrize("command", ["create", "revoke"])
def test_ca_whose_directory_may_not_be_written(authority, tmp_path, command):
    authority.place.chmod(0o500)
    before = contents(authority.place)
    said = authority.run(*command_of(command, tmp_path), status=1, before=AS_OWNER)
    assert str(authority.place) in said and "Permission denied" in said, said
    assert contents(authority.place) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_ca_whose_key_store_is_anothers(authority, tmp_path, command):
    """The certificate of one CA, the key of another: nothing is issued that no one would trust."""
    (tmp_path / "second").mkdir()
    other = Authority(tmp_path / "second")
    shutil.copy(other.place / "cacert.crt", authority.place / "cacert.crt")
    before = contents(authority.place)
    said = authority.run(*command_of(command, tmp_path), status=1)
    assert "belong to different CAs" in said or "not issued by the CA of this directory" in said, said
    assert contents(authority.place) == before and not (tmp_path / "folder").exists()


def test_ca_that_has_expired(authority, tmp_path):
    """Its certificates would be refused everywhere: none is issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old")])
    now = datetime.datetime.utcnow()
    old = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
           .serial_number(1).not_valid_before(now - datetime.timedelta(days=10))
           .not_valid_after(now - datetime.timedelta(days=1))
           .add_extension(x509.BasicConstraints(True, None), critical=True)
           .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
           .sign(key, hashes.SHA256()))
    place = tmp_path / "old"
    place.mkdir()
    (place / "cacert.crt").write_bytes(old.public_bytes(serialization.Encoding.PEM))
    (place / "ca-private.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    authority.run("import-priv", "-d", place, "-s", "1", status=0)
    before = contents(place)
    said = authority.run("create", "-d", place, "-n", "bob", status=1)
    assert "cacert.crt" in said and "expired" in said, said
    assert contents(place) == before


@needs_mounts
@pytest.mark.parametrize("command", [["create", "-n", "alice"], ["create", "-n", "bob"], ["revoke", "-n", "alice"],
                                     ["pkg", "-n", "alice"], ["init", "-d", "ca/new"],
                                     ["bundle", "--for", "tenant", "-n", "bob", "-o", "ca/folder"]])
def test_ca_on_a_full_disk(authority, tmp_path, command):
    """What was there is there, whole; nothing else is."""
    copy = tmp_path / "copy"
    shutil.copytree(authority.place, copy)
    done, before, after = full_disk.run(authority.place, copy, [
        "sh", "-c", f'cd {tmp_path} && exec "$@"', "sh", PROGRAMS["keylime_ca"], *command], authority.env)
    assert done.returncode == 1, done.stderr
    assert before and "No space left on device" in done.stderr, done.stderr
    assert after == before, (done.stderr, set(after) ^ set(before))


# --- keylime-policy ----------------------------------------------------------------------------------------


def policy(*arguments, cwd=None, status=1, before=()):
    done = subprocess.run([*before, PROGRAMS["keylime-policy"], *map(str, arguments)], cwd=cwd, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == status, done.stderr
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


READING = {
    "create runtime -p": (["create", "runtime", "-p", "FILE", "-o", "out"], 1),
    "sign runtime": (["sign", "runtime", "-r", "FILE", "-o", "out"], 1),
    "check runtime": (["check", "runtime", "-r", "FILE", "-m", "/dev/null"], 2),
    "convert runtime": (["convert", "runtime", "-r", "FILE", "-o", "out"], 1),
    "check measured-boot": (["check", "measured-boot", "-p", "FILE", "-e", "FILE"], 2),
    "create measured-boot": (["create", "measured-boot", "-e", "FILE", "-o", "out"], 1),
    "show event-log": (["show", "event-log", "FILE"], 1),
}


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("state", ["half", "empty", "missing", "folder"])
def test_policy_tool_with_input_that_is_none(tmp_path, command, state):
    path = tmp_path / "input"
    if state == "folder":
        path.mkdir()
    elif state != "missing":
        path.write_text(json.dumps(POLICY) if state == "half" else "")
        cut(path)
    arguments, status = READING[command]
    said = policy(*[path if word == "FILE" else word for word in arguments], cwd=tmp_path, status=status)
    assert str(path) in said, said
    assert not (tmp_path / "out").exists() and not (tmp_path / "keylime-ecdsa-key.pem").exists()


@needs_root
@pytest.mark.parametrize("command", READING)
def test_policy_tool_with_input_that_it_may_not_read(tmp_path, command):
    path = tmp_path / "input"
    path.write_text(json.dumps(POLICY))
    path.chmod(0)
    arguments, status = READING[command]
    said = policy(*[path if word == "FILE" else word for word in arguments], cwd=tmp_path, status=status, before=AS_OWNER)
    assert f"{path}: Permission denied" in said, said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content,words", [
    ("nothing", "holds no private key"), ("half", "holds no private key"), ("public", "holds no private key"),
    ("encrypted", "without a password"), ("rsa", "")])
def test_signing_with_a_key_that_is_none(tmp_path, content, words):
    (tmp_path / "policy").write_text(json.dumps(POLICY))
    key = tmp_path / "key"
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    if content == "public":
        key.write_bytes(made.public_key().public_bytes(serialization.Encoding.PEM,
                                                       serialization.PublicFormat.SubjectPublicKeyInfo))
    elif content == "encrypted":
        key.write_bytes(made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.BestAvailableEncryption(b"x")))
    elif content == "rsa":
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    else:
        key.write_bytes(pem if content == "half" else b"nothing")
        cut(key)
    said = policy("sign", "runtime", "-r", "policy", "-k", key, "-o", "out", cwd=tmp_path)
    assert words in said and (str(key) in said or content == "rsa"), said
    assert not (tmp_path / "out").exists()


@needs_mounts
@pytest.mark.parametrize("command", [["create", "runtime", "-p", "POLICY", "-o", "disk/out"],
                                     ["convert", "runtime", "-a", "ALLOW", "-o", "disk/out"],
                                     ["sign", "runtime", "-r", "POLICY", "-p", "disk/key", "-o", "disk/out"]])
@pytest.mark.parametrize("existing", [True, False])
def test_policy_tool_on_a_full_disk(tmp_path, command, existing):
    """The output of before stays, whole; a new one is not begun."""
    disk, content = tmp_path / "disk", tmp_path / "content"
    disk.mkdir()
    content.mkdir()
    if existing:
        (content / "out").write_text("what was there")
    large = {**POLICY, "digests": {f"/usr/bin/{i}": ["1" * 64] for i in range(2000)}}
    (tmp_path / "policy").write_text(json.dumps(large))
    (tmp_path / "allow").write_text("".join(f"{'1' * 64}  /usr/bin/{i}\n" for i in range(2000)))
    words = [{"POLICY": tmp_path / "policy", "ALLOW": tmp_path / "allow"}.get(word, word) for word in command]
    done, before, after = full_disk.run(disk, content, [
        "sh", "-c", f'cd {tmp_path} && exec "$@"', "sh", PROGRAMS["keylime-policy"], *words], {})
    assert done.returncode == 1 and "No space left on device" in done.stderr, done.stderr
    assert after == before and len(before) == existing
