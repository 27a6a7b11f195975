# SPDX-License-Identifier: Apache-2.0
"""Verifier, registrar and agent that cannot start: exit status 1, and one clear sentence with the remedy as the last
line, whatever it is (issue "Bad input"; U7, U24)."""
import os
import re
import shutil
import socket
import stat

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib import full_disk
from lib.ca_directory import CaDirectory
from lib.fake_server import Authority as Foreign
from lib.program import BINARIES, Program
from test_bad_files import cut
from test_tenant_answers import AS_OWNER

SERVERS = ("verifier", "registrar")
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
needs_mounts = pytest.mark.skipif(not full_disk.usable(), reason="mount namespaces are not allowed here")


class Server:
    """One that has run once, with certificates of its own making."""

    def __init__(self, deployment, name):
        self.deployment, self.name = deployment, name
        self.port = deployment.registrar_tls_port if name == "registrar" else deployment.verifier_port
        self.own = deployment.keylime_dir / ("reg_ca" if name == "registrar" else "cv_ca")
        self.database = deployment.keylime_dir / f"{name}.sqlite"
        self.base = {"KEYLIME_REGISTRAR_TLS_DIR": "generate"}
        deployment.start_server(name, self.base).stop()
        self.count = 0

    def env(self, **options):
        return {**self.base, **{f"KEYLIME_{self.name.upper()}_{name}": value for name, value in options.items()}}

    def start(self, before=(), **options):
        self.count += 1
        program = Program(self.name, [*before, BINARIES[self.name]], {**self.deployment.env, **self.env(**options)},
                          self.deployment.directory / f"{self.name}-{self.count}.log")
        self.deployment.programs.append(program)
        return program

    def refuses(self, *words, before=(), **options):
        """The only ERROR, or problem of the configuration, is the last line, and has all of `words`."""
        program = self.start(before, **options)
        assert program.process.wait(20) == 1, program.output()
        lines = program.output().splitlines()
        failures = [line for line in lines if " - ERROR - " in line or line.startswith(f"keylime_{self.name}: ")]
        assert failures == lines[-1:], program.output()
        for word in words:
            assert word in failures[0], (word, failures[0])

    def starts(self, *words, **options):
        program = self.start(**options)
        program.wait_for_line("Listening on ")
        for word in words:
            assert word in program.output(), program.output()
        assert program.stop() == 0

    def copy(self, directory):
        """The options of certificates that an operator has put there: those it made itself, at first."""
        shutil.copytree(self.own, directory)
        return {"TLS_DIR": str(directory), "TRUSTED_CLIENT_CA": "['cacert.crt']"}


@pytest.fixture(params=SERVERS)
def server(deployment, request):
    return Server(deployment, request.param)


# --- ports -----------------------------------------------------------------------------------------------


def test_port_in_use(server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        server.refuses(f"127.0.0.1:{server.port}: Address already in use", "ss -ltnp", "choose another port")
    server.starts()


def test_address_of_another_machine(server):
    server.refuses("192.0.2.77", "no address of this machine", "option ip", IP="192.0.2.77")


# --- the work directory ----------------------------------------------------------------------------------


@needs_root
def test_certificates_directory_of_another_user(deployment):
    """As after a start by hand as another user."""
    server = Server(deployment, "verifier")
    shutil.chown(deployment.certificates, "nobody")
    server.refuses(f"cannot write into directory {deployment.certificates}: Permission denied (owner nobody, mode 0700);"
                   " it must be writable by user root", before=AS_OWNER)


# --- databases -------------------------------------------------------------------------------------------


def test_no_database_server(server):
    server.refuses("PostgreSQL", "database_url", "refused", DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/none")
    assert "secret-word" not in server.deployment.programs[-1].output()


def test_directory_of_the_database_is_missing(server):
    server.refuses("/nonexistent/x.sqlite", "No such file or directory", "database_url",
                   DATABASE_URL="sqlite:////nonexistent/x.sqlite")


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 2000])
def test_database_that_is_none(server, tmp_path, content):
    """It is left as it is."""
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    server.refuses(str(path), "it is damaged, or no database", "put a backup in its place",
                   DATABASE_URL=f"sqlite:///{path}")
    assert path.read_bytes() == content


@needs_root
def test_database_of_another_user(server):
    server.database.chmod(0)
    server.refuses(str(server.database), "Permission denied", "must belong to the user", before=AS_OWNER)
    server.database.chmod(0o600)
    server.starts()


# --- certificates and keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name,words", [
    ("server-cert.crt", ("server certificate", "holds no readable PEM certificate", "Copy it anew")),
    ("server-private.pem", ("holds no private key",)),
    ("cacert.crt", ("trusted CA certificate", "holds no readable PEM certificate", "Copy it anew"))])
