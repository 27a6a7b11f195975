# SPDX-License-Identifier: Apache-2.0
"""Enrolment and the administration of agents, under both versions of the API, and the start of the
verifier as its operator sees it."""
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest
from lib.program import BINARIES, wait_until
from lib.push_client import JSON_API, PushClient, enrolment
from lib.software_tpm import SoftwareAk, base64_text

AGENT = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
EMPTY_POLICY = {
    "meta": {"version": 1, "generator": 1}, "release": 0, "digests": {}, "excludes": [],
    "keyrings": {}, "ima": {"ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": None},
    "ima-buf": {}, "verification-keys": ""}


def encoded(value):
    return base64_text(json.dumps(value).encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request):
    """Environment of a verifier on each database engine."""
    if request.param == "sqlite":
        return {}
    server = request.getfixturevalue("postgresql")
    return {"KEYLIME_VERIFIER_DATABASE_URL": server.create("management")}


class Admin:
    """An administrator in front of the verifier."""

    def __init__(self, deployment):
        self.http = deployment.admin()
        self.url = deployment.verifier_url

    def call(self, method, path, body=None, **kwargs):
        return self.http.request(method, self.url + path, json=body, **kwargs)

    def enrol(self, ak, agent_id=AGENT, **changes):
        return self.call("POST", f"/v2.6/agents/{agent_id}", enrolment(ak, **changes))

    def record(self, agent_id=AGENT):
        return self.call("GET", f"/v2.6/agents/{agent_id}").json()["results"]


@pytest.fixture
def admin(deployment):
    deployment.start_verifier()
    return Admin(deployment)


# --- enrolment ----------------------------------------------------------------------------------


def test_an_enrolled_agent_is_shown_listed_and_deleted(deployment, engine):
    deployment.start_verifier(engine)
    admin, ak = Admin(deployment), SoftwareAk()
    answer = admin.enrol(ak, tpm_policy='{"15": ["' + "0" * 64 + '"], "mask": "0x8000"}',
                         metadata='{"rack": 7}')
    assert answer.status_code == 200
    assert answer.json() == {"code": 200, "status": "Success", "results": {}}

    shown = admin.call("GET", f"/v2.6/agents/{AGENT}")
    assert shown.headers["Content-Type"] == "application/json"
    assert list(shown.json()["results"].items()) == list({
        "operational_state": 3, "v": None, "ip": None, "port": None,
        "tpm_policy": '{"15": ["' + "0" * 64 + '"], "mask": "0x8000"}', "meta_data": '{"rack": 7}',
        "has_mb_refstate": 0, "has_runtime_policy": 0,
        "accept_tpm_hash_algs": ["sha512", "sha384", "sha256"],
        "accept_tpm_encryption_algs": ["ecc", "rsa"],
        "accept_tpm_signing_algs": ["rsassa", "rsapss", "ecdsa"],
        "hash_alg": "", "enc_alg": "", "sign_alg": "", "verifier_id": "default",
        "verifier_ip": "127.0.0.1", "verifier_port": 8881, "severity_level": None,
        "last_event_id": None, "attestation_count": 0, "last_received_quote": 0,
        "last_successful_attestation": 0, "attestation_status": "PENDING",
        "attestation_period": "2s", "maximum_attestation_interval": "10s"}.items())

    for path in ("/v2.6/agents", "/v2/agents/", "/v2.0/agents/?verifier=", "/v2.6/agents/?bulk=",
                 "/v2.6/agents/?verifier=default"):
        assert admin.call("GET", path).json()["results"] == {"uuids": [[AGENT]]}, path
    assert admin.call("GET", "/v2.6/agents/?verifier=x").json()["results"] == {"uuids": []}
    bulk = admin.call("GET", "/v2.6/agents/?bulk=True&verifier=default").json()["results"]
    assert bulk == {AGENT: admin.record()}
    assert admin.call("GET", "/v2.6/agents/?bulk=True&verifier=x").json()["results"] == {}

    again = admin.enrol(ak)
    assert again.status_code == 409
    assert again.json()["status"] == (
        f"Agent of uuid {AGENT} already exists. Please use delete or update.")
    deleted = admin.call("DELETE", f"/v2.6/agents/{AGENT}")
    assert deleted.status_code == 200 and deleted.json()["status"] == "Success"
    for method in ("GET", "DELETE"):
        gone = admin.call(method, f"/v2.6/agents/{AGENT}")
        assert gone.status_code == 404
        assert gone.json() == {"code": 404, "status": "agent id not found", "results": {}}


