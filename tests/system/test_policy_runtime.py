# SPDX-License-Identifier: Apache-2.0
"""keylime-policy on runtime policies: create, convert, sign and check."""
import base64
import functools
import gzip
import hashlib
import http.server
import json
import lzma
import os
import pathlib
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib.logging_agent import runtime_policy
from lib.program import BUILD

POLICY = BUILD / "src/policy-tool/keylime-policy"
SHARED = pathlib.Path(os.environ.get("KEYLIME_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
VECTORS = SHARED / "vectors/ima"


def policy(*arguments, check=0):
    done = subprocess.run([POLICY, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == check, done.stderr
    return done


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# --- lists made here ----------------------------------------------------------------------------------

def entry(path, content, template_hash=None, name="ima-ng", rest=""):
    """A line as the kernel writes it, for SHA-1 template hashes, and the extension of a SHA-256 bank."""
    digest = hashlib.sha256(content).digest()
    data = (len(digest) + 8).to_bytes(4, "little") + b"sha256:\0" + digest
    data += (len(path) + 1).to_bytes(4, "little") + path.encode() + b"\0"
    column = template_hash or hashlib.sha1(data).hexdigest()
    return f"10 {column} {name} sha256:{digest.hex()} {path}{rest}\n", hashlib.sha256(data).digest()


class MeasuredList:
    def __init__(self, *files):
        self.text, self.pcr = "", bytes(32)
        for path, content in files:
            line, extension = entry(path, content)
            self.text += line
            self.pcr = hashlib.sha256(self.pcr + extension).digest()


BOOT = ("boot_aggregate", b"boot")
TOOL = ("/usr/bin/tool", b"tool")
OTHER = ("/usr/bin/other", b"other")


@pytest.fixture
def machine(tmp_path):
    """A list, and the policy made from it."""
    measured = MeasuredList(BOOT, TOOL)
    (tmp_path / "list").write_text(measured.text)
    policy("create", "runtime", "-m", tmp_path / "list", "-o", tmp_path / "policy.json")
    return tmp_path, measured


# --- the command line ---------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    ["create", "runtime", "--algo", "md5"], ["create", "runtime", "--max-workers", "0"],
    ["create", "runtime", "--skip-path", "/x"], ["create", "runtime", "--keyrings"],
    ["create", "runtime", "surplus"], ["create", "runtime", "--no-such-option"],
    ["sign", "runtime"], ["sign", "runtime", "-r", "x", "-k", "a", "-p", "b"],
    ["sign", "runtime", "-r", "x", "-b", "pgp"], ["sign", "runtime", "-r", "x", "-b", "x509"],
    ["check", "runtime"], ["check", "runtime", "-r"],
])
def test_wrong_usage(arguments):
    done = policy(*arguments, check=2)
    assert done.stdout == ""
    assert done.stderr.startswith("keylime-policy ")


@pytest.mark.parametrize("action", ["create", "convert", "sign", "check"])
def test_help_shows_every_option(action):
    text = policy(action, "runtime", "--help").stdout
    assert text.startswith("Usage: keylime-policy " + action + " runtime [OPTION...]\n")
    assert "--output" in text or action == "check"


# --- create -------------------------------------------------------------------------------------------

def created(*arguments):
    return json.loads(policy("create", "runtime", *arguments).stdout)


def test_empty_policy():
    made = created()
    assert list(made) == ["meta", "release", "digests", "excludes", "keyrings", "ima", "ima-buf",
                          "verification-keys"]
    assert made["meta"]["version"] == 1 and made["meta"]["generator"] == 3
    assert made["ima"] == {"ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": None}
    assert made["digests"] == {} and made["verification-keys"] == ""


def test_from_a_measurement_list(tmp_path):
    der = certificate().public_bytes(serialization.Encoding.DER)
    lines = [entry(*BOOT)[0], entry("/usr/bin/tool", b"one")[0], entry("/usr/bin/tool", b"two")[0],
             entry("/usr/bin/tool", b"one")[0], entry("/usr/bin/signed", b"s", name="ima-sig", rest=" ")[0],
             entry("/usr/bin/open", b"", template_hash="00" * 20)[0], "no line at all\n",
             entry(".ima", der, name="ima-buf", rest=" " + der.hex())[0],
             entry(".evm", der, name="ima-buf", rest=" " + der.hex())[0],
             entry("kexec-cmdline", b"quiet", name="ima-buf", rest=" " + b"quiet".hex())[0]]
    (tmp_path / "list").write_text("".join(lines))
    done = policy("create", "runtime", "-m", tmp_path / "list", "-k", "-b", "--ignored-keyrings", ".evm")
    made = json.loads(done.stdout)
    assert made["digests"] == {"/usr/bin/signed": [sha256(b"s")],
                               "/usr/bin/tool": sorted([sha256(b"one"), sha256(b"two")]),
                               "boot_aggregate": [sha256(b"boot")]}
    assert made["keyrings"] == {".ima": [sha256(der)]}
    assert made["ima-buf"] == {"kexec-cmdline": [sha256(b"quiet")]}
    assert made["ima"]["ignored_keyrings"] == [".evm"]
    assert "2 entries of the measurement list are not in the policy" in done.stderr


def test_from_an_allow_list_and_an_exclude_list(tmp_path):
    (tmp_path / "allow").write_text(f"{sha256(b'a')}  /usr/bin/a b\n\nlonely\n{sha256(b'c')} *c\n")
    (tmp_path / "exclude").write_text("/tmp/.*\n\n#not a comment\n/tmp/.*\n")
    done = policy("create", "runtime", "-a", tmp_path / "allow", "-e", tmp_path / "exclude")
    made = json.loads(done.stdout)
    assert made["digests"] == {"*c": [sha256(b"c")], "/usr/bin/a_b": [sha256(b"a")]}
    assert made["excludes"] == ["#not a comment", "/tmp/.*"]
    assert "line 3" in done.stderr
    shown = policy("create", "runtime", "-a", tmp_path / "allow", "--show-legacy-allowlist").stdout
    assert shown == f"{sha256(b'c')}  *c\n{sha256(b'a')}  /usr/bin/a_b\n"


def test_a_base_policy_is_taken_over(machine):
    folder, _ = machine
    base = json.loads((folder / "policy.json").read_text())
    base["excludes"] = ["/b", "/a"]
    base["ima"]["log_hash_alg"] = "sha256"
    base["digests"]["/usr/bin/tool"].append(sha256(b"older"))
    (folder / "base.json").write_text(json.dumps(base))
    (folder / "more").write_text(MeasuredList(BOOT, OTHER).text)
    made = created("-p", folder / "base.json", "-m", folder / "more")
    assert made["digests"]["/usr/bin/tool"] == sorted([sha256(b"tool"), sha256(b"older")])
    assert made["digests"]["/usr/bin/other"] == [sha256(b"other")]
    assert made["excludes"] == ["/a", "/b"] and made["ima"]["log_hash_alg"] == "sha256"


def test_names_with_nul_are_refused(tmp_path):
    """No file has such a name; read up to its NUL it would be the name of another one."""
    text = json.dumps(runtime_policy({"/a": ["1" * 64]})).replace("/a", "/a\\u0000b")
    (tmp_path / "base").write_text(text)
    for arguments in (["create", "runtime", "-p", tmp_path / "base"],
                      ["convert", "runtime", "-r", tmp_path / "base", "-o", tmp_path / "out"]):
        done = policy(*arguments, check=1)
        assert "\\u0000" in done.stderr and done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_sources_with_different_algorithms_are_refused(tmp_path):
    (tmp_path / "allow").write_text(hashlib.sha1(b"a").hexdigest() + " /a\n")
    (tmp_path / "list").write_text(MeasuredList(BOOT).text)
    arguments = ["create", "runtime", "-a", tmp_path / "allow"]
    assert "are sha256" in policy(*arguments, "-m", tmp_path / "list", check=1).stderr
    assert "--algo" in policy(*arguments, "--algo", "sha512", check=1).stderr
    policy(*arguments, "--algo", "sha1")


@pytest.mark.parametrize("pattern, reason", [("[", "unterminated character set"), ("(a+)+$", "too costly")])
def test_bad_exclude_patterns_are_refused(tmp_path, pattern, reason):
    (tmp_path / "exclude").write_text("/tmp\n" + pattern + "\n")
    done = policy("create", "runtime", "-e", tmp_path / "exclude", check=1)
    assert f"{tmp_path / 'exclude'}:2: {reason}" in done.stderr and done.stdout == ""


def certificate(key=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    import datetime
    start = datetime.datetime(2026, 1, 1)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(start).not_valid_after(start.replace(year=2036))
            .sign(key, hashes.SHA256()))


def test_verification_keys(tmp_path):
    one = certificate()
    (tmp_path / "key.der").write_bytes(one.public_bytes(serialization.Encoding.DER))
    (tmp_path / "no-key").write_text("nothing")
    made = created("--add-ima-signature-verification-key", tmp_path / "key.der")
    ring = json.loads(made["verification-keys"])
    assert base64.b64decode(ring["pubkeys"][0]) == one.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert len(ring["keyids"]) == 1
    done = policy("create", "runtime", "--add-ima-signature-verification-key", tmp_path / "no-key", check=1)
    assert str(tmp_path / "no-key") in done.stderr


def test_from_a_directory_tree(tmp_path):
    root = tmp_path / "root"
    for name, content in {"usr/bin/a": b"a", "usr/bin/b c": b"b", "var/lib/d": b"d", "skip/e": b"e",
                          "usr/skip/f": b"f"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "usr/bin/link").symlink_to("a")
    os.mkfifo(root / "usr/bin/pipe")
    if os.getuid() == 0:
        (root / "usr/bin/foreign").write_bytes(b"foreign")
        os.chown(root / "usr/bin/foreign", 1000, 1000)
    made = created("--rootfs", root, "-s", f"{root}/skip,{root}/usr/skip", "--algo", "sha512")
    expected = {"/usr/bin/a": [hashlib.sha512(b"a").hexdigest()],
                "/usr/bin/b_c": [hashlib.sha512(b"b").hexdigest()]}
    assert made["digests"] == (expected if os.getuid() == 0 else {})
    assert "No such file" in policy("create", "runtime", "--rootfs", tmp_path / "none", check=1).stderr


def newc(files):
    """A cpio archive of (name, content, inode, links)."""
    def record(name, content, mode, inode, links):
        head = b"070701" + b"".join(b"%08X" % field for field in (
            inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0))
        text = head + name.encode() + b"\0"
        text += bytes(-len(text) % 4) + content
        return text + bytes(-len(text) % 4)
    entries = [record(name, content, 0o100755, inode, links) for name, content, inode, links in files]
    return b"".join(entries) + record("TRAILER!!!", b"", 0, 0, 1)


def test_from_initial_ram_disks(tmp_path):
    early = newc([("kernel/microcode", b"early", 1, 1)])
    main = newc([("usr/bin/a", b"a", 1, 1), ("./usr/bin/first", b"", 7, 2), ("./usr/bin/last", b"same", 7, 2)])
    boot = tmp_path / "boot"
    boot.mkdir()
    (boot / "initrd.img").write_bytes(early + bytes(512) + lzma.compress(main, check=lzma.CHECK_CRC32))
    (boot / "vmlinuz").write_bytes(b"no archive")
    made = created("--ramdisk-dir", boot)
    assert made["digests"] == {"/kernel/microcode": [sha256(b"early")], "/usr/bin/a": [sha256(b"a")],
                               "/usr/bin/first": [sha256(b"same")], "/usr/bin/last": [sha256(b"same")]}
    (boot / "initramfs.cut").write_bytes(main[:200])
    done = policy("create", "runtime", "--ramdisk-dir", boot, check=1)
    assert f"{boot}/initramfs.cut" in done.stderr and done.stdout == ""


# --- repositories -------------------------------------------------------------------------------------

def rpm(files):
    header = b"\x8e\xad\xe8\x01" + bytes(12)
    return b"\xed\xab\xee\xdb\x03\0" + bytes(90) + header + header + gzip.compress(newc(files))


def deb(folder, name, files):
    tree = folder / (name + ".tree")
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: none\n")
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    package = folder / (name + ".deb")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, package], check=True, capture_output=True)
    return package


