# SPDX-License-Identifier: Apache-2.0
"""Programs that see an /etc of their own, in a mount namespace: for what stands at fixed paths."""
import pathlib
import shutil
import subprocess

from .program import BINARIES, Program

# What the C library and OpenSSL look for.
KEPT = ("passwd", "group", "hosts", "nsswitch.conf", "host.conf", "resolv.conf", "ssl/openssl.cnf")


class PrivateEtc:
    """`keylime` is /etc/keylime as the programs see it."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.root = deployment.directory / "etc"
        self.keylime = self.root / "keylime"
        self.keylime.mkdir(parents=True)
        for name in KEPT:
            source = pathlib.Path("/etc") / name
            if source.exists():
                (self.root / name).parent.mkdir(exist_ok=True)
                shutil.copy(source, self.root / name)
        # The files at the fixed paths count only where no variable names others.
        self.env = {name: value for name, value in deployment.env.items()
                    if not name.endswith("_CONFIG")}

    @staticmethod
    def usable():
        try:
            return subprocess.run(["unshare", "-m", "true"], capture_output=True,
                                  timeout=10).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def write(self, path, text):
        """A file below /etc/keylime."""
        place = self.keylime / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)

    def command(self, name, *arguments, before=()):
        """`before`: words of a command that runs the program."""
        return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(self.root),
                *before, str(BINARIES[name]), *arguments]

    def start_server(self, name, env=None):
        """A server that listens."""
        number = len(self.deployment.programs)
        program = Program(name, self.command(name), {**self.env, **(env or {})},
                          self.deployment.directory / f"{name}-{number}.log")
        self.deployment.programs.append(program)
        program.wait_for_line(r"Listening on ")
        return program

    def run(self, name, *arguments, env=None):
        """A program that ends by itself."""
        return subprocess.run(self.command(name, *arguments),
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.env, **(env or {})},
                              capture_output=True, text=True, timeout=30)
