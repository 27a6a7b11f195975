# SPDX-License-Identifier: Apache-2.0
"""Upstream's published programs beside ours: one deployment in which each part may be either's."""
import contextlib
import os
import pathlib
import signal
import subprocess

from lib.deployment import Deployment
from lib.program import BINARIES, Program, wait_until

HERE = pathlib.Path(__file__).resolve().parent
OURS, UPSTREAM = "ours", "upstream"


def descendants(pid):
    """The processes below one, from the kernel's table."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in children] + [
        below for child in children for below in descendants(int(child))]


class Installation:
    """What `install-upstream` made."""

    def __init__(self, place):
        self.place = pathlib.Path(place)
        self.version = self.place.name

    def program(self, name):
        return self.place / "bin" / f"keylime_{name}"

    def write_configuration(self, directory):
        """Upstream's configuration files, by its own generator."""
        directory.mkdir()
        done = subprocess.run(
            [self.place / "bin/keylime_upgrade_config", "--defaults", "--templates",
             self.place / "templates", "--out", directory],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


class MixedDeployment(Deployment):
    """Configured by upstream's own files, ours and theirs alike, in one working directory."""

    START_SECONDS = 90  # upstream's servers load many modules

    def __init__(self, directory, installation, registrar, verifier, tenant):
        super().__init__(directory)
        self.installation = installation
        self.makers = {"registrar": registrar, "verifier": verifier, "tenant": tenant}
        configuration = self.directory / "etc"
        installation.write_configuration(configuration)
        for component in ("verifier", "registrar", "tenant", "ca", "logging"):
            self.env[f"KEYLIME_{component.upper()}_CONFIG"] = str(configuration / f"{component}.conf")
        self.env.update(
            KEYLIME_VERIFIER_MODE="push",
            KEYLIME_VERIFIER_QUOTE_INTERVAL="1",
            KEYLIME_VERIFIER_NUM_WORKERS="1",
            KEYLIME_VERIFIER_REGISTRAR_PORT=str(self.registrar_tls_port),
        )

    def agent_env(self, agent_id, tcti=None):
        """With the default delay before an agent that nobody enrolled yet registers again: upstream's registrar
        hides it meanwhile."""
        return {**super().agent_env(agent_id, tcti),
                "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "300000"}

    def command(self, name):
        if self.makers.get(name) == UPSTREAM:
            return self.installation.program(name)
        return BINARIES[name]

    def start(self, name, *arguments, env=None, log=None, wrapper=()):
        log_path = self.directory / f"{log or name}.log"
        program = Program(name, [*wrapper, self.command(name), *arguments], {**self.env, **(env or {})},
                          log_path)
        self.programs.append(program)
        return program

    def start_servers(self):
        """The verifier first: it makes the certificates."""
        self.start_verifier()
        self.start_registrar()
        if self.makers["verifier"] == UPSTREAM:
            # It says that it listens before its workers do.
            wait_until(self._verifier_answers, seconds=40, what="upstream's verifier")

    def _verifier_answers(self):
        try:
            return self.anonymous().get(f"{self.verifier_url}/version", timeout=5).status_code
        except OSError:
            return None

    def stop(self):
        """Upstream's servers are several processes, and the workers outlive a killed parent."""
        for program in reversed(self.programs):
            if program.running():
                workers = descendants(program.pid)
                program.kill()
                for pid in workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self.programs = []

    def tenant(self, *arguments, env=None, check=None):
        done = subprocess.run(
            [self.command("tenant"), *arguments],
            env={"PATH": "/usr/bin:/bin", **self.env, **(env or {})},
            capture_output=True, text=True, timeout=120)
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    def record(self, agent_id):
        """The verifier's record of an agent, or None."""
        answer = self.admin().get(f"{self.verifier_url}/v2.6/agents/{agent_id}", timeout=20)
        return answer.json()["results"] if answer.status_code == 200 else None

    def status(self, agent_id):
        record = self.record(agent_id)
        return record and record["attestation_status"]
