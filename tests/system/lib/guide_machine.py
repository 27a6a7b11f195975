# SPDX-License-Identifier: Apache-2.0
"""A machine for commands as the documents print them: file systems and network of its own, the fixed paths and
ports, `sudo`, `systemctl`, `journalctl` and `scp`."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from .network import HiddenMachine
from .private_etc import KEPT, PrivateEtc
from .program import BINARIES, BUILD, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVICES = ROOT / "tests/tools/services"
HOSTS = ("verifier.example.com", "registrar.example.com", "localhost", "operator.example.com",
         "attested.example.com")
PROGRAMS = {
    "keylime_verifier": BINARIES["verifier"], "keylime_registrar": BINARIES["registrar"],
    "keylime_push_model_agent": BINARIES["agent"], "keylime-push-model-agent": BINARIES["agent"],
    "keylime_tenant": BINARIES["tenant"], "keylime_ca": BUILD / "src/ca/keylime_ca",
    "keylime-policy": BUILD / "src/policy-tool/keylime-policy",
    "keylime_ima_emulator": BUILD / "src/ima-emulator/keylime_ima_emulator",
}
# Folder of the machine, and where its programs see it.
MOUNTS = (("etc", "/etc"), ("lib", "/var/lib"), ("security", "/sys/kernel/security"))


class GuideMachine:
    """
    `simulator` is its TPM. Within `with`, run() runs shell commands on it. A machine `beside` another one shares
    that one's network and has files of its own; `host` is its name, by which scp of either finds it. `interval`
    is the agent's attestation_interval_seconds where no file should say it: a test need not wait a minute.
    """

    def __init__(self, simulator=None, host=HOSTS[0], beside=None, interval=None):
        # Not below pytest's own directory: users other than root must be able to enter.
        directory = self.root = pathlib.Path(tempfile.mkdtemp(prefix="keylime-machine-"))
        self.home = directory / "home"
        self.bin = directory / "bin"
        for path in (self.home, self.bin, directory / "etc/keylime", directory / "lib", directory / "run",
                     directory / "security"):
            path.mkdir(parents=True)
        directory.chmod(0o755)
        self._fill_etc()
        for name, program in PROGRAMS.items():
            shutil.copy(program, self.bin / name)  # users of services may not reach the build directory
        for name in ("sudo", "systemctl", "journalctl", "scp", "systemd-sysusers", "systemd-tmpfiles"):
            (self.bin / name).symlink_to(SERVICES)
        ports = [simulator.switch_port, simulator.switch_port + 1] if simulator else []
        self.network = beside.network if beside else HiddenMachine(ports)
        self.owns_network = beside is None
        self.machines = beside.machines if beside else {}
        self.machines[host] = self.machines[host.split(".")[0]] = str(directory)
        self.interval = interval
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
        if self.owns_network:
            self.network.stop()
        shutil.rmtree(self.root)

    def path(self, path):
        """Where a path of the machine lies here."""
        for here, there in MOUNTS:
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

    def status(self, agent):
        """attestation_status"""
        shown = self.run(f"keylime_tenant -c cvstatus --json -u {agent}")
        return re.search(r'"attestation_status": ?"(\w+)"', shown)[1]

    def settle(self):
        """What a person waits for before the next command: a started agent has registered, or told why not."""
        log = self.root / "run/keylime_push_model_agent.log"
        if log.exists():
            wait_until(lambda: re.search("SUCCESS: Agent .* activated|Registration failed", log.read_text()),
                       what="the registration")

    def run(self, script, check=True, seconds=120):
        """What a script prints; it must end with 0."""
        mounts = " && ".join(f'mount --bind "$0/{here}" {there}' for here, there in MOUNTS
                             if pathlib.Path(there).exists())
        command = self.network.command("unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', self.root,
                                       "bash", "-euo", "pipefail", "-c", script)
        env = {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "TCTI": self.tcti, "HOME": str(self.home),
               "MACHINE": str(self.root), "MACHINES": json.dumps(self.machines), "SOURCES": str(ROOT)}
        if self.interval:
            env["KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS"] = str(self.interval)
        log = open(self.root / "output", "w+")
        done = subprocess.run(command, env=env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds)
        log.seek(0)
        output = log.read()
        log.close()
        assert not check or done.returncode == 0, f"{script}\nended with {done.returncode}:\n{output[-4000:]}"
        return output
