# SPDX-License-Identifier: Apache-2.0
"""The registrar as agents and admins meet it: registration, proof, re-registration, lists, refusals."""
import base64
import json
import subprocess
import time

import pytest
import requests

from conftest import POSTGRESQL
from lib.registration import Machine, Registrar, base64_text
from lib.software_ek import Maker, SoftwareEk, der_base64, pem
from lib.software_tpm import SoftwareAk

FORBIDDEN = "Agent re-registration with different TPM identity is forbidden for security reasons"
INVALID = "Could not register agent with invalid data"


@pytest.fixture
def registrar(deployment):
    return Registrar(deployment)


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request, deployment):
    """A registrar on either database."""
    env = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        env["KEYLIME_REGISTRAR_DATABASE_URL"] = server.create("registrar")
    return Registrar(deployment, env)


def check(answer, code, status=None):
    assert answer.status_code == code, answer.text
    body = answer.json()
    assert body["code"] == code
    assert isinstance(body["results"], dict)
    if status is not None:
        assert body["status"] == status
    return body


# --- the life of an agent ------------------------------------------------------------------------


def test_life_of_an_agent(both):
    machine = Machine("a1", SoftwareEk("rsa"), SoftwareAk("rsassa"))
    answer = machine.register(both.plain)
    assert list(check(answer, 200, "Success")["results"]) == ["blob"]
    assert len(machine.blob) == 336
    check(both.admin.get("/v2.6/agents/a1"), 404, "Agent with ID 'a1' has not been activated")
    assert both.list() == ["a1"]
    body = check(machine.activate(both.plain), 200, "Success")
    assert body["results"] == {}
    record = both.record("a1")
    assert list(record)[:8] == [
        "agent_id", "ek_tpm", "ekcert", "aik_tpm", "ip", "port", "mtls_cert", "regcount",
    ]
    assert record["agent_id"] == "a1"
    assert record["ek_tpm"] == base64_text(machine.ek.tpm2b_public)
    assert record["aik_tpm"] == machine.ak.ak_tpm
    assert record["ekcert"] is None
    assert (record["ip"], record["port"]) == ("127.0.0.1", 9002)
    assert record["mtls_cert"] == "disabled"
    assert record["regcount"] == 1
    assert record["ek_cert_status"] == "absent"
    check(both.admin.delete("/v2.6/agents/a1"), 200, "Success")
    check(both.admin.get("/v2.6/agents/a1"), 404, "Agent with ID 'a1' not found")
    check(both.admin.delete("/v2.6/agents/a1"), 404, "Agent with ID 'a1' not found")
    assert both.list() == []


def test_survives_a_kill(both):
    done, open_ = Machine("done"), Machine("open")
    done.enter(both.plain)
    open_.register(both.plain)
    both.program.kill()
    both.start()
    assert both.record("done")["regcount"] == 1
    # The challenge of before still counts.
    check(open_.activate(both.plain), 200)
    assert both.list() == ["done", "open"]


