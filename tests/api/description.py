# SPDX-License-Identifier: Apache-2.0
"""The API's description as the repository has it (docs/api)."""
import pathlib

import yaml

TESTS = pathlib.Path(__file__).resolve().parents[1]
SYSTEM_TESTS = TESTS / "system"  # its lib/ starts the servers
DIRECTORY = TESTS.parent / "docs/api"
SERVERS = ("verifier", "registrar")
METHODS = ("get", "post", "put", "patch", "delete")


def path_of(server):
    return DIRECTORY / f"{server}.yaml"


def load(server):
    return yaml.safe_load(path_of(server).read_text())


def resolved(document, value):
    """What a reference stands for."""
    while isinstance(value, dict) and "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def operations(document):
    """(method, path, operation) of each."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]
