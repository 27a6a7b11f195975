# SPDX-License-Identifier: Apache-2.0
"""What keylime_tenant, keylime_ca and keylime-policy have in common: --help, wrong command lines, and --json as one
document for each command, on success and on failure (contract U1, U8, U19)."""
import json
import pathlib
import re
import subprocess

import pytest

from lib.boot_log import usual
from lib.logging_agent import LoggingAgent, runtime_policy
from lib.program import BINARIES, BUILD, free_port
from lib.registration import Machine, Session
from lib.software_ek import SoftwareEk
from test_completions import TOOLS, PROGRAMS, commands_of, help_of, options_of

MAN = pathlib.Path(__file__).parents[2] / "docs/man"
REFERENCE_STATE = pathlib.Path(__file__).parents[2] / "docs/examples/reference-state.json"
POLICY = runtime_policy({"boot_aggregate": ["0" * 64], "/bin/sh": ["1" * 64]})


def run(program, *arguments, env=None, cwd=None):
    return subprocess.run([PROGRAMS[program], *map(str, arguments)], env={"PATH": "/usr/bin:/bin", **(env or {})},
                          cwd=cwd, capture_output=True, text=True, timeout=60)


def empty(directory):
    path = directory / "empty.conf"
    path.write_text("")
    return path


def document(done):
    """The one JSON document of standard output."""
    assert len(done.stdout.splitlines()) == 1, done.stdout
    return json.loads(done.stdout)


def error_of(done, status):
    assert done.returncode == status, done.stdout + done.stderr
    error = document(done)["error"]
    assert error["exit_status"] == status and error["message"]
    assert error["message"] in done.stderr  # for people, too
    return error


# --- --help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", TOOLS)
def test_help_teaches(program):
    """Commands in groups, what each does, options with what they mean and what holds without them, examples."""
    text = help_of(program)
    assert text.startswith(f"Usage: {program} ") and "\nExamples:\n  " + program in text
    assert "Exit status: 0" in text
    for command in commands_of(program):
        shown = help_of(program, *command.split())
        assert shown.startswith(f"Usage: {program} {command} [OPTION...]"), command
        assert f"\nExamples:\n  " in shown and f"{program} {command}" in shown.split("Examples:")[1], command
        assert "\nWith --json: " in shown, command
        # Every option has a sentence below it.
        lines = shown.split("Examples:")[0].splitlines()
        for i, line in enumerate(lines):
            if re.match(r" {2,6}-", line):
                assert re.match(r" {10}[A-Z].*", lines[i + 1]), (command, line)


@pytest.mark.parametrize("program", TOOLS)
def test_examples_of_the_help_are_commands_and_options_that_exist(program):
    for command in commands_of(program):
        for line in help_of(program, *command.split()).split("Examples:")[1].replace("\\\n", " ").splitlines():
            for part in line.split(";"):
                words = part.split("|")[0].split(">")[0].split()
                if not words or words[0] != program:
                    continue
                known = options_of(help_of(program)) | options_of(help_of(program, *command.split()))
                for word in words:
                    assert not re.fullmatch(r"--?[a-z][\w-]*", word) or word in known, line


@pytest.mark.parametrize("program,page", [("keylime_ca", "keylime_ca.1"), ("keylime-policy", "keylime-policy.1"),
                                          ("keylime_tenant", "keylime_tenant.1")])
def test_manual_page_has_every_command_and_option(program, page):
    text = (MAN / f"{page}.scd").read_text().replace("\\", "")
    for command in commands_of(program):
        heading = command.upper() if " " in command else f"*{command}*"
        assert heading in text, command
        for option in options_of(help_of(program, *command.split())):
            assert re.search(rf"\*{re.escape(option)}\*", text), (command, option)


@pytest.mark.parametrize("program,old,new", [
    ("keylime_tenant", "addallowlist", "addruntimepolicy"), ("keylime_tenant", "diagnose", "doctor")])
def test_help_of_old_names(program, old, new):
    assert help_of(program, old) == help_of(program, new)
    assert help_of(program, "-c", old) == help_of(program, new)