def test_database_away(deployment, postgresql):
    """503 while the database cannot be reached, and by itself good again afterwards."""
    registrar = Registrar(
        deployment, {"KEYLIME_REGISTRAR_DATABASE_URL": postgresql.create("registrar")})
    machine = Machine("a1")
    machine.enter(registrar.plain)
    control = [str(POSTGRESQL), "halt", str(postgresql.directory)]
    subprocess.run(control, check=True, timeout=60)
    try:
        answers = [machine.register(registrar.plain), registrar.admin.get("/v2.6/agents/a1")]
    finally:
        control[1] = "start"
        subprocess.run(control, check=True, timeout=60, stdout=subprocess.DEVNULL)
    for answer in answers:
        check(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    machine.enter(registrar.plain)
    assert registrar.record("a1")["regcount"] == 2


def test_re_registration_is_staged(both):
    machine = Machine("a1")
    machine.enter(both.plain)
    check(machine.register(both.plain, ip="192.0.2.1", port=1), 200)
    before = both.record("a1")  # still visible, still the old data
    assert (before["ip"], before["port"], before["regcount"]) == ("127.0.0.1", 9002, 1)
    check(machine.activate(both.plain), 200)
    after = both.record("a1")
    assert (after["ip"], after["port"], after["regcount"]) == ("192.0.2.1", 1, 2)


def test_another_identity_is_forbidden_once_active(both):
    machine = Machine("a1")
    machine.enter(both.plain)
    other_ek = Machine("a1", ak=machine.ak)
    check(other_ek.register(both.plain), 403, FORBIDDEN)
    other_ak = Machine("a1", ek=machine.ek)
    check(other_ak.register(both.plain), 403, FORBIDDEN)
    assert both.record("a1")["aik_tpm"] == machine.ak.ak_tpm
    # regdelete frees the id.
    check(both.admin.delete("/v2.6/agents/a1"), 200)
    other_ek.enter(both.plain)


def test_unproven_data_block_nobody(both):
    stranger, owner = Machine("a1"), Machine("a1")
    check(stranger.register(both.plain), 200)
    check(owner.register(both.plain), 200)
    check(owner.activate(both.plain), 200)
    assert both.record("a1")["ek_tpm"] == base64_text(owner.ek.tpm2b_public)
    # The stranger could open its own blob, but the id has an owner now.
    check(stranger.activate(both.plain), 403, FORBIDDEN)
    assert both.record("a1")["ek_tpm"] == base64_text(owner.ek.tpm2b_public)


def test_tombstone_keeps_the_id_for_its_tpm(deployment):
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_IDENTITY_TOMBSTONE": "3600"})
    machine = Machine("a1")
    machine.enter(registrar.plain)
    check(registrar.admin.delete("/v2.6/agents/a1"), 200)
    check(Machine("a1").register(registrar.plain), 403, FORBIDDEN)
    machine.enter(registrar.plain)


# --- the proof -----------------------------------------------------------------------------------


def test_wrong_tags(both):
    machine = Machine("a1")
    machine.register(both.plain)
    right = machine.tag()
    for wrong in ("0" * 96, right.upper(), "x", right + "0"):
        check(
            machine.activate(both.plain, wrong),
            400,
            f"Auth tag '{wrong}' for agent 'a1' does not match expected value.",
        )
    # Four wrong ones: record and challenge are still there.
    check(machine.activate(both.plain, right), 200)


def test_challenge_is_dropped_after_five_wrong_tags(both):
    machine = Machine("a1")
    machine.enter(both.plain)
    machine.register(both.plain, ip="192.0.2.1")
    for _ in range(5):
        check(machine.activate(both.plain, "0" * 96), 400)
    check(machine.activate(both.plain), 400)
    # The active record was never touched.
    record = both.record("a1")
    assert (record["ip"], record["regcount"]) == ("127.0.0.1", 1)
    machine.enter(both.plain, ip="192.0.2.2")
    assert both.record("a1")["ip"] == "192.0.2.2"


def test_wrong_tag_never_harms_an_active_agent(both):
    machine = Machine("a1")
    machine.enter(both.plain)
    for _ in range(7):
        check(machine.activate(both.plain, "0" * 96), 400)
    assert both.record("a1")["regcount"] == 1


def test_repeated_tag_changes_nothing(both):
    machine = Machine("a1")
    machine.register(both.plain)
    tag = machine.tag()
    check(machine.activate(both.plain, tag), 200)
    check(machine.activate(both.plain, tag), 200, "Success")
    assert both.record("a1")["regcount"] == 1
    # Once another challenge was consumed, the old tag proves nothing.
    machine.enter(both.plain)
    check(machine.activate(both.plain, tag), 400)
    assert both.record("a1")["regcount"] == 2


def test_four_challenges_are_open_at_most(registrar):
    machine = Machine("a1")
    tags = []
    for number in range(5):
        machine.register(registrar.plain, ip=f"192.0.2.{number}")
        tags.append(machine.tag())
    check(machine.activate(registrar.plain, tags[0]), 400)
    check(machine.activate(registrar.plain, tags[1]), 200)
    assert registrar.record("a1")["ip"] == "192.0.2.1"
    check(machine.activate(registrar.plain, tags[4]), 200)
    assert registrar.record("a1")["ip"] == "192.0.2.4"


def test_tag_of_another_agent(registrar):
    machine = Machine("a1")
    machine.register(registrar.plain)
    other = Machine("a2", machine.ek, machine.ak)
    other.register(registrar.plain)
    check(machine.activate(registrar.plain, other.tag()), 400)
    check(machine.activate(registrar.plain), 200)


def test_activation_refusals(registrar):
    machine = Machine("a1")
    check(
        registrar.plain.put("/v2.6/agents/nobody", json={"auth_tag": "00"}),
        404,
        "Agent with ID 'nobody' not found",
    )
    machine.register(registrar.plain)
    for body in ({}, {"auth_tag": 7}, {"auth_tag": None}, {"auth_tag": ""}, {"auth_tag": ["0"]}):
        answer = registrar.plain.put("/v2.6/agents/a1", json=body)
        assert "auth_tag" in check(answer, 400)["status"]
    check(registrar.plain.put("/v2.6/agents/a1", json={"auth_tag": "é"}), 400)
    check(registrar.plain.put("/v2.6/agents/a1", json={"auth_tag": "0" * 5000}), 400)
    # A tag in the query is no tag.
    answer = registrar.plain.put(f"/v2.6/agents/a1?auth_tag={machine.tag()}", json={})
    check(answer, 400)


# --- forms of the calls --------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v2", "v2.0", "v2.1", "v2.2", "v2.3", "v2.4", "v2.5", "v2.6",
                                     "v3", "v3.0"])
