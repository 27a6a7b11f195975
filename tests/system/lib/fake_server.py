# SPDX-License-Identifier: Apache-2.0
"""A server that answers what a test says, over TLS or in clear: for errors a real one rarely gives."""
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority with one server certificate, as files."""

    def __init__(self, directory, name="test CA", hosts=("localhost",), days=1, usages=()):
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate_path = directory / "ca.pem"
        self.chain_path = directory / "server.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.usages = list(usages)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._issue(self.name, self.key, True, [], 1)
        self.certificate_path.write_bytes(certificate)
        server_key = ec.generate_private_key(ec.SECP256R1())
        server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        chain = self._issue(server, server_key, False, hosts, days)
        private = server_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.chain_path.write_bytes(private + chain)

    def _issue(self, subject, key, is_ca, hosts, days):
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(days=days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - datetime.timedelta(days=2))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if hosts:
            names = [
                x509.IPAddress(ipaddress.ip_address(host))
                if host[0].isdigit()
                else x509.DNSName(host)
                for host in hosts
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if self.usages and not is_ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.usages), critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


class Request:
    def __init__(self, handler, body):
        self.time = time.monotonic()
        self.method = handler.command
        self.path = handler.path
        self.headers = handler.headers
        self.body = body
        certificate_of = getattr(handler.connection, "getpeercert", None)
        self.peer_certificate = certificate_of(binary_form=True) if certificate_of else None

    @property
    def json(self):
        return json.loads(self.body)


class FakeServer:
    """
    answer(request) gives (status, headers, body); a body may be an object, which is sent as JSON.
    None closes the connection without an answer; "silence" never answers.
    """

    def __init__(self, answer, authority=None, port=0):
        self.requests = []
        self.authority = authority
        self.answer = answer
        self.stopped = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                if outer.stopped.is_set():
                    self.close_connection = True  # a kept-alive connection of a stopped server
                    return
                size = int(self.headers.get("Content-Length", 0))
                request = Request(self, self.rfile.read(size))
                outer.requests.append(request)
                answered = outer.answer(request)
                if answered == "silence":
                    outer.stopped.wait(30)
                    answered = None
                if answered is None:
                    self.close_connection = True
                    return
                status, headers, body = answered
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that goes away is what some tests are about

        self.server = Server(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.chain_path)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]

    @property
    def url(self):
        return f"{'https' if self.authority else 'http'}://localhost:{self.port}"

    def times(self, method, suffix):
        return [r.time for r in self.requests if r.method == method and r.path.endswith(suffix)]

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
