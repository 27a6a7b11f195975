# SPDX-License-Identifier: Apache-2.0
"""The units under a systemd of their own (contract C66-C74, U11, U18; configuration-and-operations 12.1,
push-agent 15): a machine is booted, what `make install` installs is laid into it, and the services are
started, conflict, fail, hang, are reloaded and stopped."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from lib.emulated_tpm import give_tpm, trust_tpm_of
from lib.machine import Machine
from lib.program import BUILD, wait_until

AGENT = "keylime_push_model_agent"
SERVERS = ("keylime_verifier", "keylime_registrar")
UNITS = SERVERS + (AGENT,)
AGENT_ID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00001"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    meson = "/usr/bin/meson" if os.path.exists("/usr/bin/meson") else shutil.which("meson")
    for tool in (meson, "swtpm", "swtpm_setup", "tpm2_flushcontext"):
        if not tool or not shutil.which(tool):
            pytest.skip(f"{tool or 'meson'} is not installed")
    directory = tmp_path_factory.mktemp("services")
    subprocess.run([meson, "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir",
                    str(directory / "files")], check=True, timeout=120)
    made = Machine(directory, "services")
    try:
        made.lay(directory / "files")
        made.shell("""
            systemd-sysusers
            systemd-tmpfiles --create keylime.conf
            systemctl daemon-reload
            """)
        give_tpm(made)
        trust_tpm_of(made, made)
        made.write("/etc/keylime/agent.conf", f'[agent]\nuuid = "{AGENT_ID}"\n')
        for unit in UNITS:
            made.write(f"/etc/systemd/system/{unit}.service.d/50-test.conf", "[Service]\nRestartSec=1s\n")
        # There is no resource manager that clears the TPM after an agent that was killed.
        made.write(f"/etc/systemd/system/{AGENT}.service.d/60-test.conf", """\
            [Service]
            Environment=TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=2321
            ExecStartPre=tpm2_flushcontext --transient-object
            """)
        made.run("systemctl", "daemon-reload")
        yield made
    finally:
        made.stop()


def main_pid(machine, unit):
    return int(machine.show(unit, "MainPID"))


@pytest.fixture
def servers(machine):
    machine.run("systemctl", "start", *SERVERS)
    return machine


@pytest.fixture
def attesting(servers):
    """An agent that is enrolled and attests."""
    servers.run("systemctl", "start", AGENT)
    servers.wait_for_line(AGENT, f"Agent {AGENT_ID} activated")
    if servers.run("keylime_tenant", "-c", "cvstatus", "--push-model", "-u", AGENT_ID,
                   check=None).returncode:
        servers.run("keylime_tenant", "-c", "add", "--push-model", "-u", AGENT_ID)
    servers.run("systemctl", "reload", AGENT)
    wait_until(lambda: status(servers) == "PASS", 60, "PASS", 0.5)
    return servers


def status(machine):
    said = machine.run("keylime_tenant", "-c", "cvstatus", "--push-model", "--json", "-u", AGENT_ID).stdout
    return re.search(r'"attestation_status": *"(\w+)"', said).group(1)


# --- start ---------------------------------------------------------------------------------------------


def test_C66_agent_starts_while_no_server_is_there(servers):
    """Enabling makes the link; active means that the agent runs, whether or not a server answers."""
    machine = servers
    machine.run("systemctl", "stop", *SERVERS)
    machine.run("systemctl", "enable", AGENT)
    link = f"/etc/systemd/system/multi-user.target.wants/{AGENT}.service"
    assert machine.run("readlink", link).stdout.strip().endswith(f"/{AGENT}.service")
    machine.run("systemctl", "start", AGENT)
    assert machine.active(AGENT) == "active"
    assert "network-online.target" in machine.show(AGENT, "After").split()
    # The hyphenated spelling is the same unit (K1).
    hyphens = AGENT.replace("_", "-")
    assert machine.show(hyphens, "Id") == f"{AGENT}.service"
    assert machine.active(hyphens) == "active"


def test_C73_servers_start_together(servers):
    """The registrar waits for the verifier's certificates, not for a restart."""
    for unit in SERVERS:
        servers.run("systemctl", "stop", unit)
    servers.run("rm", "-rf", "/var/lib/keylime/cv_ca")
    servers.run("systemctl", "start", "--no-block", "keylime_registrar")
    servers.run("systemctl", "start", "keylime_verifier")
    for unit in SERVERS:
        servers.wait_active(unit)
        assert servers.show(unit, "NRestarts") == "0"
    assert "Starting Keylime verifier in PUSH mode..." in servers.journal("keylime_verifier")
    for port in ("8881", "8890", "8891"):
        assert f"127.0.0.1:{port}" in servers.run("ss", "-Hltn").stdout