@pytest.mark.parametrize("changes", [
    {"verifier_port": 8881}, {"verifier_port": None}, {"verifier_port": ""}, {"verifier_ip": None},
    {"cloudagent_port": "9002"}, {"cloudagent_ip": None}, {"cloudagent_ip": ...}, {"v": ...},
    {"mtls_cert": None}, {"mtls_cert": ...}, {"supported_version": "9.9"},
    {"supported_version": ...}, {"runtime_policy_key": ...}, {"runtime_policy_name": ...},
    {"metadata": None}, {"tpm_policy": "{}"}, {"tpm_policy": None}, {"tpm_policy": {"mask": "0x0"}},
    {"runtime_policy": encoded(EMPTY_POLICY)}, {"runtime_policy": None}, {"mb_policy": ""},
    {"mb_policy": "{}"}, {"mb_policy_name": None}, {"revocation_key": None},
    {"accept_tpm_signing_algs": ["ecschnorr", "rsassa"]}, {"unknown": {"is": "ignored"}}])
def test_what_tenants_send_is_accepted(admin, changes):
    answer = admin.enrol(SoftwareAk(), **changes)
    assert answer.status_code == 200, answer.text
    record = admin.record()
    assert record["ip"] is None and record["port"] is None
    assert record["has_runtime_policy"] == 0
    # An empty reference state asks for the log, none does not (measured-boot 8).
    assert record["has_mb_refstate"] == (changes.get("mb_policy") == "{}")


BAD_ATTRIBUTES = SoftwareAk(attributes=0x00040072).ak_tpm
SMALL_AK = SoftwareAk(bits=1024).ak_tpm
GOOD_AK = SoftwareAk()


@pytest.mark.parametrize("member,value,reason", [
    *[(name, ..., "is required") for name in (
        "tpm_policy", "metadata", "ima_sign_verification_keys", "revocation_key",
        "accept_tpm_hash_algs", "accept_tpm_encryption_algs", "accept_tpm_signing_algs", "ak_tpm",
        "runtime_policy", "mb_policy", "mb_policy_name")],
    ("ak_tpm", "", ""), ("ak_tpm", None, ""), ("ak_tpm", 5, ""), ("ak_tpm", "*", "base64"),
    ("ak_tpm", "AAAA", ""), ("ak_tpm", base64_text(GOOD_AK.tpm2b_public + b"\0"), ""),
    ("ak_tpm", base64_text(GOOD_AK.tpmt), ""), ("ak_tpm", BAD_ATTRIBUTES, ""),
    ("ak_tpm", SMALL_AK, ""),
    ("tpm_policy", "x", ""), ("tpm_policy", "[]", ""), ("tpm_policy", 5, ""),
    ("tpm_policy", '{"24": ["00"]}', ""), ("tpm_policy", '{"0": ["0g"]}', ""),
    ("tpm_policy", '{"0": ["0011"]}', ""), ("tpm_policy", '{"0": 7}', ""),
    ("accept_tpm_hash_algs", "sha256", "list"), ("accept_tpm_hash_algs", ["md5"], "md5"),
    ("accept_tpm_hash_algs", [5], "list"), ("accept_tpm_signing_algs", ["dsa"], "dsa"),
    ("accept_tpm_encryption_algs", ["dh"], "dh"), ("accept_tpm_encryption_algs", None, "list"),
    ("metadata", 5, ""), ("verifier_port", "x", "port"), ("verifier_port", 70000, "port"),
    ("verifier_ip", 5, "text"), ("mtls_cert", {}, "text"), ("supported_version", 2.6, "text"),
    ("runtime_policy", "*", "base64"), ("runtime_policy", base64_text(b"{"), "JSON"),
    ("runtime_policy", {"meta": {}}, "text"), ("runtime_policy", encoded({}), "meta"),
    ("runtime_policy", encoded({"meta": {}}), "meta"),
    ("runtime_policy", encoded({**EMPTY_POLICY, "digests": {"/bin/sh": ["00" * 3]}}), "/bin/sh"),
    ("runtime_policy", encoded({**EMPTY_POLICY, "excludes": ["(/tmp"]}), "excludes[0]"),
    ("runtime_policy", encoded({"payload": "e30=", "signatures": []}), ""),
    ("runtime_policy_name", "a/b", "slash"), ("runtime_policy_name", 5, "text"),
    ("mb_policy", "x", "JSON"), ("mb_policy", "[1", "JSON"), ("mb_policy_name", "a b", "visible"),
    ("ima_sign_verification_keys", "x", ""), ("ima_sign_verification_keys", "{}", "")])
