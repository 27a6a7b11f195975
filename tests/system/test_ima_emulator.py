# SPDX-License-Identifier: Apache-2.0
"""keylime_ima_emulator: PCR 10 of an emulated TPM follows a measurement list that grows."""
import os
import subprocess

import pytest

from lib.measurement_list import MeasurementList
from lib.program import BUILD, Program, wait_until
from lib.simulator import Simulator

EMULATOR = BUILD / "src/ima-emulator/keylime_ima_emulator"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("emulated"), banks="sha1,sha256", certificate=False)
    yield simulator
    simulator.stop()


@pytest.fixture
def fresh(tpm):
    """PCRs at their first value."""
    tpm.restart()
    return tpm


def emulate(tpm, *arguments, tcti=None):
    return subprocess.run([EMULATOR, *map(str, arguments)], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "TCTI": tcti if tcti is not None else tpm.tcti})


def growing_list():
    entries = MeasurementList(banks=("sha1", "sha256"))
    entries.add("boot_aggregate")
    entries.add("/usr/bin/tool", algorithm="sha1")
    entries.add_signed("/usr/bin/signed")
    entries.add_buffer(".ima", b"no key")
    entries.add_violation("/var/log/open-for-writing")
    return entries


def test_follows_a_growing_list(fresh, tmp_path):
    entries = growing_list()
    path = tmp_path / "list"
    path.write_bytes(entries.text() + b"10 unfinis")
    emulator = Program("emulator", [EMULATOR, "-a", "sha1", "-a", "sha256", "-f", path],
                       {"TCTI": fresh.tcti}, tmp_path / "log")
    emulator.wait_for_line("extending hash [0-9a-f]{40} for /var/log/open-for-writing")
    for bank in ("sha1", "sha256"):
        assert fresh.pcr(10, bank) == entries.pcr[bank].hex()
    entries.add("/usr/bin/later")
    path.write_bytes(entries.text())
    wait_until(lambda: fresh.pcr(10) == entries.pcr["sha256"].hex(), what="the later entry")
    assert emulator.stop() == 0
    assert "Shutting down keylime IMA emulator" in emulator.output()


def test_goes_on_where_it_stopped(fresh, tmp_path):
    entries = growing_list()
    path = tmp_path / "list"
    path.write_bytes(entries.text())
    assert emulate(fresh, "--once", "-f", path).returncode == 0
    entries.add("/usr/bin/later")
    path.write_bytes(entries.text())
    done = emulate(fresh, "--once", "-f", path)
    assert "Located last IMA file updated: /var/log/open-for-writing" in done.stdout
    assert done.stdout.count("extending") == 1
    assert fresh.pcr(10) == entries.pcr["sha256"].hex()


def test_other_column_hash(fresh, tmp_path):
    entries = MeasurementList(column="sha256")
    entries.add("boot_aggregate")
    (tmp_path / "list").write_bytes(entries.text())
    wrong = emulate(fresh, "--once", "-f", tmp_path / "list")
    assert wrong.returncode == 1 and "list:1: " in wrong.stderr and "--ima-hash-alg" in wrong.stderr
    assert fresh.pcr(10) == "0" * 64
    right = emulate(fresh, "--once", "--ima-hash-alg", "sha256", "-f", tmp_path / "list")
    assert right.returncode == 0 and fresh.pcr(10) == entries.pcr["sha256"].hex()


def test_lines_that_do_not_parse_are_left_out(fresh, tmp_path):
    entries = growing_list()
    (tmp_path / "list").write_bytes(b"\nnonsense\n" + entries.text())
    done = emulate(fresh, "--once", "-f", tmp_path / "list")
    assert done.returncode == 0 and "list:2: left out:" in done.stderr
    assert fresh.pcr(10) == entries.pcr["sha256"].hex()


def test_a_tpm_that_does_not_fit_the_list(fresh, tmp_path):
    (tmp_path / "list").write_bytes(growing_list().text())
    fresh.extend(10, "11" * 32)
    done = emulate(fresh, "--once", "-f", tmp_path / "list")
    assert done.returncode == 1 and "reset the emulated TPM" in done.stderr


def test_trouble_is_said(fresh, tmp_path):
    (tmp_path / "list").write_bytes(growing_list().text())
    cases = [
        ((), "", 1, "TCTI must name the emulated TPM"),
        ((), "swtpm:host=127.0.0.1,port=1", 1, "opening the TPM at"),
        (("-a", "sha512"), None, 1, "no bank of sha512"),
        (("-f", tmp_path / "absent"), None, 1, "cannot read"),
        (("-a", "md5"), None, 2, "--hash_algs md5: must be one of sha1, sha256"),
        (("-i", "crc"), None, 2, "--ima-hash-alg crc: must be one of sha1, sha256"),
        (("surplus",), None, 2, "unrecognized argument: surplus"),
        (("--no-such-flag",), None, 2, "no-such-flag"),
    ]
    for arguments, tcti, status, said in cases:
        path = [] if "-f" in arguments else ["-f", tmp_path / "list"]
        done = emulate(fresh, "--once", *path, *arguments, tcti=tcti)
        assert done.returncode == status and said in done.stderr, (arguments, done.stderr)
    shown = emulate(fresh, "--version")
    assert shown.returncode == 0 and shown.stdout.startswith("keylime_ima_emulator ")
