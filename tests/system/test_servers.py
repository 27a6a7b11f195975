# SPDX-License-Identifier: Apache-2.0
"""What verifier and registrar have in common: options, addresses, certificates, signals, log, full disks
(configuration-and-operations 7, 10, 12; decisions D32, D113, D114; contract U5, U6, U10, U11, U16, U24)."""
import concurrent.futures
import itertools
import json
import pathlib
import re
import signal
import socket
import ssl
import threading
import uuid

import pytest
import requests
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.ca_directory import CaDirectory
from lib.private_etc import PrivateEtc
from lib.program import BINARIES, Program, wait_until
from lib.push_agent import PushAgent, enrolment
from lib.registration import Machine, Session
from lib.software_tpm import SoftwareAk

SERVERS = ("verifier", "registrar")


class Site:
    """One of the two servers with certificates of its own making; `probe` is a path that anyone may ask."""

    def __init__(self, deployment, name, env=None):
        self.deployment = deployment
        self.name = name
        registrar = name == "registrar"
        self.certificates = deployment.keylime_dir / ("reg_ca" if registrar else "cv_ca")
        self.port = deployment.registrar_tls_port if registrar else deployment.verifier_port
        self.env = {"KEYLIME_REGISTRAR_TLS_DIR": "generate",
                    "KEYLIME_VERIFIER_SESSION_CREATE_RATE_LIMIT_PER_IP": "1000000", **(env or {})}
        self.program = deployment.start_server(name, self.env)

    def session(self):
        http = requests.Session()
        http.trust_env = False
        http.verify = str(self.certificates / "cacert.crt")
        return http

    def probe(self, http, host="localhost"):
        """Any answer of the API: 200, or the verifier's 410."""
        answer = http.get(f"https://{host}:{self.port}/version", timeout=20)
        assert answer.status_code == (410 if self.name == "verifier" else 200), answer.text

    def certificate(self):
        return ssl.get_server_certificate(("127.0.0.1", self.port))


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.0/8", "10.0.0.1:80", "10.0.0.1, ::1/128"])
def test_proxies_are_addresses(deployment, name, value):
    """D32: an entry that could never match an address is refused with its place."""
    path = deployment.directory / f"{name}.conf"
    path.write_text(f"[{name}]\ntrusted_proxies = [{', '.join(map(repr, value.split(', ')))}]\n")
    program = deployment.start(name, env={f"KEYLIME_{name.upper()}_CONFIG": str(path)})
    assert program.process.wait(20) == 1
    output = program.output()
    assert f"{path}:2" in output and "trusted_proxies" in output, output
    assert value.split(", ")[-1] in output and "must be IPv4 or IPv6 addresses" in output, output
    assert not list(deployment.keylime_dir.iterdir())