def test_a_wrong_member_is_named_and_nothing_is_stored(admin, member, value, reason):
    answer = admin.enrol(GOOD_AK, **{member: value})
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["code"] == 400 and body["results"] == {}
    assert body["status"].startswith(member + ": ") and reason in body["status"], body["status"]
    assert body["status"].count(member + ": ") == 1, body["status"]
    assert admin.call("GET", "/v2.6/agents").json()["results"] == {"uuids": []}


@pytest.mark.parametrize("agent_id", ["a%20b", "a" * 81, "..%2f", "ä", "a;b"])
def test_odd_agent_ids_are_refused(admin, agent_id):
    answer = admin.enrol(SoftwareAk(), agent_id)
    assert answer.status_code == 400
    assert admin.call("GET", "/v2.6/agents").json()["results"] == {"uuids": []}


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null"])
def test_a_body_that_is_no_object_is_refused(admin, text):
    answer = admin.http.post(f"{admin.url}/v2.6/agents/{AGENT}", data=text)
    assert answer.status_code == 400


# --- stop, reactivate ---------------------------------------------------------------------------


def test_stop_and_reactivate(deployment, engine):
    deployment.start_verifier(engine)
    admin = Admin(deployment)
    admin.enrol(SoftwareAk())
    for action, state in (("stop", 10), ("reactivate", 3)):
        answer = admin.call("PUT", f"/v2.6/agents/{AGENT}/{action}")
        assert answer.status_code == 200
        assert answer.json() == {"code": 200, "status": "Success", "results": {}}
        assert admin.record()["operational_state"] == state
        unknown = admin.call("PUT", f"/v2.6/agents/unknown/{action}")
        assert unknown.status_code == 404
        assert unknown.json() == {"code": 404, "status": "agent id not found", "results": {}}
    assert admin.record()["attestation_status"] == "PENDING"
    assert admin.call("PUT", f"/v2.6/agents/{AGENT}/stop?reactivate=1").status_code == 200
    assert admin.record()["operational_state"] == 10, "query members never change what is asked"
    assert admin.call("PUT", f"/v2.6/agents/{AGENT}").status_code == 405


def test_agents_of_another_verifier_are_left_alone(deployment):
    first = deployment.start_verifier({"KEYLIME_VERIFIER_UUID": "one"})
    admin = Admin(deployment)
    admin.enrol(SoftwareAk())
    assert first.stop() == 0
    deployment.start_verifier({"KEYLIME_VERIFIER_UUID": "two"}, log="second")
    admin = Admin(deployment)
    assert admin.record()["verifier_id"] == "one"
    assert admin.call("DELETE", f"/v2.6/agents/{AGENT}").status_code == 404
    for action in ("stop", "reactivate"):
        assert admin.call("PUT", f"/v2.6/agents/{AGENT}/{action}").status_code == 404
    patch = {"data": {"type": "agent", "attributes": {"metadata": '{"x": 1}'}}}
    assert admin.call("PATCH", f"/v3.0/agents/{AGENT}", patch).status_code == 404
    assert admin.record()["operational_state"] == 3 and admin.record()["meta_data"] == "{}"


# --- version 3 ----------------------------------------------------------------------------------


def resource(attributes, **members):
    return {"data": {"type": "agent", **members, "attributes": attributes}}


