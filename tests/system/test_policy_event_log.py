# SPDX-License-Identifier: Apache-2.0
"""keylime-policy on firmware event logs: create measured-boot and show event-log."""
import json
import os
import pathlib
import stat
import subprocess

import pytest

from lib.program import BUILD

POLICY = BUILD / "src/policy-tool/keylime-policy"
VECTORS = pathlib.Path(__file__).resolve().parents[1] / "known-answers/measured-boot"
SECURE = VECTORS / "logs/syn-a-sb.bin"
INSECURE = VECTORS / "logs/syn-a-nosb.bin"


def policy(*arguments, **options):
    return subprocess.run([POLICY, *map(str, arguments)], capture_output=True, timeout=30, **options)


def test_without_a_command_it_shows_its_commands():
    answer = policy()
    assert answer.returncode == 0
    for command in (b"create measured-boot", b"show event-log"):
        assert command in answer.stdout


@pytest.mark.parametrize("arguments", [
    ["create"], ["create", "nothing"], ["measured-boot"],
    ["create", "measured-boot"], ["create", "measured-boot", "--no-such-option"],
    ["create", "measured-boot", "-e", SECURE, "further"],
    ["show", "event-log"], ["show", "event-log", SECURE, INSECURE],
])
def test_wrong_usage(arguments):
    answer = policy(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == b""
    assert b"--help" in answer.stderr


def test_creates_a_reference_state():
    answer = policy("create", "measured-boot", "-e", SECURE)
    assert answer.returncode == 0
    assert answer.stdout == (VECTORS / "refstates/a-sb.json").read_bytes()
    assert answer.stderr == b""


def test_writes_a_file_whole_or_not_at_all(tmp_path):
    output = tmp_path / "reference.json"
    output.write_text("what was there")
    answer = policy("create", "measured-boot", "-e", INSECURE, "-o", output)
    assert answer.returncode == 1
    assert b"Secure Boot is off" in answer.stderr
    assert output.read_text() == "what was there"
    answer = policy("create", "measured-boot", "--eventlog-file", INSECURE, "--without-secureboot",
                    "--output", output)
    assert answer.returncode == 0 and answer.stdout == b""
    assert output.read_bytes() == (VECTORS / "refstates/a-nosb.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["reference.json"]


def test_writes_to_a_device():
    answer = policy("create", "measured-boot", "-e", SECURE, "-o", "/dev/full")
    assert answer.returncode == 1
    assert b"/dev/full" in answer.stderr
    assert policy("create", "measured-boot", "-e", SECURE, "-o", "/dev/null").returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_says_what_the_reference_state_lacks(tmp_path):
    log = tmp_path / "log"
    text = INSECURE.read_bytes()
    log.write_bytes(text.replace(b"kernel_cmdline", b"kernel_words__"))
    answer = policy("create", "measured-boot", "-e", log, "-i")
    assert answer.returncode == 0
    assert b"warning: no kernel_cmdline in PCR 8" in answer.stderr
    assert "kernel_cmdline" not in json.loads(answer.stdout)["kernels"][0]


@pytest.mark.parametrize("command", [["create", "measured-boot", "-e"], ["show", "event-log"]])
def test_bad_input(command, tmp_path):
    for name, words in (("bad-empty", b"offset 0: 0 bytes are too few"),
                        ("bad-text", b"offset 4: no Spec ID header event"),
                        ("bad-a-evsize-wrap", b"offset 7922: the event's data do not fit"),
                        ("bad-a-dcount-ff", b"offset 7922: the digests do not fit"),
                        ("bad-a-db-siglist-over", b"a signature list is longer than its data")):
        answer = policy(*command, VECTORS / "logs" / f"{name}.bin")
        assert answer.returncode == 1, name
        assert answer.stdout == b""
        assert words in answer.stderr, (name, answer.stderr)
    missing = policy(*command, tmp_path / "missing")
    assert missing.returncode == 1 and b"missing" in missing.stderr
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    assert b"the limit" in policy(*command, large).stderr


def test_shows_a_log_for_people():
    answer = policy("show", "event-log", SECURE)
    assert answer.returncode == 0 and answer.stderr == b""
    text = answer.stdout.decode()
    assert text.startswith("Event log of TCG PC Client 2.0 errata 0, 9456 bytes, 38 events, "
                           "banks sha1 sha256\n")
    for line in ("   4  PCR 7   EV_EFI_VARIABLE_DRIVER_CONFIG", "      SecureBoot = on",
                 "      db = 2 X.509 certificates", "      dbx = 5 SHA-256 hashes",
                 '      Boot0001 = "debian", active, File(\\EFI\\debian\\shimx64.efi)',
                 "PCRs of sha256 after these events",
                 "   7  0a5d3fcb75c8a633637988dcd882e9ef233b1e354a445ddd492b25b6cb6678a4"):
        assert f"{line}\n" in text, line
    assert "DO NOT HASH" not in text


def test_points_at_data_that_do_not_hash_to_their_digest():
    answer = policy("show", "event-log", VECTORS / "logs/syn-a-attack-forged-cmdline.bin")
    assert answer.returncode == 0
    lines = answer.stdout.decode().splitlines()
    false = [number for number, line in enumerate(lines) if "THE DATA DO NOT HASH TO IT" in line]
    assert len(false) == 2  # one for each bank
    assert "kernel_cmdline" in lines[false[0] - 1]


def test_no_control_character_reaches_the_terminal(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(SECURE.read_bytes().replace(b"search", b"\x1b[2J\xc2\x9b"))
    answer = policy("show", "event-log", log)
    assert answer.returncode == 0
    assert b"grub_cmd: \\x1b[2J\\x9b.fs_uuid" in answer.stdout
    assert not [byte for byte in answer.stdout if byte < 32 and byte != 10]


def test_shows_upstreams_json():
    answer = policy("show", "event-log", "--json", SECURE)
    assert answer.returncode == 0
    assert answer.stdout == (VECTORS / "parsed/syn-a-sb.json").read_bytes() + b"\n"


def test_shows_a_log_that_breaks_only_the_strict_rules():
    answer = policy("show", "event-log", VECTORS / "logs/syn-a-attack-merged-digests.bin")
    assert answer.returncode == 0
    assert b"refuses this log under its strict profile" in answer.stderr
    assert b"the number of digests is not that of the header" in answer.stderr