def test_abbreviations_and_joined_values(tmp_path):
    """As argparse, upstream's, takes them."""
    write = tmp_path / "policy.json"
    write.write_text(json.dumps(POLICY))
    log = tmp_path / "list"
    log.write_text("10 " + "0" * 40 + " ima-ng sha256:" + "0" * 64 + " boot_aggregate\n")
    full = run("keylime-policy", "check", "runtime", "--runtime-policy", write, "--ima-measurement-list", log, "--json")
    assert full.returncode in (0, 1)
    for arguments in (["--runtime", write, "--ima=" + str(log), "--json"], [f"-r{write}", f"-m={log}", "--js"]):
        done = run("keylime-policy", "check", "runtime", *arguments)
        assert done.returncode == full.returncode
        assert document(done)["running_pcr"] == document(full)["running_pcr"]


# --- wrong command lines -----------------------------------------------------------------------------

WRONG = [
    ("keylime_tenant", ["--bogus"], "unrecognized argument: --bogus"),
    ("keylime_tenant", ["frobnicate"], "there is no command frobnicate"),
    ("keylime_tenant", ["cvlist", "cvlist"], "unrecognized argument: cvlist"),
    ("keylime_tenant", ["cvlist", "-c", "reglist"], "unrecognized argument: cvlist"),
    ("keylime_tenant", ["add", "-u"], "--uuid expects ID"),
    ("keylime_tenant", ["add", "-u", "--push-model"], "--uuid expects ID"),
    ("keylime_tenant", ["add", "-u", "a", "--uuid", "b"], "--uuid is given twice"),
    ("keylime_tenant", ["add", "--push-model=x"], "--push-model takes no value"),
    ("keylime_tenant", ["add", "--runtime"], "--runtime could be"),
    ("keylime_tenant", ["add"], "add without --push-model asks for the pull model"),
    ("keylime_tenant", ["update", "-u", "a"], "update without --push-model asks for the pull model"),
    ("keylime_tenant", ["add", "--push-model", "--agent-api-version", "7"], "must be one of 1.0, 2.0"),
    ("keylime_tenant", ["addruntimepolicy", "--runtime-policy-name", "n"], "is required to add a runtime policy"),
    ("keylime_tenant", ["showruntimepolicy", "--runtime-policy-name", "a b"], "a name is made of letters"),
    ("keylime_tenant", ["showmbpolicy", "--mb-policy-name", "../x"], "a name is made of letters"),
    ("keylime_tenant", ["showmbpolicy", "--mb-policy-name", ".."], "a name is made of letters"),
    ("keylime_ca", ["--bogus"], "unrecognized argument: --bogus"),
    ("keylime_ca", ["frobnicate"], "there is no command frobnicate"),
    ("keylime_ca", ["create", "-n"], "--name expects NAME"),
    ("keylime_ca", ["bundle", "--for", "toaster"], "must be one of registrar, verifier, tenant, agent"),
    ("keylime_ca", ["import-priv", "-s", "-1"], "--serial -1: must be a number"),
    ("keylime-policy", ["create", "runtime", "--bogus"], "unrecognized argument: --bogus"),
    ("keylime-policy", ["create", "frobnicate"], "there is no command create frobnicate"),
    ("keylime-policy", ["create"], "there is no command create"),
    ("keylime-policy", ["create", "runtime", "surplus"], "unexpected word surplus"),
    ("keylime-policy", ["create", "runtime", "--algo", "md5"], "must be one of sha1, sha256"),
    ("keylime-policy", ["create", "runtime", "--max-workers", "many"], "--max-workers is a number"),
    ("keylime-policy", ["create", "runtime", "--skip-path", "/x"], "--skip-path is about the tree of --rootfs"),
    ("keylime-policy", ["create", "runtime", "-k"], "are about the entries of --ima-measurement-list"),
    ("keylime-policy", ["create", "measured-boot"], "--eventlog-file is needed"),
    ("keylime-policy", ["check", "runtime"], "--runtime-policy is needed"),
    ("keylime-policy", ["check", "runtime", "-r", "p", "--violations", "shrug"], "must be one of path, ignore, fail"),
    ("keylime-policy", ["check", "measured-boot", "-p", "x"], "--mb-policy and --event-log are needed"),
    ("keylime-policy", ["convert", "runtime", "-a", "x", "-r", "y"], "one of --allowlist and --runtime-policy"),
    ("keylime-policy", ["sign", "runtime", "-r", "p", "-k", "a", "-p", "b"], "give one of them"),
    ("keylime-policy", ["sign", "runtime", "-r", "p", "-b", "x509"], "the backend x509 needs --cert-outfile"),
    ("keylime-policy", ["show", "event-log", "a", "b"], "one event log is needed"),
]


