# SPDX-License-Identifier: Apache-2.0
"""What a large attestation costs a real verifier in memory (design 7)."""
import hashlib

import pytest

from lib.log_site import LogSite
from lib.logging_agent import BOOT_AGGREGATE, runtime_policy
from lib.memory import peak, resident
from lib.program import wait_until

ENTRIES = 100_000
# The list itself has 17 MiB: there is no room for a second copy of it.
LIMIT = 30 * 1024
FILES_OF_THE_SYSTEM = runtime_policy(
    {BOOT_AGGREGATE: [hashlib.sha256(BOOT_AGGREGATE.encode()).hexdigest()]}, excludes=["/usr/.*"])


@pytest.fixture
def site(tmp_path):
    site = LogSite(tmp_path)
    yield site
    site.deployment.stop()


def test_a_list_of_100000_entries_is_held_once(site):
    machine = site.enrol(site.machine(), FILES_OF_THE_SYSTEM)
    site.passes(machine)  # what is loaded and compiled once
    idle = resident(site.verifier)
    if idle is None:
        pytest.skip("a sanitizer's own memory would be measured")
    for count in (2, 3):  # the next large one finds room where the first was
        machine.boot()
        machine.run(*(f"/usr/lib/x86_64-linux-gnu/module-{i:08}/file.so.1" for i in range(ENTRIES)))
        assert len(machine.list.text()) > 16 * 1024 * 1024
        machine.attest()
        # The agent's record, not the attestation's: while nobody has judged it, that shows the list.
        wait_until(lambda: machine.record(site.admin)["attestation_count"] == count, 60, "the verdict")
        assert machine.status(site.admin) == "PASS"
    assert peak(site.verifier) - idle < LIMIT