@pytest.fixture
def web(tmp_path):
    """A folder behind a URL."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_from_local_packages(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below/x.rpm").write_bytes(rpm([("./usr/bin/x", b"x", 1, 1)]))
    deb(tmp_path, "y", {"usr/bin/y": b"y"})
    assert created("--local-rpm-repo", tmp_path)["digests"] == {"/usr/bin/x": [sha256(b"x")]}
    assert created("--local-deb-repo", tmp_path)["digests"] == {"/usr/bin/y": [sha256(b"y")]}
    (tmp_path / "below/broken.rpm").write_bytes(b"no package")
    done = policy("create", "runtime", "--local-rpm-repo", tmp_path, check=1)
    assert "broken.rpm" in done.stderr and "1 packages could not be read" in done.stderr


def write_repomd(folder, name, text):
    content = gzip.compress(text.encode())
    (folder / "repodata").mkdir(exist_ok=True)
    (folder / f"repodata/{name}.xml.gz").write_bytes(content)
    (folder / "repodata/repomd.xml").write_text(
        f'<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="{name}">'
        f'<checksum type="sha256">{sha256(content)}</checksum>'
        f'<location href="repodata/{name}.xml.gz"/></data></repomd>')


def write_primary(folder, place, digest):
    write_repomd(folder, "primary",
                 '<metadata xmlns="http://linux.duke.edu/metadata/common"><package type="rpm">'
                 f'<checksum type="sha256" pkgid="YES">{digest}</checksum><location href="{place}"/>'
                 '</package></metadata>')


def test_from_a_remote_rpm_repository(web):
    folder, url = web
    package = rpm([("./usr/bin/x", b"x", 1, 1)])
    (folder / "x.rpm").write_bytes(package)
    write_primary(folder, "x.rpm", sha256(package))
    assert created("--remote-rpm-repo", url)["digests"] == {"/usr/bin/x": [sha256(b"x")]}
    write_primary(folder, "x.rpm", sha256(b"another"))
    assert "SHA-256" in policy("create", "runtime", "--remote-rpm-repo", url, check=1).stderr
    write_primary(folder, "../x.rpm", sha256(package))
    assert "not below" in policy("create", "runtime", "--remote-rpm-repo", url, check=1).stderr


def test_a_list_of_files_with_digests_spares_the_packages(web):
    folder, url = web
    write_repomd(folder, "filelists-ext",
                 '<filelists-ext xmlns="http://linux.duke.edu/metadata/filelists-ext"><package>'
                 f'<file hash="{sha256(b"x")}">/usr/bin/x</file><file>/usr/bin</file></package></filelists-ext>')
    assert created("--remote-rpm-repo", url)["digests"] == {"/usr/bin/x": [sha256(b"x")]}


def test_from_a_remote_debian_repository(web):
    folder, url = web
    (folder / "pool").mkdir()
    (folder / "dists/stable").mkdir(parents=True)
    package = deb(folder / "pool", "y", {"usr/bin/y": b"y"})
    (folder / "dists/stable/Packages.gz").write_bytes(gzip.compress(
        f"Package: y\nFilename: pool/y.deb\nSHA256: {sha256(package.read_bytes())}\n".encode()))
    made = created("--remote-deb-repo", url + "/dists/stable")
    assert made["digests"] == {"/usr/bin/y": [sha256(b"y")]}
    assert "404" in policy("create", "runtime", "--remote-deb-repo", url + "/none", check=1).stderr


# --- convert ------------------------------------------------------------------------------------------

def test_converts_an_allow_list(tmp_path):
    (tmp_path / "allow").write_text(f"{sha256(b'a')}  /usr/bin/a\nlonely\n{sha256(b'k')} %keyring:.ima\n")
    (tmp_path / "exclude").write_text("# comment\n/tmp/.*\n\n")
    (tmp_path / "key").write_bytes(certificate().public_bytes(serialization.Encoding.PEM))
    done = policy("convert", "runtime", "-a", tmp_path / "allow", "-e", tmp_path / "exclude",
                  "-k", tmp_path / "key")
    made = json.loads(done.stdout)
    assert made["digests"] == {"/usr/bin/a": [sha256(b"a")]}
    assert made["keyrings"] == {".ima": [sha256(b"k")]}
    assert made["excludes"] == ["/tmp/.*"] and len(json.loads(made["verification-keys"])["keyids"]) == 1
    assert "line 2" in done.stderr


def test_converts_older_policies(tmp_path):
    old = {"meta": {"version": 0}, "digests": {"/a": [sha256(b"a")]}, "excludes": ["/x"]}
    (tmp_path / "old").write_text(json.dumps(old))
    made = json.loads(policy("convert", "runtime", "-r", tmp_path / "old").stdout)
    assert made["meta"]["version"] == 1 and made["meta"]["generator"] == 2
    assert made["digests"] == old["digests"] and made["excludes"] == ["/x"]
    (tmp_path / "row").write_text(json.dumps({"allowlist": {"hashes": old["digests"]}, "exclude": ["/y"]}))
    made = json.loads(policy("convert", "runtime", "-r", tmp_path / "row", "-o", tmp_path / "out").stdout or
                      (tmp_path / "out").read_text())
    assert made["digests"] == old["digests"] and made["excludes"] == ["/y"]


@pytest.mark.parametrize("text, reason", [
    ("sha256:aa /a\n", "digests./a[0]"), ("[]", "neither"), ('{"digests": {}}', "needs no conversion")])
def test_converts_nothing_that_a_verifier_refuses(tmp_path, text, reason):
    (tmp_path / "allow").write_text(text)
    (tmp_path / "out").write_text("what was there")
    done = policy("convert", "runtime", "-a", tmp_path / "allow", "-o", tmp_path / "out", check=1)
    assert reason in done.stderr and (tmp_path / "out").read_text() == "what was there"
    policy("convert", "runtime", check=2)
    policy("convert", "runtime", "-a", "x", "-r", "y", check=2)


# --- sign ---------------------------------------------------------------------------------------------

def verify(envelope, key):
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed, ec.ECDSA(hashes.SHA256()))
    return payload


def test_signs_with_a_new_key_and_again_with_it(machine):
    folder, _ = machine
    key_file = folder / "key.pem"
    done = policy("sign", "runtime", "-r", folder / "policy.json", "-p", key_file)
    envelope = json.loads(done.stdout)
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert verify(envelope, key) == (folder / "policy.json").read_bytes()
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert envelope["signatures"][0]["keyid"] == sha256(pem)
    assert "exists" in policy("sign", "runtime", "-r", folder / "policy.json", "-p", key_file, check=1).stderr
    policy("sign", "runtime", "-r", folder / "policy.json", "-k", key_file, "-o", folder / "signed.json")
    verify(json.loads((folder / "signed.json").read_text()), key)


def test_signs_with_a_certificate(machine):
    folder, _ = machine
    policy("sign", "runtime", "-r", folder / "policy.json", "-p", folder / "key.pem", "-b", "x509",
           "-c", folder / "certificate.pem", "-o", folder / "signed.json")
    envelope = json.loads((folder / "signed.json").read_text())
    pem = (folder / "certificate.pem").read_bytes()
    assert base64.b64decode(envelope["signatures"][0]["keyid"]) == pem
    own = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    assert own.public_key().public_numbers() == key.public_key().public_numbers()
    verify(envelope, key)


def test_signs_no_broken_policy_and_with_no_other_key(machine):
    folder, _ = machine
    (folder / "broken.json").write_text("{}")
    done = policy("sign", "runtime", "-r", folder / "broken.json", "-p", folder / "new.pem", check=1)
    assert "meta" in done.stderr and not (folder / "new.pem").exists()
    from cryptography.hazmat.primitives.asymmetric import rsa
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "rsa.pem").write_bytes(pem)
    done = policy("sign", "runtime", "-r", folder / "policy.json", "-k", folder / "rsa.pem", check=1)
    assert "EC" in done.stderr and done.stdout == ""


# --- check --------------------------------------------------------------------------------------------

def checked(folder, *arguments, check=0):
    done = policy("check", "runtime", "--runtime-policy", folder / "policy.json", "--json",
                  "--ima-measurement-list", folder / "list", *arguments, check=check)
    return json.loads(done.stdout)


def test_a_list_passes_the_policy_made_from_it(machine):
    folder, measured = machine
    answer = checked(folder, "--pcr10", measured.pcr.hex())
    assert answer["verdict"] == "pass" and answer["failures"] == [] and answer["failure_count"] == 0
    assert answer["entries"] == 2 and answer["entries_covered"] == 2
    assert answer["hash_alg"] == "sha256" and answer["running_pcr"] == measured.pcr.hex()
    assert answer["entries_per_second"] > 0
    text = policy("check", "runtime", "-r", folder / "policy.json", "-m", folder / "list").stdout
    assert text.splitlines()[-1].startswith("PASS: 2 entries, 0 failures")


def test_an_unknown_program_is_named(machine):
    folder, _ = machine
    measured = MeasuredList(BOOT, TOOL, OTHER, ("/usr/bin/tool", b"changed"))
    (folder / "list").write_text(measured.text)
    answer = checked(folder, check=1)
    assert answer["verdict"] == "fail" and answer["failure_count"] == 2
    first, second = answer["failures"]
    assert first["entry"] == 3 and first["path"] == "/usr/bin/other"
    assert first["event_id"] == "ima.validation.ima-ng.not_in_allowlist" and first["reason"]
    assert second["entry"] == 4 and second["event_id"] == "ima.validation.ima-ng.runtime_policy_hash"
    assert second["digest"] == "sha256:" + sha256(b"changed") and second["expected"] == [sha256(b"tool")]
    text = policy("check", "runtime", "-r", folder / "policy.json", "-m", folder / "list", check=1).stdout
    assert "/usr/bin/other" in text and sha256(b"tool") in text
    assert text.splitlines()[-1].startswith("FAIL: 4 entries, 2 failures")


def test_a_pcr_that_the_list_does_not_reach(machine):
    folder, _ = machine
    answer = checked(folder, "--pcr10", "aa" * 32, check=1)
    assert [failure["event_id"] for failure in answer["failures"]] == ["ima.pcr_mismatch"]
    assert "entries_covered" not in answer


def test_files_signed_by_a_key(machine):
    folder, _ = machine
    key = ec.generate_private_key(ec.SECP256R1())
    one = certificate(key)
    (folder / "key.der").write_bytes(one.public_bytes(serialization.Encoding.DER))
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    key_id = hashlib.sha1(point).digest()[-4:]
    digest = hashlib.sha256(b"signed").digest()
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    signature = key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    field = b"\x03\x02\x04" + key_id + len(signature).to_bytes(2, "big") + signature
    path = "/usr/bin/signed"
    data = (40).to_bytes(4, "little") + b"sha256:\0" + digest
    data += (len(path) + 1).to_bytes(4, "little") + path.encode() + b"\0"
    data += len(field).to_bytes(4, "little") + field
    line = f"10 {hashlib.sha1(data).hexdigest()} ima-sig sha256:{digest.hex()} {path} {field.hex()}\n"
    (folder / "list").write_text(entry(*BOOT)[0] + line)
    assert checked(folder, check=1)["failures"][0]["path"] == path
    assert checked(folder, "--verification-key", folder / "key.der")["verdict"] == "pass"


@pytest.mark.parametrize("change, arguments, reason", [
    (lambda folder: (folder / "policy.json").write_text("{}"), [], "policy.json: meta"),
    (lambda folder: (folder / "policy.json").unlink(), [], "No such file"),
    (lambda folder: (folder / "list").write_text(""), [], "holds no entry"),
    (lambda folder: (folder / "list").unlink(), [], "No such file"),
    (lambda folder: None, ["--pcr10", "xx"], "--pcr10"),
    (lambda folder: None, ["--pcr10", "aa" * 20, "--hash-alg", "sha256"], "--pcr10"),
    (lambda folder: None, ["--hash-alg", "md5"], "--hash-alg"),
    (lambda folder: None, ["--violations", "maybe"], "--violations"),
    (lambda folder: None, ["--verification-key", "/dev/null"], "/dev/null"),
])
def test_unusable_input(machine, change, arguments, reason):
    folder, _ = machine
    change(folder)
    done = policy("check", "runtime", "-r", folder / "policy.json", "-m", folder / "list", *arguments, check=2)
    assert reason in done.stderr and done.stdout == ""


def test_violations(machine):
    folder, _ = machine
    (folder / "list").write_text(entry(*BOOT)[0] + entry("/home/x", b"", template_hash="00" * 20)[0])
    assert checked(folder, check=1)["failures"][0]["path"] == "/home/x"
    assert checked(folder, "--violations", "ignore")["verdict"] == "pass"
    assert checked(folder, "--violations", "fail", check=1)["failures"][0]["event_id"] == "ima.validation.tomtou"


# Rules of the vectors that state another verifier's answer where ours is decided otherwise: templates that
# it cannot read, blank lines, patterns refused at once, lists without a boot aggregate, an empty list, and
# mixtures in which any of these occurs.
DECIDED_OTHERWISE = ("tpl.unsupported", "parse.blank", "parse.leading_newline", "violation.ff_text",
                     "exclude.invalid", "exclude.empty", "boot.absent", "quote.wrong_bank", "quote.zero_pcr",
                     "quote.empty_list", "upstream", "mix.", "parse.crlf_ng")


def vector_cases():
    if not (VECTORS / "manifest.json").is_file():
        return []
    cases = json.loads((VECTORS / "manifest.json").read_text())["cases"]
    return [case for case in cases
            if case["must_match"] and case.get("policy") and case.get("list")
            and not case.get("boot_aggregates")
            and not (case.get("state") or {}).get("next_ima_ml_entry")
            and not (case.get("state") or {}).get("pcr10")
            and (case["keyrings"] or {}).get("tenant_from_policy") and not case["keyrings"].get("learned")
            and not case["rule"].startswith(DECIDED_OTHERWISE)]


def test_every_vector_of_a_whole_list():
    cases = vector_cases()
    if not cases:
        pytest.skip(f"no vectors in {VECTORS}")
    assert len(cases) > 100
    for case in cases:
        expect = case["expect"]
        done = policy("check", "runtime", "-r", VECTORS / case["policy"], "-m", VECTORS / case["list"],
                      "--hash-alg", case["bank"], "--json",
                      *(["--pcr10", case["pcr10"]] if case["pcr10"] else []),
                      "--violations", "ignore" if case["ignore_tomtou_errors"] is False else "fail",
                      check={"pass": 0, "fail": 1}[expect["verdict"]])
        answer = json.loads(done.stdout)
        events = [(line["line"], event) for line in expect["failing"] for event in line["events"]]
        events += [(None, event) for event in expect["list_events"]]
        assert [(failure["entry"], failure["event_id"]) for failure in answer["failures"]] == events, case["id"]
        assert answer["running_pcr"] == expect["running_pcr"], case["id"]
