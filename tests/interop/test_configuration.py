# SPDX-License-Identifier: Apache-2.0
"""Upstream's own configuration files, and upstream's databases, beside our programs."""
import hashlib
import subprocess

import pytest

from lib.program import BINARIES, BUILD
from upstream import OURS, UPSTREAM

SERVERS = ("verifier", "registrar")


EXPECTED = (
    # Upstream's file leaves the password of the CA's key so, and upstream's programs warn of it too.
    "Using 'default' password option from CA configuration file",
    # Said once at each start, because the option does the opposite of its name (decision D42).
    "Option ignore_tomtou_errors = False",
)


def complaints(text):
    return [line for line in text.splitlines() if not any(words in line for words in EXPECTED)
            and any(word in line for word in (" WARNING ", " ERROR ", " CRITICAL "))]


@pytest.mark.parametrize("component", [*SERVERS, "tenant", "ca"])
def test_generated_file_is_read_in_silence(mixed, component):
    """Every value is known and good; nothing that an operator would have to act upon."""
    deployment = mixed(OURS, OURS, OURS)
    program = BINARIES.get(component, BUILD / f"src/{component}/keylime_{component}")
    done = subprocess.run([program, "--check-config"], env=deployment.env,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert complaints(done.stdout + done.stderr) == []
    where = f"{deployment.directory}/etc/{component}.conf"
    assert where in done.stdout, "the values come from upstream's file"


def test_agent_file_of_upstream(mixed):
    """agent.conf as the generator writes it, for an agent that is no more: what is no option of
    today's agent is named and ignored, and what is empty has the default (push-agent 3.3)."""
    deployment = mixed(OURS, OURS, OURS)
    deployment.env["KEYLIME_AGENT_CONFIG"] = str(deployment.directory / "etc/agent.conf")
    done = subprocess.run([BINARIES["agent"], "--check-config"], env=deployment.env,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    for line in complaints(done.stdout + done.stderr):
        assert "unknown option" in line or "Empty string provided" in line, line


def test_servers_say_nothing_that_a_user_would_mind(mixed):
    deployment = mixed(OURS, OURS, OURS)
    deployment.start_servers()
    for server in SERVERS:
        assert complaints((deployment.directory / f"{server}.log").read_text()) == []


def digests(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.glob("*.sqlite")}


def test_databases_are_each_programs_own(mixed):
    """Upstream's servers ran in the same directory before and after ours: nobody touched what is not
    its own."""
    deployment = mixed(OURS, OURS, OURS)
    deployment.start_servers()
    deployment.stop()
    ours = digests(deployment.keylime_dir)
    assert set(ours) == {"verifier.sqlite", "registrar.sqlite"}
    deployment.makers.update(verifier=UPSTREAM, registrar=UPSTREAM)
    deployment.start_servers()
    deployment.stop()
    both = digests(deployment.keylime_dir)
    assert both.items() >= ours.items()
    theirs = both.keys() - ours.keys()
    assert theirs
    deployment.makers.update(verifier=OURS, registrar=OURS)
    deployment.start_servers()
    deployment.stop()
    after = digests(deployment.keylime_dir)
    assert {name: after[name] for name in theirs} == {name: both[name] for name in theirs}
