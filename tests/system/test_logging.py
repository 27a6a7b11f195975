# SPDX-License-Identifier: Apache-2.0
"""The log as operators and their scripts read it (configuration-and-operations 7, push-agent 12, decision
D116): lines that are looked for, request ids, forms and places, and nothing that a stranger wrote but as text."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from lib.deployment import Deployment
from lib.log_site import LogSite
from lib.option_tables import CONFIGURATION, REFERENCE, cells_of, section_of, words_of
from lib.private_etc import PrivateEtc
from lib.program import BINARIES, BUILD, Program, wait_until
from lib.push_client import session_request

SERVERS = ["verifier", "registrar"]
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
# How old scripts find a line: time, logger, level, message.
LINE = re.compile(rf"^({TIME}) - (keylime\.[a-z_-]+) - (CRITICAL|ERROR|WARNING|INFO|DEBUG) - (.*)$")


class Site:
    """A server alone, with its own certificates."""

    def __init__(self, deployment, name, conf="", env=None):
        self.deployment, self.name = deployment, name
        self.conf = deployment.directory / "logging.conf"
        self.conf.write_text(conf)
        self.env = {f"KEYLIME_{name.upper()}_TLS_DIR": "generate", "KEYLIME_LOGGING_CONFIG": str(self.conf),
                    **(env or {})}
        self.program = deployment.start_server(name, self.env)
        self.url = {"verifier": deployment.verifier_url, "registrar": deployment.registrar_url}[name]
        made = deployment.keylime_dir / {"verifier": "cv_ca", "registrar": "reg_ca"}[name]
        self.anonymous, self.admin = deployment.anonymous(), deployment.anonymous()
        for session in (self.anonymous, self.admin):
            session.verify = str(made / "cacert.crt")
        self.admin.cert = (str(made / "client-cert.crt"), str(made / "client-private.pem"))

    def records(self, skip=0):
        return [LINE.match(line).groups() for line in self.program.output().splitlines()[skip:]]


# --- lines that are looked for ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVERS)
def test_lines_of_the_start(deployment, name):
    """§7.2: with their loggers and levels. This server does not speak version 1.0 (decision D27)."""
    site = Site(deployment, name)
    lines = {(logger, level, message) for _, logger, level, message in site.records()}
    greeting = {"verifier": "Starting Keylime verifier in PUSH mode...",
                "registrar": "Starting Keylime registrar..."}[name]
    for message in (greeting, "Current API version: 2.6",
                    "Other supported API versions: 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 3.0"):
        assert (f"keylime.{name}", "INFO", message) in lines
    ports = {"verifier": f"{deployment.verifier_port} (HTTPS)",
             "registrar": f"{deployment.registrar_port}/{deployment.registrar_tls_port} (HTTP/S)"}[name]
    assert any(logger == "keylime.web" and re.fullmatch(
        rf"Listening on 127\.0\.0\.1:{re.escape(ports)} with \d+ worker processes\.\.\.", message)
        for logger, _, message in lines)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference documents are not here")
def test_lines_of_the_start_are_the_references(deployment):
    """Each row of its table is a line above, apart from ports, numbers and version 1.0."""
    texts = [word for line in section_of(CONFIGURATION, "### 7.2")
             for cell in cells_of(line)[:1] for word in words_of(cell) if " - INFO - " in word]
    assert len(texts) >= 4
    shown = "".join(Site(Deployment(deployment.directory / name), name).program.output() for name in SERVERS)
    for text in texts:
        logger, level, message = text.split(" - ", 2)
        begin = re.split(r"<|1\.0", message)[0]
        assert f" - {logger} - {level} - {begin}" in shown, text


@pytest.mark.parametrize("name", SERVERS)
def test_lines_of_requests(deployment, name):
    """Method and path without the query; the code at its level, and how long it took."""
    site = Site(deployment, name)
    before = len(site.records())
    version = {"verifier": (410, "WARNING"), "registrar": (200, "INFO")}[name]
    assert site.anonymous.get(f"{site.url}/version?secret=1", timeout=10).status_code == version[0]
    assert site.admin.get(f"{site.url}/v2.6/agents/", timeout=10).status_code == 200
    assert site.anonymous.get(f"{site.url}/v2.6/agents/", timeout=10).status_code == 403
    wait_until(lambda: len(site.records(before)) >= 6, what="the lines")
    told = [record[1:] for record in site.records(before) if record[1] == "keylime.web"]
    assert [line for line in told if line[2].startswith("GET")] == [
        ("keylime.web", "INFO", "GET /version"), ("keylime.web", "INFO", "GET /v2.6/agents/"),
        ("keylime.web", "INFO", "GET /v2.6/agents/")]
    sent = [line[1:] for line in told if line[2].startswith("Sent")]
    assert [level for level, _ in sent] == [version[1], "INFO", "WARNING"]
    for (_, message), code in zip(sent, (version[0], 200, 403)):
        assert re.fullmatch(rf"Sent {code} in \d+(μs|ms|s)", message), message
    assert "secret" not in site.program.output()


@pytest.mark.parametrize("name", SERVERS)
def test_request_ids(deployment, name):
    """What a client calls its request comes back and stands in each of its lines: word characters, 36 at most."""
    site = Site(deployment, name)
    for sent, kept in (("abc123", "abc123"), ("a-b c!d_\t'\"<0>", "abcd_0"), ("x" * 50, "x" * 36), ("!?", ""),
                       (None, "")):
        before = len(site.records())
        answer = site.admin.get(f"{site.url}/v2.6/agents/", timeout=10,
                                headers={} if sent is None else {"X-Request-ID": sent})
        assert answer.headers["X-Request-Id"] == kept
        wait_until(lambda: len(site.records(before)) >= 2, what="the lines")
        for *_, message in site.records(before):
            assert message.startswith(f"(reqid={kept}) ") if kept else "reqid" not in message, message


# --- forms --------------------------------------------------------------------------------------------


def test_json_lines_have_the_request_id(deployment):
    site = Site(deployment, "registrar", "[logging]\nformat = json\n")
    site.admin.get(f"{site.url}/v2.6/agents/", headers={"X-Request-ID": "abc"}, timeout=10)

    def records():
        return [json.loads(line) for line in site.program.output().splitlines()]
    wait_until(lambda: len([each for each in records() if each.get("request_id") == "abc"]) == 2, what="both lines")
    for record in records():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", record["time"])
        assert record["level"] in ("INFO", "WARNING") and record["logger"].startswith("keylime.")


@pytest.mark.parametrize("form,pattern", [
    ("", r"<[2-7]>keylime\.[a-z_-]+: .+"), ("[logging]\nformat = json\n", r'<[2-7]>\{"time":.+\}')])
def test_priorities_in_the_journal(deployment, form, pattern):
    """What systemd gives a service for its output is recognised: no time of ours, a priority before each line."""
    ours, theirs = socket.socketpair()
    status = os.fstat(theirs.fileno())
    conf = deployment.directory / "logging.conf"
    conf.write_text(form)
    env = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_REGISTRAR_TLS_DIR": "generate",
           "KEYLIME_LOGGING_CONFIG": str(conf), "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    process = subprocess.Popen([BINARIES["registrar"]], env=env, stderr=theirs, stdin=subprocess.DEVNULL)
    theirs.close()
    text = b""
    try:
        ours.settimeout(20)
        while b"Listening on" not in text:
            text += ours.recv(65536)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    lines = text.decode().splitlines()
    assert lines and all(re.fullmatch(pattern, line) for line in lines), lines
    assert any(line.startswith("<6>") for line in lines) and any(line.startswith("<4>") for line in lines)


def test_file_of_a_handler_is_opened_anew(deployment):
    """As logrotate does it: the file is moved away, SIGHUP, and a new one is there. Both handlers get lines."""
    path = deployment.directory / "registrar.txt"
    site = Site(deployment, "registrar", f"""[handlers]
