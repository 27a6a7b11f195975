# SPDX-License-Identifier: Apache-2.0
"""A program under test: started with its own environment, its output kept in a file."""
import fcntl
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ["BUILD_DIR"])

BINARIES = {
    "verifier": BUILD / "src/verifier/keylime_verifier",
    "registrar": BUILD / "src/registrar/keylime_registrar",
    "agent": BUILD / "src/agent/keylime_push_model_agent",
    "tenant": BUILD / "src/tenant/keylime_tenant",
}


# Below the range from which the system takes the ports of outgoing connections: a port that was free
# when it was chosen stays free until the program under test binds it.
PORTS = range(10000, 32000)
reserved = []


def reserve(port):
    """Whether the port is ours: no other test process has it, and nothing is bound to it."""
    directory = pathlib.Path(tempfile.gettempdir()) / f"keylime-test-ports-{os.getuid()}"
    directory.mkdir(exist_ok=True)
    lock = open(directory / str(port), "w")
    probe = socket.socket()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        probe.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    finally:
        probe.close()
    reserved.append(lock)  # held until this process ends
    return True


def free_port(count=1):
    """The first of `count` free ports in a row on the loopback address."""
    while True:
        port = random.choice(PORTS)
        if all(reserve(port + offset) for offset in range(count)):
            return port


def wait_until(condition, seconds=20, what="the condition", interval=0.05):
    """The first true value of condition(); fails after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"gave up waiting for {what} after {seconds} s")
        time.sleep(interval)


class Program:
    """One process. `env` is added to a small clean environment."""

    def __init__(self, name, command, env, log_path):
        self.name = name
        self.log_path = pathlib.Path(log_path)
        self.log = open(self.log_path, "ab")
        foreign = ("KEYLIME_", "TCTI", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
        clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(foreign)}
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env={**clean, **env},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        return self.log_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def wait_for_line(self, pattern, seconds=20, start=0):
        """The match of a regular expression in the output from offset `start` on."""

        def found():
            match = re.search(pattern, self.output()[start:], re.MULTILINE)
            if match is None and not self.running():
                raise AssertionError(
                    f"{self.name} ended with {self.process.returncode} before it wrote "
                    f"/{pattern}/:\n{self.output()[-3000:]}"
                )
            return match

        try:
            return wait_until(found, seconds, f"/{pattern}/ of {self.name}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()[-3000:]}") from None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=20):
        """SIGTERM; the exit status."""
        if self.running():
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            if self.running():
                self.process.kill()
                self.process.wait()
            self.log.close()

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.kill()
        self.process.wait()
