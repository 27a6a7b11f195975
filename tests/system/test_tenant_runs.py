# SPDX-License-Identifier: Apache-2.0
"""Recorded runs of upstream's keylime_tenant, repeated with ours: exit status, lines and printed records are
what scripts cut on (tenant-and-management-api 2.11; decision D102; contract U8)."""
import json
import re

import pytest

from lib.http_vectors import SHARED
from lib.program import wait_until

RUNS = SHARED / "vectors/tenant/upstream-tenant-runs.json"
AGENT = "f0a49f5b-5dea-514c-9226-ad158108a944"

# In this order; the runs about policies are not among them. "add" is the test's own.
SEQUENCE = [
    "unknown-command", "reglist", "regstatus", "regstatus-unknown", "cvlist-before", "cvstatus-not-enrolled",
    "add-minimal-as-documented", "cvstatus-pending", "cvstatus-without-push-flag", "add-again-conflict", "delete",
    "delete-again", "add-unregistered", "add-bad-tpm-policy", "add-tpm-policy-pcr10", "add", "status-pass",
    "bulkinfo", "cvlist", "reactivate", "cvstatus-after-reactivate", "delete-final", "regdelete",
    "regdelete-again", "invalid-uuid",
]

# Deliberate: exit status here, where it is another one (D102).
STATUS = {"regdelete-again": 1}

# Recorded lines that ours does not print: upstream's own surroundings, and what says nothing about this run.
LEFT_OUT = re.compile(
    r"upgrade templates path|Reading configuration from|Using default client_|client_key_password option|"
    r"Using default UUID|Using API version 1\.0 for agent|Expecting property name|^Traceback|^ |^\w+(\.\w+)*Error: |"
    r"^Exception: |^$")
# The other way round: an unknown command is refused before anything is set up.
EARLY = {"unknown-command": re.compile("Setting up client TLS|TLS is enabled")}


def messages(text, deployment=None):
    """Lines without their time; ports as recorded; JSON as the names of its members, in order."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"^\S+ \S+ - (?=keylime)", "", line)
        if deployment:
            line = line.replace(str(deployment.verifier_port), "8881")
            line = line.replace(str(deployment.registrar_tls_port), "8891")
        lines.append(line)
    return lines


def shape(value):
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return "..."


def outline(line):
    """The line up to its JSON or Python object, and that object's shape if it is about our agent."""
    head, brace, rest = line.partition("{")
    if not brace or "Agent" in head and "does not exist" in rest:
        return line, None
    try:
        return head, shape(json.loads("{" + rest))
    except ValueError:
        return head, None


def holds(ours, theirs):
    """Every member of theirs is in ours, in the same order."""
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return ours == theirs
    theirs = {name: member for name, member in theirs.items()
              if name == AGENT or not re.fullmatch(r"[0-9a-f-]{36}", name)}
    names = [name for name in ours if name in theirs]
    return names == list(theirs) and all(holds(ours[name], theirs[name]) for name in names)


def prints(line, printed):
    head, record = outline(line)
    for ours in printed:
        our_head, our_record = outline(ours)
        if our_head == head and (record is None or our_record is not None and holds(our_record, record)):
            return True
    return False


@pytest.mark.skipif(not RUNS.exists(), reason=f"no recorded runs at {RUNS}")
def test_recorded_runs(deployment):
    runs = {run["name"]: run for run in json.loads(RUNS.read_text())["runs"]}
    deployment.env["KEYLIME_TENANT_REQUIRE_EK_CERT"] = "False"
    deployment.start_verifier()
    deployment.start_registrar()
    agent = deployment.start_agent(AGENT, "--avoid-tpm")
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    for name in SEQUENCE:
        if name == "add":
            deployment.tenant("-c", "add", "--push-model", "-u", AGENT, check=0)
            wait_until(lambda: deployment.status(AGENT) == "PASS", what="PASS")
            agent.stop()  # its records stay as they are
            continue
        run = runs[name]
        done = deployment.tenant(*run["argv"][1:])
        assert done.returncode == STATUS.get(name, run["rc"]), (name, done.stdout)
        printed = messages(done.stdout, deployment)
        for line in messages(run["stdout"]):
            if not LEFT_OUT.search(line) and not (name in EARLY and EARLY[name].search(line)):
                assert prints(line, printed), (name, line, done.stdout)