@pytest.mark.parametrize("program,arguments,words", WRONG)
def test_wrong_command_line(tmp_path, program, arguments, words):
    """Exit status 2, one sentence; with --json a document, too. Nothing is made."""
    env = {"KEYLIME_DIR": str(tmp_path)}
    done = run(program, *arguments, env=env, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and words in done.stderr, done.stderr
    done = run(program, *arguments, "--json", env=env, cwd=tmp_path)
    assert words in error_of(done, 2)["message"]
    assert list(tmp_path.iterdir()) == []


PULL = ["--file", "--key", "--payload", "--cert", "--include", "--verify"]


@pytest.mark.parametrize("option", PULL)
@pytest.mark.parametrize("command", ["add", "update"])
def test_options_of_the_pull_model_are_refused(command, option):
    """D106: with a sentence that says so, whatever else is given."""
    value = [] if option == "--verify" else ["x"]
    done = run("keylime_tenant", command, "--push-model", "-u", "a", option, *value)
    assert done.returncode == 2
    assert f"{option}: payloads belong to the pull model; in the push model nothing can be delivered" in done.stderr


# --- --json: the tenant ------------------------------------------------------------------------------


@pytest.fixture
def servers(deployment):
    deployment.env["KEYLIME_TENANT_REQUIRE_EK_CERT"] = "False"
    deployment.start_verifier()
    deployment.start_registrar()
    return deployment


@pytest.fixture
def machine(servers):
    """A registered machine."""
    machine = LoggingAgent(servers.verifier_url, servers.certificates / "cacert.crt")
    registered = Machine(machine.id, SoftwareEk("rsa"), machine.ak)
    registrar = Session(servers.registrar_plain_url, str(servers.certificates / "cacert.crt"))
    assert registered.register(registrar).status_code == 200
    assert registered.activate(registrar).status_code == 200
    return machine


def test_json_of_every_tenant_command(servers, machine, tmp_path):
    """Its document on success, as the manual page says, and nothing but it on standard output."""
    seen = set()

    def tenant(command, *arguments):
        seen.add(command)
        done = servers.tenant(command, "--json", *map(str, arguments), check=0)
        return document(done)

    ok = {"code": 200, "status": "Success", "results": {}}
    created = {"code": 201, "status": "Created", "results": {}}
    agent = ["-u", machine.id]
    (tmp_path / "p").write_text(json.dumps(POLICY))
    (tmp_path / "mb").write_text("{}")
    runtime, boot = ["--runtime-policy-name", "fleet"], ["--mb-policy-name", "boot"]
    assert set(tenant("doctor")) == {"tenant", "registrar", "verifier"}
    assert tenant("addruntimepolicy", *runtime, "--runtime-policy", tmp_path / "p") == created
    assert tenant("updateruntimepolicy", *runtime, "--runtime-policy", tmp_path / "p") == created
    assert json.loads(tenant("showruntimepolicy", *runtime)["results"]["runtime_policy"]) == POLICY
    assert tenant("listruntimepolicy")["results"] == {"runtimepolicy names": ["fleet"]}
    assert tenant("addmbpolicy", *boot, "--mb-policy", tmp_path / "mb") == created
    assert tenant("updatembpolicy", *boot, "--mb-policy", tmp_path / "mb") == created
    assert tenant("showmbpolicy", *boot)["results"] == {"name": "boot", "mb_policy": "{}"}
    assert tenant("listmbpolicy")["results"] == {"mbpolicy names": ["boot"]}
    assert list(tenant("add", "--push-model", *agent, *runtime, *boot)) == [machine.id]
    assert tenant("update", "--push-model", *agent)[machine.id]["attestation_status"] == "PENDING"
    assert tenant("cvstatus", *agent)[machine.id]["operational_state"] == "Get Quote"
    assert tenant("regstatus", *agent)[machine.id]["operational_state"] == "Registered"
    both = tenant("status", *agent)
    assert set(both) == {"registrar", "verifier"} and list(both["verifier"]) == [machine.id]
    assert tenant("cvlist") == {"uuids": [[machine.id]]}
    assert tenant("reglist") == {"uuids": [machine.id]}
    assert list(tenant("bulkinfo")) == [machine.id]
    assert tenant("reactivate", *agent) == ok
    assert tenant("delete", *agent) == ok
    assert tenant("delete", *agent)["code"] == 404  # it is not there, as was asked for
    assert tenant("regdelete", *agent) == ok
    assert tenant("deleteruntimepolicy", *runtime) == {}
    assert tenant("deletembpolicy", *boot) == {}
    assert seen == set(commands_of("keylime_tenant"))


FAILING = {
    "add": ["--push-model"], "update": ["--push-model"], "reactivate": [], "cvstatus": [], "regstatus": [],
    "status": [], "regdelete": [], "showruntimepolicy": ["--runtime-policy-name", "none"],
    "deleteruntimepolicy": ["--runtime-policy-name", "none"],
    "updateruntimepolicy": ["--runtime-policy-name", "none", "--runtime-policy", "POLICY"],
    "addruntimepolicy": ["--runtime-policy-name", "x", "--runtime-policy", "BROKEN"],
    "showmbpolicy": ["--mb-policy-name", "none"], "deletembpolicy": ["--mb-policy-name", "none"],
    "updatembpolicy": ["--mb-policy-name", "none", "--mb-policy", "MB"],
}


def test_json_of_refusals(servers, tmp_path):
    """What the server answered is beside the message."""
    for name, content in (("POLICY", POLICY), ("BROKEN", {"meta": 7}), ("MB", {})):
        (tmp_path / name).write_text(json.dumps(content))
    for command, arguments in FAILING.items():
        words = [str(tmp_path / word) if word.isupper() else word for word in arguments]
        done = servers.tenant(command, "--json", "-u", "unknown", *words)
        error = error_of(done, 1)
        assert error["answer"]["code"] in (400, 404) and error["answer"]["server"], command


def test_json_where_nobody_answers(deployment):
    """Of each command, the rest of them included: no server is there, so there are no certificates either."""
    dead = str(free_port())
    for command in commands_of("keylime_tenant"):
        arguments = {"add": ["--push-model"], "update": ["--push-model"],
                     "addruntimepolicy": ["--runtime-policy", "x"], "updateruntimepolicy": ["--runtime-policy", "x"],
                     "addmbpolicy": ["--mb-policy", "x"], "updatembpolicy": ["--mb-policy", "x"]}.get(command, [])
        done = deployment.tenant(command, "--json", "-vp", dead, "-rp", dead, *arguments)
        assert "client-cert.crt" in json.dumps(document(done)), command
        error_of(done, 1)


def test_json_of_a_partial_failure(servers, machine):
    """What is known in spite of it stands beside the error."""
    done = servers.tenant("status", "--json", "-u", machine.id)
    assert error_of(done, 1)["answer"]["code"] == 404
    assert list(document(done)["registrar"]) == [machine.id] and "verifier" not in document(done)


def test_json_of_bad_configuration(deployment):
    done = deployment.tenant("cvlist", "--json", env={"KEYLIME_TENANT_REQUEST_TIMEOUT": "soon"})
    assert done.returncode == 1
    assert "KEYLIME_TENANT_REQUEST_TIMEOUT" in document(done)["error"]["message"]


def test_json_of_an_unknown_command_as_an_option(servers):
    done = servers.tenant("-c", "frobnicate", "--json")
    assert error_of(done, 1)["message"] == "Invalid command specified: frobnicate"


def test_useless_options_are_told(servers):
    """They change nothing, and no script that gives them breaks."""
    done = servers.tenant("-c", "cvlist", "--runtime-policy-name", "x", "-nvc", check=0)
    assert " - WARNING - --no-verifier-check, --runtime-policy-name: no effect with cvlist" in done.stdout
    assert "no effect" not in servers.tenant("-c", "cvlist", "--push-model", "-u", "a", "-t", "h", check=0).stdout


# --- --json: keylime_ca --------------------------------------------------------------------------------


def test_json_of_every_ca_command(tmp_path):
    place = tmp_path / "ca"
    env = {"KEYLIME_DIR": str(tmp_path), "KEYLIME_CA_CONFIG": str(empty(tmp_path)), "KEYLIME_CA_PASSWORD": "secret"}
    seen = set()

    def ca(command, *arguments):
        seen.add(command)
        done = run("keylime_ca", command, "--json", *arguments, env=env)
        assert done.returncode == 0, done.stderr
        made = document(done)
        assert made["command"] == command
        for name in made.get("files", []):
            assert (pathlib.Path(made["directory"]) / name).exists()
        return made

    assert "cacert.crt" in ca("init")["files"]
    made = ca("create", "-n", "alice")
    assert made == {"command": "create", "directory": str(place),
                    "files": ["alice-private.pem", "alice-cert.crt", "alice-public.pem"]}
    assert ca("pkg", "-n", "alice")["files"] == ["alice-pkg.zip"]
    assert ca("revoke", "-n", "alice")["files"] == ["cacrl.der", "cacrl.pem"]
    folder = tmp_path / "folder"
    assert ca("bundle", "--for", "agent", "-o", folder) == {
        "command": "bundle", "directory": str(folder), "for": "agent"}
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", other / "ca-private.pem", "-subj", "/CN=other", "-out", other / "cacert.crt",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign"], check=True, capture_output=True)
    assert ca("import-priv", "-d", other, "-s", "7")["files"] == ["private.yml"]
    assert seen == set(commands_of("keylime_ca"))


