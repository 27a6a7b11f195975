# SPDX-License-Identifier: Apache-2.0
"""The invented machine of tests/tools: its event logs, and a TPM that is extended by them."""
import json
import os
import subprocess

import pytest

from lib.event_log import Machine, boot, extensions_of
from lib.program import BUILD
from lib.simulator import TOOLS, Simulator

POLICY = BUILD / "src/policy-tool/keylime-policy"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True,
                          timeout=60, **options).stdout


def make(path, *options):
    run(TOOLS / "make-event-log", path, *options)
    return path


def view(log):
    """What ours makes of it: {bank: {PCR: value}}."""
    return json.loads(run(POLICY, "show", "event-log", "--json", log))["pcrs"]


def test_a_log_holds_what_its_options_say(tmp_path):
    log = make(tmp_path / "log", "--command-line", "root=/dev/sda1 single", "--kernel", "6.9.1",
               "--banks", "sha256,sha384", "--firmware", "firmware 7")
    text = run(POLICY, "show", "event-log", log).decode()
    for words in ("banks sha256 sha384\n", '"firmware 7"', "SecureBoot = on",
                  "kernel_cmdline: (hd0,gpt2)/boot/vmlinuz-6.9.1 root=/dev/sda1 single"):
        assert words in text
    assert "DO NOT HASH" not in text
    assert make(tmp_path / "again").read_bytes() == boot(Machine()).data


@pytest.mark.parametrize("secure_boot", [True, False])
def test_a_reference_state_can_be_made_of_it(secure_boot, tmp_path):
    log = make(tmp_path / "log", *([] if secure_boot else ["--no-secure-boot"]))
    done = subprocess.run([POLICY, "create", "measured-boot", "-e", log,
                           *([] if secure_boot else ["-i"])], capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == b""  # nothing is missing for the policy `example`
    assert json.loads(done.stdout)["has_secureboot"] is secure_boot


def test_a_changed_command_line_is_caught(tmp_path):
    good, bad = make(tmp_path / "good"), make(tmp_path / "bad", "--command-line", "init=/bin/sh")
    run(POLICY, "create", "measured-boot", "-e", good, "-o", tmp_path / "reference")
    check = [POLICY, "check", "measured-boot", "-p", tmp_path / "reference", "-n", "example", "-e"]
    assert subprocess.run([*check, good], capture_output=True, timeout=60).returncode == 0
    refused = subprocess.run([*check, bad], capture_output=True, timeout=60)
    assert refused.returncode == 1
    assert b"init=/bin/sh" in refused.stdout + refused.stderr


def test_ours_replays_it_as_the_generator_does(tmp_path):
    log = boot(Machine(banks=("sha1", "sha256", "sha384", "sha512")))
    path = tmp_path / "log"
    path.write_bytes(log.data)
    assert list(extensions_of(log.data)) == log.extensions
    expected = {bank: {str(pcr): int.from_bytes(value, "big") for pcr, value in pcrs.items()}
                for bank, pcrs in log.pcr.items()}
    assert view(path) == expected


def test_the_command_line_moves_one_pcr(tmp_path):
    before = view(make(tmp_path / "before"))["sha256"]
    after = view(make(tmp_path / "after", "--command-line", "root=/dev/vda2 init=/bin/sh"))["sha256"]
    assert [pcr for pcr in before if before[pcr] != after[pcr]] == ["8"]


def test_extends_a_tpm(tmp_path):
    log = make(tmp_path / "log", "--banks", "sha1,sha256,sha384")
    tpm = Simulator(tmp_path / "tpm", banks="sha1,sha256", certificate=False)
    try:
        run(TOOLS / "extend-event-log", log, env={**os.environ, "TPM2TOOLS_TCTI": tpm.tcti})
        for bank in ("sha1", "sha256"):
            for pcr, value in view(log)[bank].items():
                assert int(tpm.pcr(int(pcr), bank), 16) == value, (bank, pcr)
    finally:
        tpm.stop()
