# SPDX-License-Identifier: Apache-2.0
"""keylime_tenant before servers that answer what a test says: odd answers, slow ones, none, and through a
proxy (contract C110, U7, U12, U17)."""
import base64
import json
import os
import shutil
import subprocess
import time

import pytest

from lib.fake_server import Authority, FakeServer
from lib.network import SilentPort, WebProxy
from lib.program import BINARIES, free_port
from lib.software_ek import SoftwareEk
from lib.software_tpm import SoftwareAk

AGENT = "7e57ed00-0000-4000-8000-00000000beef"


class Server(FakeServer):
    """`replace` maps a method to an answer or a function of the request; GET /version is apart."""

    def __init__(self, authority):
        self.replace = {}
        super().__init__(self._answer, authority)

    def _answer(self, request):
        if request.path == "/version":
            return self.replace.get("version", (410, {}, {"code": 410, "status": "Gone", "results": {}}))
        answer = self.replace.get(request.method)
        return answer(request) if callable(answer) else answer


class Scene:
    """A verifier and a registrar of one authority, and a tenant that trusts it."""

    def __init__(self, deployment, directory):
        self.deployment = deployment
        self.authority = Authority(directory / "authority", hosts=("localhost", "127.0.0.1"))
        self.verifier = Server(self.authority)
        self.registrar = Server(self.authority)
        deployment.env.update(
            KEYLIME_TENANT_CLIENT_CERT=str(self.authority.chain_path),
            KEYLIME_TENANT_CLIENT_KEY=str(self.authority.chain_path),
            KEYLIME_TENANT_TRUSTED_SERVER_CA=f"['{self.authority.certificate_path}']",
            KEYLIME_TENANT_VERIFIER_PORT=str(self.verifier.port),
            KEYLIME_TENANT_REGISTRAR_PORT=str(self.registrar.port),
            KEYLIME_TENANT_REQUIRE_EK_CERT="False",
            KEYLIME_TENANT_RETRY_INTERVAL="0", KEYLIME_TENANT_MAX_RETRIES="1",
        )

    def tenant(self, *arguments, env=None):
        return self.deployment.tenant(*arguments, "-u", AGENT, env=env)

    def stop(self):
        self.verifier.stop()
        self.registrar.stop()


@pytest.fixture
def scene(deployment, tmp_path):
    made = Scene(deployment, tmp_path)
    yield made
    made.stop()


def errors(done):
    return [line for line in done.stdout.splitlines() if " - ERROR - " in line]


# --- odd answers -----------------------------------------------------------------------------------

BODIES = [
    b"", b"<html>", b"[]", b"7", b"null", b"{}", b'{"code": 200}', b'{"code": 200, "results": null}',
    b'{"code": 200, "results": []}', b'{"code": 200, "results": "x"}', b'{"code": 200, "results": 7}',
    b'{"code": "200", "status": 7, "results": {}}', b'{"results": {"uuids": 7}}', b'{"errors": [7]}',
    b'{"code": 200, "results": {"' + AGENT.encode() + b'": 7, "operational_state": [], "ip": {}}}',
    b'{"code": 200, "results": {"attestation_status": "FAIL", "last_received_quote": "x"}}',
    b'{"code": 200, "results": {"aik_tpm": 7, "regcount": "x", "ek_tpm": [], "ip": 7, "port": "x"}}',
    b'{"code": 200, "results": {"aik_tpm": "AAAA", "regcount": 1, "ek_tpm": "AAAA", "ip": null, "port": null}}',
    b'{"code": 200, "results": ' + b"[" * 50 + b"]" * 50 + b"}", b'{"code": 200, "status": "\xff"}',
]


@pytest.mark.parametrize("command", [
    "add", "update", "delete", "reactivate", "cvstatus", "regstatus", "status", "cvlist", "bulkinfo",
    "reglist", "regdelete"])
def test_odd_answers(scene, command):
    """U7: whatever a server answers, the tenant ends with 0 or 1, and with a cause where it is 1."""
    for status, bodies in ((200, BODIES), (404, BODIES[:6]), (500, BODIES[:3])):
        for body in bodies:
            for server in (scene.verifier, scene.registrar):
                for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                    server.replace[method] = (status, {}, body)
            done = scene.tenant("-c", command, "--push-model")
            assert done.returncode in (0, 1), (body, done.stdout, done.stderr)
            assert done.stderr == "", (body, done.stderr)
            assert done.returncode == 0 or errors(done), (body, done.stdout)


