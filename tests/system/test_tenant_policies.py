# SPDX-License-Identifier: Apache-2.0
"""The tenant's options and commands about policies: what upstream's prints, what reaches the verifier, and
how a failure is explained (tenant-and-management-api 2.8, 2.11; decisions D46, D101, D102)."""
import hashlib
import json
import pathlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib.boot_log import usual
from lib.logging_agent import LoggingAgent, runtime_policy
from lib.program import wait_until
from lib.registration import Machine, Session
from lib.software_ek import SoftwareEk
from test_tenant_runs import LEFT_OUT, RUNS, messages

REFERENCE_STATE = pathlib.Path(__file__).parents[2] / "docs/examples/reference-state.json"

POLICY = runtime_policy({"boot_aggregate": ["0" * 64], "/bin/sh": ["1" * 64]})

# In their order. Lists and shown policies have the content of the run.
RECORDED = ["addruntimepolicy", "addruntimepolicy-again", "addruntimepolicy-no-name",
            "showruntimepolicy-unknown", "updateruntimepolicy", "updateruntimepolicy-unknown",
            "addmbpolicy", "showmbpolicy", "deletembpolicy", "deletembpolicy-unknown",
            "deleteruntimepolicy", "deleteruntimepolicy-unknown"]


@pytest.fixture
def servers(deployment):
    deployment.env["KEYLIME_TENANT_REQUIRE_EK_CERT"] = "False"
    deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5"})
    deployment.start_registrar()
    return deployment


@pytest.fixture
def machine(servers):
    """A registered machine with logs, which sends evidence when it is told to."""
    machine = LoggingAgent(servers.verifier_url, servers.certificates / "cacert.crt")
    registered = Machine(machine.id, SoftwareEk("rsa"), machine.ak)
    registrar = Session(servers.registrar_plain_url, str(servers.certificates / "cacert.crt"))
    assert registered.register(registrar).status_code == 200
    assert registered.activate(registrar).status_code == 200
    return machine


def verdict(servers, machine):
    machine.attest()

    def decided():
        attributes = machine.latest(servers.admin())["attributes"]
        return attributes if attributes["stage"] == "verification_complete" else None
    return wait_until(decided, 10, "the verdict")


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


@pytest.mark.skipif(not RUNS.exists(), reason=f"no recorded runs at {RUNS}")
def test_recorded_runs_about_policies(servers, tmp_path):
    runs = {run["name"]: run for run in json.loads(RUNS.read_text())["runs"]}
    write(tmp_path / "policy.json", POLICY)
    write(tmp_path / "mb.json", {})
    for name in RECORDED:
        run = runs[name]
        done = servers.tenant(*[word.replace("$WORK", str(tmp_path)) for word in run["argv"][1:]])
        assert done.returncode == run["rc"], (name, done.stdout)
        printed = messages(done.stdout, servers)
        for line in messages(run["stdout"]):
            if not LEFT_OUT.search(line):
                assert line in printed, (name, line, done.stdout)


def test_stored_policies_are_listed_and_shown(servers, tmp_path):
    """U21: in upstream's form, and as JSON."""
    path = write(tmp_path / "policy.json", POLICY)
    servers.tenant("-c", "addruntimepolicy", "--runtime-policy-name", "one", "--runtime-policy", path,
                   check=0)
    listed = servers.tenant("-c", "listruntimepolicy", check=0).stdout
    assert "list command response: 200.\n" in listed
    assert "{'code': 200, 'status': 'Success', 'results': {'runtimepolicy names': ['one']}}" in listed
    shown = servers.tenant("-c", "showruntimepolicy", "--runtime-policy-name", "one", check=0).stdout
    assert "Show allowlist command response: 200.\n" in shown and "'tmp_policy': None" in shown
    json_text = servers.tenant("-c", "showruntimepolicy", "--runtime-policy-name", "one", "--json",
                               check=0).stdout
    assert json.loads(json.loads(json_text)["results"]["runtime_policy"]) == POLICY
    broken = write(tmp_path / "broken.json", {"a": 1})
    done = servers.tenant("-c", "addruntimepolicy", "--runtime-policy-name", "two",
                          "--runtime-policy", broken, check=1)
    assert "'code': 400" in done.stdout and "malformatted" in done.stdout


