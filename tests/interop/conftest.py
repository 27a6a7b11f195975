# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the interoperability tests: those of the system tests, and upstream's programs."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
sys.path.insert(0, str(HERE))

from lib.simulator import Simulator  # noqa: E402
from upstream import OURS, Installation, MixedDeployment  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "matrix(what, **parts): a cell of docs/interoperability.md")
    config.addinivalue_line("markers", "limit(text): a line there about what upstream's programs cannot do")


cells, limits = [], []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep the outcome of each test that is a cell of the matrix."""
    report = (yield).get_result()
    marker = item.get_closest_marker("matrix")
    if marker and report.when == "call":
        parts = item.callspec.params if hasattr(item, "callspec") else {}
        cells.append({
            "agent": marker.kwargs.get("agent", OURS),
            **{part: parts.get(part, marker.kwargs.get(part, OURS))
               for part in ("registrar", "verifier", "tenant")},
            "what": marker.args[0], "passed": report.passed})
    limit = item.get_closest_marker("limit")
    if limit and report.when == "call":
        parts = item.callspec.params if hasattr(item, "callspec") else {}
        limits.append({"text": limit.args[0].format(**parts), "seen": report.passed})


def pytest_sessionfinish(session):
    """Leave the results to write-matrix, and tell Meson where nothing could be tried."""
    seen = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if seen.get("skipped") and not any(seen.get(outcome) for outcome in ("passed", "failed", "error")):
        session.exitstatus = 77
    if cells or limits:
        place = pathlib.Path(os.environ["BUILD_DIR"]) / "interop"
        place.mkdir(exist_ok=True)
        name = pathlib.Path(session.config.args[0]).stem
        (place / f"{name}.json").write_text(json.dumps({"cells": cells, "limits": limits}))


@pytest.fixture(scope="session")
def installation():
    """Upstream's programs. Without them the tests fail in continuous integration, and are skipped
    for a user whose machine does not reach the package registry."""
    done = subprocess.run([HERE / "install-upstream"], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail(f"upstream's programs cannot be installed: {done.stderr}")
        pytest.skip("upstream's programs cannot be installed: the package registry is out of reach")
    return Installation(done.stdout.strip())


@pytest.fixture
def mixed(tmp_path, installation):
    """Makes a deployment: mixed(registrar, verifier, tenant), each OURS or UPSTREAM."""
    made = []

    def make(registrar, verifier, tenant):
        made.append(MixedDeployment(tmp_path / "deployment", installation, registrar, verifier, tenant))
        return made[-1]

    yield make
    for deployment in made:
        deployment.stop()


@pytest.fixture
def machine(tmp_path):
    """An emulated TPM with an EK certificate, as upstream's tests make it."""
    made = Simulator(tmp_path / "machine", banks="sha1,sha256")
    yield made
    made.stop()
