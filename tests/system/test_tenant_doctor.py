# SPDX-License-Identifier: Apache-2.0
"""keylime_tenant doctor: each connection, certificate, clock and version, and for each problem one line with its
remedy (contract U20)."""
import json
import re
import time
from email.utils import formatdate

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.ca_directory import CaDirectory
from lib.fake_server import Authority, FakeServer
from lib.program import free_port
from test_tenant_answers import Scene, Server, errors, scene  # noqa: F401 (a fixture)

COMMANDS = (["doctor"], ["-c", "doctor"], ["-c", "diagnose"])


def version(offered, date=None):
    body = {"code": 200, "status": "Success", "results": {"current_version": "2.6", "supported_versions": offered}}
    return 200, {"Date": date} if date else {}, body


def sound(scene):
    """The answers of two servers without fault."""
    gone = {"code": 404, "status": "agent id not found", "results": {}}
    scene.registrar.replace.update({"version": version(["2.6"]), "GET": (404, {}, gone)})
    scene.verifier.replace.update({"GET": (404, {}, gone)})


def replace_server(scene, kind, authority):
    """The server with a certificate of another make."""
    getattr(scene, kind).stop()
    server = Server(authority)
    setattr(scene, kind, server)
    scene.deployment.env[f"KEYLIME_TENANT_{kind.upper()}_PORT"] = str(server.port)
    sound(scene)


@pytest.fixture
def servers(deployment):
    deployment.start_verifier()
    deployment.start_registrar()
    return deployment


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sound_installation(servers, command):
    """U20: connection, certificate, clock, versions and rights of both servers, and nothing to mend."""
    done = servers.tenant(*command, check=0)
    for kind, port in (("Verifier", servers.verifier_port), ("Registrar", servers.registrar_tls_port)):
        place = f"{kind} (127.0.0.1:{port}): "
        for text in ("its certificate is valid for ", "its clock agrees", "this machine's certificate is an admin"):
            assert place + text in done.stdout, done.stdout
    assert "a verifier in push mode, API version 3.0" in done.stdout
    assert "): API version 2.6" in done.stdout
    assert re.search(r"This machine: the client certificate \S+ is for clients, and valid for 36[45] days", done.stdout)
    report = json.loads(servers.tenant(*command, "--json", check=0).stdout)
    assert {part: len(found) for part, found in report.items()} == {"tenant": 1, "registrar": 4, "verifier": 4}
    assert {found["level"] for part in report.values() for found in part} == {"INFO"}


