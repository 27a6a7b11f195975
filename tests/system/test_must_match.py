# SPDX-License-Identifier: Apache-2.0
"""docs/must-match.md names tests and vectors that exist; and the values that both ends of the wire, or an
installation, take for granted."""
import re
import subprocess

import pytest

from lib.named_tests import TESTS, is_defined, named
from lib.program import BINARIES

DOCUMENT = TESTS.parent / "docs/must-match.md"
# How many rows each list has.
LISTS = {"V": 24, "A": 15, "S": 14, "K": 13, "L": 8, "R": 10, "T": 10, "I": 14, "M": 7, "N": 13, "O": 26}


def rows():
    """{number: last cell}."""
    found = re.findall(r"^\| ([A-Z]\d+) \| .* \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(found) == len(dict(found)), "a number stands twice"
    return dict(found)


def vectors():
    """The names of the cases that stand with the known answers."""
    text = "".join(path.read_text() for path in sorted(TESTS.glob("known-answers/*/*.json")))
    return set(re.findall(r'"(?:id|name)": "([^"]+)"', text))


def test_each_list_is_whole():
    assert list(rows()) == [f"{name}{number}" for name, count in LISTS.items() for number in range(1, count + 1)]


@pytest.mark.parametrize("number", rows())
def test_names_tests_that_exist(number):
    cell = rows()[number]
    assert named(cell) or cell == "none yet", cell
    for file, test in named(cell):
        assert is_defined(file, test), (file, test)
    cases = set(re.findall(r"`([\w-]+)`", cell))
    assert cases <= vectors(), cases - vectors()


# push-agent §20.3; configuration-and-operations §10.1, §13, §16.
DEFAULTS = {
    "agent": {
        "timeout": "5000", "attestation_interval_seconds": "60", "exponential_backoff_initial_delay": "10000",
        "exponential_backoff_max_retries": "5", "exponential_backoff_max_delay": "300000",
        "verifier_url": '"https://localhost:8881"', "registrar_port": "8890", "registrar_tls_port": "8891",
        "api_versions": '["3.0"]', "tpm_hash_alg": '"sha256"', "tpm_signing_alg": '"rsassa"',
    },
    "verifier": {
        "ip": "127.0.0.1", "port": "8881", "quote_interval": "2", "nonce_lifetime": "60", "session_lifetime": "180",
        "session_create_rate_limit_per_ip": "50", "session_create_rate_limit_window_ip": "60",
        "session_create_rate_limit_per_agent": "15", "session_create_rate_limit_window_agent": "60",
        "max_upload_size": "104857600",
    },
    "registrar": {"ip": "127.0.0.1", "port": "8890", "tls_port": "8891"},
    "tenant": {"verifier_port": "8881", "registrar_port": "8891"},
}


@pytest.mark.parametrize("program", DEFAULTS)
def test_defaults_are_upstreams(program):
    example = subprocess.run(
        [BINARIES[program], "--example-config"], capture_output=True, text=True, timeout=20, check=True).stdout
    values = dict(re.findall(r"^#(\w+) = (.*)$", example, re.MULTILINE))
    assert {name: values.get(name) for name in DEFAULTS[program]} == DEFAULTS[program]