@pytest.mark.parametrize("arguments,words", [
    (["--runtime-policy", "{}/none"], "--runtime-policy"),
    (["--runtime-policy", "{}/text"], "JSON"), (["--runtime-policy", "{}/other"], "meta"),
    (["--runtime-policy", "{}/policy", "--runtime-policy-checksum", "00"], "SHA-256"),
    (["--runtime-policy", "{}/signed"], "--runtime-policy-sig-key"),
    (["--runtime-policy", "{}/policy", "--runtime-policy-sig-key", "{}/key.pem"], "not signed"),
    (["--runtime-policy", "{}/signed", "--runtime-policy-sig-key", "{}/text"], "--runtime-policy-sig-key"),
    (["--mb-policy", "{}/text"], "--mb-policy"), (["--mb-policy", "default"], "mb_refstate"),
    (["--signature-verification-key", "{}/text"], "--signature-verification-key"),
    (["--runtime-policy-name", "x", "--tpm_policy", '{"9": ["%s"]}' % ("0" * 64), "--mb-policy-name", "y"],
     "PCR 9")])
def test_what_is_wrong_is_found_before_anything_is_sent(servers, machine, tmp_path, arguments, words):
    write(tmp_path / "text", "no JSON")
    write(tmp_path / "other", {"a": 1})
    write(tmp_path / "policy", POLICY)
    write(tmp_path / "signed", {"payload": "e30=", "payloadType": "application/vnd.keylime+json",
                                "signatures": [{"sig": "AAAA"}]})
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    write(tmp_path / "key.pem", key.public_bytes(serialization.Encoding.PEM,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo).decode())
    done = servers.tenant("-c", "add", "--push-model", "-u", machine.id,
                          *[word.replace("{}/", f"{tmp_path}/") for word in arguments], check=1)
    assert words in done.stdout.splitlines()[-1], done.stdout
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)


def test_a_failure_is_explained(servers, machine, tmp_path):
    machine.run("/bin/sh")
    path = write(tmp_path / "policy.json", machine.policy())
    done = servers.tenant("-c", "add", "--push-model", "-u", machine.id, "--runtime-policy", path, check=0)
    assert "TPM PCR Mask from policy is 0x0" in done.stdout
    assert machine.record(servers.admin())["tpm_policy"] == '{"mask": "0x400"}'
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "pass"
    machine.run("/tmp/unknown")
    machine.list.add("/bin/sh", content=b"changed")
    seen = hashlib.sha256(b"changed").hexdigest()
    assert verdict(servers, machine)["evaluation"] == "fail"
    done = servers.tenant("-c", "cvstatus", "-u", machine.id, check=0)
    for words in ("path: /tmp/unknown", "entry of the IMA list: 3", "entry of the IMA list: 4",
                  "path: /bin/sh", f"digest seen: sha256:{seen}", "the policy has: nothing",
                  f"the policy has: {hashlib.sha256(b'/bin/sh').hexdigest()}", "rule that failed: digests",
                  "add it to the runtime policy"):
        assert words in done.stdout, (words, done.stdout)
    # The policy is mended; the agent starts anew.
    path = write(tmp_path / "policy.json", machine.policy())
    servers.tenant("-c", "update", "--push-model", "-u", machine.id, "--runtime-policy", path, check=0)
    assert verdict(servers, machine)["evaluation"] == "pass"
    assert servers.status(machine.id) == "PASS"