def test_every_problem_in_one_run(scene, tmp_path):
    """Of both servers, with their number; exit 1; the report of --json holds them and the error."""
    replace_server(scene, "registrar", Authority(tmp_path / "other", name="another CA", hosts=("127.0.0.1",)))
    past = formatdate(time.time() - 3600, usegmt=True)
    scene.verifier.replace["version"] = version(["2.6"], past)
    scene.verifier.replace["GET"] = (403, {}, {"errors": [{"status": "403", "detail": "requires admin"}]})
    done = scene.tenant("doctor")
    assert done.returncode == 1
    found = errors(done)
    for text in ("certificate verify failed", "trusted_server_ca", "s behind this machine's", "set mode = push",
                 "not taken as an administrator's (403 requires admin)", "admin_certificate_names"):
        assert any(text in line for line in found), (text, found)
    assert found[-1].endswith("4 problems found")
    assert re.search(r"WARNING - Verifier \S+: its certificate expires in [01] days", done.stdout), done.stdout
    done = scene.tenant("doctor", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["error"] == {"message": "4 problems found", "exit_status": 1}
    assert sum(each["level"] == "ERROR" for part in ("tenant", "registrar", "verifier") for each in report[part]) == 4


def test_where_nobody_listens(scene):
    """A port without listener, and one without TLS."""
    plain = FakeServer(lambda request: (200, {}, {}))
    done = scene.tenant("doctor", "-vp", str(free_port()), "-rp", str(plain.port))
    plain.stop()
    assert done.returncode == 1
    found = "\n".join(errors(done))
    assert "refused" in found and "systemctl status keylime_verifier" in found and "verifier_port" in found
    assert "no TLS on this port" in found and "registrar_port" in found


@pytest.mark.parametrize("kind", ["registrar", "verifier"])
@pytest.mark.parametrize("flaw,words", [
    ({"days": -1}, ("expired on 20", "restart the server to renew")),
    ({"hosts": ("elsewhere.example",)}, ("hostname mismatch", "DNS elsewhere.example", "cert_subject_alternative_names")),
    ({"usages": [ExtendedKeyUsageOID.CLIENT_AUTH]}, ("purpose", "--role server")),
])
def test_the_certificate_of_a_server(scene, tmp_path, kind, flaw, words):
    """Expiry, names, role: told with what mends it, and the other server is judged all the same."""
    sound(scene)
    made = {"hosts": ("127.0.0.1",), **flaw}
    authority = Authority(tmp_path / "flawed", name="flawed CA", **made)
    trusted = [str(scene.authority.certificate_path), str(authority.certificate_path)]
    scene.deployment.env["KEYLIME_TENANT_TRUSTED_SERVER_CA"] = str(trusted)
    replace_server(scene, kind, authority)
    done = scene.tenant("doctor")
    assert done.returncode == 1
    found = errors(done)
    assert len(found) == 2 and found[-1].endswith("1 problem found"), found
    assert found[0].split(" - ERROR - ")[1].startswith(kind.capitalize())
    for word in words:
        assert word in found[0], (word, found[0])
    other = "Verifier" if kind == "registrar" else "Registrar"
    assert f"INFO - {other} (127.0.0.1:" in done.stdout


@pytest.mark.parametrize("offset,words", [(-3600, "s behind this machine's"), (3600, "s ahead of this machine's")])
@pytest.mark.parametrize("kind", ["registrar", "verifier"])
def test_the_clock_of_a_server(scene, kind, offset, words):
    sound(scene)
    status, _, body = getattr(scene, kind).replace.get("version", (410, {}, {"code": 410}))
    date = formatdate(time.time() + offset, usegmt=True)
    getattr(scene, kind).replace["version"] = (status, {"Date": date}, body)
    done = scene.tenant("doctor")
    assert done.returncode == 1
    assert words in errors(done)[0] and "timedatectl" in errors(done)[0]
    assert len(errors(done)) == 2


@pytest.mark.parametrize("kind,answer,words", [
    ("registrar", version(["1.0", "9.0"]), "offers none of the API versions 2.0 to 2.6"),
    ("registrar", (404, {}, b""), "is another service on this port?"),
    ("verifier", (404, {}, b""), "is another service on this port?"),
    ("verifier", version(["2.6"]), "set mode = push"),
])
def test_the_versions_of_a_server(scene, kind, answer, words):
    sound(scene)
    getattr(scene, kind).replace["version"] = answer
    done = scene.tenant("doctor")
    assert done.returncode == 1
    assert words in errors(done)[0] and len(errors(done)) == 2, done.stdout


def test_rights_at_one_server_only(scene):
    sound(scene)
    scene.registrar.replace["GET"] = (403, {}, {"errors": [{"detail": "requires admin"}]})
    done = scene.tenant("doctor")
    assert done.returncode == 1 and len(errors(done)) == 2
    assert "admin_certificate_names of the registrar" in errors(done)[0]


# --- this machine's own files ------------------------------------------------------------------------


def test_own_certificate_has_expired(servers):
    """Told here, and by each server that refuses it."""
    authority = CaDirectory(servers.certificates)
    authority.issue("client", age=100, life=50, usages=[ExtendedKeyUsageOID.CLIENT_AUTH])
    done = servers.tenant("doctor", check=1)
    found = errors(done)
    assert "This machine: the client certificate" in found[0] and "has expired" in found[0]
    assert "keylime_ca -c bundle --for tenant" in found[0]
    assert sum("refuses the client certificate" in line for line in found) == 2, found


def test_own_certificate_expires_soon(servers):
    authority = CaDirectory(servers.certificates)
    authority.issue("client", life=10 * 24 * 60 + 60, usages=[ExtendedKeyUsageOID.CLIENT_AUTH])
    done = servers.tenant("doctor", check=0)
    assert re.search(r"WARNING - This machine: the client certificate \S+ expires in 10 days", done.stdout), done.stdout


def test_own_certificate_is_of_another_ca(servers, tmp_path):
    foreign = Authority(tmp_path / "foreign", hosts=("localhost",), days=100)
    servers.env.update(KEYLIME_TENANT_CLIENT_CERT=str(foreign.chain_path),
                       KEYLIME_TENANT_CLIENT_KEY=str(foreign.chain_path))
    found = errors(servers.tenant("doctor", check=1))
    for kind in ("registrar", "verifier"):
        assert any("refuses the client certificate" in line and f"trusted_client_ca of the {kind}" in line
                   for line in found), found


def test_own_certificate_is_for_servers(servers):
    """Nothing is asked of any server with it."""
    CaDirectory(servers.certificates).issue("client", usages=[ExtendedKeyUsageOID.SERVER_AUTH])
    done = servers.tenant("doctor", "--json", check=1)
    report = json.loads(done.stdout)
    assert set(report) == {"tenant", "error"}
    assert "lacks clientAuth" in report["tenant"][0]["message"]
    assert "keylime_ca -c bundle --for tenant" in report["tenant"][0]["message"]


def test_own_files_are_missing(servers, tmp_path):
    servers.env["KEYLIME_TENANT_TLS_DIR"] = str(tmp_path / "nowhere")
    found = errors(servers.tenant("doctor", check=1))
    assert len(found) == 2
    assert f"{tmp_path}/nowhere/client-cert.crt: No such file" in found[0] and "bundle --for tenant" in found[0]


def test_the_trusted_ca_has_expired(scene, tmp_path):
    sound(scene)
    authority = Authority(tmp_path / "old")
    old = tmp_path / "old.pem"
    old.write_bytes(authority._issue(authority.name, authority.key, True, [], -1))
    trusted = [str(scene.authority.certificate_path), str(old)]
    done = scene.tenant("doctor", env={"KEYLIME_TENANT_TRUSTED_SERVER_CA": str(trusted)})
    assert done.returncode == 1
    assert f"the CA certificate {old} has expired" in errors(done)[0] and len(errors(done)) == 2


def test_certificates_that_are_not_checked(scene):
    sound(scene)
    done = scene.tenant("doctor", env={"KEYLIME_TENANT_TRUSTED_SERVER_CA": "all"})
    assert done.returncode == 0, done.stdout
    assert "WARNING - This machine: trusted_server_ca = all: anybody may answer" in done.stdout
