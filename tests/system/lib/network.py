# SPDX-License-Identifier: Apache-2.0
"""Networks that are not simply there: a port that swallows packets, proxies, a machine behind a NAT."""
import ctypes
import os
import select
import signal
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def _pump(one, other, limit=None):
    """Both ways until either end closes, or `limit` bytes came from `other`."""
    seen = 0
    ends = {one: other, other: one}
    try:
        while True:
            for ready in select.select(list(ends), [], [], 30)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                ends[ready].sendall(data)
                if ready is other:
                    seen += len(data)
                    if limit is not None and seen >= limit:
                        return
    except OSError:
        return
    finally:
        for end in ends:
            end.close()


class Listener:
    """Accepts on the loopback address, each connection in a thread of its own."""

    def __init__(self, listening=None):
        self.listening = listening or socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def stop(self):
        self.listening.close()


class SilentPort:
    """A port where the kernel drops every further SYN, as a firewall does: its queue is full."""

    def __init__(self):
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen(0)
        self.port = self.listening.getsockname()[1]
        self.held = []
        for _ in range(8):
            held = socket.socket()
            held.setblocking(False)
            held.connect_ex(("127.0.0.1", self.port))
            self.held.append(held)

    def stop(self):
        for held in (*self.held, self.listening):
            held.close()


class WebProxy(Listener):
    """An HTTP proxy: CONNECT for TLS, absolute URLs for plain HTTP. `asked` lists what it was asked for."""

    def __init__(self):
        self.asked = []
        super().__init__()

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data:
                return
            head += data
        method, target, version = head.split(b"\r\n", 1)[0].decode().split()
        self.asked.append((method, target))
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
            server = socket.create_connection((host, int(port)))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            place, path = target.removeprefix("http://").split("/", 1)
            host, port = place.rsplit(":", 1)
            server = socket.create_connection((host, int(port)))
            head = head.replace(target.encode(), b"/" + path.encode(), 1)
            server.sendall(head)
        _pump(connection, server)


class UnreliablePath(Listener):
    """To `port`: every second connection is cut at once, the others after `limit` bytes of answers."""

    def __init__(self, port, limit):
        self.to = port
        self.limit = limit
        self.count = 0
        super().__init__()

    def serve(self, connection):
        self.count += 1
        if self.count % 2 == 0:
            return
        _pump(connection, socket.create_connection(("127.0.0.1", self.to)), self.limit)


class _Forward(Listener):
    def __init__(self, listening, port):
        self.to = port
        super().__init__(listening)

    def serve(self, connection):
        _pump(connection, socket.create_connection(("127.0.0.1", self.to)))


class HiddenMachine:
    """
    A network namespace with nothing but loopback: nobody can reach it. Its ports `open_ports` lead out to
    the same ports here, as through a NAT that lets only these destinations pass.
    """

    def __init__(self, open_ports):
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo && exec sleep 600"],
                                       stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.forwards = [_Forward(self._listen(port), port) for port in open_ports]

    @staticmethod
    def usable():
        try:
            return subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True,
                                  timeout=10).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def _listen(self, port):
        """A socket of the namespace; a thread enters it, and only to make that."""
        made = []

        def enter():
            libc = ctypes.CDLL(None, use_errno=True)
            place = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
            if libc.setns(place, CLONE_NEWNET) == 0:
                made.append(socket.create_server(("127.0.0.1", port)))
            os.close(place)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return made[0]

    def command(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *map(str, command)]

    def stop(self):
        for forward in self.forwards:
            forward.stop()
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        self.holder.stdout.close()
