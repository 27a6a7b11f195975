# SPDX-License-Identifier: Apache-2.0
"""What the options of verifier and registrar change, each seen from outside: those that no test of its subject
sets already. test_options.py sees to it that no option is left out."""
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest
import requests
from cryptography import x509

from lib.ca_directory import CaDirectory
from lib.log_site import LogSite
from lib.boot_log import usual
from lib.push_agent import PushAgent
from lib.push_client import session_request
from lib.registration import Machine, Registrar, Session
from lib.software_ek import Maker, pem
from lib.software_tpm import SoftwareAk
from lib.program import wait_until

ZERO = "00" * 32
DIRECTORIES = {"verifier": "cv_ca", "registrar": "reg_ca"}


class Server:
    """One of both, with certificates of its own; options are given in lower case."""

    def __init__(self, deployment, name):
        self.deployment, self.name = deployment, name
        self.made = deployment.keylime_dir / DIRECTORIES[name]
        self.url = deployment.verifier_url if name == "verifier" else deployment.registrar_url
        self.program = None

    def variables(self, **options):
        options.setdefault("tls_dir", "generate")
        return {f"KEYLIME_{self.name.upper()}_{option.upper()}": value for option, value in options.items()}

    def start(self, **options):
        if self.program:
            self.program.stop()
        self.program = self.deployment.start_server(self.name, self.variables(**options))
        return self.program

    def refuses(self, **options):
        program = self.deployment.start(self.name, env=self.variables(**options), log="refused")
        assert program.process.wait(20) == 1
        return program.output()

    def list_agents(self, directory=None, certificate="client", ca=None):
        directory = pathlib.Path(directory or self.made)
        session = Session(self.url, str(ca or self.made / "cacert.crt"))
        session.cert = tuple(str(directory / f"{certificate}-{kind}") for kind in ("cert.crt", "private.pem"))
        return session.get("/v2.6/agents/")


@pytest.fixture(params=list(DIRECTORIES))
def server(deployment, request):
    return Server(deployment, request.param)


# --- both ------------------------------------------------------------------------------------------------


def test_max_workers(server):
    """Four threads for each thread of the network, of which there is one for each CPU at most."""
    for option, threads in (("1", 1), ("0", len(os.sched_getaffinity(0)))):
        output = server.start(max_workers=option).output()
        assert f"with {4 * threads} worker processes..." in output.splitlines()[-2] + output.splitlines()[-1], output
        (server.deployment.directory / f"{server.name}.log").write_text("")


def test_max_upload_size(server):
    for limit, code in (("4096", 413), ("8192", 400)):
        server.start(max_upload_size=limit)
        session = Session(server.url, str(server.made / "cacert.crt"))
        session.cert = tuple(str(server.made / f"client-{kind}") for kind in ("cert.crt", "private.pem"))
        path = "/v2.6/agents/an-agent" if server.name == "registrar" else "/v2.6/allowlists/a"
        answer = session.post(path, data="{" + " " * 6000)
        assert answer.status_code == code, answer.text
        assert code != 413 or "max_upload_size" in answer.text


def connect(server):
    context = ssl.create_default_context(cafile=str(server.made / "cacert.crt"))
    raw = socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=20)
    return context.wrap_socket(raw, server_hostname="localhost")