def test_a_named_policy_in_use_and_its_update(servers, machine, tmp_path):
    machine.run("/bin/sh")
    name = ["--runtime-policy-name", "fleet"]
    unknown = servers.tenant("-c", "add", "--push-model", "-u", machine.id, *name, check=1)
    assert "Response code 404: Could not find IMA policy with name fleet!" in unknown.stdout
    servers.tenant("-c", "addruntimepolicy", *name, "--runtime-policy",
                   write(tmp_path / "p", machine.policy("boot_aggregate")), check=0)
    servers.tenant("-c", "add", "--push-model", "-u", machine.id, *name, check=0)
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "fail"
    in_use = servers.tenant("-c", "deleteruntimepolicy", *name, check=1)
    assert f"currently in use by agent {machine.id}" in in_use.stdout
    servers.tenant("-c", "updateruntimepolicy", *name, "--runtime-policy",
                   write(tmp_path / "p", machine.policy()), check=0)
    assert verdict(servers, machine)["evaluation"] == "pass"
    servers.tenant("-c", "delete", "-u", machine.id, check=0)
    servers.tenant("-c", "deleteruntimepolicy", *name, check=0)


def test_an_allow_list_of_earlier_days(servers, machine, tmp_path):
    digest = machine.run("/bin/sh")[0]
    aggregate = machine.policy()["digests"]["boot_aggregate"][0]
    machine.run("/tmp/x")
    allowlist = write(tmp_path / "allow", f"{aggregate}  boot_aggregate\n{digest}  /bin/sh\n")
    exclude = write(tmp_path / "exclude", "/tmp/.*\n")
    servers.tenant("-c", "add", "--push-model", "-u", machine.id, "--allowlist", allowlist,
                   "--exclude", exclude, check=0)
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "pass"


def test_what_a_reference_state_can_hardly_mean(servers, tmp_path):
    state = json.loads(REFERENCE_STATE.read_text())
    state["scrtm_and_bios"] = []
    path = write(tmp_path / "mb.json", state)
    done = servers.tenant("-c", "addmbpolicy", "--mb-policy-name", "odd", "--mb-policy", path, check=0)
    assert f"--mb-policy {path}: scrtm_and_bios is empty and allows no boot" in done.stdout
    servers.tenant("-c", "deletembpolicy", "--mb-policy-name", "odd", check=0)


def test_a_measured_boot_policy_and_its_failure(servers, machine, tmp_path):
    machine.boot(usual())
    path = write(tmp_path / "mb.json", {"any": "thing"})
    done = servers.tenant("-c", "add", "--push-model", "-u", machine.id, "--mb-policy", path, check=0)
    assert "TPM PCR Mask automatically modified is 0xfbff to include IMA/Event log PCRs" in done.stdout
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "pass"
    machine.ak.extend("sha256", 4, hashlib.sha256(b"loader").digest())
    assert verdict(servers, machine)["evaluation"] == "fail"
    explained = servers.tenant("-c", "cvstatus", "-u", machine.id, check=0).stdout
    assert "measured_boot.invalid_pcr_4" in explained and "PCR: 4" in explained, explained


@pytest.mark.parametrize("option,kind,command", [
    ("--runtime-policy-name", "IMA", "listruntimepolicy"), ("--mb-policy-name", "mb_policy", "listmbpolicy")])
def test_C79_an_unknown_name_enrols_nothing(servers, machine, option, kind, command):
    """The name, and the command that lists those that exist; nothing is left behind."""
    add = ["-c", "add", "--push-model", "-u", machine.id, option, "nowhere"]
    told, advice = servers.tenant(*add, check=1).stdout.splitlines()[-2:]
    assert "404" in told and "nowhere" in told and kind.lower() in told.lower(), told
    assert advice.endswith(f"The stored policies: keylime_tenant -c {command}"), advice
    error = json.loads(servers.tenant(*add, "--json", check=1).stdout)["error"]
    assert error["answer"]["code"] == 404 and "nowhere" in error["answer"]["status"] and command in error["advice"]
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)
    assert "nowhere" not in servers.tenant("-c", "listruntimepolicy", check=0).stdout
    assert "nowhere" not in servers.tenant("-c", "listmbpolicy", check=0).stdout