# --- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("ip", ["::1", "::", "0.0.0.0", "localhost"])
def test_U16_addresses_of_both_families(deployment, name, ip):
    """Served on what was asked for, with a certificate that names it; `::` is for both families."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    site = Site(deployment, name, {f"KEYLIME_{name.upper()}_IP": ip})
    shown = site.program.output()
    assert f"Listening on {ip}:" in shown
    assert ("Only agents of this machine can connect" in shown) == (ip in ("::1", "localhost"))
    hosts = {"::1": ["[::1]"], "::": ["[::1]", "127.0.0.1"], "0.0.0.0": ["127.0.0.1"],
             "localhost": ["localhost"]}[ip]
    for host in hosts:
        site.probe(site.session(), host)
    if ip == "::1":
        with pytest.raises(requests.exceptions.ConnectionError):
            site.probe(site.session(), "127.0.0.1")


# --- certificates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_U6_new_certificates_while_connections_stay(deployment, name):
    """SIGHUP makes the certificate that is missing, and serves it on new connections; one that is open goes
    on, and under load no request is lost."""
    site = Site(deployment, name)
    kept = site.session()
    site.probe(kept)
    connections = kept.get_adapter("https://").poolmanager
    ended = threading.Event()
    counts = []

    def ask_always():
        http = site.session()
        for count in itertools.count(1):
            site.probe(http)
            if ended.is_set():
                return count

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(ask_always) for _ in range(4)]
        try:
            for _ in range(3):
                before = site.certificate()
                (site.certificates / "server-cert.crt").unlink()
                site.program.signal(signal.SIGHUP)
                wait_until(lambda: site.certificate() != before, what="the new certificate")
        finally:
            ended.set()
        counts = [client.result() for client in clients]
    assert min(counts) > 1
    site.probe(kept)
    pool = connections.connection_from_url(f"https://localhost:{site.port}")
    assert pool.num_connections == 1  # never opened again


@pytest.mark.parametrize("name", SERVERS)
def test_U6_a_certificate_that_is_due_is_renewed(deployment, name):
    """The CA stays: agents need no new copy (U23)."""
    site = Site(deployment, name)
    authority = (site.certificates / "cacert.crt").read_text()
    CaDirectory(site.certificates).issue("server", age=100, life=140)
    before = site.certificate()
    site.program.signal(signal.SIGHUP)
    site.program.wait_for_line("Renewing .*server-cert.crt: less than a third of its life is left")
    wait_until(lambda: site.certificate() != before, what="the renewed certificate")
    assert (site.certificates / "cacert.crt").read_text() == authority
    site.probe(site.session())


@pytest.mark.parametrize("name", SERVERS)
def test_U23_short_lives_are_watched(deployment, name):
    """Without a signal: what comes due is renewed, what somebody replaced is taken over, and nothing else is
    loaded again; a connection that is open goes on. The life of these is five minutes, so that they are looked
    at every ten seconds."""
    site = Site(deployment, name)
    authority = CaDirectory(site.certificates)
    assert site.program.stop() == 0
    authority.issue("server", life=5, age=3, same_names=True)  # due in twenty seconds
    site = Site(deployment, name, {"KEYLIME_CA_CERT_LIFETIME": "1"})
    kept = site.session()
    site.probe(kept)
    before = site.certificate()
    site.program.wait_for_line("Renewing .*server-cert.crt: less than a third of its life is left")
    wait_until(lambda: site.certificate() != before, what="the renewed certificate")
    assert site.program.output().count("Reloaded certificates") == 1
    site.probe(kept)
    assert site.program.stop() == 0

    authority.issue("server", life=5, age=0)
    own = {f"KEYLIME_{name.upper()}_TLS_DIR": str(site.certificates),
           f"KEYLIME_{name.upper()}_TRUSTED_CLIENT_CA": "[cacert.crt]"}
    program = deployment.start_server(name, {**site.env, **own}, log="own")
    before = site.certificate()
    kept = site.session()
    site.probe(kept)
    authority.issue("server", life=24 * 60, age=0)
    program.wait_for_line("Reloaded certificates")
    wait_until(lambda: site.certificate() != before, what="the replaced certificate")
    site.probe(kept)


@pytest.mark.parametrize("name", SERVERS)
def test_U23_an_end_that_is_near_is_told(deployment, name):
    """An operator's own certificate is not renewed: 30 days before its end each start warns of it."""
    site = Site(deployment, name)
    authority = CaDirectory(site.certificates)
    assert site.program.stop() == 0
    env = {**site.env, f"KEYLIME_{name.upper()}_TLS_DIR": str(site.certificates),
           f"KEYLIME_{name.upper()}_TRUSTED_CLIENT_CA": "[cacert.crt]"}
    day = 24 * 60  # minutes
    for left, warned in ((29, True), (31, False)):
        authority.issue("server", age=day, life=(1 + left) * day)
        program = deployment.start_server(name, env, log=f"left-{left}")
        told = re.search(r"WARNING - Certificate \S+/server-cert\.crt expires on .* \(in 2[89] days\)", program.output())
        assert bool(told) == warned, program.output()
        assert program.stop() == 0


@pytest.mark.parametrize("name", SERVERS)
def test_a_certificate_for_clients_is_no_servers(deployment, name):
    """D38, D114: refused where agents would refuse it; without usages, as older CAs issue, it serves."""
    site = Site(deployment, name)
    authority = CaDirectory(site.certificates)
    assert site.program.stop() == 0
    env = {**site.env, f"KEYLIME_{name.upper()}_TLS_DIR": str(site.certificates),
           f"KEYLIME_{name.upper()}_TRUSTED_CLIENT_CA": "[cacert.crt]"}
    authority.issue("server", usages=[ExtendedKeyUsageOID.CLIENT_AUTH])
    refused = deployment.start(name, env=env, log="refused")
    assert refused.process.wait(20) == 1
    assert "server-cert.crt is not for a server: its extended key usage lacks serverAuth" in \
        refused.output()
    for usages in ([], [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]):
        authority.issue("server", usages=usages)
        program = deployment.start_server(name, env, log=f"usages-{len(usages)}")
        site.probe(site.session())
        assert program.stop() == 0


# --- the end, the service manager, the log -------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_U5_requests_in_progress_are_answered(deployment, name, number):
    """Under load every request is answered whole or finds nobody; then the exit status is 0."""
    site = Site(deployment, name)
    answered = threading.Semaphore(0)

    def ask_until_gone():
        http = site.session()
        try:
            while True:
                site.probe(http)
                answered.release()
        except requests.exceptions.ConnectionError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(ask_until_gone) for _ in range(8)]
        for _ in range(100):
            assert answered.acquire(timeout=20)
        site.program.signal(number)
        assert site.program.process.wait(20) == 0
        for client in clients:
            reason = client.result(20)
            assert "IncompleteRead" not in reason and "BadStatusLine" not in reason, reason


