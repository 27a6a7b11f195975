# SPDX-License-Identifier: Apache-2.0
"""The packages by themselves: what they need, what they leave, and what an upgrade, a removal and a purge do
to a machine that is at work (contract C27, U18, U25; push-agent 16)."""
import re
import subprocess

import pytest

from conftest import PROGRAMS, deb
from lib.machine import Machine

UNITS = {"verifier": "keylime_verifier", "registrar": "keylime_registrar",
         "agent": "keylime_push_model_agent"}


def field(name, key):
    return subprocess.run(["dpkg-deb", "--field", deb(name), key], check=True, capture_output=True,
                          text=True).stdout.strip()


def needs(name):
    """The libraries and packages that a package depends on, without versions."""
    return set(re.sub(r" \([^)]*\)", "", field(name, "Depends")).split(", "))


@pytest.mark.parametrize("library", ("libevent", "libpq5", "libsqlite3", "libpcre2", "libarchive", "libxml2"))
def test_agent_is_free_of_what_servers_need(library):
    assert not [need for need in needs("agent") if need.startswith(library)]


def test_each_program_stands_alone():
    """No program's package needs another's; the operator's tools need not even the user."""
    for name in PROGRAMS:
        others = {need for need in needs(name) if need.startswith("keylime")}
        assert others == (set() if name == "tenant" else {"keylime-c-common"}), name


@pytest.fixture(scope="module")
def machine(whole, tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("packages"), "packages", tree=whole)
    yield made
    made.stop()


def test_fresh_installation(machine):
    """The user and its group for the TPM; directories and modes; nothing runs before it is told to."""
    assert "tss" in machine.run("id", "-nG", "keylime").stdout.split()
    shown = machine.shell("""
        stat -c '%n %U:%G %a' /var/lib/keylime /var/lib/keylime/cv_ca /var/lib/keylime/tpm_cert_store \\
            /etc/keylime/verifier.conf /etc/keylime/registrar.conf /etc/keylime/agent.conf
        """).stdout.splitlines()
    assert shown == ["/var/lib/keylime keylime:keylime 700", "/var/lib/keylime/cv_ca keylime:keylime 700",
                     "/var/lib/keylime/tpm_cert_store keylime:keylime 755",
                     "/etc/keylime/verifier.conf root:keylime 640",
                     "/etc/keylime/registrar.conf root:keylime 640", "/etc/keylime/agent.conf root:keylime 640"]
    for component in (*PROGRAMS, "ca", "logging"):
        machine.run("test", "-d", f"/etc/keylime/{component}.conf.d")
    for unit in UNITS.values():
        assert machine.active(unit) == "inactive"
        assert machine.run("systemctl", "is-enabled", unit, check=1).stdout.strip() == "disabled"
    failed = machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout
    assert "keylime" not in failed


def test_upgrade_keeps_what_is_configured_and_restarts_what_runs(machine):
    for unit in ("keylime_verifier", "keylime_registrar"):
        machine.run("systemctl", "enable", "--now", unit)
    before = {unit: machine.show(unit, "MainPID") for unit in UNITS.values()}
    machine.shell("echo '# mine' >>/etc/keylime/verifier.conf; chmod 0600 /etc/keylime/registrar.conf; "
                  "chown keylime /etc/keylime/registrar.conf")
    machine.shell("mkdir /srv/packages")
    for name in ("common", *PROGRAMS):
        copy = f"/srv/packages/{name}.deb"
        with open(deb(name), "rb") as package:
            subprocess.run(machine.command("sh", "-c", f"cat >{copy}"), stdin=package, check=True, timeout=60)
    machine.shell("dpkg --install --force-confold /srv/packages/*.deb </dev/null", timeout=120)
    assert machine.read("/etc/keylime/verifier.conf").endswith("# mine\n")
    assert machine.run("stat", "-c", "%U %a", "/etc/keylime/registrar.conf").stdout == "keylime 600\n"
    for unit in ("keylime_verifier", "keylime_registrar"):
        machine.wait_active(unit)
        assert machine.show(unit, "MainPID") != before[unit]
        assert machine.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"
    assert machine.active(UNITS["agent"]) == "inactive"


def test_removal_stops_and_purge_removes_only_ours(machine):
    """U25: databases and keys go with their program; certificates, and what others left, stay."""
    machine.run("systemctl", "start", "keylime_verifier", "keylime_registrar")
    machine.shell("touch /var/lib/keylime/cv_data.sqlite /var/lib/keylime/agent_data.json")
    machine.run("dpkg", "--remove", "keylime-c-verifier")
    assert machine.active("keylime_verifier") == "inactive"
    machine.run("test", "-e", "/var/lib/keylime/verifier.sqlite")
    machine.run("test", "-e", "/etc/keylime/verifier.conf")
    said = machine.run("dpkg", "--purge", *(f"keylime-c-{name}" for name in (*PROGRAMS, "common")),
                       timeout=120).stdout
    assert "Kept in /var/lib/keylime: cv_ca cv_data.sqlite" in said, said
    assert machine.run("ls", "/var/lib/keylime").stdout.split() == ["cv_ca", "cv_data.sqlite"]
    assert machine.run("sh", "-c", "ls /etc/keylime/*.conf", check=2).stdout == ""
    for unit in UNITS.values():
        assert machine.show(unit, "LoadState") in ("not-found", "masked")
        assert machine.active(unit) == "inactive"
    assert machine.run("sh", "-c", "ls /usr/bin/keylime*", check=2).stdout == ""
