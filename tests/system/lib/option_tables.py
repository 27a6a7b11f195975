# SPDX-License-Identifier: Apache-2.0
"""The tables of options in the shared folder's reference documents."""
import dataclasses
import re

from .http_vectors import SHARED

REFERENCE = SHARED / "reference"
CONFIGURATION = "configuration-and-operations.md"


@dataclasses.dataclass
class Row:
    default: str | None  # None: the table does not say
    dead: bool


def section_of(document, heading):
    """The lines below a heading up to the next one."""
    text = (REFERENCE / document).read_text()
    return re.split(r"^#", text.split(f"\n{heading}", 1)[1], maxsplit=1, flags=re.MULTILINE)[0].splitlines()


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def words_of(cell):
    return re.findall(r"`([^`]*)`", cell)


def options_of(document, heading, column):
    """(names, defaults or None, row's text): `column` holds the defaults, None: there is none."""
    for line in section_of(document, heading):
        cells = cells_of(line)
        if not cells or not words_of(cells[0]):
            continue
        names = words_of(cells[0])
        if column is None:
            yield names, None, line
            continue
        cell = cells[column]
        defaults = words_of(cell) or ([""] * len(names) if cell == "empty" else None)
        yield names, defaults, line


class Reference:
    """`rows`: {(section, name): Row} of one program's file."""

    # Fewer mean that a table was not found.
    LEAST = {"verifier": 60, "registrar": 22, "agent": 45, "tenant": 20, "ca": 11, "logging": 10}

    # (document, heading, section, column of defaults)
    PLACES = {
        "verifier": [(CONFIGURATION, "### 3.1", "verifier", 1), (CONFIGURATION, "### 3.2", "revocations", 1)],
        "registrar": [(CONFIGURATION, "## 4.", "registrar", 1)],
        "tenant": [(CONFIGURATION, "## 5.", "tenant", 1)],
        "ca": [(CONFIGURATION, "## 6.", "ca", 1)],
        "agent": [("push-agent.md", "### 3.4", "agent", 2), ("push-agent.md", "### 3.5", "agent", None)],
    }

    # Another default by a decision of the reference's README.
    DECIDED = {
        ("verifier", "mode"): "D112", ("verifier", "challenge_lifetime"): "D80",
        ("registrar", "max_upload_size"): "D24", ("tenant", "accept_tpm_signing_algs"): "D7",
        ("agent", "uuid"): "D91", ("agent", "tpm_encryption_alg"): "contract C46",
        ("agent", "run_as"): "for root only", ("handler_consoleHandler", "level"): "holds nothing back",
        ("handler_consoleHandler", "args"): "servers: standard error, the tenant: standard output",
        ("verifier", "nonce_lifetime"): "in no template",
    }
    # Dead there, alive here by decision.
    ALIVE = {("ca", "cert_lifetime"): "D114", ("revocations", "zmq_ip"): "D108", ("revocations", "zmq_port"): "D108"}

    def __init__(self, component):
        self.rows = {}
        if component == "logging":
            self.read_logging()
            return
        for document, heading, section, column in self.PLACES[component]:
            for names, defaults, line in options_of(document, heading, column):
                self.take(section, names, defaults, "dead" in line)

    def take(self, section, names, defaults, dead):
        whole = defaults is not None and len(defaults) == len(names)
        for number, name in enumerate(names):
            if re.fullmatch(r"\w+", name):
                self.rows[(section, name)] = Row(defaults[number] if whole else None, dead)

    def read_logging(self):
        """The section's name stands in the first cell, or in one of the rows above."""
        section = None
        for line in section_of(CONFIGURATION, "### 7.1"):
            cells = cells_of(line)
            if len(cells) != 3:
                continue
            if named := re.findall(r"`\[(\w+)\]`", cells[0]):
                section = named[0]
            if section:
                self.take(section, words_of(cells[1]), words_of(cells[2]), False)
