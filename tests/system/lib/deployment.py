# SPDX-License-Identifier: Apache-2.0
"""A registrar, verifiers, agents and a tenant in one temporary directory, on free ports."""
import json
import pathlib
import shutil
import subprocess

import requests

from .program import BINARIES, Program, free_port

COMPONENTS = ("VERIFIER", "REGISTRAR", "TENANT", "CA", "LOGGING")


class Deployment:
    """Built-in defaults but for ports; tests add options as environment variables."""

    START_SECONDS = 20  # of a server

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.keylime_dir = self.directory / "keylime"
        self.keylime_dir.mkdir(parents=True)
        self.tpm_cert_store = self.directory / "tpm_cert_store"
        self.tpm_cert_store.mkdir()
        self.verifier_port = free_port()
        self.registrar_port = free_port()
        self.registrar_tls_port = free_port()
        empty = self.directory / "empty.conf"
        empty.write_text("")
        agent_conf = self.directory / "agent.conf"
        agent_conf.write_text("[agent]\n")
        self.env = {f"KEYLIME_{name}_CONFIG": str(empty) for name in COMPONENTS}
        self.env.update(
            KEYLIME_DIR=str(self.keylime_dir),
            KEYLIME_AGENT_CONFIG=str(agent_conf),
            KEYLIME_VERIFIER_PORT=str(self.verifier_port),
            KEYLIME_REGISTRAR_PORT=str(self.registrar_port),
            KEYLIME_REGISTRAR_TLS_PORT=str(self.registrar_tls_port),
            KEYLIME_REGISTRAR_TPM_CERT_STORE=str(self.tpm_cert_store),
            KEYLIME_TENANT_VERIFIER_PORT=str(self.verifier_port),
            KEYLIME_TENANT_REGISTRAR_PORT=str(self.registrar_tls_port),
            KEYLIME_TENANT_TPM_CERT_STORE=str(self.tpm_cert_store),
        )
        self.programs = []

    # --- servers -----------------------------------------------------------------------------

    @property
    def certificates(self):
        return self.keylime_dir / "cv_ca"

    @property
    def verifier_url(self):
        return f"https://localhost:{self.verifier_port}"

    @property
    def registrar_url(self):
        return f"https://localhost:{self.registrar_tls_port}"

    @property
    def registrar_plain_url(self):
        return f"http://127.0.0.1:{self.registrar_port}"

    def start(self, name, *arguments, env=None, log=None, wrapper=()):
        """Start a program without waiting for it; `wrapper` is a command that starts it in its place."""
        log_path = self.directory / f"{log or name}.log"
        program = Program(
            name, [*wrapper, BINARIES[name], *arguments], {**self.env, **(env or {})}, log_path
        )
        self.programs.append(program)
        return program

    def start_server(self, name, env=None, log=None):
        start = 0
        path = self.directory / f"{log or name}.log"
        if path.exists():
            start = len(path.read_text(errors="replace"))
        program = self.start(name, env=env, log=log)
        program.wait_for_line(r"Listening on ", seconds=self.START_SECONDS, start=start)
        return program

    def start_verifier(self, env=None, **kwargs):
        return self.start_server("verifier", env, **kwargs)

    def start_registrar(self, env=None, **kwargs):
        return self.start_server("registrar", env, **kwargs)

    def admin(self):
        """Requests of an administrator: with the generated client certificate."""
        session = self.anonymous()
        session.cert = (
            str(self.certificates / "client-cert.crt"),
            str(self.certificates / "client-private.pem"),
        )
        return session

    def anonymous(self):
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.certificates / "cacert.crt")
        return session

    # --- agent and tenant --------------------------------------------------------------------

    def trust(self, simulator):
        """Put the certificates of the TPM's maker into the store."""
        for number, path in enumerate(simulator.trust_anchors()):
            shutil.copy(path, self.tpm_cert_store / f"maker-{number}.pem")

    def agent_env(self, agent_id, tcti=None):
        env = {
            "KEYLIME_AGENT_UUID": agent_id,
            "KEYLIME_AGENT_VERIFIER_URL": self.verifier_url,
            "KEYLIME_AGENT_REGISTRAR_PORT": str(self.registrar_port),
            "KEYLIME_AGENT_RUN_AS": "",
            "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_INITIAL_DELAY": "200",
            "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "1000",
            "KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS": "1",
        }
        if tcti:
            env["TCTI"] = tcti
        return env

    def start_agent(self, agent_id, *arguments, tcti=None, env=None, log=None, wrapper=()):
        return self.start(
            "agent", *arguments, env={**self.agent_env(agent_id, tcti), **(env or {})}, log=log,
            wrapper=wrapper)

    def tenant(self, *arguments, env=None, check=None):
        """Run keylime_tenant to its end; `check` asserts its exit status."""
        done = subprocess.run(
            [str(BINARIES["tenant"]), *arguments],
            env={"PATH": "/usr/bin:/bin", **self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    def status(self, agent_id):
        """attestation_status, or None where the agent is not enrolled."""
        done = self.tenant("-c", "cvstatus", "--push-model", "--json", "-u", agent_id)
        if done.returncode != 0:
            return None
        return json.loads(done.stdout)[agent_id]["attestation_status"]

    # --- end ---------------------------------------------------------------------------------

    def stop(self):
        for program in reversed(self.programs):
            if program.running():
                program.kill()
