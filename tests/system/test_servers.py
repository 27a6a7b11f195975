# SPDX-License-Identifier: Apache-2.0
"""What verifier and registrar have in common: options, certificates, signals (configuration-and-operations
10, 12; decisions D32, D113, D114; contract U5, U6, U16)."""
import concurrent.futures
import itertools
import signal
import ssl
import threading

import pytest
import requests
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.ca_directory import CaDirectory
from lib.program import wait_until

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