@pytest.mark.parametrize("arguments,status,words", [
    (["create", "-n", "x"], 1, "cacert.crt"), (["pkg", "-n", "x"], 1, "x-public.pem"),
    (["revoke", "-n", "x"], 1, "cacert.crt"), (["import-priv"], 255, "--serial"), (["bundle"], 255, "--for"),
    (["create"], 255, "needs a name"), (["-c", "listen"], 255, "no such command"), ([], 255, "a command is required")])
def test_json_of_failures_of_the_ca(tmp_path, arguments, status, words):
    env = {"KEYLIME_DIR": str(tmp_path), "KEYLIME_CA_CONFIG": str(empty(tmp_path)), "KEYLIME_CA_PASSWORD": "secret"}
    (tmp_path / "ca").mkdir()
    assert words in error_of(run("keylime_ca", "--json", *arguments, env=env), status)["message"]


# --- --json: keylime-policy ----------------------------------------------------------------------------


def test_json_of_every_policy_command(tmp_path):
    """A document with or without --output."""
    policy, allow = tmp_path / "policy.json", tmp_path / "allow"
    policy.write_text(json.dumps(POLICY))
    allow.write_text("1" * 64 + "  /bin/sh\n")
    (tmp_path / "list").write_text("10 " + "0" * 40 + " ima-ng sha256:" + "0" * 64 + " boot_aggregate\n")
    (tmp_path / "log").write_bytes(usual().binary())
    reference = tmp_path / "mb.json"
    seen = set()

    def call(command, *arguments):
        seen.add(command)
        done = run("keylime-policy", *command.split(), "--json", *arguments, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr
        return document(done)

    assert call("create runtime", "-a", allow)["digests"] == {"/bin/sh": ["1" * 64]}
    assert call("create runtime", "-a", allow, "-o", tmp_path / "made") == {
        "paths": 1, "keyrings": 0, "buffers": 0, "unnamable": 0, "output": str(tmp_path / "made")}
    assert "digests" in call("convert runtime", "-a", allow)
    assert call("convert runtime", "-a", allow, "-o", tmp_path / "made") == {"output": str(tmp_path / "made")}
    signed = call("sign runtime", "-r", policy)
    assert signed["payloadType"] == "application/vnd.keylime+json"
    told = call("sign runtime", "-r", policy, "-k", "keylime-ecdsa-key.pem", "-o", tmp_path / "signed",
                "-b", "x509", "-c", "key.crt")
    assert set(told) == {"keyid", "key", "certificate", "output"} and told["certificate"] == "key.crt"
    assert "verdict" in call("check runtime", "-r", policy, "-m", tmp_path / "list")
    assert "scrtm_and_bios" in call("create measured-boot", "-i", "-e", "log")
    told = call("create measured-boot", "-i", "-e", "log", "-o", reference)
    assert set(told) == {"warnings", "output"} and reference.exists()
    assert "evaluation" in call("check measured-boot", "-p", REFERENCE_STATE, "-e", "log")
    assert "events" in call("show event-log", "log")
    assert seen == set(commands_of("keylime-policy"))


@pytest.mark.parametrize("arguments,status", [
    (["create", "runtime", "-a", "none"], 1), (["convert", "runtime", "-a", "none"], 1),
    (["sign", "runtime", "-r", "none"], 1), (["check", "runtime", "-r", "none"], 2),
    (["create", "measured-boot", "-e", "none"], 1), (["check", "measured-boot", "-p", "none", "-e", "none"], 2),
    (["show", "event-log", "none"], 1)])
def test_json_of_failures_of_the_policy_tool(tmp_path, arguments, status):
    done = run("keylime-policy", *arguments, "--json", cwd=tmp_path)
    assert "none: No such file or directory" in error_of(done, status)["message"]
    assert list(tmp_path.iterdir()) == []


def test_lines_are_no_document(tmp_path):
    (tmp_path / "allow").write_text("1" * 64 + "  /bin/sh\n")
    lines = ["create", "runtime", "-a", "allow", "--show-legacy-allowlist", "--json"]
    assert "give --output" in error_of(run("keylime-policy", *lines, cwd=tmp_path), 2)["message"]
    assert document(run("keylime-policy", *lines, "-o", "lines", cwd=tmp_path))["output"] == "lines"
    assert (tmp_path / "lines").read_text() == "1" * 64 + "  /bin/sh\n"


# --- output that is lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("program,arguments,status", [
    ("keylime_tenant", ["cvlist"], 1), ("keylime_tenant", ["cvlist", "--json"], 1),
    ("keylime_tenant", ["listruntimepolicy"], 1), ("keylime_ca", ["init", "--json"], 1),
    ("keylime-policy", ["create", "runtime"], 1), ("keylime-policy", ["check", "runtime", "-r", "policy", "-m", "list"], 2),
    ("keylime-policy", ["sign", "runtime", "-r", "policy", "-k", "key"], 1)])
def test_a_full_disk_at_standard_output(servers, tmp_path, program, arguments, status):
    """A result that nobody gets is a failure, and said."""
    (tmp_path / "policy").write_text(json.dumps({**POLICY, "digests": {"boot_aggregate": ["0" * 64]}}))
    (tmp_path / "list").write_text("10 " + "0" * 40 + " ima-ng sha256:" + "0" * 64 + " boot_aggregate\n")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                    tmp_path / "key"], check=True, capture_output=True)
    env = {"PATH": "/usr/bin:/bin", **servers.env, "KEYLIME_CA_PASSWORD": "secret"}
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAMS[program], *arguments], env=env, cwd=tmp_path, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    assert "standard output: No space left on device" in done.stderr