def test_a_refused_enrolment_leaves_no_policy_behind(servers, machine, tmp_path):
    """One file is good and would be stored, the rest of the enrolment is not."""
    add = ["-c", "add", "--push-model", "-u", machine.id]
    policies = ["--runtime-policy-name", "fleet", "--runtime-policy", write(tmp_path / "p", machine.policy())]
    servers.tenant(*add, *policies, "--mb-policy-name", "nowhere", check=1)
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)
    assert "fleet" not in servers.tenant("-c", "listruntimepolicy", check=0).stdout
    servers.tenant(*add, check=0)
    servers.tenant(*add, *policies, check=1)  # it is enrolled already
    assert "fleet" not in servers.tenant("-c", "listruntimepolicy", check=0).stdout
    servers.tenant("-c", "delete", "-u", machine.id, check=0)
    # A name that is taken: the verifier's words follow, and the policy stays as it was.
    servers.tenant("-c", "addruntimepolicy", *policies, check=0)
    done = servers.tenant(*add, *policies, check=1)
    assert "IMA policy with name fleet already exists" in done.stdout.splitlines()[-1]
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=1)


@pytest.mark.parametrize("arguments", [
    ["--runtime-policy-name", "nowhere"], ["--mb-policy-name", "nowhere"],
    ["--runtime-policy-name", "fleet", "--mb-policy-name", "nowhere"]])
def test_an_update_that_is_refused_leaves_the_old_enrolment(servers, machine, tmp_path, arguments):
    servers.tenant("-c", "addruntimepolicy", "--runtime-policy-name", "fleet", "--runtime-policy",
                   write(tmp_path / "p", machine.policy()), check=0)
    servers.tenant("-c", "add", "--push-model", "-u", machine.id, "--tpm_policy", '{"15": ["%s"]}' % ("0" * 64), check=0)
    before = machine.record(servers.admin())
    done = servers.tenant("-c", "update", "--push-model", "-u", machine.id, *arguments, check=1)
    refusal, advice = done.stdout.splitlines()[-2:]
    assert "404" in refusal and "nowhere" in refusal and refusal.endswith("; nothing was changed"), refusal
    assert "keylime_tenant -c list" in advice
    assert machine.record(servers.admin()) == before


def test_an_update_enrols_who_is_not_enrolled(servers, machine):
    """As upstream's, whose update deletes what may be there, and adds."""
    servers.tenant("-c", "update", "--push-model", "-u", machine.id, check=0)
    servers.tenant("-c", "cvstatus", "-u", machine.id, check=0)


def test_C77_C78_policies_by_name(servers, machine, tmp_path):
    """Both at once: the logs are asked for, a boot that differs fails, a file that differs fails."""
    machine.boot(usual())
    machine.run("/bin/sh")
    names = ["--runtime-policy-name", "fleet", "--mb-policy-name", "boot"]
    servers.tenant("-c", "addruntimepolicy", *names[:2], "--runtime-policy",
                   write(tmp_path / "p", machine.policy()), check=0)
    servers.tenant("-c", "addmbpolicy", *names[2:], "--mb-policy",
                   write(tmp_path / "mb", {"any": "thing"}), check=0)
    servers.tenant("-c", "add", "--push-model", "-u", machine.id, *names, check=0)
    record = machine.record(servers.admin())
    assert record["has_runtime_policy"] == 1 and record["has_mb_refstate"] == 1
    machine.authenticate()
    assert verdict(servers, machine)["evaluation"] == "pass"
    machine.run("/tmp/unknown")
    failed = verdict(servers, machine)
    assert failed["evaluation"] == "fail" and "/tmp/unknown" in json.dumps(failed)
    machine.ak.extend("sha256", 4, hashlib.sha256(b"loader").digest())
    failed = verdict(servers, machine)
    assert failed["evaluation"] == "fail" and "measured_boot" in json.dumps(failed)
