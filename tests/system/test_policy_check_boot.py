# SPDX-License-Identifier: Apache-2.0
"""keylime-policy check measured-boot: the verdict on a log, without any server."""
import json
import pathlib
import subprocess

import pytest

from lib.program import BUILD

POLICY = BUILD / "src/policy-tool/keylime-policy"
ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/known-answers/measured-boot"
LOG = VECTORS / "logs/syn-a-sb.bin"
REFERENCE = VECTORS / "refstates/a-sb.json"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())["vectors"]


def check(*arguments, **options):
    command = [POLICY, "check", "measured-boot", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def check_log(policy, log, *arguments):
    return check("--mb-policy", policy, "--event-log", log, *arguments)


def pcrs_of(identifier):
    return next(vector["pcrs"] for vector in MANIFEST if vector["id"] == identifier)


def test_pass():
    answer = check_log(REFERENCE, LOG)
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1] == "pass: 38 events, policy example, strict profile, bank sha256"
    assert answer.stderr == ""


def test_failure_names_the_event():
    answer = check_log(REFERENCE, VECTORS / "logs/syn-a-nosb.bin")
    assert answer.returncode == 1
    assert "measured_boot.policy_example\n  event 4 (PCR 7, EV_EFI_VARIABLE_DRIVER_CONFIG): " \
           "Secure Boot is off; the reference state wants it on\n" \
           "  expected: Yes\n  got:      No\n" in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("fail: ")


def test_json():
    answer = check_log(REFERENCE, VECTORS / "logs/syn-a-nosb.bin", "--json")
    assert answer.returncode == 1
    verdict = json.loads(answer.stdout)
    assert verdict["evaluation"] == "fail"
    assert verdict["failure_reason"] == "policy_violation"
    first = verdict["failures"][0]
    assert first["event_id"] == "measured_boot.policy_example"
    assert set(first["context"]) == {"message", "event", "pcr", "event_type", "expected", "got"}
    assert first["context"]["event"] == 4 and first["context"]["pcr"] == 7
    passed = json.loads(check_log(REFERENCE, LOG, "--json").stdout)
    assert passed["evaluation"] == "pass" and passed["failures"] == []
    assert passed["event_count"] == 38 and passed["failure_reason"] is None


def tpm2_pcrread(banks):
    lines = []
    for bank, pcrs in banks.items():
        lines.append(f"  {bank}:")
        lines += [f"    {number:<2}: 0x{value.upper()}" for number, value in pcrs.items()]
    return "\n".join(lines) + "\n"


def complete(pcrs):
    return {bank: {str(n): values.get(str(n), "0" * len(values["0"])) for n in range(24)}
            for bank, values in pcrs.items()}


@pytest.mark.parametrize("form", [tpm2_pcrread, json.dumps])
def test_pcrs(tmp_path, form):
    pcrs = complete(pcrs_of("syn-a-sb"))
    file = tmp_path / "pcrs"
    file.write_text(form(pcrs))
    assert check_log(REFERENCE, LOG, "--pcrs", file).returncode == 0
    pcrs["sha256"]["4"] = "00" * 32
    file.write_text(form(pcrs))
    answer = check_log(REFERENCE, LOG, "--pcrs", file)
    assert answer.returncode == 1
    assert "measured_boot.invalid_pcr_4\n  PCR 4 (sha256): the boot event log gives " in answer.stdout
    del pcrs["sha256"]["8"]
    file.write_text(form(pcrs))
    answer = check_log(REFERENCE, LOG, "--pcrs", file)
    assert "measured_boot.missing_pcrs" in answer.stdout


def test_profile_and_bank():
    attack = VECTORS / "logs/syn-a-attack-forged-cmdline.bin"
    assert check_log(REFERENCE, attack).returncode == 1
    assert check_log(REFERENCE, attack, "--profile", "upstream").returncode == 0
    answer = check_log(REFERENCE, LOG, "--bank", "sha1")
    assert answer.returncode == 1
    assert "no digest of the quoted bank sha1" in answer.stdout


def test_policy_names(tmp_path):
    assert check_log(REFERENCE, LOG, "--policy-name", "hardware").returncode == 0
    assert check_log(REFERENCE, LOG, "--policy-name", "reject-all").returncode == 1
    answer = check_log(REFERENCE, LOG, "--policy-name", "accept-all")
    assert answer.returncode == 0
    assert "note: accept-all compares PCRs and judges no reference state" in answer.stdout
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    assert "note: the policy is empty" in check_log(empty, LOG).stdout


def test_notes_of_the_reference_state(tmp_path):
    reference = json.loads(REFERENCE.read_text())
    reference["mokdig"].append({"sha256": "0xab"})
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(reference))
    answer = check_log(file, LOG)
    assert answer.returncode == 0
    assert "note: mokdig[1].sha256 is no digest of sha256 and equals none" in answer.stdout