def test_agents_are_json_api_resources_in_version_3(deployment, engine):
    deployment.start_verifier(engine)
    admin, ak = Admin(deployment), SoftwareAk()
    made = admin.call("POST", "/v3.0/agents", resource(enrolment(ak), id=AGENT), headers=JSON_API)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/v3.0/agents/{AGENT}"
    assert made.headers["Content-Type"] == "application/vnd.api+json"
    shown = admin.call("GET", f"/v3/agents/{AGENT}").json()
    assert shown["data"]["type"] == "agent" and shown["data"]["id"] == AGENT
    assert shown["data"]["attributes"] == admin.record()
    assert shown["data"]["links"]["self"] == f"/v3/agents/{AGENT}"
    assert shown["jsonapi"] == {"version": "1.1"}
    listed = admin.call("GET", "/v3.0/agents").json()["data"]
    assert [one["id"] for one in listed] == [AGENT]
    again = admin.call("POST", "/v3.0/agents", resource({**enrolment(ak), "agent_id": AGENT}))
    assert again.status_code == 409 and again.json()["errors"][0]["code"] == "conflict"
    deleted = admin.call("DELETE", f"/v3.0/agents/{AGENT}")
    assert deleted.status_code == 204 and "Content-Length" not in deleted.headers
    for method in ("GET", "DELETE"):
        gone = admin.call(method, f"/v3.0/agents/{AGENT}")
        assert gone.status_code == 404 and gone.json()["errors"][0]["code"] == "not_found"


def test_an_update_is_atomic_and_keeps_what_is_not_given(deployment, engine):
    verifier = deployment.start_verifier(engine)
    admin, ak = Admin(deployment), SoftwareAk()
    admin.enrol(ak, metadata='{"rack": 7}')
    client = PushClient(deployment.anonymous(), deployment.verifier_url, AGENT, ak)
    token = client.token()
    policy = '{"16": ["' + "1" * 64 + '"]}'
    answer = admin.call("PATCH", f"/v3.0/agents/{AGENT}",
                        resource({"tpm_policy": policy, "accept_tpm_hash_algs": ["sha256"]}))
    assert answer.status_code == 200, answer.text
    record = answer.json()["data"]["attributes"]
    assert record == admin.record()
    assert record["tpm_policy"] == policy and record["accept_tpm_hash_algs"] == ["sha256"]
    assert record["meta_data"] == '{"rack": 7}'
    assert client.read_self(token).status_code == 200, "the same key keeps its token"

    refused = admin.call("PATCH", f"/v3.0/agents/{AGENT}",
                         resource({"tpm_policy": "{}", "accept_tpm_signing_algs": ["dsa"]}))
    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert error["source"]["pointer"] == "/data/attributes/accept_tpm_signing_algs"
    assert admin.record()["tpm_policy"] == policy, "nothing of a refused update is stored"

    full = admin.call("PATCH", f"/v3.0/agents/{AGENT}", resource(enrolment(ak)), headers=JSON_API)
    assert full.status_code == 200 and admin.record()["meta_data"] == "{}"
    changed = SoftwareAk("ecdsa")
    answer = admin.call("PATCH", f"/v3.0/agents/{AGENT}", resource({"ak_tpm": changed.ak_tpm}))
    assert answer.status_code == 200
    assert client.read_self(token).status_code == 401, "the old key's token has ended"
    client.ak = changed
    assert client.read_self(client.token()).status_code == 200
    verifier.wait_for_line(f"Agent '{AGENT}' updated by 'client'")


@pytest.mark.parametrize("body,code", [
    ({}, 400), ({"data": None}, 400), ({"data": "x"}, 400), ({"data": []}, 400),
    ({"data": {"attributes": {}}}, 409), ({"data": {"type": "session", "attributes": {}}}, 409),
    ({"data": {"type": "agent"}}, 400), ({"data": {"type": "agent", "attributes": []}}, 400),
    ({"data": {"type": "agent", "id": "other", "attributes": {}}}, 409),
    ({"data": {"type": "agent", "attributes": {"runtime_policy_name": "x"}}}, 404),
    ({"data": {"type": "agent", "attributes": {"runtime_policy": "x"}}}, 400)])
