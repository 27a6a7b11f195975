# SPDX-License-Identifier: Apache-2.0
"""The Debian packages of DEB_DIR on fresh systems. `make check-packages` runs these tests."""
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "system"))
os.environ.setdefault("BUILD_DIR", str(TESTS.parent / "build"))

from lib.fresh_tree import fresh_debian, with_packages  # noqa: E402

DEBS = pathlib.Path(os.environ.get("DEB_DIR", TESTS.parent / "build-deb"))
PROGRAMS = ("verifier", "registrar", "agent", "tenant")


def deb(name):
    """The file of keylime-c-NAME."""
    found = [path for path in DEBS.glob(f"keylime-c-{name}_*.deb")]
    assert len(found) == 1, f"keylime-c-{name} in {DEBS}: {found}; make deb"
    return found[0]


@pytest.fixture(scope="session")
def fresh():
    return fresh_debian(DEBS)


@pytest.fixture(scope="session")
def whole(fresh, tmp_path_factory):
    """A system with every package."""
    return with_packages(fresh, tmp_path_factory.mktemp("whole"), [deb(n) for n in ("common", *PROGRAMS)])


@pytest.fixture(scope="session")
def agent_only(fresh, tmp_path_factory):
    return with_packages(fresh, tmp_path_factory.mktemp("agent"), [deb("common"), deb("agent")])
