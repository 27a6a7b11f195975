# SPDX-License-Identifier: Apache-2.0
"""An emulated TPM 2.0 (swtpm) with an EK certificate, shared by agent and test through tpm-switch."""
import pathlib
import subprocess
import sys

from .program import Program, free_port, wait_until

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


class Simulator:
    def __init__(self, directory, banks="sha256,sha384", certificate=True):
        self.directory = pathlib.Path(directory)
        self.state = self.directory / "tpm"
        self.vendor = self.directory / "vendor"
        self.state.mkdir(parents=True)
        self.vendor.mkdir()
        self._make_state(banks, certificate)
        self.port = free_port(2)
        self.switch_port = free_port(2)
        self.tcti = f"swtpm:host=127.0.0.1,port={self.switch_port}"
        self.moves = self.directory / "moves"
        self.programs = []
        self.start()

    def _make_state(self, banks, certificate):
        localca = self.vendor / "localca.conf"
        localca.write_text(
            f"statedir = {self.vendor}\n"
            f"signingkey = {self.vendor}/signkey.pem\n"
            f"issuercert = {self.vendor}/issuercert.pem\n"
            f"certserial = {self.vendor}/certserial\n"
        )
        setup = self.vendor / "setup.conf"
        setup.write_text(
            "create_certs_tool = /usr/bin/swtpm_localca\n"
            f"create_certs_tool_config = {localca}\n"
            "create_certs_tool_options = /etc/swtpm-localca.options\n"
        )
        command = ["swtpm_setup", "--tpm2", "--tpmstate", self.state, "--createek"]
        command += ["--config", setup, "--pcr-banks", banks]
        if certificate:
            command.append("--create-ek-cert")
        subprocess.run(command, check=True, capture_output=True)

    def start(self):
        swtpm = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}"]
        swtpm += ["--server", f"type=tcp,port={self.port}"]
        swtpm += ["--ctrl", f"type=tcp,port={self.port + 1}"]
        swtpm += ["--flags", "startup-clear,not-need-init"]
        tpm = Program("swtpm", swtpm, {}, self.directory / "swtpm.log")
        self.programs.append(tpm)
        wait_until(lambda: self._listens(self.port + 1), what="swtpm")
        switch = [sys.executable, TOOLS / "tpm-switch", self.switch_port, self.port, self.moves]
        self.programs.append(Program("tpm-switch", switch, {}, self.directory / "switch.log"))
        wait_until(lambda: self._listens(self.switch_port), what="tpm-switch")

    @staticmethod
    def _listens(port):
        """Looked up, not connected to: swtpm counts each connection."""
        with open("/proc/net/tcp") as table:
            return any(
                fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
                for fields in map(str.split, table.readlines()[1:])
            )

    def stop(self):
        for program in reversed(self.programs):
            program.kill()
        self.programs = []

    def restart(self):
        """A reboot of the machine: PCRs start again, the reset count grows."""
        self.stop()
        self.start()

    def trust_anchors(self):
        """Certificates of the TPM's maker."""
        return [self.vendor / "issuercert.pem", self.vendor / "swtpm-localca-rootca-cert.pem"]

    def tool(self, *command):
        """Run a TPM2 tool on this TPM; its standard output."""
        done = subprocess.run(
            command,
            env={"TPM2TOOLS_TCTI": self.tcti, "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def extend(self, pcr, digest_hex, bank="sha256"):
        self.tool("tpm2_pcrextend", f"{pcr}:{bank}={digest_hex}")

    def move_pcr_10(self, times):
        """Extend PCR 10 before each of so many quotes to come, after their values were read."""
        whole = self.moves.with_suffix(".new")
        whole.write_text(str(times))
        whole.replace(self.moves)

    def pcr(self, pcr, bank="sha256"):
        """Lower-case hex value."""
        return self.tool("tpm2_pcrread", f"{bank}:{pcr}").split("0x")[-1].strip().lower()

    def transient_handles(self):
        return self.tool("tpm2_getcap", "handles-transient").split()