def test_malformed_updates_are_refused(admin, body, code):
    admin.enrol(SoftwareAk())
    answer = admin.call("PATCH", f"/v3.0/agents/{AGENT}", body)
    assert answer.status_code == code, answer.text
    assert answer.json()["errors"][0]["status"] == str(code)
    unknown = admin.call("PATCH", "/v3.0/agents/unknown", resource({"metadata": "{}"}))
    assert unknown.status_code == 404


# --- who may --------------------------------------------------------------------------------------


ADMIN_ROUTES = [
    ("GET", "/v2.6/agents", "list_agents"), ("POST", "/v2.6/agents/a", "create_agent"),
    ("DELETE", "/v2.6/agents/a", "delete_agent"), ("PUT", "/v2.6/agents/a/stop", "stop_agent"),
    ("PUT", "/v2.6/agents/a/reactivate", "reactivate_agent"),
    ("GET", "/v3.0/agents", "list_agents"), ("POST", "/v3.0/agents", "create_agent"),
    ("PATCH", "/v3.0/agents/a", "update_agent"), ("DELETE", "/v3.0/agents/a", "delete_agent"),
    ("GET", "/v3.0/agents/a/attestations", "list_attestations"),
    ("GET", "/v3.0/agents/a/attestations/latest", "read_attestation"),
    ("GET", "/v3.0/agents/a/attestations/0", "read_attestation"),
    ("GET", "/v2.6/allowlists", "list_runtime_policies"),
    ("GET", "/v2.6/mbpolicies", "list_mb_policies")]


def test_only_administrators_administrate(deployment, admin):
    anonymous = deployment.anonymous()
    client = PushClient(anonymous, admin.url, "a")
    admin.enrol(client.ak, "a")
    bearer = {"Authorization": "Bearer " + client.token()}
    for method, path, action in ADMIN_ROUTES:
        for headers in ({}, bearer):
            answer = anonymous.request(method, admin.url + path, json={}, headers=headers)
            assert answer.status_code == 403, f"{method} {path}"
            assert answer.json()["errors"] == [{
                "status": "403", "title": "Forbidden",
                "detail": f"Action {action} requires admin authentication (mTLS certificate)"}]
        wrong = {"Authorization": "Bearer x.y"}
        assert admin.call(method, path, {}, headers=wrong).status_code == 401, f"{method} {path}"
    for version in ("/v2.6", "/v3.0"):
        answer = anonymous.get(f"{admin.url}{version}/agents/a")
        assert answer.json()["errors"][0]["detail"] == "Action read_agent requires authentication"
        assert anonymous.get(f"{admin.url}{version}/agents/a", headers=bearer).status_code == 200
    for method, path in (("POST", "attestations"), ("PATCH", "attestations/latest")):
        answer = admin.call(method, f"/v3.0/agents/a/{path}", {}, headers=JSON_API)
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["detail"] == (
            "Action submit_attestation requires agent authentication (PoP token)")


def test_the_servers_own_certificate_is_no_administrator(deployment, admin):
    http = deployment.anonymous()
    http.cert = (str(deployment.certificates / "server-cert.crt"),
                 str(deployment.certificates / "server-private.pem"))
    try:
        code = http.get(f"{admin.url}/v2.6/agents").status_code
    except Exception as error:  # refused in the handshake already
        assert "SSL" in repr(error) or "Connection" in repr(error)
    else:
        assert code == 403


# --- the server itself ----------------------------------------------------------------------------


def test_roots_and_versions(deployment, admin):
    http, url = deployment.anonymous(), admin.url
    for path in ("/version", "/versions"):
        answer = http.get(url + path)
        assert answer.status_code == 410
        assert answer.json() == {"code": 410, "status": "Gone", "results": {}}
    root = http.get(url + "/", allow_redirects=False)
    assert root.status_code == 307 and root.headers["Location"] == "/v3.0/"
    for path in ("/v3.0/", "/v3.0", "/v3", "/v3/"):
        assert http.get(url + path).status_code == 200, path
    for path in ("/v2/", "/v2.0/", "/v2.6"):
        assert http.get(url + path).status_code == 405, path
    for path in ("/v3.1/agents", "/v2.7/agents", "/v1.0/agents", "/V3.0/agents", "/nope"):
        assert http.get(url + path).status_code == 404, path
    assert http.put(url + "/v3.0/agents").status_code == 405
    assert http.get(url + "/version", headers={"X-Request-ID": "ab-c_1"}).headers[
        "X-Request-Id"] == "abc_1"
    assert admin.call("GET", "/v2.6/allowlists/").json()["results"] == {"runtimepolicy names": []}
    assert admin.call("GET", "/v2.6/mbpolicies/").json()["results"] == {"mbpolicy names": []}


