# SPDX-License-Identifier: Apache-2.0
"""Connections that no honest client makes, to the real servers: floods, slow and half-closed ones,
fragments and noise get a clear answer or a clean close, while an honest agent attests and the servers'
memory stays bounded (decisions D56, D71)."""
import random
import shutil
import socket
import ssl
import struct
import time

import pytest

from lib import http_vectors as vectors
from lib.honest_client import Site
from lib.memory import resident
from lib.program import BINARIES, Program, wait_until

SERVERS = ("verifier", "registrar", "registrar plain")
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = {"verifier": 65536, "registrar": 262144, "registrar plain": 262144}
PATH = {"verifier": "/v3.0/sessions", "registrar": "/v2.6/agents/x", "registrar plain": "/v2.6/agents/x"}
MEMORY_GROWTH = 48 * 1024  # KiB
CROWD = 300
GOOD = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


class Peers:
    """The doors of a site."""

    def __init__(self, site):
        self.site = site
        deployment = site.deployment
        ca = str(deployment.certificates / "cacert.crt")
        self.wires = {
            "verifier": vectors.Wire(deployment.verifier_port, ca),
            "registrar": vectors.Wire(deployment.registrar_tls_port, ca),
            "registrar plain": vectors.Wire(deployment.registrar_tls_port, ca,
                                            plain_port=deployment.registrar_port),
        }

    def port(self, server):
        wire = self.wires[server]
        return wire.plain_port if server == "registrar plain" else wire.port

    def connect(self, server):
        return self.wires[server].connect("http" if server == "registrar plain" else "https")

    def raw(self, server):
        """A TCP connection without TLS."""
        return socket.create_connection(("127.0.0.1", self.port(server)), timeout=10)

    def exchange(self, server, data):
        return self.wires[server].exchange(
            data, "http" if server == "registrar plain" else "https")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def peers(site):
    return Peers(site)


@pytest.fixture(autouse=True)
def unharmed(site):
    programs = (site.verifier, site.registrar)
    before = [resident(each) for each in programs]
    yield
    site.check()
    for program, size in zip(programs, before):
        assert size is None or resident(program) < size + MEMORY_GROWTH, program.name


def received(connection, seconds=10):
    """All bytes until the peer closes or resets; AssertionError if it does neither."""
    connection.settimeout(seconds)
    data = b""
    try:
        while True:
            part = connection.recv(65536)
            if not part:
                return data
            data += part
    except (ConnectionError, ssl.SSLError):
        return data
    except TimeoutError:
        raise AssertionError(f"neither closed nor answered to the end: {data[:300]!r}") from None


def status_of(data):
    assert data.startswith(b"HTTP/1.1 "), data[:200]
    return int(data.split(b" ", 2)[1])


def feed(connection, data):
    """Send as much as the peer takes; False when it would not take all."""
    connection.settimeout(5)
    try:
        connection.sendall(data)
        return True
    except OSError:
        return False


# --- heads --------------------------------------------------------------------------------------------


FLOODS = {
    "many": b"".join(b"X-%d: y\r\n" % number for number in range(20000)),
    "long": b"X: " + b"y" * (4 * HEAD_LIMIT) + b"\r\n",
    "repeated": b"X: y\r\n" * 30000,
    "folded": b"X: y\r\n" + b" y\r\n" * HEAD_LIMIT,
}