def test_C67_C68_status_and_log(attesting):
    """The status line has state, id and verifier; the log has the agent's steps, nothing set for it."""
    said = attesting.run("systemctl", "status", "--no-pager", "--full", AGENT).stdout
    assert f"agent {AGENT_ID}, verifier https://localhost:8881" in said
    exe = attesting.run("readlink", f"/proc/{main_pid(attesting, AGENT)}/exe").stdout.strip()
    assert exe.endswith(f"/bin/{AGENT}")
    assert "SUCCESS! Evidence accepted" in attesting.journal(AGENT)


# --- sandbox -------------------------------------------------------------------------------------------


def test_U18_agent_is_never_root(attesting):
    """It can read what only root may, and has given that up when it talks."""
    fields = dict(line.split(":", 1) for line in
                  attesting.read(f"/proc/{main_pid(attesting, AGENT)}/status").splitlines())
    assert "0" not in fields["Uid"].split()
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields[kind], 16) == 0, kind
    assert fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"
    assert fields["Umask"].strip() == "0077"


def probe(machine, unit, script):
    """Run a script in the place of the unit's program, under the unit's sandbox; its output."""
    text = machine.run("systemctl", "cat", unit).stdout
    text = re.sub(r"^(ExecStart|ExecStartPre|ExecReload|Restart|RestartSec|WatchdogSec|Type|Conflicts)=.*$", "", text,
                  flags=re.MULTILINE)
    machine.write("/run/probe.sh", script)
    machine.write("/run/systemd/system/probe.service",
                  text + "\n[Service]\nType=oneshot\nExecStart=/bin/sh /run/probe.sh\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "probe", check=None)
    invocation = machine.show("probe", "InvocationID")
    machine.run("journalctl", "--sync")
    return machine.run("journalctl", "-o", "cat", "--no-pager", "_SYSTEMD_INVOCATION_ID=" + invocation).stdout


def test_agent_may_use_tpm_and_logs(machine):
    """The devices of a TPM and the files that only root may read, and nothing else of the kind: a device
    that is not there says so (ENXIO), one that is forbidden EPERM."""
    machine.shell("""
        mkdir -p /sys/kernel/security/ima /sys/kernel/security/tpm0
        echo measured >/sys/kernel/security/ima/ascii_runtime_measurements
        echo booted >/sys/kernel/security/tpm0/binary_bios_measurements
        chmod 0440 /sys/kernel/security/ima/* /sys/kernel/security/tpm0/*
        mknod -m 0660 /dev/tpm0 c 10 224; mknod -m 0660 /dev/kmem c 1 2
        chgrp tss /dev/tpm0 /dev/kmem
        """)
    said = probe(machine, AGENT, """\
        cat /sys/kernel/security/ima/ascii_runtime_measurements
        cat /sys/kernel/security/tpm0/binary_bios_measurements
        true <>/dev/tpm0
        true <>/dev/kmem
        true >/var/lib/keylime/probe && rm /var/lib/keylime/probe && echo state is writable
        true >/usr/probe
        true >/etc/keylime/probe
        """)
    machine.shell("rm -r /dev/tpm0 /dev/kmem /sys/kernel/security/*")
    assert "measured\nbooted\n" in said
    assert "/dev/tpm0: No such device" in said, said
    assert "/dev/kmem: Operation not permitted" in said, said
    assert "state is writable" in said, said
    assert "/usr/probe: Read-only file system" in said and "/etc/keylime/probe: Read-only" in said, said


@pytest.mark.parametrize("unit", SERVERS)
def test_servers_may_write_their_directory_only(machine, unit):
    said = probe(machine, unit, """\
        true >/var/lib/keylime/probe && rm /var/lib/keylime/probe && echo state is writable
        true >/var/tmp/probe && echo own temporary files
        true >/srv/probe
        ls /home/* /dev/tty /dev/mem
        ls /proc/1
        """)
    assert "state is writable" in said and "own temporary files" in said
    assert "/srv/probe: Read-only file system" in said, said
    assert machine.run("test", "-e", "/var/tmp/probe", check=None).returncode == 1


def test_no_call_outside_the_filter_is_made(machine):
    """A whole cycle, reload and stop, while a system call that the filter refuses ends the program."""
    for unit in UNITS:
        machine.write(f"/run/systemd/system/{unit}.service.d/kill.conf",
                      "[Service]\nSystemCallErrorNumber=kill\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", *UNITS)
    starts = {unit: main_pid(machine, unit) for unit in UNITS}
    wait_until(lambda: "SUCCESS! Evidence accepted" in machine.journal(AGENT), 60, "evidence", 0.5)
    machine.run("systemctl", "reload", *UNITS)
    time.sleep(3)
    assert {unit: main_pid(machine, unit) for unit in UNITS} == starts
    machine.run("systemctl", "stop", *UNITS)
    for unit in UNITS:
        assert machine.show(unit, "Result") == "success"
        machine.run("rm", f"/run/systemd/system/{unit}.service.d/kill.conf")
    machine.run("systemctl", "daemon-reload")


def test_database_by_peer(machine):
    """PostgreSQL knows the verifier's user by its socket, in spite of the user namespace."""
    if not shutil.which("pg_ctlcluster"):
        pytest.skip("PostgreSQL is not installed")
    snippet = "/etc/keylime/verifier.conf.d/500-database.conf"
    machine.shell("""
        install -d -o postgres -g postgres /run/postgresql
        version=$(ls /usr/lib/postgresql | tail -n 1)
        pg_createcluster "$version" peer --start
        su postgres -c 'createuser --cluster "$0/peer" keylime' "$version"
        su postgres -c 'createdb --cluster "$0/peer" -O keylime keylime' "$version"
        """, timeout=120)
    port = machine.shell("pg_lsclusters -h | awk '$2 == \"peer\" { print $3 }'").stdout.strip()
    machine.write(snippet, f"[verifier]\ndatabase_url = postgresql:///keylime?host=/run/postgresql&port={port}\n")
    try:
        machine.run("systemctl", "restart", "keylime_verifier")
        assert "Database: PostgreSQL" in machine.journal("keylime_verifier")
    finally:
        machine.run("rm", snippet)
        machine.shell("pg_ctlcluster $(ls /usr/lib/postgresql | tail -n 1) peer stop -m immediate", check=None)
    machine.run("systemctl", "restart", "keylime_verifier")


# --- conflicts -----------------------------------------------------------------------------------------


@pytest.fixture
def pull_agent(machine):
    """A unit of the pull model's name, that knows nothing of ours."""
    machine.write("/run/systemd/system/keylime_agent.service", "[Service]\nExecStart=sleep infinity\n")
    machine.run("systemctl", "daemon-reload")
    yield "keylime_agent"
    machine.run("systemctl", "stop", "keylime_agent")


def test_C69_C71_starting_one_stops_the_other(machine, pull_agent):
    assert machine.show(AGENT, "Conflicts").split().count("keylime_agent.service") == 1
    machine.run("systemctl", "start", AGENT)
    machine.run("systemctl", "start", pull_agent)
    assert machine.active(pull_agent) == "active"
    wait_until(lambda: machine.active(AGENT) == "inactive", what="the end of our agent")
    assert (machine.show(AGENT, "Result"), machine.show(AGENT, "ExecMainStatus")) == ("success", "0")
    machine.run("systemctl", "start", AGENT)
    assert machine.active(AGENT) == "active"
    assert machine.active(pull_agent) in ("inactive", "failed")


def test_C70_only_one_runs(machine, pull_agent):
    """In either order, and both asked for at once: at no sample both are active."""
    both = []

    def sample():
        shown = machine.run("systemctl", "show", "--value", "-p", "ActiveState", AGENT, pull_agent).stdout
        both.append(shown.split().count("active"))

    for first, second in ((AGENT, pull_agent), (pull_agent, AGENT)) * 3:
        machine.run("systemctl", "start", "--no-block", first)
        sample()
        machine.run("systemctl", "start", "--no-block", second)
        for _ in range(5):
            sample()
    subprocess.run(machine.command("systemctl", "start", AGENT, pull_agent), capture_output=True, timeout=60)
    for _ in range(10):
        sample()
    assert max(both) == 1, both


# --- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_C72_failures_are_restarted(servers, unit):
    """However many: killed, and refused by its configuration. A stop is none."""
    assert servers.show(unit, "Restart") == "on-failure"
    servers.run("systemctl", "start", unit)
    for _ in range(7):
        before = main_pid(servers, unit)
        servers.run("kill", "-9", str(before))
        wait_until(lambda: main_pid(servers, unit) not in (0, before) and servers.active(unit) == "active",
                   what=f"another {unit}")
    name = {AGENT: "agent"}.get(unit, unit.removeprefix("keylime_"))
    snippet = f"/etc/keylime/{name}.conf.d/900-broken.conf"
    servers.write(snippet, "no line of a configuration\n")
    try:
        servers.run("systemctl", "restart", unit, check=1)
        wait_until(lambda: servers.journal(unit).count("status=1/FAILURE") >= 3, 30, "three starts", 0.2)
    finally:
        servers.run("rm", snippet)
    servers.wait_active(unit)
    servers.run("systemctl", "stop", unit)
    time.sleep(2)
    assert servers.active(unit) == "inactive" and servers.show(unit, "Result") == "success"


def test_C72_as_shipped(machine):
    """Without the test's drop-in: 120 s, and no limit of starts."""
    for unit in UNITS:
        shipped = machine.run("systemctl", "cat", unit).stdout
        assert "RestartSec=120s" in shipped
        assert machine.show(unit, "StartLimitIntervalUSec") == "0"


class Held:
    """A thread of another process that does not run meanwhile, while the process's others do."""

    ATTACH, DETACH, WALL = 16, 17, 0x40000000

    def __init__(self, thread):
        self.thread = thread
        self.libc = ctypes.CDLL(None, use_errno=True)

    def __enter__(self):
        assert self.libc.ptrace(self.ATTACH, self.thread, None, None) == 0, os.strerror(ctypes.get_errno())
        os.waitpid(self.thread, self.WALL)

    def __exit__(self, *error):
        # Where the process was killed, its end waits for this one to be told of the thread's.
        if self.libc.ptrace(self.DETACH, self.thread, None, None) != 0:
            os.waitpid(self.thread, self.WALL)


@pytest.mark.parametrize("unit", SERVERS)
def test_a_server_that_hangs_is_restarted(machine, unit):
    """One I/O thread is held: the watchdog hears nothing more, although the main thread goes on."""
    drop_in = f"/run/systemd/system/{unit}.service.d/watchdog.conf"
    machine.write(drop_in, "[Service]\nWatchdogSec=2s\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", *SERVERS)
    before = main_pid(machine, unit)
    time.sleep(3)
    assert main_pid(machine, unit) == before
    outside = pid_outside(machine, before)
    threads = [int(task) for task in os.listdir(f"/proc/{outside}/task")
               if open(f"/proc/{outside}/task/{task}/comm").read() == "http-io\n"]
    assert threads
    with Held(threads[0]):
        machine.wait_for_line(unit, "Watchdog timeout", 20)
        assert "An I/O thread hangs" in machine.journal(unit)
    wait_until(lambda: main_pid(machine, unit) not in (0, before), 30, "another process")
    machine.run("rm", drop_in)
    machine.run("systemctl", "daemon-reload")


def pid_outside(machine, pid):
    """The number here of the machine's process."""
    for candidate in os.listdir("/proc"):
        if not candidate.isdigit():
            continue
        try:
            text = open(f"/proc/{candidate}/status").read()
        except OSError:
            continue
        if re.search(rf"^NSpid:\t{candidate}\t{pid}$", text, re.MULTILINE) and \
                f"/{machine.cgroup.name}/" in open(f"/proc/{candidate}/cgroup").read():
            return int(candidate)
    raise AssertionError(f"no process {pid}")


def test_watchdog_lets_the_agent_wait(attesting):
    """A pause longer than the watchdog's limit, with no message in between; an agent that hangs at work
    does not live so long."""
    drop_in = f"/run/systemd/system/{AGENT}.service.d/watchdog.conf"
    attesting.write(drop_in, "[Service]\nWatchdogSec=1s\nEnvironment=KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS=6\n")
    attesting.run("systemctl", "daemon-reload")
    attesting.run("systemctl", "restart", AGENT)
    before = main_pid(attesting, AGENT)
    start = len(attesting.journal(AGENT))
    wait_until(lambda: attesting.journal(AGENT)[start:].count("SUCCESS! Evidence accepted") >= 3, 40,
               "three cycles", 0.5)
    assert main_pid(attesting, AGENT) == before
    os.kill(pid_outside(attesting, before), signal.SIGSTOP)
    attesting.wait_for_line(AGENT, "Watchdog timeout", 30)
    attesting.run("rm", drop_in)
    attesting.run("systemctl", "daemon-reload")


# --- reload and stop -----------------------------------------------------------------------------------


def test_U6_reload(servers):
    """The same process, still active, with its certificates read again."""
    for unit in SERVERS:
        before = main_pid(servers, unit)
        servers.run("systemctl", "reload", unit)
        servers.wait_for_line(unit, "Reloaded certificates")
        assert servers.active(unit) == "active" and main_pid(servers, unit) == before


@pytest.mark.parametrize("unit, seconds", [("keylime_verifier", 10), ("keylime_registrar", 10), (AGENT, 2)])
def test_C74_stop_is_prompt(servers, unit, seconds):
    servers.run("systemctl", "start", unit)
    servers.wait_active(unit)
    began = time.monotonic()
    servers.run("systemctl", "stop", unit)
    assert time.monotonic() - began < seconds + 3  # the command itself waits for processors, too
    assert (servers.show(unit, "Result"), servers.show(unit, "ExecMainStatus")) == ("success", "0")
