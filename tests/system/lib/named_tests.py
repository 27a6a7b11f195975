# SPDX-License-Identifier: Apache-2.0
"""The tests that tables of the documents name as `file::test`."""
import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parents[2]


def named(cell):
    """[(file, test)] of a table's cell."""
    return re.findall(r"`([\w/-]+\.(?:py|c))::(\w+)`", cell)


def text_of(file):
    """The file's text, "" if there is none: interop/, packages/ and known-answers/ are named with their folder, any other
    .py is a system test, any other .c a unit test."""
    apart = file.startswith(("interop/", "packages/", "known-answers/"))
    path = TESTS / ("" if apart else "system" if file.endswith(".py") else "unit") / file
    return path.read_text() if path.exists() else ""


def is_defined(file, test):
    definition = rf"^def {test}\(" if file.endswith(".py") else rf"^(?:static )?void {test}\("
    return re.search(definition, text_of(file), re.MULTILINE) is not None
