# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests: real processes, real TLS, an emulated TPM."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib.deployment import Deployment  # noqa: E402
from lib.simulator import Simulator  # noqa: E402

POSTGRESQL = pathlib.Path(__file__).resolve().parents[1] / "postgresql-server"


@pytest.fixture
def deployment(tmp_path):
    """An empty deployment; nothing is started yet."""
    made = Deployment(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def simulator(tmp_path):
    """An emulated TPM with an EK certificate."""
    if not shutil.which("swtpm"):
        pytest.skip("swtpm is not installed")
    made = Simulator(tmp_path / "simulator")
    yield made
    made.stop()


class PostgresqlServer:
    """A private cluster; each call of create() makes a fresh database."""

    def __init__(self, directory, url):
        self.directory = directory
        self.url = url
        self.count = 0

    def create(self, name):
        """URL of a new database."""
        self.count += 1
        database = f"{name}_{self.count}"
        subprocess.run(
            ["psql", self.url, "-qc", f"CREATE DATABASE {database}"], check=True, timeout=30
        )
        return self.url.rsplit("/", 1)[0] + "/" + database


@pytest.fixture(scope="session")
def postgresql():
    """A running PostgreSQL, or a skip where none is installed."""
    # Not below pytest's own directory: the server's user could not enter that.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="keylime-postgresql-"))
    started = subprocess.run(
        [str(POSTGRESQL), "start", str(directory)], capture_output=True, text=True, timeout=90
    )
    if started.returncode == 77:
        pytest.skip("PostgreSQL is not installed")
    assert started.returncode == 0, started.stderr
    yield PostgresqlServer(directory, started.stdout.strip().splitlines()[-1])
    subprocess.run([str(POSTGRESQL), "stop", str(directory)], timeout=60)
    shutil.rmtree(directory, ignore_errors=True)