@pytest.mark.parametrize("command", ["updateruntimepolicy", "addmbpolicy", "updatembpolicy"])
def test_storing_a_policy_needs_one(scene, command):
    """A name alone is a wrong command line, and replaces no stored policy by an empty one."""
    done = scene.tenant("-c", command, "--runtime-policy-name", "fleet", "--mb-policy-name", "fleet")
    assert done.returncode == 2 and "is required to" in done.stderr
    assert scene.verifier.requests == []


@pytest.mark.parametrize("status", [302, 404, 500])
def test_deletion_of_a_policy_that_did_not_happen(scene, status):
    """Another page (of a proxy, say) is no success either."""
    scene.verifier.replace["DELETE"] = (status, {"Location": "https://localhost/"}, b"")
    for command in ("deleteruntimepolicy", "deletembpolicy"):
        done = scene.tenant("-c", command, "--runtime-policy-name", "fleet", "--mb-policy-name", "fleet")
        assert done.returncode == 1, done.stdout


# Root without the right to read what its mode forbids.
AS_OWNER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
@pytest.mark.parametrize("which", ["CLIENT_CERT", "CLIENT_KEY", "TRUSTED_SERVER_CA"])
def test_files_that_cannot_be_read(scene, tmp_path, which):
    """C85: exit 1 and a line that names the file; nothing is asked of any server."""
    path = tmp_path / "closed.pem"
    shutil.copy(scene.authority.chain_path, path)
    path.chmod(0)
    value = f"['{path}']" if which == "TRUSTED_SERVER_CA" else str(path)
    env = {"PATH": "/usr/bin:/bin", **scene.deployment.env, f"KEYLIME_TENANT_{which}": value}
    done = subprocess.run([*AS_OWNER, str(BINARIES["tenant"]), "-c", "cvlist"], env=env, capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1
    found = errors(done)
    assert len(found) == 1 and str(path) in found[0] and "ermission denied" in found[0], done.stdout
    assert scene.verifier.requests == []


# --- update where the verifier cannot do it in one step ------------------------------------------------


def registered_record():
    ak = SoftwareAk("ecdsa")
    ek = base64.b64encode(SoftwareEk("ecc").tpm2b_public).decode()
    return {"aik_tpm": ak.ak_tpm, "ek_tpm": ek, "ekcert": None, "mtls_cert": "disabled", "regcount": 1,
            "ip": "127.0.0.1", "port": 9002}


def envelope(status, results=None, text="Success"):
    return status, {}, {"code": status, "status": text, "results": results or {}}


@pytest.mark.parametrize("status", [404, 405, 500])
@pytest.mark.parametrize("posted", [200, 400])
def test_update_in_two_steps(scene, status, posted):
    """Decision D101: an upstream verifier gets a deletion and an enrolment; a refusal of that is said for what it is."""
    scene.registrar.replace["GET"] = envelope(200, registered_record())
    scene.verifier.replace.update({
        "PATCH": (status, {}, b""), "GET": envelope(200, {"operational_state": 3, "ip": None}),
        "DELETE": envelope(200), "POST": envelope(posted, text="Success" if posted == 200 else "bad policy")})
    done = scene.tenant("-c", "update", "--push-model", "-nvc")
    assert [request.method for request in scene.verifier.requests if request.path != "/version"] == [
        "PATCH", "DELETE", "POST"] + (["GET"] if posted == 200 else [])
    patched = next(r.json for r in scene.verifier.requests if r.method == "PATCH")["data"]["attributes"]
    assert next(r.json for r in scene.verifier.requests if r.method == "POST") == patched
    if posted == 200:
        assert done.returncode == 0, done.stdout
    else:
        assert done.returncode == 1
        assert f"Agent {AGENT} (127.0.0.1:9002) is now not enrolled" in errors(done)[-1]
        assert "bad policy" in errors(done)[-1]


@pytest.mark.parametrize("status", [400, 403, 409, 503])
def test_update_that_is_refused_changes_nothing(scene, status):
    """Decision D101: any other answer ends it, before anything was deleted."""
    scene.registrar.replace["GET"] = envelope(200, registered_record())
    scene.verifier.replace["PATCH"] = (status, {}, {"errors": [{"detail": "not this way"}]})
    done = scene.tenant("-c", "update", "--push-model")
    assert done.returncode == 1
    assert "not this way; nothing was changed" in errors(done)[-1]
    assert {request.method for request in scene.verifier.requests} <= {"PATCH", "GET"}


@pytest.mark.parametrize("option,path", [
    ("--runtime-policy-name", "/v2.6/allowlists/nowhere"), ("--mb-policy-name", "/v2.6/mbpolicies/nowhere")])
def test_update_in_two_steps_wants_its_policies_first(scene, option, path):
    """Decision D101: a policy that the verifier does not have is found out before anything is deleted."""
    scene.registrar.replace["GET"] = envelope(200, registered_record())
    scene.verifier.replace.update({"PATCH": (405, {}, b""), "GET": envelope(404, text="policy nowhere not found")})
    done = scene.tenant("-c", "update", "--push-model", option, "nowhere")
    assert done.returncode == 1
    assert errors(done)[-1].endswith("404 policy nowhere not found; nothing was changed")
    assert [(each.method, each.path) for each in scene.verifier.requests if each.path != "/version"] == [
        ("PATCH", f"/v3.0/agents/{AGENT}"), ("GET", path)]


@pytest.mark.parametrize("kind,path", [
    ("runtime-policy", "/v2.6/allowlists/fleet"), ("mb-policy", "/v2.6/mbpolicies/fleet")])
@pytest.mark.parametrize("stored", [True, False])
def test_update_in_two_steps_stores_no_policy_twice(scene, tmp_path, kind, path, stored):
    """Decision D101: an upstream verifier takes no new policy under a name that it has; asked before the deletion."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({
        "meta": {"version": 1, "generator": 0, "timestamp": "now"}, "release": 0, "digests": {}, "excludes": [],
        "keyrings": {}, "ima": {"ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": None}, "ima-buf": {},
        "verification-keys": ""}))
    scene.registrar.replace["GET"] = envelope(200, registered_record())
    scene.verifier.replace.update({
        "PATCH": (405, {}, b""), "DELETE": envelope(200),
        "GET": lambda request: envelope(404 if request.path == path and not stored else 200, {"ip": None}),
        "POST": envelope(409 if stored else 200, text="policy with name fleet already exists")})
    done = scene.tenant("-c", "update", "--push-model", "-nvc", f"--{kind}", policy, f"--{kind}-name", "fleet")
    methods = [each.method for each in scene.verifier.requests if each.path != "/version"]
    if stored:
        assert done.returncode == 1
        assert "has a policy fleet already" in errors(done)[-1] and "nothing was changed" in errors(done)[-1]
        assert methods == ["PATCH", "GET"]
    else:
        assert done.returncode == 0, done.stdout
        assert methods == ["PATCH", "GET", "DELETE", "POST", "GET"]


@pytest.mark.parametrize("tries", [0, 1, 9])
def test_deletion_that_takes_its_time(scene, tries):
    """tenant-and-management-api 2.9: after 202 the verifier is asked until the agent is gone, max_retries times."""
    left = [tries]

    def look(request):
        left[0] -= 1
        return envelope(404 if left[0] < 0 else 200, {"ip": None})

    scene.verifier.replace.update({"DELETE": envelope(202, text="Accepted"), "GET": look})
    done = scene.tenant("-c", "delete", "-nvc")
    assert done.returncode == (1 if tries > 1 else 0), done.stdout
    if tries > 1:
        assert f"still has agent {AGENT} after 1 tries" in errors(done)[0]
    else:
        assert f"CV completed deletion of agent {AGENT}" in done.stdout


# --- what it sends ---------------------------------------------------------------------------------

# Of tenant-and-management-api 2.10; a verifier of upstream's answers 400 where one of these is missing.
MEMBERS = {
    "v", "cloudagent_ip", "cloudagent_port", "verifier_ip", "verifier_port", "tpm_policy", "runtime_policy",
    "runtime_policy_name", "runtime_policy_key", "mb_policy", "mb_policy_name", "ima_sign_verification_keys",
    "metadata", "revocation_key", "accept_tpm_hash_algs", "accept_tpm_encryption_algs",
    "accept_tpm_signing_algs", "ak_tpm", "mtls_cert", "supported_version"}


def test_enrolment_has_every_member(scene):
    """tenant-and-management-api 2.10, 3.3: the members and their types; no Authorization header."""
    record = registered_record()
    scene.registrar.replace["GET"] = envelope(200, record)
    scene.verifier.replace.update({
        "POST": envelope(200), "GET": envelope(200, {"operational_state": 3, "ip": None})})
    done = scene.tenant("-c", "add", "--push-model", "--tpm_policy", '{"15": ["%s"]}' % ("0" * 64))
    assert done.returncode == 0, done.stdout
    posted = next(r.json for r in scene.verifier.requests if r.method == "POST")
    assert set(posted) >= MEMBERS
    assert json.loads(posted["tpm_policy"])["mask"] == "0x8000"
    assert base64.b64decode(posted["runtime_policy"]) == b""
    assert posted["ak_tpm"] == record["aik_tpm"]
    for name in ("accept_tpm_hash_algs", "accept_tpm_encryption_algs", "accept_tpm_signing_algs"):
        assert posted[name] and all(isinstance(word, str) for word in posted[name])
    for request in [*scene.verifier.requests, *scene.registrar.requests]:
        assert "authorization" not in request.headers


# --- slow servers, and none ------------------------------------------------------------------------


def test_the_tenant_says_whom_it_waits_for(scene):
    """U12: an answer that takes longer than two seconds is announced, with the server."""
    def slow(request):
        time.sleep(2.6)
        return 200, {}, {"code": 200, "status": "Success", "results": {"uuids": []}}

    scene.verifier.replace["GET"] = slow
    done = scene.tenant("-c", "cvlist")
    assert done.returncode == 0, done.stdout
    assert f"Waiting for an answer of Verifier (127.0.0.1:{scene.verifier.port})..." in done.stdout
    scene.verifier.replace["GET"] = slow(None)
    assert "Waiting" not in scene.tenant("-c", "cvlist").stdout


@pytest.mark.parametrize("command,option", [("cvlist", "-vp"), ("reglist", "-rp")])
def test_dropped_packets_end_within_the_timeout(scene, command, option):
    """C110: exit 1 within request_timeout, with the URL and the cause."""
    silent = SilentPort()
    begun = time.monotonic()
    done = scene.tenant("-c", command, option, str(silent.port),
                        env={"KEYLIME_TENANT_REQUEST_TIMEOUT": "1"})
    assert time.monotonic() - begun < 6
    silent.stop()
    assert done.returncode == 1
    assert len(errors(done)) == 1 and f"127.0.0.1:{silent.port}" in errors(done)[0]
    assert "timeout: no connection within 1000 ms" in errors(done)[0]


# --- proxies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy(scene, variable):
    """U17: the variable's proxy is asked for both servers; NO_PROXY leaves it out."""
    answer = (200, {}, {"code": 200, "status": "Success", "results": {"uuids": []}})
    for server in (scene.verifier, scene.registrar):
        server.replace["GET"] = answer
    proxy = WebProxy()
    env = {variable: f"http://127.0.0.1:{proxy.port}"}
    for command in ("cvlist", "reglist"):
        assert scene.tenant("-c", command, env=env).returncode == 0
    asked = {target for method, target in proxy.asked if method == "CONNECT"}
    assert asked == {f"127.0.0.1:{scene.verifier.port}", f"127.0.0.1:{scene.registrar.port}"}
    proxy.asked.clear()
    for name in ("NO_PROXY", "no_proxy"):
        assert scene.tenant("-c", "cvlist", env={**env, name: "127.0.0.1"}).returncode == 0
    proxy.stop()
    assert proxy.asked == []


def test_proxy_that_is_not_there(scene):
    """U17: no way around a proxy that is down, and its address is named."""
    scene.verifier.replace["GET"] = (200, {}, {"code": 200, "status": "Success", "results": {"uuids": []}})
    port = free_port()
    done = scene.tenant("-c", "cvlist", env={"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in errors(done)[0] and "refused" in errors(done)[0]
    assert scene.verifier.requests == []
