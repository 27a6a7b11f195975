# SPDX-License-Identifier: Apache-2.0
"""Our agent with each combination of servers and tenants (contract C124)."""
import hashlib
import json
import pathlib
import subprocess

import pytest

from lib import event_log
from lib.measurement_list import MeasurementList
from lib.program import BUILD, Program, wait_until
from upstream import OURS, UPSTREAM

EXTEND = pathlib.Path(__file__).resolve().parents[1] / "tools/extend-event-log"
AGENT = "5e2a7c54-8f0b-4c1e-9d3a-0b6f6a1c2d33"
COMBINATIONS = [
    pytest.param(registrar, verifier, tenant, id=f"{registrar}-{verifier}-{tenant}")
    for registrar, verifier, tenant in (
        (UPSTREAM, UPSTREAM, UPSTREAM),
        (OURS, UPSTREAM, UPSTREAM),
        (UPSTREAM, OURS, UPSTREAM),
        (OURS, OURS, UPSTREAM),
        (UPSTREAM, UPSTREAM, OURS),
    )
]


@pytest.mark.matrix("quote")
@pytest.mark.parametrize("registrar, verifier, tenant", COMBINATIONS)
def test_quote(mixed, machine, registrar, verifier, tenant):
    """Registers, authenticates, passes; a changed PCR fails."""
    deployment = mixed(registrar, verifier, tenant)
    deployment.trust(machine)
    deployment.start_servers()
    approved = machine.pcr(15)
    agent = deployment.start_agent(AGENT, tcti=machine.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT,
                      "--tpm_policy", '{"15": ["%s"]}' % approved, check=0)
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
    machine.extend(15, hashlib.sha256(b"not approved").hexdigest())
    wait_until(lambda: deployment.status(AGENT) == "FAIL", what="FAIL")


class MeasuredMachine:
    """The list that a kernel would write, and the emulator that extends PCR 10 from it."""

    def __init__(self, directory, machine):
        self.path = directory / "measurements"
        self.log = directory / "emulator.log"
        self.machine = machine
        self.entries = MeasurementList()
        self.entries.add("boot_aggregate")
        self.entries.add("/usr/bin/known")
        self.path.touch()
        self.emulator = Program(
            "emulator", [BUILD / "src/ima-emulator/keylime_ima_emulator", "-f", self.path],
            {"TCTI": machine.tcti}, self.log)
        self.grow()

    def grow(self):
        """Show what was added to the list, and wait until the TPM has it."""
        self.path.write_bytes(self.entries.text())
        wait_until(lambda: self.machine.pcr(10) == self.entries.pcr["sha256"].hex(), what="PCR 10")

    def policy(self, *paths):
        """A runtime policy that knows these paths by the digests that the list gives them."""
        digests = {path: [hashlib.sha256(path.encode()).hexdigest()] for path in paths}
        return {
            "meta": {"version": 1, "generator": 3}, "release": 0, "digests": digests, "excludes": [],
            "keyrings": {}, "ima": {"ignored_keyrings": [], "log_hash_alg": "sha1", "dm_policy": None},
            "ima-buf": {}, "verification-keys": "",
        }


@pytest.fixture
def measured(tmp_path, machine):
    made = MeasuredMachine(tmp_path, machine)
    yield made
    made.emulator.kill()


@pytest.mark.matrix("runtime integrity")
@pytest.mark.parametrize("registrar, verifier, tenant", COMBINATIONS)
def test_runtime_integrity(mixed, machine, measured, tmp_path, registrar, verifier, tenant):
    """A list that grows passes while each entry is in the policy; an unknown program fails."""
    deployment = mixed(registrar, verifier, tenant)
    deployment.trust(machine)
    deployment.start_servers()
    agent = deployment.start_agent(AGENT, tcti=machine.tcti,
                                   env={"KEYLIME_AGENT_IMA_ML_PATH": str(measured.path)})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(measured.policy("boot_aggregate", "/usr/bin/known", "/usr/bin/later")))
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, "--runtime-policy", str(policy), check=0)
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")

    measured.entries.add("/usr/bin/later")
    measured.grow()
    agent.wait_for_line(r"IMA measurement list: 1 entries from number 2 on")
    passed = deployment.record(AGENT)["attestation_count"]
    wait_until(lambda: deployment.record(AGENT)["attestation_count"] > passed + 1, what="passes")
    assert deployment.status(AGENT) == "PASS"

    measured.entries.add("/tmp/unknown")
    measured.grow()
    wait_until(lambda: deployment.status(AGENT) == "FAIL", what="FAIL")


def boot(machine, tmp_path, command_line):
    """The machine starts: its firmware and boot loader extend the TPM and write the event log."""
    log = tmp_path / "binary_bios_measurements"
    machine.restart()
    log.write_bytes(event_log.boot(event_log.Machine(command_line=command_line)).data)
    subprocess.run([EXTEND, log], check=True, capture_output=True,
                   env={"TPM2TOOLS_TCTI": machine.tcti, "PATH": "/usr/bin:/bin"})
    return log


@pytest.mark.matrix("measured boot")
@pytest.mark.parametrize("registrar, verifier, tenant", COMBINATIONS)
def test_measured_boot(mixed, machine, tmp_path, registrar, verifier, tenant):
    """The boot that the policy was made from passes; another kernel command line fails."""
    log = boot(machine, tmp_path, "root=/dev/sda2 ro")
    policy = tmp_path / "measured-boot.json"
    subprocess.run([BUILD / "src/policy-tool/keylime-policy", "create", "measured-boot", "-e", log,
                    "-o", policy], check=True, timeout=30)
    deployment = mixed(registrar, verifier, tenant)
    deployment.env.update(KEYLIME_VERIFIER_MEASURED_BOOT_POLICY_NAME="example",
                          KEYLIME_VERIFIER_MEASURED_BOOT_EVALUATE="always",
                          KEYLIME_AGENT_MEASUREDBOOT_ML_PATH=str(log))
    deployment.trust(machine)
    deployment.start_servers()
    agent = deployment.start_agent(AGENT, tcti=machine.tcti)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    deployment.tenant("-c", "add", "--push-model", "-u", AGENT, "--mb-policy", str(policy), check=0)
    wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")

    agent.stop()
    boot(machine, tmp_path, "root=/dev/sda2 ro init=/bin/sh")
    deployment.start_agent(AGENT, tcti=machine.tcti, log="agent-after-reboot")
    wait_until(lambda: deployment.status(AGENT) == "FAIL", what="FAIL")