@pytest.mark.parametrize("name", SERVERS)
def test_U11_ready_means_that_the_port_is_open(deployment, name):
    path = str(deployment.directory / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        site = Site(deployment, name, {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        assert notify.recv(4096).startswith(b"READY=1")
        site.probe(site.session())
        assert notify.recv(4096) == b"WATCHDOG=1"
        site.program.signal(signal.SIGHUP)
        messages = []
        while not messages or messages[-1] != b"READY=1":
            messages.append(notify.recv(4096))
        assert any(message.startswith(b"RELOADING=1") for message in messages)
        assert site.program.stop() == 0
        while messages[-1] != b"STOPPING=1":
            messages.append(notify.recv(4096))


@pytest.mark.parametrize("name", SERVERS)
def test_U10_log_as_json_and_by_level(deployment, name):
    """One object a line; SIGHUP takes another level over."""
    conf = deployment.directory / "logging.conf"
    conf.write_text("[logging]\nformat = json\n[logger_keylime]\nlevel = INFO\n")
    site = Site(deployment, name, {"KEYLIME_LOGGING_CONFIG": str(conf)})
    site.probe(site.session())
    lines = [json.loads(line) for line in site.program.output().splitlines()]
    assert any(line["message"] == "GET /version" for line in lines)
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines), lines[0]
    conf.write_text("[logging]\nformat = json\n[logger_keylime]\nlevel = ERROR\n")
    site.program.signal(signal.SIGHUP)

    def silent():
        size = len(site.program.output())
        site.probe(site.session())
        return len(site.program.output()) == size
    wait_until(silent, what="silence")


# --- full disks ----------------------------------------------------------------------------------------


class SmallDisk:
    """A server whose working directory is a file system of its own, which only it sees."""

    def __init__(self, deployment, name, size):
        self.directory = deployment.keylime_dir
        program = Program(
            name, ["unshare", "-m", "sh", "-c",
                   f'mount -t tmpfs -o size={size} none "$0" && exec "$@"', self.directory,
                   BINARIES[name]],
            {**deployment.env, "KEYLIME_REGISTRAR_TLS_DIR": "generate"},
            deployment.directory / f"{name}.log")
        deployment.programs.append(program)
        program.wait_for_line("Listening on ")
        self.program = program
        self.seen = pathlib.Path(f"/proc/{program.pid}/root") / str(self.directory)[1:]
        # What clients need, where they look for it.
        for path in self.seen.glob("*_ca/*"):
            copy = self.directory / path.relative_to(self.seen)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())

    def fill(self):
        filler = self.seen / "filler"
        with open(filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler


def until_full(write, disk):
    """Write until there is no room: the answer is 503 with Retry-After, and the log has one clear line."""
    filler = disk.fill()
    for _ in range(2000):
        answer = write()
        if answer.status_code == 503:
            break
        assert answer.status_code == 200, answer.text
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, answer.text
    assert "disk" in disk.program.wait_for_line("ERROR - Database: .*").group(0)
    return filler


def test_U24_a_full_disk_is_told_and_passes(deployment):
    """Verifier: 503 for what must be kept, reading goes on, and all is well again once there is room."""
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    disk = SmallDisk(deployment, "verifier", "3m")
    admin = deployment.admin()
    ak = SoftwareAk()
    agents = []

    def enrol():
        agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt", ak)
        answer = admin.post(f"{agent.url}/v2.6/agents/{agent.id}", timeout=60,
                            json=enrolment_of(agent))
        if answer.status_code == 200:
            agents.append(agent.id)
        return answer

    filler = until_full(enrol, disk)
    listed = admin.get(f"{deployment.verifier_url}/v2.6/agents/", timeout=20)
    assert sorted(each[0] for each in listed.json()["results"]["uuids"]) == sorted(agents)
    filler.unlink()
    wait_until(lambda: enrol().status_code == 200, what="room")
    assert disk.program.running()


def enrolment_of(agent):
    """With text enough that a few of them fill a page."""
    return {**enrolment(agent.ak), "metadata": json.dumps({"comment": "x" * 2000})}


def test_U24_a_full_disk_of_the_registrar(deployment):
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    deployment.env["KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP"] = "0"
    disk = SmallDisk(deployment, "registrar", "3m")
    session = Session(deployment.registrar_plain_url, False)
    machine = Machine("a1")

    def register():
        machine.agent_id = str(uuid.uuid4())
        return machine.register(session)

    filler = until_full(register, disk)
    filler.unlink()
    wait_until(lambda: register().status_code == 200, what="room")
    assert machine.activate(session).status_code == 200