def test_every_version_and_every_form(registrar, version):
    session = registrar.plain
    machine = Machine("a1")
    check(machine.register(session, version), 200)
    check(machine.activate(session, version=version), 200, "Success")
    # The id in the body; activation below /activate by POST and PUT.
    for method, agent_id in (("POST", "a2"), ("PUT", "a3")):
        other = Machine(agent_id, machine.ek, machine.ak)
        answer = session.post(f"/{version}/agents", json=other.body(agent_id=agent_id))
        other.blob = base64.b64decode(check(answer, 200)["results"]["blob"])
        path = f"/{version}/agents/{agent_id}/activate"
        check(session.request(method, path, json={"auth_tag": other.tag()}), 200)
    admin = registrar.admin
    ids = check(admin.get(f"/{version}/agents"), 200)["results"]["uuids"]
    assert ids == ["a1", "a2", "a3"]
    check(admin.get(f"/{version}/agents/a1/"), 200)
    check(admin.delete(f"/{version}/agents/a1"), 200)


def test_path_wins_over_body(registrar):
    machine = Machine("a1")
    check(machine.register(registrar.plain, agent_id="other"), 200)
    assert registrar.list() == ["a1"]


def test_content_type_does_not_matter(registrar):
    machine = Machine("a1")
    for kind in (None, "text/plain", "Application/JSON; charset=utf-8", "application/json"):
        headers = {"Content-Type": kind} if kind else {}
        answer = registrar.plain.post(
            "/v2.6/agents/a1", data=json.dumps(machine.body()).encode(), headers=headers
        )
        check(answer, 200)


def test_version_and_probe(registrar):
    for session in (registrar.plain, registrar.anonymous):
        results = check(session.get("/version"), 200, "Success")["results"]
        assert results == {
            "current_version": "2.6",
            "supported_versions": ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "3.0"],
        }
        for path in ("/v3", "/v3.0", "/v3.0/"):
            check(session.get(path), 200, "Success")


def test_unknown_paths_and_methods(registrar):
    session = registrar.plain
    for path in ("/nope", "/v1/agents", "/v1.0/agents/a", "/v2.7/agents", "/v9.9/agents/a"):
        assert session.get(path).status_code == 404
    assert session.delete("/version").status_code == 405
    assert session.options("/version").status_code == 405
    assert session.request("BREW", "/version").status_code == 501
    assert session.put("/v2.6/agents", json={}).status_code == 405


def test_request_id_comes_back(registrar):
    answer = registrar.plain.get("/version", headers={"X-Request-ID": "abc-123_X"})
    assert answer.headers["X-Request-ID"] == "abc123_X"


# --- what a registration may hold ----------------------------------------------------------------


def ak_with(**changes):
    return base64_text(SoftwareAk("ecdsa", **changes).tpm2b_public)