def test_shutdown_drain_timeout(server):
    """A request that trickles in holds the end up for so long, and no longer."""
    for option, least, most in (("0", 0, 2.5), ("4", 3.5, 12)):
        program = server.start(shutdown_drain_timeout=option)
        with connect(server) as client:
            client.sendall(b"POST /v3.0/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            time.sleep(0.3)
            begin = time.monotonic()
            program.signal(signal.SIGTERM)
            assert program.process.wait(20) == 0
        assert least <= time.monotonic() - begin <= most


def test_database_url_and_auto_migrate_db(server, tmp_path):
    path = tmp_path / "elsewhere.sqlite"
    where = {"database_url": f"sqlite:///{path}"}
    output = server.refuses(auto_migrate_db="False", **where)
    assert "auto_migrate_db" in output, output
    server.start(**where)
    assert path.exists() and not list(server.deployment.keylime_dir.glob("*.sqlite"))
    server.start(auto_migrate_db="False", **where)  # the tables are there now


def test_database_pool_sz_ovfl(server, postgresql):
    url = postgresql.create(server.name)
    for option, most in (("1,0", 1), ("2,2", 4)):
        server.start(database_url=url, database_pool_sz_ovfl=option)
        many = [subprocess.Popen(
            ["curl", "-s", "-o", "/dev/null", "--cacert", server.made / "cacert.crt",
             "--cert", server.made / "client-cert.crt", "--key", server.made / "client-private.pem",
             *[f"{server.url}/v2.6/agents/"] * 40]) for _ in range(8)]
        assert [each.wait(60) for each in many] == [0] * 8
        count = subprocess.run(
            ["psql", url, "-Atc", "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
             " AND pid <> pg_backend_pid()"], capture_output=True, text=True, timeout=30, check=True).stdout
        # The verifier keeps connections for its own work beside those of its workers.
        seen = int(count)
        if option == "1,0":
            fewest = seen
        assert seen <= fewest + most - 1 and seen >= 1
    assert seen > fewest, "more connections are allowed, and used"


def test_admin_certificate_names_and_restrict_admin_names(server):
    server.start()
    certificates = CaDirectory(server.made)
    assert server.list_agents().status_code == 200
    server.start(restrict_admin_names="True")
    assert server.list_agents().status_code == 200
    server.start(restrict_admin_names="True", admin_certificate_names="['somebody']")
    assert server.list_agents().status_code == 403
    shutil.copy(server.made / "client-private.pem", server.made / "bob-private.pem")
    certificates.issue("bob")  # without the usage clientAuth
    for names, code in (("['alice', 'bob']", 200), ("['client']", 403)):
        server.start(admin_certificate_names=names)
        assert server.list_agents(certificate="bob").status_code == code, names


def test_authorization_provider(server):
    assert "authorization_provider = 'other': must be simple" in server.refuses(authorization_provider="other")
    server.start(authorization_provider="simple")
    assert server.list_agents().status_code == 200


def test_cert_subject_alternative_names(server):
    server.start(cert_subject_alternative_names="attest.example, 192.0.2.7")
    certificate = x509.load_pem_x509_certificate((server.made / "server-cert.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "attest.example" in names.get_values_for_type(x509.DNSName)
    assert "192.0.2.7" in map(str, names.get_values_for_type(x509.IPAddress))


def test_files_of_keys_and_certificates(server, tmp_path):
    """tls_dir, server_key, server_key_password, server_cert, trusted_client_ca."""
    server.start()
    own = tmp_path / "tls"
    own.mkdir()
    shutil.copy(server.made / "server-cert.crt", own / "chain.pem")
    shutil.copy(server.made / "cacert.crt", own / "admins.pem")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", server.made / "server-private.pem", "-out", own / "key.pem",
                    "-passout", "pass:open sesame"], check=True, capture_output=True, timeout=20)
    named = {"tls_dir": str(own), "server_key": "key.pem", "server_cert": "chain.pem",
             "trusted_client_ca": "[admins.pem]"}
    server.start(server_key_password="open sesame", **named)
    assert server.list_agents().status_code == 200
    output = server.refuses(server_key_password="close sesame", **named)
    assert "server_key_password" in output and "sesame" not in output, output
    (own / "admins.pem").write_bytes(pem(Maker("Stranger").certificate).encode())
    server.start(server_key_password="open sesame", **named)
    with pytest.raises(requests.exceptions.ConnectionError):
        server.list_agents()
    output = server.refuses(**{**named, "server_cert": "no-such.pem"})
    assert "no-such.pem" in output


# --- registrar ----------------------------------------------------------------------------------------


def test_registrars_tpm_cert_store_is_else_the_tenants(deployment, tmp_path):
    """Contradiction 24: that of tenant.conf where the registrar's own is not set."""
    maker = Maker()
    stores = {}
    for name in ("own", "tenants"):
        stores[name] = tmp_path / name
        stores[name].mkdir()
    (stores["tenants"] / "maker.pem").write_text(pem(maker.certificate))
    conf = tmp_path / "tenant.conf"
    conf.write_text(f"[tenant]\ntpm_cert_store = {stores['tenants']}\nsomething_else = 1\n")
    base = {"KEYLIME_TENANT_CONFIG": str(conf), "KEYLIME_REGISTRAR_EK_CERT_CHECK": "require"}
    machine = Machine("a1")
    certificate = pem(machine.ek.certificate(maker))
    own = {"KEYLIME_REGISTRAR_TPM_CERT_STORE": str(stores["own"])}
    registrar = Registrar(deployment, {**base, **own})
    assert machine.register(registrar.plain, ekcert=certificate).status_code == 400
    registrar.program.stop()
    for name in ("KEYLIME_REGISTRAR_TPM_CERT_STORE", "KEYLIME_TENANT_TPM_CERT_STORE"):
        del deployment.env[name]
    registrar = Registrar(deployment, base)
    machine.enter(registrar.plain, ekcert=certificate)
    assert registrar.record("a1")["ek_cert_status"] == "verified"
    assert "something_else" not in registrar.program.output(), "tenant.conf is another program's file"


@pytest.mark.parametrize("word", ["default", "ek_cert_or_iak_idevid", "ek_cert"])
def test_every_tpm_identity_needs_an_ek(deployment, word):
    registrar = Registrar(deployment, {"KEYLIME_REGISTRAR_TPM_IDENTITY": word})
    machine = Machine("a1")
    assert machine.register(registrar.plain, ek_tpm=None).status_code == 400
    machine.enter(registrar.plain)


# --- verifier: sessions -----------------------------------------------------------------------------------


def limited(deployment, **options):
    """Retry-After of the second session request of one agent."""
    env = {f"KEYLIME_VERIFIER_{name.upper()}": value for name, value in options.items()}
    program = deployment.start_verifier(env)
    http = deployment.anonymous()
    answers = [http.post(f"{deployment.verifier_url}/v3.0/sessions", json=session_request("an-agent"), timeout=20)
               for _ in range(2)]
    program.stop()
    assert answers[0].status_code == 200
    return int(answers[1].headers["Retry-After"]) if answers[1].status_code == 429 else None


def test_windows_of_session_limits(deployment):
    one = {"session_create_rate_limit_per_ip": "1"}
    assert 500 <= limited(deployment, session_create_rate_limit_window_ip="600", **one) <= 600
    assert 1 <= limited(deployment, session_create_rate_limit_window_ip="30", **one) <= 30
    one = {"session_create_rate_limit_per_agent": "1"}
    assert 500 <= limited(deployment, session_create_rate_limit_window_agent="600", **one) <= 600
    assert 1 <= limited(deployment, session_create_rate_limit_window_agent="30", **one) <= 30
    assert limited(deployment) is None


@pytest.mark.parametrize("extend", ["True", "False"])
def test_extend_token_on_attestation(deployment, extend):
    """The token of an agent that goes on passing outlives session_lifetime, or does not."""
    deployment.start_verifier({
        "KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5", "KEYLIME_VERIFIER_SESSION_LIFETIME": "5",
        "KEYLIME_VERIFIER_EXTEND_TOKEN_ON_ATTESTATION": extend})
    agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt", SoftwareAk("ecdsa"))
    agent.enrol(deployment.admin(), {"0": [ZERO]})
    agent.authenticate()
    begin, codes = time.monotonic(), set()
    while time.monotonic() - begin < 7:
        created = agent.create()
        codes.add(created.status_code)
        if created.status_code != 201:
            break
        agent.submit(created.headers["Location"], agent.ak.evidence(agent.chosen(created)))
        time.sleep(0.6)
    assert codes == ({201} if extend == "True" else {201, 401})


def test_uuid_and_pending_notice(deployment):
    program = deployment.start_verifier({"KEYLIME_VERIFIER_UUID": "cellar", "KEYLIME_VERIFIER_PENDING_NOTICE": "1",
                                         "KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5"})
    agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt", SoftwareAk("ecdsa"))
    admin = deployment.admin()
    agent.enrol(admin, {"0": [ZERO]})
    assert agent.record(admin)["verifier_id"] == "cellar"
    program.wait_for_line(rf"WARNING - .*{agent.id}.*\(agent_never_attested\)$", 20)


# --- verifier: appraisal ------------------------------------------------------------------------------


@pytest.fixture
def make_site(tmp_path):
    sites = []

    def make(**options):
        env = {f"KEYLIME_VERIFIER_{name.upper()}": value for name, value in options.items()}
        sites.append(LogSite(tmp_path / str(len(sites)), env))
        return sites[-1]

    yield make
    for site in sites:
        site.deployment.stop()


def test_require_safe_clock(make_site):
    site = make_site(require_safe_clock="True")
    agent = PushAgent(site.deployment.verifier_url, site.deployment.certificates / "cacert.crt", SoftwareAk("ecdsa"))
    agent.enrol(site.admin, {"0": [ZERO]})
    agent.authenticate()
    agent.ak.safe = False
    agent.attest()
    wait_until(lambda: agent.status(site.admin) == "FAIL", 20, "FAIL")
    site.restart({"KEYLIME_VERIFIER_REQUIRE_SAFE_CLOCK": "False"})
    agent.attest()
    wait_until(lambda: agent.status(site.admin) == "PASS", 20, "PASS")


@pytest.mark.parametrize("again", ["True", "False"])
def test_ima_reverify_on_policy_change(make_site, again):
    site = make_site(ima_reverify_on_policy_change=again)
    machine = site.machine()
    machine.run("/bin/one", "/bin/two")
    assert site.store("now", machine.policy()).status_code == 201
    site.enrol(machine, runtime_policy_name="now")
    site.passes(machine)
    count = len(machine.list)
    machine.run("/bin/three")
    assert site.store("now", machine.policy(), method="PUT").status_code == 201
    assert machine.offset(machine.create()) == (0 if again == "True" else count)


def test_measured_boot_pcrs(make_site):
    """A PCR that changed after boot fails unless it is left out."""
    for pcrs, events in (("[]", ["measured_boot.invalid_pcr_8"]), ("[0, 1, 2]", [])):
        site = make_site(measured_boot_pcrs=pcrs)
        machine = site.machine()
        machine.boot(usual())
        site.enrol(machine, mb_policy='{"any": "thing"}')
        machine.ak.extend("sha256", 8, b"\1" * 32)
        attributes = site.cycle(machine)
        assert [each["event_id"] for each in attributes["failures"]] == events


def test_measured_boot_limits(make_site):
    for options, words in (({"measured_boot_max_events": "5"}, "more events than"), ({}, None),
                           ({"measured_boot_max_log_size": "1024"}, "more than the limit")):
        site = make_site(**options)
        machine = site.machine()
        big = usual()
        while len(big.binary()) < 2048:
            big.add(8, 4, bytes(4))
        machine.boot(big)
        site.enrol(machine, mb_policy='{"any": "thing"}')
        if not words:
            site.passes(machine)
            continue
        failure = site.cycle(machine)["failures"][0]
        assert failure["event_id"] == "measured_boot.parser.limit" and words in failure["context"]["message"], failure


@pytest.mark.parametrize("profile,evaluation", [("upstream", "pass"), ("strict", "fail")])
def test_measured_boot_profile(make_site, profile, evaluation):
    """Whether each event must have a digest of every bank that the log declares."""
    site = make_site(measured_boot_profile=profile)
    log = usual()
    log.events[-1][3].pop("sha1")
    machine = site.machine()
    machine.boot(log)
    site.enrol(machine, mb_policy='{"any": "thing"}')
    assert site.cycle(machine)["evaluation"] == evaluation


def test_measured_boot_imports_are_refused(deployment):
    server = Server(deployment, "verifier")
    assert "measured_boot_imports" in server.refuses(measured_boot_imports="['my.policy']")


@pytest.mark.parametrize("option", ["durable_attestation_import", "persistent_store_url", "transparency_log_url",
                                    "time_stamp_authority_url", "time_stamp_authority_certs_path"])
def test_plug_ins_are_refused(server, option):
    """Decision D117."""
    assert f"{option} = 'x': must be empty" in server.refuses(**{option: "x"})


def test_severities(make_site):
    site = make_site(severity_labels='["meh", "ouch"]',
                     severity_policy='[{"event_id": "ima.*", "severity_label": "meh"},'
                                     ' {"event_id": ".*", "severity_label": "ouch"}]')
    machine = site.machine()
    machine.run("/bin/one")
    site.enrol(machine, machine.policy())
    machine.run("/bin/unknown")
    failures = site.cycle(machine)["failures"]
    assert {each["severity_label"] for each in failures} == {"meh"}
    assert machine.record(site.admin)["severity_level"] == 0
    other = site.machine()
    other.enrol(site.admin, {"0": ["11" * 32]})
    other.authenticate()
    assert {each["severity_label"] for each in site.cycle(other)["failures"]} == {"ouch"}
    assert other.record(site.admin)["severity_level"] == 1