def test_start_up_lines(deployment):
    verifier = deployment.start_verifier()
    verifier.wait_for_line("ip is 127.0.0.1")
    output = verifier.output()
    for line in ("keylime.verifier - INFO - Starting Keylime verifier in PUSH mode...",
                 "keylime.verifier - INFO - Current API version: 2.6",
                 "Option mode is not set"):
        assert line in output, line
    assert f"keylime.web - INFO - Listening on 127.0.0.1:{deployment.verifier_port} (HTTPS) with " \
        in output
    assert oct((deployment.keylime_dir / "verifier.sqlite").stat().st_mode & 0o777) == "0o600"


def run_verifier(deployment, env, *arguments):
    return subprocess.run([str(BINARIES["verifier"]), *arguments],
                          env={"PATH": "/usr/bin:/bin", **deployment.env, **env},
                          capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("option,value,words", [
    ("MODE", "pull", "this verifier serves push mode only; set mode = push"),
    ("MODE", "pish", "push"), ("QUOTE_INTERVAL", "0", ""), ("QUOTE_INTERVAL", "-1", ""),
    ("QUOTE_INTERVAL", "nan", ""), ("QUOTE_INTERVAL", "abc", ""), ("QUOTE_INTERVAL", "", ""),
    ("QUOTE_INTERVAL", "86401", ""), ("CHALLENGE_LIFETIME", "0", ""),
    ("CHALLENGE_LIFETIME", "1.5", ""), ("VERIFICATION_TIMEOUT", "-1", ""), ("PORT", "70000", ""),
    ("MEASURED_BOOT_IMPORTS", "['my.module']", "not provided"),
    ("MEASURED_BOOT_POLICY_NAME", "mine", "accept-all"), ("MEASURED_BOOT_EVALUATE", "twice", "once"),
    ("DURABLE_ATTESTATION_IMPORT", "keylime.da", "not provided"),
    ("SEVERITY_POLICY", "zzz", ""), ("SEVERITY_LABELS", "['a', ", ""),
    ("AUTHORIZATION_PROVIDER", "bogus", "simple"), ("TRUSTED_CLIENT_CA", "all", "all"),
    ("DATABASE_POOL_SZ_OVFL", "5", "5,10"), ("MAX_WORKERS", "abc", ""), ("IP", "", ""),
    ("EXTEND_TOKEN_ON_ATTESTATION", "maybe", "")])
def test_bad_values_are_refused_before_anything_opens(deployment, option, value, words):
    name = f"KEYLIME_VERIFIER_{option}"
    for arguments in ((), ("--check-config",)):
        done = run_verifier(deployment, {name: value}, *arguments)
        assert done.returncode == 1, done.stderr
        assert name in done.stderr and words in done.stderr, done.stderr
    assert list(deployment.keylime_dir.iterdir()) == []


@pytest.mark.parametrize("mode", ["push", "PUSH", "Push", ""])
def test_push_in_any_case_and_nothing_mean_push(deployment, mode):
    """D112 (C13, C14)."""
    deployment.start_verifier({"KEYLIME_VERIFIER_MODE": mode})


@pytest.mark.parametrize("interval,period,limit", [
    ("3", "3s", "15s"), ("0.5", "1s", "3s"), ("2.5", "3s", "13s")])
def test_the_interval_is_shown(deployment, interval, period, limit):
    """C20, D65: fractions work, and print as whole seconds."""
    deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": interval})
    admin = Admin(deployment)
    admin.enrol(SoftwareAk())
    assert admin.record()["attestation_period"] == period
    assert admin.record()["maximum_attestation_interval"] == limit


def test_options_without_effect_are_told(deployment):
    verifier = deployment.start_verifier({
        "KEYLIME_VERIFIER_NUM_WORKERS": "3",
        "KEYLIME_VERIFIER_REVOCATIONS_ENABLED_REVOCATION_NOTIFICATIONS": "['agent']"})
    for name in ("num_workers", "enabled_revocation_notifications"):
        lines = [line for line in verifier.output().splitlines()
                 if name in line and "no effect" in line]
        assert len(lines) == 1, f"{name}: {lines}"


def test_check_config_shows_values_and_opens_nothing(deployment):
    done = run_verifier(deployment, {"KEYLIME_VERIFIER_QUOTE_INTERVAL": "7"}, "--check-config")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "quote_interval" in line)
    assert "7" in line and "KEYLIME_VERIFIER_QUOTE_INTERVAL" in line
    assert list(deployment.keylime_dir.iterdir()) == []