keys = consoleHandler,file
[logger_root]
handlers = consoleHandler,file
[handler_file]
class = FileHandler
formatter = brief
level = WARNING
args = ('{path}', 'a')
[formatters]
keys = formatter,brief
[formatter_brief]
format = %(levelname)-8s%(reqid)s|%(message)s
""")
    moved = path.with_suffix(".1")
    path.rename(moved)
    site.program.signal(signal.SIGHUP)
    wait_until(path.exists, what="the new file")
    site.anonymous.get(f"{site.url}/v2.6/agents/", headers={"X-Request-ID": "abc"}, timeout=10)
    wait_until(lambda: "Sent 403" in path.read_text(), what="the line")
    assert re.search(r"^WARNING abc\|Sent 403 in .*$", path.read_text(), re.MULTILINE)
    assert "INFO" not in path.read_text() and "GET /v2.6/agents/" in site.program.output()
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_reload_knows_handlers_by_their_names(deployment):
    """Named in another order, each keeps its place and gets its own level; a new one waits for the next start."""
    one, two, new = (deployment.directory / f"{name}.txt" for name in ("one", "two", "new"))
    handlers = "".join(f"[handler_{path.stem}]\nclass = FileHandler\nlevel = {level}\nargs = ('{path}', 'a')\n"
                       for path, level in ((one, "INFO"), (two, "WARNING"), (new, "INFO")))
    text = "[handlers]\nkeys = one,two,new\n[logger_root]\nhandlers = {}\n" + handlers
    conf = deployment.directory / "logging.conf"
    conf.write_text(text.format("one,two"))
    program = deployment.start("registrar", env={"KEYLIME_REGISTRAR_TLS_DIR": "generate",
                                                 "KEYLIME_LOGGING_CONFIG": str(conf)})
    wait_until(lambda: one.exists() and "Listening on" in one.read_text(), what="the start")
    conf.write_text(text.format("two,new,one"))
    for path in (one, two):
        path.rename(path.with_suffix(".old"))
    program.signal(signal.SIGHUP)
    wait_until(lambda: one.exists() and "Reloaded certificates" in one.read_text(), what="the reload")
    assert "- INFO -" not in two.read_text() and not new.exists()
    said = [path.with_suffix(".old").read_text() + path.read_text() for path in (one, two)]
    assert all("[handler_new] is new: it gets lines from the next start on" in text for text in said), said


def test_lines_for_syslog(deployment):
    """Datagrams to /dev/log, with facility and priority."""
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    devices = deployment.directory / "dev"
    devices.mkdir()
    for name in ("null", "urandom", "random", "zero"):
        (devices / name).write_text("")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(devices / "log"))
    daemon.settimeout(20)
    conf = deployment.directory / "logging.conf"
    conf.write_text("[handler_consoleHandler]\nclass = handlers.SysLogHandler\n"
                    "args = ('/dev/log', handlers.SysLogHandler.LOG_DAEMON)\n")
    binds = "".join(f'mount --bind /dev/{name} "$0/{name}" && ' for name in ("null", "urandom", "random", "zero"))
    program = Program("registrar", ["unshare", "-m", "sh", "-c", binds + 'mount --rbind "$0" /dev && exec "$@"',
                                    str(devices), BINARIES["registrar"]],
                      {**deployment.env, "KEYLIME_REGISTRAR_TLS_DIR": "generate",
                       "KEYLIME_LOGGING_CONFIG": str(conf)}, deployment.directory / "syslog.log")
    deployment.programs.append(program)
    lines = []
    while not lines or "Listening on" not in lines[-1]:
        lines.append(daemon.recv(65536).decode())
    assert all(re.match(r"<(30|28|27)>keylime\.", line) and not line.endswith("\n") for line in lines), lines
    assert lines[0].startswith("<30>"), "daemon.info"


def test_tenants_log_follows_the_file(deployment):
    """Levels and streams of logging.conf; with --json nothing but JSON on standard output."""
    deployment.start_verifier()
    conf = deployment.directory / "logging.conf"
    env = {"KEYLIME_LOGGING_CONFIG": str(conf)}
    conf.write_text("[handler_consoleHandler]\nargs = (sys.stderr,)\n")
    done = deployment.tenant("-c", "cvlist", env=env, check=0)
    assert "Agent list from Verifier" in done.stderr and done.stdout == ""
    conf.write_text("[handler_consoleHandler]\nargs = (sys.stdout,)\n")
    done = deployment.tenant("-c", "cvlist", env=env, check=0)
    assert "Agent list from Verifier" in done.stdout and done.stderr == ""
    done = deployment.tenant("-c", "cvlist", "--json", env=env, check=0)
    assert json.loads(done.stdout) and "TLS is enabled." in done.stderr
    conf.write_text("[logger_keylime]\nlevel = ERROR\n")
    assert deployment.tenant("-c", "cvlist", env=env, check=0).stdout == ""
    conf.write_text("[logger_keylime]\nlevel = LOUD\n")
    refused = deployment.tenant("-c", "cvlist", env=env, check=1)
    assert f"{conf}:2" in refused.stderr and "must be one of" in refused.stderr


def test_tenant_without_a_syslog(deployment):
    """That nobody takes its lines is no reason for a command to fail."""
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    deployment.start_verifier()
    conf = deployment.directory / "logging.conf"
    conf.write_text("[handlers]\nkeys = consoleHandler,syslog\n[logger_root]\nhandlers = consoleHandler,syslog\n"
                    "[handler_syslog]\nclass = handlers.SysLogHandler\n")
    devices = deployment.directory / "dev"
    devices.mkdir()
    for name in ("null", "urandom"):
        (devices / name).write_text("")
    script = "".join(f'mount --bind /dev/{name} "$0/{name}" && ' for name in ("null", "urandom"))
    done = subprocess.run(["unshare", "-m", "sh", "-c", script + 'mount --rbind "$0" /dev && exec "$@"', str(devices),
                           BINARIES["tenant"], "-c", "cvlist"], capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_LOGGING_CONFIG": str(conf)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Agent list from Verifier" in done.stdout and done.stderr == ""


def test_the_authoritys_log_follows_the_file(deployment):
    """Never on standard output, which is for results."""
    conf = deployment.directory / "logging.conf"
    env = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_LOGGING_CONFIG": str(conf), "KEYLIME_CA_PASSWORD": "x"}
    program = BUILD / "src/ca/keylime_ca"
    conf.write_text("[formatter_formatter]\nformat = %(levelname)s|%(message)s\n"
                    "[handler_consoleHandler]\nargs = (sys.stdout,)\n")
    done = subprocess.run([program, "-c", "init"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout == "" and "INFO|" in done.stderr, done.stderr
    conf.write_text("[formatter_formatter]\nformat = %(message\n")
    done = subprocess.run([program, "-c", "create", "-n", "a"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"{conf}:2" in done.stderr
    assert not (deployment.keylime_dir / "ca/a-cert.crt").exists()


# --- strangers and secrets --------------------------------------------------------------------------------


def test_texts_of_strangers_are_one_line(tmp_path):
    """Ids, names and files that try to write lines of their own, to steer a terminal, or to turn a line around."""
    site = LogSite(tmp_path / "site")
    forged = "2026-01-01 00:00:00.000 - keylime.verifier - CRITICAL - all is lost"
    texts = (f"x\n{forged}", f"x\r{forged}", "\x1b]0;title\x07\x1b[2J", "\u009b2J", "\u202eleft", "\u2028new")
    url = site.deployment.verifier_url
    try:
        for text in texts:
            site.admin.post(f"{url}/v3.0/sessions", json=session_request(text), timeout=10)
            site.admin.post(f"{url}/v2.6/allowlists/a", json={"runtime_policy": text}, timeout=10)
            site.admin.get(f"{url}/v2.6/agents/" + "".join(f"%{byte:02x}" for byte in text.encode()), timeout=10)
            machine = site.machine()
            site.enrol(machine, machine.policy())
            machine.run("/bin/" + text.replace("\n", "_"))
            assert site.cycle(machine)["evaluation"] == "fail"
        site.verifier.wait_for_line(r"WARNING - .*failed verification .*/bin/.*\\u\{2028\}new")
        lines = site.verifier.output().split("\n")[:-1]
    finally:
        site.deployment.stop()
    assert all(LINE.match(line) for line in lines), lines
    assert not any(line.startswith("2026-01-01") for line in lines)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", "".join(lines))


def test_no_secret_is_logged(deployment):
    """At DEBUG neither tokens, challenges, nor passwords of files and options."""
    words = {"KEYLIME_CA_PASSWORD": "sesame-one", "KEYLIME_VERIFIER_SERVER_KEY_PASSWORD": "sesame-two",
             "KEYLIME_VERIFIER_CLIENT_KEY_PASSWORD": "sesame-three"}
    site = Site(deployment, "verifier", "[logger_keylime]\nlevel = DEBUG\n", words)
    answer = site.anonymous.post(f"{site.url}/v3.0/sessions", json=session_request("an-agent"), timeout=10)
    challenge = answer.json()["data"]["attributes"]["authentication_requested"][0]["chosen_parameters"]["challenge"]
    site.anonymous.get(f"{site.url}/v3.0/agents/an-agent/attestations/latest", timeout=10,
                       headers={"Authorization": "Bearer 0b0e5c8e-2f6d-4a57-8d0c-7f3f5a1e6b42.sesame-four"})
    output = site.program.output()
    assert "DEBUG" in output or "keylime.web - INFO" in output
    assert "sesame" not in output and challenge not in output
