# SPDX-License-Identifier: Apache-2.0
"""What the user guide says about the verifier's configuration, at the paths that it names (contract C10 to
C26, C87). Each test is named after the rows that it proves."""
import datetime
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

import pytest

from lib.private_etc import PrivateEtc
from lib.program import wait_until
from lib.push_agent import PushAgent
from lib.push_client import session_request
from lib.software_tpm import SoftwareAk

ZERO = "00" * 32
PUSH_LINE = "keylime.verifier - INFO - Starting Keylime verifier in PUSH mode..."
SNIPPET = "# Enable push mode\n[verifier]\nmode = push\n"


@pytest.fixture
def etc(deployment):
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    return PrivateEtc(deployment)


def record(deployment, agent):
    return agent.record(deployment.admin())


def enrolled(deployment, **members):
    agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt",
                      SoftwareAk("ecdsa"))
    return agent.enrol(deployment.admin(), {"0": [ZERO]}, **members)


def periods(deployment):
    shown = record(deployment, enrolled(deployment))
    return shown["attestation_period"], shown["maximum_attestation_interval"]


# --- the mode -----------------------------------------------------------------------------------------


def test_C10_two_lines_are_a_configuration(etc, deployment):
    etc.write("verifier.conf", "[verifier]\nmode = push\n")
    verifier = etc.start_server("verifier")
    assert PUSH_LINE in verifier.output()
    http = deployment.anonymous()
    assert http.get(f"{deployment.verifier_url}/version", timeout=10).status_code == 410
    answer = http.post(f"{deployment.verifier_url}/v3.0/sessions", timeout=10,
                       json=session_request("an-agent"))
    assert answer.status_code == 200, answer.text


def test_C11_snippet_beats_the_base_file(etc, deployment):
    etc.write("verifier.conf", "[verifier]\nmode = pull\n")
    etc.write("verifier.conf.d/001-push-mode.conf", SNIPPET)
    assert PUSH_LINE in etc.start_server("verifier").output()


def test_C11_snippets_count_without_a_base_file_and_the_later_name_wins(etc, deployment):
    etc.write("verifier.conf.d/001-push-mode.conf", SNIPPET + "quote_interval = 3\n")
    etc.write("verifier.conf.d/002-slower.conf", "[verifier]\nquote_interval = 4\n")
    verifier = etc.start_server("verifier")
    assert PUSH_LINE in verifier.output() and "mode is not set" not in verifier.output()
    assert periods(deployment) == ("4s", "20s")


def test_C12_variable_beats_the_files_and_is_named_as_source(etc):
    etc.write("verifier.conf", "[verifier]\nmode = pull\n")
    etc.write("verifier.conf.d/001-mode.conf", "[verifier]\nmode = pull\n")
    env = {"KEYLIME_VERIFIER_MODE": "push"}
    shown = etc.run("verifier", "--check-config", env=env)
    assert shown.returncode == 0, shown.stderr
    line = next(line for line in shown.stdout.splitlines() if line.startswith("mode "))
    assert "push" in line and "KEYLIME_VERIFIER_MODE" in line
    output = etc.start_server("verifier", env).output()
    assert PUSH_LINE in output
    assert re.search(r'option "mode" .* overridden by environment variable KEYLIME_VERIFIER_MODE', output), output


@pytest.mark.parametrize("place", ["verifier.conf", "verifier.conf.d/001-mode.conf"])
@pytest.mark.parametrize("mode,words", [
    ("pish", "push"), ("pull", "this verifier serves push mode only; set mode = push")])
def test_C13_C14_other_modes_are_refused_with_their_place(etc, deployment, place, mode, words):
    etc.write(place, f"# a comment\n[verifier]\nmode = {mode}\n")
    done = etc.run("verifier")
    assert done.returncode == 1
    assert f"/etc/keylime/{place}:3" in done.stderr and mode in done.stderr, done.stderr
    assert words in done.stderr, done.stderr
    assert list(deployment.keylime_dir.iterdir()) == [], "nothing was made"


def test_C14_absent_mode_is_push_and_said(etc):
    etc.write("verifier.conf", "[verifier]\n")
    output = etc.start_server("verifier").output()
    assert PUSH_LINE in output
    assert [line for line in output.splitlines() if "mode is not set" in line and "INFO" in line]


# --- no polling ---------------------------------------------------------------------------------------