def test_a_port_in_use_ends_the_start(deployment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", deployment.verifier_port))
        taken.listen()
        done = run_verifier(deployment, {})
    assert done.returncode == 1
    assert str(deployment.verifier_port) in done.stderr.splitlines()[-1]


def test_a_database_that_cannot_be_opened_ends_the_start(deployment):
    for url in ("mysql://u:p@localhost/x", "foo", f"sqlite:////{deployment.directory}/no/such/x"):
        done = run_verifier(deployment, {"KEYLIME_VERIFIER_DATABASE_URL": url})
        assert done.returncode == 1, url
        last = done.stderr.splitlines()[-1]
        assert "ERROR" in last or "KEYLIME_VERIFIER_DATABASE_URL: [verifier] database_url" in last
        assert "u:p@" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_verifier_with_status_0(deployment, number):
    verifier = deployment.start_verifier()
    open_connection = Admin(deployment)
    open_connection.enrol(SoftwareAk())
    verifier.signal(number)
    assert verifier.process.wait(10) == 0


def served_certificate(deployment):
    return ssl.get_server_certificate(("127.0.0.1", deployment.verifier_port))


def test_sighup_loads_new_certificates_without_cutting_connections(deployment):
    """Files of the operator's: what is made with tls_dir = generate is in test_servers.py."""
    deployment.start_verifier().stop()
    verifier = deployment.start_verifier({"KEYLIME_VERIFIER_TLS_DIR": str(deployment.certificates)})
    admin = Admin(deployment)
    admin.enrol(SoftwareAk())
    before = served_certificate(deployment)
    authority = deployment.directory / "other"
    certificates = deployment.certificates
    other = type(deployment)(authority)
    other.start_verifier()
    other.stop()
    for name in ("server-cert.crt", "server-private.pem"):
        (certificates / name).write_bytes((other.certificates / name).read_bytes())
    verifier.signal(signal.SIGHUP)
    verifier.wait_for_line("Reloaded certificates")
    wait_until(lambda: served_certificate(deployment) != before, what="the new certificate")
    assert admin.call("GET", f"/v2.6/agents/{AGENT}").status_code == 200, "still connected"

    (certificates / "server-cert.crt").write_text("nonsense")
    verifier.signal(signal.SIGHUP)
    verifier.wait_for_line("Kept the present certificate")
    assert admin.call("GET", f"/v2.6/agents/{AGENT}").status_code == 200


def test_what_was_answered_is_there_after_a_crash(deployment):
    verifier = deployment.start_verifier()
    admin, ak = Admin(deployment), SoftwareAk()
    assert admin.enrol(ak).status_code == 200
    token = PushClient(deployment.anonymous(), deployment.verifier_url, AGENT, ak).token()
    os.kill(verifier.pid, signal.SIGKILL)
    verifier.process.wait()
    deployment.start_verifier()
    client = PushClient(deployment.anonymous(), deployment.verifier_url, AGENT, ak)
    assert client.read_self(token).status_code == 200


def test_a_refusal_that_cuts_what_it_quotes_is_still_a_text(admin):
    """40 bytes of a word are shown, here up to the middle of a character."""
    answer = admin.enrol(SoftwareAk("ecdsa"), accept_tpm_signing_algs=["x" * 39 + "\u00e9"])
    assert answer.status_code == 400
    assert json.loads(answer.content.decode())["status"] == (
        "accept_tpm_signing_algs: '" + "x" * 39 + "\\xc3' is no known algorithm")