@pytest.mark.parametrize("content, reason", [
    ("{\"a\"", "mb_policy: "),
    ("null", "mb_policy: "),
    ("[1]", "the reference state must be an object"),
    ("{}x", "mb_policy: "),
    ("\0", "no text"),
])
def test_unusable_policy(tmp_path, content, reason):
    file = tmp_path / "policy.json"
    file.write_text(content)
    answer = check_log(file, LOG)
    assert answer.returncode == 2 and answer.stdout == ""
    assert f"keylime-policy check measured-boot: {file}: " in answer.stderr
    assert reason in answer.stderr


@pytest.mark.parametrize("log", ["bad-empty", "bad-text", "bad-a-vendor-over", "bad-a-header-only"])
def test_unusable_log(log):
    file = VECTORS / f"logs/{log}.bin"
    answer = check_log(REFERENCE, file)
    assert answer.returncode == 2 and answer.stdout == ""
    assert f"{file}: offset " in answer.stderr or f"{file}: event " in answer.stderr


@pytest.mark.parametrize("content, reason", [
    ("", "there is no value"), ("0 : 0xab", "before the name of its bank"),
    ("sha256:\n 0 : 0xab", "line 2: the value is no digest"), ("sha256:\n 24 : 0x00", "from 0 to 23"),
    ("what", "line 1"), ("{\"sha256\": []}", "sha256: a bank is an object"),
    ("{\"sha256\": {\"0\": 5}}", "sha256.0: the value is no text"), ("{", "offset"),
    ("sha1:\n 0 : 0x" + "00" * 20, "no values of the bank sha256"),
])
def test_unusable_pcrs(tmp_path, content, reason):
    file = tmp_path / "pcrs"
    file.write_text(content)
    answer = check_log(REFERENCE, LOG, "--pcrs", file)
    assert answer.returncode == 2 and answer.stdout == ""
    assert reason in answer.stderr


@pytest.mark.parametrize("arguments", [
    [], ["--mb-policy", REFERENCE], ["--event-log", LOG],
    ["--mb-policy", REFERENCE, "--event-log", LOG, "more"],
    ["--mb-policy", REFERENCE, "--event-log", LOG, "--policy-name", "other"],
    ["--mb-policy", REFERENCE, "--event-log", LOG, "--profile", "lax"],
    ["--mb-policy", REFERENCE, "--event-log", LOG, "--bank", "md5"],
    ["--mb-policy", REFERENCE, "--event-log", LOG, "--bank", "sha512"],
    ["--mb-policy", REFERENCE, "--event-log", "/nonexistent"],
    ["--mb-policy", "/nonexistent", "--event-log", LOG],
])
def test_wrong_usage(arguments):
    answer = check(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == "" and answer.stderr != ""


def test_help_names_every_option():
    answer = check("--help")
    assert answer.returncode == 0
    page = (ROOT / "docs/man/keylime-policy.1.scd").read_text()
    for option in ("mb-policy", "event-log", "pcrs", "policy-name", "profile", "bank", "json"):
        assert f"--{option}" in answer.stdout
        assert f"*--{option}*" in page


def test_policy_from_standard_input():
    answer = subprocess.run([POLICY, "check", "measured-boot", "-p", "-", "-e", LOG],
                            input=REFERENCE.read_bytes(), capture_output=True, timeout=60)
    assert answer.returncode == 0


@pytest.mark.parametrize("name, rules", [
    ("reference-state", "example"), ("reference-state-hardware", "hardware")])
def test_examples_of_the_documents_are_usable(name, rules):
    answer = check_log(ROOT / f"docs/examples/{name}.json", LOG, "--policy-name", rules)
    assert answer.returncode == 1  # usable, and another machine's
    assert "note: no --pcrs" in answer.stdout and answer.stdout.count("note:") == 1


def test_what_create_makes_passes(tmp_path):
    for log in (LOG, VECTORS / "logs/syn-a-nosb.bin"):
        policy = tmp_path / "policy.json"
        subprocess.run([POLICY, "create", "measured-boot", "-i", "-e", log, "-o", policy],
                       check=True, capture_output=True, timeout=60)
        for rules in ("example", "hardware"):
            assert check_log(policy, log, "--policy-name", rules).returncode == 0


SHARED = ROOT.parent / "shared/vectors/measured-boot"


@pytest.mark.skipif(not SHARED.exists(), reason="no shared vectors")
def test_all_policy_cases():
    """Every case of the shared manifest, as the verifier would judge it."""
    wrong = []
    for vector in json.loads((SHARED / "manifest.json").read_text())["vectors"]:
        for case in vector.get("policy_cases", []):
            answer = check_log(SHARED / case["refstate"], SHARED / vector["file"],
                               "--bank", case["hash_alg"], "--policy-name", case["policy"])
            expected = {"accept": [0], "reject": [1, 2], "any": [0, 1, 2]}[case["required"]]
            if answer.returncode not in expected:
                wrong.append((vector["id"], case["refstate"], answer.returncode, answer.stdout[-300:]))
    assert wrong == []