@pytest.mark.parametrize("server", SERVERS)
def test_floods_of_headers(peers, server):
    for name, flood in FLOODS.items():
        with peers.connect(server) as connection:
            feed(connection, b"GET /version HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
            data = received(connection)
        # Where the server closed while we were still sending, the answer may be lost on the way.
        assert not data or status_of(data) in (400, 431), (name, data[:300])
    answer = peers.exchange(server, b"GET /version HTTP/1.1\r\nHost: x\r\nX: "
                            + b"y" * (HEAD_LIMIT + 100) + b"\r\n\r\n")
    assert answer.status == 431 and vectors.complaint(answer), answer


MALFORMED_HEADS = (
    b"\r\n" * 200 + b"X", b"GET\r\n\r\n", b"GET /version\r\n\r\n", b"GET /version HTTP/9.9\r\n\r\n",
    b"GET  /version  HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /version HTTP/1.1\nHost: x\n\n",
    b"GET /ver\0sion HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /version HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", b"\x80\xff\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost : x\r\n\r\n", b"GET /version HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"A" * 40000 + b"\r\n\r\n",
)


@pytest.mark.parametrize("server", SERVERS)
def test_malformed_heads(peers, server):
    for head in MALFORMED_HEADS:
        answer = peers.exchange(server, head)
        assert answer.status is not None and answer.status >= 400, (head[:60], answer)
        assert answer.status < 500 or answer.status in (501, 505), (head[:60], answer)
        assert vectors.complaint(answer)


# --- bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_oversized_body_is_refused_by_its_length(peers, server):
    for size in (str(BODY_LIMIT[server] + 1), "10000000000000", "9" * 40):
        head = (f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Content-Length: {size}\r\n\r\n")
        answer = peers.exchange(server, head.encode())
        assert answer.status == 413 and vectors.complaint(answer), answer
        # Sessions have a limit of their own, which no option moves.
        said = "65536 bytes" if server == "verifier" else "(option max_upload_size)"
        assert said in answer.body.decode(), answer
        assert answer.headers["connection"].lower() == "close", answer.headers


def test_oversized_evidence_names_the_option(peers):
    path = f"/v3.0/agents/{peers.site.honest.agent.id}/attestations/latest"
    answer = peers.exchange("verifier", (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"
        "Content-Length: 1048577\r\n\r\n").encode())
    assert answer.status == 413 and "(option max_upload_size)" in answer.body.decode(), answer


@pytest.mark.parametrize("path", ["/v3.0/sessions", "/v2.6/agents/x"])
@pytest.mark.parametrize("piece", [b"{},", b"[],", b"1,", b'"",'])
def test_many_small_values(peers, path, piece):
    """Parsed, they would take hundreds of times the memory that they take on the wire."""
    server = "verifier" if path == PATH["verifier"] else "registrar"
    for _ in range(8):
        body = b'{"data": [' + piece * ((BODY_LIMIT[server] - 100) // len(piece)) + b"1]}"
        answer = peers.exchange(server, (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body)
        assert answer.status == 400 and "more values" in answer.body.decode(), answer


@pytest.mark.parametrize("server", SERVERS)
def test_oversized_body_that_is_sent_all_the_same(peers, server):
    limit = BODY_LIMIT[server]
    with peers.connect(server) as connection:
        feed(connection, (f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\n"
                          f"Content-Length: {2 * limit}\r\n\r\n").encode())
        assert feed(connection, b"x" * (2 * limit)), "cut off before the answer could be read"
        data = received(connection)
    assert status_of(data) == 413, data[:300]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("piece", [65536, 1])
def test_chunked_body_beyond_the_limit(peers, server, piece):
    limit = BODY_LIMIT[server]
    chunk = b"%x\r\n" % piece + b"x" * piece + b"\r\n"
    count = (limit + 65536) // piece if piece > 1 else 2000
    with peers.connect(server) as connection:
        feed(connection, f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n".encode())
        feed(connection, chunk * count + b"0\r\n\r\n")
        connection.settimeout(10)
        data = connection.recv(65536)
    assert status_of(data) == (413 if piece > 1 else 400), data[:300]


MALFORMED_CHUNKS = (
    b"z\r\n", b"-1\r\nx\r\n", b"ffffffffffffffffffff\r\nx", b"1\r\nxx\r\n",
    b"1;" + b"a" * 5000 + b"\r\nx\r\n", b"1\nx\n", b"0\r\n" + b"T: y\r\n" * 10000 + b"\r\n",
    b"\r\n\r\n")


@pytest.mark.parametrize("server", SERVERS)
def test_malformed_chunks(peers, server):
    for body in MALFORMED_CHUNKS:
        answer = peers.exchange(server, f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert answer.status in (400, 413) and vectors.complaint(answer), (body[:60], answer)


# --- ends and orders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_pipelined_requests_are_answered_in_order(peers, server):
    requests = (b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\n\r\n"
                b"POST /nope HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\nContent-Length: 2\r\n\r\n{}"
                b"GET /version HTTP/1.1\r\nHost: x\r\nX-Request-Id: three\r\nConnection: close\r\n\r\n")
    with peers.connect(server) as connection:
        connection.sendall(requests)
        data = received(connection).decode()
    assert data.count("HTTP/1.1 ") == 3, data
    assert data.index("one") < data.index("two") < data.index("three")


def test_a_thousand_pipelined_requests(peers):
    with peers.connect("registrar plain") as connection:
        connection.sendall(GOOD * 999 + GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert received(connection, 20).count(b"HTTP/1.1 200") == 1000


@pytest.mark.parametrize("server", SERVERS)
def test_half_closed_connections(peers, server):
    head = (f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n").encode()
    for part in (b"", b"GET /ver", GOOD[:-2], head, head + b"{", b"\x16\x03\x01"):
        with peers.connect(server) as connection:
            connection.sendall(part)
            # Of the socket only: SSLSocket would forget its TLS state.
            socket.socket.shutdown(connection, socket.SHUT_WR)
            data = received(connection)
            assert not data or 400 <= status_of(data) < 500, data[:300]
    if server == "registrar plain":  # the request is whole: it is answered
        with peers.connect(server) as connection:
            connection.sendall(GOOD)
            connection.shutdown(socket.SHUT_WR)
            assert status_of(received(connection)) == 200


@pytest.mark.parametrize("server", SERVERS)
def test_resets_in_the_middle(peers, server):
    head = (f"POST {PATH[server]} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").encode()
    for part in (b"", GOOD[:9], GOOD, GOOD * 20, head + b"{" * 1000):
        for _ in range(10):
            connection = peers.connect(server)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(part)
            connection.close()  # RST


# --- TLS ----------------------------------------------------------------------------------------------


def client_hello(server):
    """The first bytes of an honest handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("server", ["verifier", "registrar"])
def test_noise_on_the_tls_port(peers, server):
    noise = random.Random(1)
    hello = client_hello(server)
    texts = [bytes(noise.randrange(256) for _ in range(noise.randrange(1, 400))) for _ in range(60)]
    texts += [GOOD, b"\x16\x03\x01\xff\xff" + b"\0" * 2000, b"\x80\x2e\x01\0\x02", b"SSH-2.0-x\r\n"]
    for _ in range(40):
        place = noise.randrange(5, len(hello))
        texts.append(hello[:place] + bytes([hello[place] ^ 1 << noise.randrange(8)]) + hello[place + 1:])
    for text in texts:
        with peers.raw(server) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            assert b"HTTP/" not in received(connection)


@pytest.mark.parametrize("server", ["verifier", "registrar"])
def test_handshakes_that_end_early(peers, server):
    hello = client_hello(server)
    for part in (0, 1, 5, len(hello) // 2, len(hello)):
        for _ in range(10):
            with peers.raw(server) as connection:
                connection.sendall(hello[:part])
    for _ in range(20):
        peers.connect(server).close()  # a whole handshake, then nothing


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(peers, version):
    """C87."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    for server in ("verifier", "registrar"):
        with peers.raw(server) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="localhost")


def test_newest_tls_and_http_1_1_only(peers):
    """configuration-and-operations §10.1: TLS 1.3 where the client has it; HTTP/2 is not agreed on."""
    context = ssl.create_default_context(cafile=peers.site.deployment.certificates / "cacert.crt")
    context.set_alpn_protocols(["h2", "http/1.1"])
    for server in ("verifier", "registrar"):
        with peers.raw(server) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.3"
            assert tls.selected_alpn_protocol() in (None, "http/1.1")


# --- crowds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
def test_crowd_of_idle_connections(peers, site, server):
    crowd = [peers.connect(server) for _ in range(CROWD)]
    crowd += [peers.raw(server) for _ in range(CROWD)]
    site.check()
    for connection in crowd[:10]:
        connection.sendall(GOOD)  # an idle connection is still good
        assert status_of(connection.recv(65536)) in (200, 410)
    for connection in crowd:
        connection.close()


def test_slow_requests(peers, site):
    """Heads and bodies byte by byte: the honest ones do not wait, and a dripping head is cut off."""
    body = (f"POST {PATH['verifier']} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").encode()
    heads = [peers.connect("verifier") for _ in range(50)]
    bodies = [peers.connect("verifier") for _ in range(50)]
    for connection in bodies:
        connection.sendall(body)
    begun = time.monotonic()
    for connection in heads:
        connection.sendall(b"G")
    ended = set()
    while len(ended) < len(heads) and time.monotonic() - begun < 30:
        for connection in heads:
            if connection not in ended and not feed(connection, b"E"):
                ended.add(connection)
        for connection in bodies:
            feed(connection, b"x")
        if time.monotonic() - begun > 19:
            connection.settimeout(0.1)
            for connection in set(heads) - ended:
                connection.settimeout(0.05)
                try:
                    answer = connection.recv(65536)
                    assert not answer or status_of(answer) == 408, answer
                    ended.add(connection)
                except TimeoutError:
                    pass
                except OSError:
                    ended.add(connection)
        else:
            time.sleep(0.5)
    assert len(ended) == len(heads), "a head may take 20 s"
    site.check()
    for connection in heads + bodies:
        connection.close()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="prlimit is not installed")
def test_crowd_larger_than_the_limit_of_descriptors(tmp_path):
    """With few descriptors the crowd gets fewer connections; the database keeps its own."""
    small = Site(tmp_path)
    try:
        assert small.verifier.stop() == 0
        small.verifier = Program("verifier", ["prlimit", "--nofile=300:300", BINARIES["verifier"]],
                                 {**small.deployment.env, **small.options}, tmp_path / "limited.log")
        small.deployment.programs.append(small.verifier)
        small.verifier.wait_for_line(r"Listening on ")
        assert "allows 150 connections" in small.verifier.output()
        doors = Peers(small)
        for connect, text in ((doors.raw, b"\x16\x03"), (doors.connect, b"GET /ver")):
            crowd = []
            for _ in range(CROWD):
                try:
                    crowd.append(connect("verifier"))
                    crowd[-1].sendall(text)
                except OSError:
                    pass  # it made room for a later one
            before = small.honest.passes
            wait_until(lambda: small.honest.passes > before + 1, 15, "the honest agent's attestation")
            for connection in crowd:
                connection.close()
        assert "Cannot accept" not in small.verifier.output()
    finally:
        small.stop()
