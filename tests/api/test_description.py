# SPDX-License-Identifier: Apache-2.0
"""Every route of the servers' tables is described in docs/api as it is, and nothing else is."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from description import SERVERS, load, operations, resolved

TOOLS = pathlib.Path(os.environ["BUILD_DIR"]) / "tests/api"
SECURITY = {
    "public": [{}],
    "open": [{}, {"administrator": []}],
    "admin": [{"administrator": []}],
    "agent": [{"agent": []}],
    "agent or admin": [{"administrator": []}, {"agent": []}],
}


def routes(server):
    """(method, path of the description) -> route."""
    made = {}
    done = subprocess.run([TOOLS / f"list_{server}_routes"], capture_output=True, check=True, timeout=60)
    for route in json.loads(done.stdout):
        path = re.sub(r":(\w+)", r"{\1}", route["pattern"])
        for prefix in route["prefixes"]:
            assert (route["method"], prefix + path) not in made
            made[route["method"], prefix + path] = route
    return made


def described(document):
    return {(method, path): operation for method, path, operation in operations(document)}


@pytest.fixture(params=SERVERS)
def both(request):
    """(description, its operations, the routes) of one server."""
    document = load(request.param)
    return document, described(document), routes(request.param)


def test_each_route_is_described_and_each_description_has_its_route(both):
    _, operations_, routes_ = both
    assert operations_.keys() == routes_.keys()
    assert len(routes_) > 10


def test_the_description_tells_who_may_call(both):
    document, operations_, routes_ = both
    for key, route in routes_.items():
        assert operations_[key].get("security", document["security"]) == SECURITY[route["access"]], key


def test_the_description_tells_the_body_and_its_type(both):
    document, operations_, routes_ = both
    for key, route in routes_.items():
        body = resolved(document, operations_[key].get("requestBody"))
        assert (body is not None) == (route["body"] is not None), key
        if body:
            assert body["required"] is True
            if route["body"] == "json api":
                assert list(body["content"]) == ["application/vnd.api+json"], key


def test_the_description_tells_the_parameters_of_the_path(both):
    document, _, _ = both
    for method, path, operation in operations(document):
        item = document["paths"][path]
        given = [resolved(document, each)
                 for each in item.get("parameters", []) + operation.get("parameters", [])]
        names = [each["name"] for each in given if each["in"] == "path"]
        assert names == re.findall(r"\{(\w+)\}", path), (method, path)


def test_the_description_tells_what_every_request_may_meet(both):
    """Statuses that come from the server's layer and not from the route's handler."""
    document, operations_, routes_ = both
    for key, route in routes_.items():
        statuses = set(operations_[key]["responses"])
        wanted = set() if route["ignores_token"] else {"401"}
        if route["access"] not in ("public",):
            wanted.add("403")
        if route["body"]:
            wanted |= {"400", "413"}
        if route["body"] == "json api":
            wanted.add("415")
        assert wanted <= statuses, key


def test_each_operation_has_a_name_of_its_own_and_says_what_it_does(both):
    document, operations_, _ = both
    names = [operation["operationId"] for operation in operations_.values()]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in document["tags"]}
    for key, operation in operations_.items():
        assert operation["summary"] and set(operation["tags"]) <= tags, key


def test_everything_that_is_described_is_used(both):
    """No left-over component, and no reference to one that is not there."""
    document, _, _ = both
    used = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)))
    for kind, name in used:
        assert name in document["components"][kind], (kind, name)
    for kind in ("parameters", "responses", "schemas", "headers", "requestBodies", "examples"):
        for name in document["components"].get(kind, {}):
            assert (kind, name) in used, (kind, name)
