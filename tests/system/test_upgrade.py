# SPDX-License-Identifier: Apache-2.0
"""Servers on a machine that ran upstream's: its configuration files, its CA directory, drop-ins of its units
(contract U25)."""
import re
import shutil
import subprocess

import pytest

from lib.private_etc import PrivateEtc
from lib.program import BUILD, wait_until
from lib.push_agent import PushAgent
from lib.registration import Machine, Session
from lib.upstream_files import FILES, make_authority, text_of

ZERO = "00" * 32


@pytest.fixture
def etc(deployment):
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    made = PrivateEtc(deployment)
    for name in FILES:
        made.write(name, text_of(name))
    made.write("verifier.conf.d/001-push-mode.conf", "[verifier]\nmode = push\n")
    return made


def warnings_of(program):
    return [line for line in program.output().splitlines()
            if re.search(r" - (WARNING|ERROR|CRITICAL) - ", line)]


def test_U25_files_and_authority_go_on(etc, deployment):
    """The whole of it: an agent that trusts the old CA registers and passes, the old administrator's
    certificate opens the door, no key and no certificate is replaced."""
    make_authority(deployment.certificates)
    before = {path.name: path.read_bytes() for path in deployment.certificates.iterdir()}
    verifier = etc.start_server("verifier")
    registrar = etc.start_server("registrar")
    for program, expected in ((verifier, 1), (registrar, 0)):
        told = [line for line in warnings_of(program) if "'default' password option" not in line]
        # Upstream's file sets what does the reverse of its name: that, and nothing else, is said.
        reverse = [line for line in told if "Option ignore_tomtou_errors = False" in line]
        assert len(reverse) == expected and told == reverse, told
    agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt")
    Machine(agent.id, ak=agent.ak).enter(Session(deployment.registrar_plain_url, False))
    admin = deployment.admin()
    agent.enrol(admin, {"0": [ZERO]})
    agent.authenticate()
    agent.attest()
    wait_until(lambda: agent.status(admin) == "PASS", what="PASS")
    listed = admin.get(f"{deployment.registrar_url}/v2.6/agents/", timeout=20)
    assert listed.json()["results"]["uuids"] == [agent.id]
    after = {path.name: path.read_bytes() for path in deployment.certificates.iterdir()}
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize("name", ["verifier", "registrar"])
def test_U25_every_option_of_the_files_has_its_value(etc, name):
    """None is unknown, and what the file says is in force."""
    etc.env = {"KEYLIME_DIR": etc.env["KEYLIME_DIR"]}
    done = etc.run(name, "--check-config")
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr, done.stderr
    for options in FILES[f"{name}.conf"].values():
        for option in options:
            line = next(line for line in done.stdout.splitlines() if line.startswith(f"{option} "))
            assert f"/etc/keylime/{name}.conf" in line, line


@pytest.mark.parametrize("name", ["keylime_verifier", "keylime_registrar"])
def test_U25_drop_ins_of_the_units_hold(tmp_path, name):
    """An operator's file beside the unit of that name still replaces what it names."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text = (BUILD / "packaging" / f"{name}.service").read_text()
    unit = tmp_path / f"{name}.service"
    unit.write_text(re.sub("^ExecStart=.*$", f"ExecStart=/nowhere/{name}", text, flags=re.MULTILINE))

    def verify():
        return subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True, timeout=60)

    assert "/nowhere/" in verify().stderr
    drop_in = tmp_path / f"{name}.service.d" / "override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nEnvironment=KEYLIME_VERIFIER_PORT=8882\nUser=root\nRestartSec=5s\n"
                       "ExecStart=\nExecStart=/bin/true\n")
    done = verify()
    assert done.returncode == 0 and name not in done.stderr, done.stderr