def test_half_a_file(server, tmp_path, name, words):
    options = server.copy(tmp_path / "tls")
    server.starts(**options)
    cut(tmp_path / "tls" / name)
    server.refuses(str(tmp_path / "tls" / name), *words, **options)


@needs_root
@pytest.mark.parametrize("name", ["server-cert.crt", "server-private.pem", "cacert.crt"])
def test_a_file_that_it_may_not_read(server, tmp_path, name):
    options = server.copy(tmp_path / "tls")
    (tmp_path / "tls" / name).chmod(0)
    server.refuses(str(tmp_path / "tls" / name), "Permission denied (owner root, mode 0000)",
                   "must be readable by user", before=AS_OWNER, **options)


def test_a_key_that_everybody_reads(server, tmp_path):
    options = server.copy(tmp_path / "tls")
    (tmp_path / "tls/server-private.pem").chmod(0o644)
    server.starts("WARNING - Private key", "is readable by every user (mode 0644): chmod 0600", **options)


def test_a_certificate_that_has_expired(server, tmp_path):
    """An operator's is told, with the remedy; one of its own making it replaces."""
    options = server.copy(tmp_path / "tls")
    CaDirectory(tmp_path / "tls").issue("server", age=100, life=50)
    server.starts("server-cert.crt has expired on", "put a new one in its place", **options)
    CaDirectory(server.own).issue("server", age=100, life=50)
    server.starts("Renewing", "it has expired")


def test_a_certificate_of_another_key(server, tmp_path):
    options = server.copy(tmp_path / "tls")
    foreign = Foreign(tmp_path / "foreign", usages=[ExtendedKeyUsageOID.SERVER_AUTH])
    shutil.copy(foreign.chain_path, tmp_path / "tls/server-cert.crt")
    server.refuses("server-private.pem does not belong to server certificate", **options)


def test_half_a_key_store(server):
    """Needed only to issue: told when that is due."""
    cut(server.own / "private.yml")
    server.starts()
    (server.own / "server-cert.crt").unlink()
    server.refuses("private.yml", "put a backup of it in its place")


# --- full disks ----------------------------------------------------------------------------------------------


@needs_mounts
@pytest.mark.parametrize("server", SERVERS)
def test_a_full_disk_at_the_first_start(deployment, tmp_path, server):
    """What cannot be kept is no reason to begin."""
    (tmp_path / "empty").mkdir()
    done, before, after = full_disk.run(deployment.keylime_dir, tmp_path / "empty", [BINARIES[server]],
                                        {**deployment.env, "KEYLIME_REGISTRAR_TLS_DIR": "generate"})
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1] and before == after == {}


@needs_mounts
def test_a_full_disk_at_a_later_start(server, tmp_path):
    """Nothing of what was there is lost."""
    done, before, after = full_disk.run(
        server.deployment.keylime_dir, shutil.copytree(server.deployment.keylime_dir, tmp_path / "content"),
        [BINARIES[server.name]], {**server.deployment.env, **server.base}, size="256k")
    assert done.returncode == 1, done.stderr
    assert "is the disk full?" in done.stderr.splitlines()[-1], done.stderr
    assert {name: digest for name, digest in after.items() if not re.search(r"-(wal|shm)$", name)} == before


# --- the agent -------------------------------------------------------------------------------------------------

AGENT = "7e57ed00-0000-4000-8000-00000000beef"


def agent_env(deployment, tmp_path):
    """With a CA file outside of its directory."""
    authority = Foreign(tmp_path / "authority")
    return {**deployment.env, **deployment.agent_env(AGENT),
            "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(authority.certificate_path)}


@needs_mounts
def test_agent_on_a_full_disk(deployment, tmp_path):
    """Its identity cannot be kept, so it does not begin with one; nothing half written stays."""
    (tmp_path / "empty").mkdir()
    env = agent_env(deployment, tmp_path)
    done, before, after = full_disk.run(deployment.keylime_dir, tmp_path / "empty",
                                        [BINARIES["agent"], "--avoid-tpm"], env)
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "No space left on device" in last and str(deployment.keylime_dir) in last, done.stderr
    assert before == after == {}


@needs_root
def test_agent_whose_directory_may_not_be_written(deployment, tmp_path):
    env = agent_env(deployment, tmp_path)
    deployment.keylime_dir.chmod(stat.S_IRUSR | stat.S_IXUSR)
    program = Program("agent", [*AS_OWNER, BINARIES["agent"], "--avoid-tpm"],
                      env, deployment.directory / "agent.log")
    deployment.programs.append(program)
    assert program.process.wait(20) == 1, program.output()
    last = program.output().splitlines()[-1]
    assert str(deployment.keylime_dir) in last and "Permission denied" in last, program.output()