def tcp_sockets(pid):
    """[(local port, remote port, state)] of a process."""
    inodes = set()
    for link in (pathlib.Path("/proc") / str(pid) / "fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for name in ("tcp", "tcp6"):
        lines = (pathlib.Path("/proc") / str(pid) / "net" / name).read_text().splitlines()[1:]
        for fields in (line.split() for line in lines):
            if fields[9] in inodes:
                found.append((int(fields[1].split(":")[1], 16), int(fields[2].split(":")[1], 16),
                              fields[3]))
    return found


def test_C15_C16_C17_an_address_in_the_enrolment_is_never_called(deployment):
    """A verifier of push mode connects to nobody, whatever a pull tenant enrols (C3 too)."""
    calls = []
    listener = socket.create_server(("127.0.0.1", 0))

    def count():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            calls.append(connection)

    threading.Thread(target=count, daemon=True).start()
    verifier = deployment.start_verifier({"KEYLIME_VERIFIER_QUOTE_INTERVAL": "0.5"})
    admin = deployment.admin()
    pulled = enrolled(deployment, cloudagent_ip="127.0.0.1",
                      cloudagent_port=listener.getsockname()[1])
    pushed = enrolled(deployment)
    for agent in (pulled, pushed):
        shown = record(deployment, agent)
        assert shown["ip"] is None and shown["port"] is None
        agent.authenticate()
    for _ in range(3):
        for agent in (pulled, pushed):
            def passed():
                created = agent.create()
                if created.status_code != 201:
                    return False
                answer = agent.submit(created.headers["Location"],
                                      agent.ak.evidence(agent.chosen(created)))
                assert answer.status_code == 202, answer.text
                return True
            wait_until(passed, 10, "an accepted attestation")
            outgoing = [each for each in tcp_sockets(verifier.pid)
                        if each[0] != deployment.verifier_port]
            assert outgoing == []
    for agent in (pulled, pushed):
        wait_until(lambda: agent.status(admin) == "PASS", 10, "PASS")
    listener.close()
    assert calls == []


def test_C87_one_port_and_only_tls_on_it(deployment):
    verifier = deployment.start_verifier()
    listening = {port for port, _, state in tcp_sockets(verifier.pid) if state == "0A"}
    assert listening == {deployment.verifier_port}
    with socket.create_connection(("127.0.0.1", deployment.verifier_port), timeout=10) as plain:
        plain.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            data = plain.recv(1000)
        except ConnectionError:
            data = b""
        assert b"HTTP" not in data


# --- intervals and lifetimes --------------------------------------------------------------------------


def test_C18_interval_by_file_snippet_and_variable(etc, deployment):
    etc.write("verifier.conf", "[verifier]\nmode = push\n")
    steps = ((None, None, None, ("2s", "10s")), ("verifier.conf", 3, None, ("3s", "15s")),
             ("verifier.conf.d/002.conf", 4, None, ("4s", "20s")), (None, None, 6, ("6s", "30s")))
    for path, interval, variable, shown in steps:
        if path:
            etc.write(path, f"[verifier]\nmode = push\nquote_interval = {interval}\n")
        env = {"KEYLIME_VERIFIER_QUOTE_INTERVAL": str(variable)} if variable else {}
        verifier = etc.start_server("verifier", env)
        assert periods(deployment) == shown
        assert verifier.stop() == 0


@pytest.mark.parametrize("value", ["0", "-1", "nan", "abc", "", "86401", "1e9"])
def test_C20_bad_intervals_are_refused_with_their_line(etc, value):
    etc.write("verifier.conf", f"[verifier]\nmode = push\nquote_interval = {value}\n")
    done = etc.run("verifier")
    assert done.returncode == 1
    assert "/etc/keylime/verifier.conf:3" in done.stderr and "quote_interval" in done.stderr


def lifetime(deployment):
    """Seconds between the two times of a 201."""
    agent = enrolled(deployment)
    agent.authenticate()
    created = agent.create()
    assert created.status_code == 201, created.text
    attributes = created.json()["data"]["attributes"]
    begin, end = (datetime.datetime.fromisoformat(attributes[name])
                  for name in ("capabilities_received_at", "challenges_expire_at"))
    return (end - begin).total_seconds()


def test_C21_C24_challenge_lifetime_by_default_file_and_variable(etc, deployment):
    for text, env, seconds in (
            ("", {}, 300), ("challenge_lifetime = 40\n", {}, 40),
            ("challenge_lifetime = 40\n", {"KEYLIME_VERIFIER_CHALLENGE_LIFETIME": "50"}, 50)):
        etc.write("verifier.conf", "[verifier]\nmode = push\n" + text)
        verifier = etc.start_server("verifier", env)
        assert lifetime(deployment) == seconds
        verifier.stop()


def test_C24_verification_timeout_by_file_and_variable(etc):
    etc.write("verifier.conf", "[verifier]\nverification_timeout = 40\n")
    for env, value, source in (({}, "40", "/etc/keylime/verifier.conf:2"),
                               ({"KEYLIME_VERIFIER_VERIFICATION_TIMEOUT": "50"}, "50",
                                "KEYLIME_VERIFIER_VERIFICATION_TIMEOUT")):
        shown = etc.run("verifier", "--check-config", env=env).stdout
        line = next(each for each in shown.splitlines() if each.startswith("verification_timeout "))
        assert f"= {value} " in line and source in line, line


# --- restarts and files -------------------------------------------------------------------------------


def test_C25_new_values_hold_after_a_restart_and_agents_go_on(etc, deployment):
    etc.write("verifier.conf", "[verifier]\nmode = push\nquote_interval = 0.5\n")
    verifier = etc.start_server("verifier")
    agent = enrolled(deployment)
    agent.authenticate()
    agent.attest()
    etc.write("verifier.conf", "[verifier]\nmode = push\nquote_interval = 3\n")
    assert record(deployment, agent)["attestation_period"] == "1s", "not before the restart"
    assert verifier.stop(60) == 0
    etc.start_server("verifier")
    shown = record(deployment, agent)
    assert shown["attestation_period"] == "3s" and shown["attestation_status"] == "PASS"

    def attested():
        created = agent.create()  # with the token from before
        if created.status_code == 429:
            return False
        answer = agent.submit(created.headers["Location"],
                              agent.ak.evidence(agent.chosen(created)))
        assert answer.status_code == 202, answer.text
        return True
    wait_until(attested, 10, "the next attestation")
    wait_until(lambda: record(deployment, agent)["attestation_count"] == 2, 10, "the verdict")
    assert record(deployment, agent)["attestation_status"] == "PASS"


@pytest.mark.parametrize("place", ["verifier.conf", "verifier.conf.d/050-more.conf"])
@pytest.mark.parametrize("text,line", [
    ("[verifier]\nmode push\n", 2), ("[verifier\nmode = push\n", 1), ("mode = push\n", 1),
    ("[verifier]\nport = 1\nport = 2\n", 3), ("[verifier]\nmode = \xff\n", 2)])
def test_C26_files_that_cannot_be_read_are_refused(etc, deployment, place, text, line):
    etc.write("verifier.conf", "[verifier]\nmode = push\n")
    etc.write(place, "")
    (etc.keylime / place).write_bytes(text.encode("latin-1"))
    done = etc.run("verifier")
    assert done.returncode == 1, done.stderr
    assert f"/etc/keylime/{place}:{line}" in done.stderr, done.stderr
    assert list(deployment.keylime_dir.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
@pytest.mark.parametrize("place", ["verifier.conf", "verifier.conf.d/050-more.conf"])
def test_C26_files_that_may_not_be_read_are_refused(etc, deployment, place):
    """With path, mode and owner; a snippet that is skipped would drop `mode = push`."""
    etc.write("verifier.conf", "[verifier]\nmode = push\n")
    etc.write(place, "[verifier]\nquote_interval = 3\n")
    (etc.keylime / place).chmod(0)
    # Root without the right to read what its mode forbids.
    command = etc.command("verifier", before=["setpriv", "--bounding-set=-dac_override,-dac_read_search"])
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **etc.env}, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1, done.stderr
    assert f"/etc/keylime/{place}: cannot be read: Permission denied (mode 0000, owner root" in done.stderr
    assert list(deployment.keylime_dir.iterdir()) == []


def test_C26_a_snippet_is_never_skipped_in_silence(etc):
    etc.write("verifier.conf.d/050-more.conf", "[verifier]\nmode = push\n")
    etc.write("verifier.conf.d/070-old.conf.bak", "[verifier]\nmode = pull\n")
    (etc.keylime / "verifier.conf.d/060-gone.conf").symlink_to("/nowhere")
    lines = etc.start_server("verifier").output().splitlines()
    for name in ("060-gone.conf", "070-old.conf.bak"):
        told = [line for line in lines if name in line]
        assert len(told) == 1 and "WARNING" in told[0] and "skipped" in told[0], told


def test_C26_an_unknown_option_is_one_warning(etc):
    etc.write("verifier.conf", "[verifier]\nmode = push\nquote_intervall = 3\n")
    lines = [line for line in etc.start_server("verifier").output().splitlines()
             if "quote_intervall" in line]
    assert len(lines) == 1 and "WARNING" in lines[0] and "/etc/keylime/verifier.conf:3" in lines[0]
