# SPDX-License-Identifier: Apache-2.0
"""A machine for commands as the documents print them: file systems and network of its own, the fixed paths and
ports, `sudo`, `systemctl`, `journalctl` and `scp`."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from .network import HiddenMachine
from .private_etc import KEPT, PrivateEtc
from .program import BINARIES, BUILD

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVICES = ROOT / "tests/tools/services"
HOSTS = ("verifier.example.com", "registrar.example.com", "localhost", "attested.example.com")
PROGRAMS = {
    "keylime_verifier": BINARIES["verifier"], "keylime_registrar": BINARIES["registrar"],
    "keylime_push_model_agent": BINARIES["agent"], "keylime-push-model-agent": BINARIES["agent"],
    "keylime_tenant": BINARIES["tenant"], "keylime_ca": BUILD / "src/ca/keylime_ca",
    "keylime-policy": BUILD / "src/policy-tool/keylime-policy",
    "keylime_ima_emulator": BUILD / "src/ima-emulator/keylime_ima_emulator",
}


class GuideMachine:
    """`simulator` is its TPM. Within `with`, run() runs shell commands on it."""

    def __init__(self, simulator=None):
        # Not below pytest's own directory: users other than root must be able to enter.
        directory = self.root = pathlib.Path(tempfile.mkdtemp(prefix="keylime-machine-"))
        self.home = directory / "home"
        self.bin = directory / "bin"
        for path in (self.home, self.bin, directory / "etc/keylime", directory / "lib", directory / "run",
                     directory / "tmp"):
            path.mkdir(parents=True)
        directory.chmod(0o755)
        (directory / "tmp").chmod(0o1777)
        self._fill_etc()
        for name, program in PROGRAMS.items():
            (self.bin / name).symlink_to(program)
        for name in ("sudo", "systemctl", "journalctl", "scp", "systemd-sysusers", "systemd-tmpfiles"):
            (self.bin / name).symlink_to(SERVICES)
        ports = [simulator.switch_port, simulator.switch_port + 1] if simulator else []
        self.network = HiddenMachine(ports)
        self.tcti = simulator.tcti if simulator else ""

    @staticmethod
    def usable():
        return os.geteuid() == 0 and HiddenMachine.usable() and PrivateEtc.usable()

    def _fill_etc(self):
        etc = self.root / "etc"
        for name in KEPT:
            source = pathlib.Path("/etc") / name
            if source.exists():
                (etc / name).parent.mkdir(exist_ok=True)
                shutil.copy(source, etc / name)
        with open(etc / "hosts", "w") as hosts:
            hosts.writelines(f"127.0.0.1 {name}\n" for name in HOSTS)

    def __enter__(self):
        self.run("systemd-sysusers && systemd-tmpfiles --create keylime.conf")
        return self

    def __exit__(self, *_):
        self.run("systemctl stop keylime_push_model_agent keylime_registrar keylime_verifier")
        self.network.stop()
        shutil.rmtree(self.root)

    def path(self, path):
        """Where a path of the machine lies here."""
        for there, here in (("/etc", "etc"), ("/var/lib", "lib"), ("/tmp", "tmp")):
            if path.startswith(there + "/"):
                return self.root / here / path[len(there) + 1:]
        raise ValueError(path)

    def write(self, path, text):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def trust(self, simulator):
        """The TPM's maker into the store."""
        for number, path in enumerate(simulator.trust_anchors()):
            shutil.copy(path, self.path(f"/var/lib/keylime/tpm_cert_store/maker-{number}.pem"))

    def run(self, script, check=True, seconds=120):
        """What a script prints; it must end with 0."""
        mounts = " && ".join(f'mount --bind "$0/{here}" {there}' for here, there in (
            ("etc", "/etc"), ("lib", "/var/lib")))
        command = self.network.command("unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', self.root,
                                       "bash", "-euo", "pipefail", "-c", script)
        env = {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "TCTI": self.tcti, "HOME": str(self.home),
               "MACHINE": str(self.root), "PYTHON": sys.executable, "SOURCES": str(ROOT), "BUILD": str(BUILD)}
        log = open(self.root / "output", "w+")
        done = subprocess.run(command, env=env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds)
        log.seek(0)
        output = log.read()
        log.close()
        assert not check or done.returncode == 0, f"{script}\nended with {done.returncode}:\n{output[-4000:]}"
        return output