BAD_MEMBERS = [
    ({"ek_tpm": None}, "ek_tpm is required"),
    ({"ek_tpm": ...}, "ek_tpm is required"),
    ({"ek_tpm": ""}, "ek_tpm is required"),
    ({"aik_tpm": None}, "aik_tpm is required"),
    ({"aik_tpm": "***"}, "aik_tpm must be valid binary"),
    ({"aik_tpm": 7}, "aik_tpm must be valid binary"),
    ({"aik_tpm": "aGVsbG8="}, "aik_tpm: "),
    ({"aik_tpm": "AA=="}, "aik_tpm: "),
    ({"ek_tpm": "aGVsbG8="}, "ek_tpm: "),
    ({"ek_tpm": "AA=="}, "ek_tpm: "),
    ({"ekcert": "emulator"}, "ekcert "),
    ({"ekcert": "aGVsbG8="}, "ekcert is no X.509 certificate"),
    ({"ekcert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "ekcert "),
    ({"ekcert": 7}, "ekcert must be a text"),
    ({"ip": 7}, "ip must be a text"),
    ({"ip": "x" * 256}, "ip must be an address"),
    ({"port": "http"}, "port must be"),
    ({"port": 0}, "port must be"),
    ({"port": -1}, "port must be"),
    ({"port": 65536}, "port must be"),
    ({"port": 1.5}, "port must be"),
    ({"port": True}, "port must be"),
    ({"mtls_cert": "x"}, "mtls_cert "),
    ({"iak_tpm": "AAAA"}, "iak_tpm was sent without its certificate"),
    ({"idevid_cert": "AAAA"}, "idevid_cert was sent without the key"),
    ({"iak_attest": "!"}, "iak_attest must be valid binary"),
]


def test_bad_members(registrar):
    machine = Machine("a1")
    for members, reason in BAD_MEMBERS:
        status = check(machine.register(registrar.plain, **members), 400)["status"]
        assert status.startswith(f"{INVALID}: {reason}"), (members, status)
    assert registrar.list() == []


def test_keys_that_only_software_can_hold(registrar):
    machine = Machine("a1")
    refused = [
        ak_with(attributes=0x00040072),  # not restricted
        ak_with(attributes=0x00050062),  # not sensitiveDataOrigin... any other set of attributes
        base64_text(SoftwareAk("rsassa", bits=1024).tpm2b_public),
        base64_text(machine.ek.tpm2b_public),  # the EK again
        machine.ak.ak_tpm[:-8],
    ]
    for aik_tpm in refused:
        status = check(machine.register(registrar.plain, aik_tpm=aik_tpm), 400)["status"]
        assert status.startswith(f"{INVALID}: aik_tpm"), status
    answer = machine.register(registrar.plain, ek_tpm=machine.ak.ak_tpm)
    assert check(answer, 400)["status"].startswith(f"{INVALID}: ek_tpm")
    assert registrar.list() == []


def test_contact_data(registrar):
    machine = Machine("a1")
    for members, shown in (
        ({"ip": ..., "port": ...}, (None, None)),
        ({"ip": "", "port": ""}, (None, None)),
        ({"ip": "fe80::1", "port": "9002"}, ("fe80::1", 9002)),
        ({"ip": "host.example", "port": 65535, "unknown": {"a": 1}}, ("host.example", 65535)),
        ({"ip": None, "port": None, "mtls_cert": None}, (None, None)),
    ):
        machine.enter(registrar.plain, **members)
        record = registrar.record("a1")
        assert (record["ip"], record["port"]) == shown
        assert record["mtls_cert"] == "disabled"
    certificate = Maker("client").certificate
    machine.enter(registrar.plain, mtls_cert=der_base64(certificate))
    assert registrar.record("a1")["mtls_cert"] == pem(certificate)


def test_bodies_that_are_no_object(registrar):
    for body in (b"", b"{", b"[]", b"7", b"null", b'{"a":1}{', b"\xff", b"[" * 100):
        answer = registrar.plain.post("/v2.6/agents/a1", data=body)
        assert answer.status_code == 400, body
    answer = registrar.plain.post("/v2.6/agents", json=Machine("a1").body())
    assert "agent_id" in check(answer, 400)["status"]


def test_agent_ids(registrar):
    machine = Machine("a1")
    good = ["a" * 80, "A.b_c-9", "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"]
    for agent_id in good:
        Machine(agent_id, machine.ek, machine.ak).enter(registrar.plain)
    assert registrar.list() == sorted(good)
    for agent_id in ("a" * 81, "has%20space", "a%2Fb", "a@b"):
        answer = registrar.plain.post(f"/v2.6/agents/{agent_id}", json=machine.body())
        assert "agent_id" in check(answer, 400)["status"]
        answer = registrar.plain.put(f"/v2.6/agents/{agent_id}", json={"auth_tag": "00"})
        check(answer, 400)
        check(registrar.admin.get(f"/v2.6/agents/{agent_id}"), 404)
        check(registrar.admin.delete(f"/v2.6/agents/{agent_id}"), 404)
    answer = registrar.plain.post("/v2.6/agents", json=machine.body(agent_id="a/b"))
    check(answer, 400)


# --- limits --------------------------------------------------------------------------------------


def test_body_limit(registrar):
    answer = registrar.plain.post("/v2.6/agents/a1", data=b"{" + b" " * (256 * 1024))
    assert answer.status_code == 413
    assert registrar.plain.get("/version").status_code == 200


def test_rate_limit(deployment):
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP": "5"})
    machine = Machine("a1")
    for _ in range(5):
        check(machine.register(registrar.plain), 200)
    answer = machine.register(registrar.plain)
    assert "register_rate_limit_per_ip" in check(answer, 429)["status"]
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 12
    # The proof is never held up, and neither are admins.
    check(machine.activate(registrar.plain), 200)
    assert registrar.record("a1")["regcount"] == 1
    time.sleep(wait)
    check(machine.register(registrar.plain), 200)


# --- EK certificates -----------------------------------------------------------------------------


def trust(registrar, *makers):
    for number, maker in enumerate(makers):
        path = registrar.deployment.tpm_cert_store / f"maker{number}.pem"
        path.write_text(pem(maker.certificate))


def test_ek_certificate_verified(registrar):
    maker = Maker()
    trust(registrar, maker)
    machine = Machine("a1")
    certificate = machine.ek.certificate(maker)
    machine.enter(registrar.plain, ekcert=pem(certificate))
    record = registrar.record("a1")
    assert record["ekcert"] == der_base64(certificate)
    assert record["ek_cert_status"] == "verified"
    # Not sent again: kept. Base64 DER of the same: the same.
    machine.enter(registrar.plain, ekcert="")
    assert registrar.record("a1")["ekcert"] == der_base64(certificate)
    assert registrar.record("a1")["ek_cert_status"] == "verified"
    machine.enter(registrar.plain, ekcert=der_base64(certificate))
    assert registrar.record("a1")["regcount"] == 3
    # Another certificate of the same key is another identity.
    check(machine.register(registrar.plain, ekcert=pem(machine.ek.certificate(maker))), 403,
          FORBIDDEN)


def test_ek_certificate_added_later(registrar):
    maker = Maker()
    trust(registrar, maker)
    machine = Machine("a1")
    machine.enter(registrar.plain)
    machine.enter(registrar.plain, ekcert=pem(machine.ek.certificate(maker)))
    assert registrar.record("a1")["ek_cert_status"] == "verified"


def test_ek_certificate_by_intermediate_of_the_agent(registrar):
    root = Maker("Root")
    middle = Maker("Middle", parent=root)
    trust(registrar, root)
    machine = Machine("a1")
    chain = pem(machine.ek.certificate(middle), middle.certificate)
    machine.enter(registrar.plain, ekcert=chain)
    assert registrar.record("a1")["ek_cert_status"] == "verified"


def test_ek_certificate_unverified_is_told(registrar):
    trust(registrar, Maker())
    machine = Machine("a1")
    machine.enter(registrar.plain, ekcert=pem(machine.ek.certificate(Maker("Unknown"))))
    record = registrar.record("a1")
    assert record["ek_cert_status"] == "unverified"
    assert "Unknown" in record["ek_cert_reason"]
    registrar.program.wait_for_line("EK certificate of agent 'a1' is not verified")


def test_ek_certificate_of_another_key(registrar):
    maker = Maker()
    trust(registrar, maker)
    machine = Machine("a1")
    answer = machine.register(registrar.plain, ekcert=pem(SoftwareEk("ecc").certificate(maker)))
    check(answer, 400, f"{INVALID}: ekcert does not hold the key ek_tpm")


def test_ek_certificate_required(deployment):
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_EK_CERT_CHECK": "require"})
    maker = Maker()
    machine = Machine("a1")
    good = machine.ek.certificate(maker)
    for ekcert, reason in (
        ("", "ekcert is required"),
        (pem(good), "holds no certificate"),  # the store is empty
    ):
        assert reason in check(machine.register(registrar.plain, ekcert=ekcert), 400)["status"]
    trust(registrar, maker)
    expired = machine.ek.certificate(maker, days=(-30, -1))
    wrong_usage = machine.ek.certificate(maker, usage=Maker.SERVER_USAGE)
    for ekcert, reason in (
        (pem(expired), "expired"),
        (pem(wrong_usage), "extended key usage"),
        (pem(machine.ek.certificate(Maker("Unknown"))), "Unknown"),
    ):
        assert reason in check(machine.register(registrar.plain, ekcert=ekcert), 400)["status"]
    machine.enter(registrar.plain, ekcert=pem(good))
    # The stored one was verified, so it need not come again.
    machine.enter(registrar.plain, ekcert="")


@pytest.mark.parametrize("action", ["warn", "ignore", "reject"])
def test_malformed_certificate(deployment, action):
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_MALFORMED_CERT_ACTION": action})
    maker = Maker()
    trust(registrar, maker)
    machine = Machine("a1")
    der = base64.b64decode(der_base64(machine.ek.certificate(maker))) + b"\0"
    answer = machine.register(registrar.plain, ekcert=base64_text(der))
    if action == "reject":
        assert "malformed_cert_action" in check(answer, 400)["status"]
        return
    check(answer, 200)
    machine.activate(registrar.plain)
    record = registrar.record("a1")
    assert record["ekcert"] == base64_text(der)  # as it was received
    assert record["ek_cert_status"] == "verified"
    assert ("not encoded by the rules" in registrar.program.output()) == (action == "warn")


# --- who may do what -----------------------------------------------------------------------------


def test_plain_http_serves_no_admin_route(registrar):
    for method, path in (
        ("GET", "/v2.6/agents/"), ("GET", "/v2.6/agents/a1"), ("DELETE", "/v2.6/agents/a1"),
        ("GET", "/v3.0/agents"),
    ):
        assert registrar.plain.request(method, path).status_code == 400


@pytest.mark.parametrize("method, path, action", [
    ("GET", "/v2.6/agents", "list_registrations"),
    ("GET", "/v2.6/agents/a1", "read_registration"),
    ("DELETE", "/v2.6/agents/a1", "delete_registration"),
])
def test_admin_routes_need_an_admin(registrar, method, path, action):
    answer = registrar.anonymous.request(method, path)
    assert answer.status_code == 403
    error = answer.json()["errors"][0]
    assert (error["status"], error["title"]) == ("403", "Forbidden")
    assert error["detail"].startswith(
        f"Action {action} requires admin authentication (mTLS certificate)"
    )
    # The server's own certificate is no admin's.
    server = requests.Session()
    server.trust_env = False
    server.verify = registrar.admin.verify
    server.cert = tuple(
        str(registrar.directory / name) for name in ("server-cert.crt", "server-private.pem")
    )
    try:
        assert server.request(method, registrar.admin.url + path).status_code == 403
    except requests.exceptions.ConnectionError:
        pass  # refused in the handshake, for want of the usage clientAuth


def test_certificate_of_another_ca(registrar, tmp_path):
    maker = Maker("Another")
    path = tmp_path / "client.pem"
    from cryptography.hazmat.primitives import serialization

    key = maker.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    path.write_text(key + pem(maker.certificate))
    registrar.anonymous.cert = str(path)
    with pytest.raises(requests.exceptions.ConnectionError):
        registrar.anonymous.get("/v2.6/agents")


def test_tokens_mean_nothing_here(registrar):
    for value, detail in (
        ("Basic abc", "Invalid Authorization header format"),
        ("Bearer abc", "Invalid authentication token"),
        ("Bearer d432fbb3-d2f1-4a97-9ef7-75bd81c00000.x", "Invalid authentication token"),
    ):
        answer = registrar.admin.get("/v2.6/agents", headers={"Authorization": value})
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["detail"] == detail


def test_agents_may_register_over_tls(registrar):
    Machine("a1").enter(registrar.anonymous)
    assert registrar.list() == ["a1"]
