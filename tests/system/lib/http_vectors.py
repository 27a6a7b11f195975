# SPDX-License-Identifier: Apache-2.0
"""The captured requests and answers of the shared folder (vectors/http): reading them, putting this run's
ids, keys and tokens in their places, and comparing answers."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import struct

SOURCE = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("KEYLIME_SHARED") or SOURCE.parent / "shared")
CAPTURE = SHARED / "vectors" / "http" / "upstream-capture.json"

# Members whose captured values are keys of the captured machine.
KEYS = ("aik_tpm", "ek_tpm", "ak_tpm", "public", "local_identifier")
# Longer than any wrong value among the captured cases, shorter than any right one.
COMPUTED = 90


def load():
    """The cases, each with a unique "key": group/name."""
    cases = json.loads(CAPTURE.read_text())["cases"]
    for case in cases:
        case["key"] = f"{case['group']}/{case['name']}"
    assert len({case["key"] for case in cases}) == len(cases)
    return cases


class Answer:
    """status None: the server closed the connection without an answer."""

    def __init__(self, status, headers=None, body=b""):
        self.status = status
        self.headers = headers or {}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Wire:
    """One server: each request on a connection of its own, byte for byte as it is told."""

    def __init__(self, port, ca=None, certificate=None, plain_port=None):
        self.port = port
        self.plain_port = plain_port
        self.contexts = {}
        for name, chain in (("anonymous", None), ("admin", certificate)):
            context = ssl.create_default_context(cafile=ca)
            if chain:
                context.load_cert_chain(*chain)
            self.contexts[name] = context

    def connect(self, scheme="https", admin=False):
        port = self.port if scheme == "https" or self.plain_port is None else self.plain_port
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        if scheme == "http":
            return plain
        context = self.contexts["admin" if admin else "anonymous"]
        return context.wrap_socket(plain, server_hostname="localhost")

    def exchange(self, data, scheme="https", admin=False, method="GET"):
        with self.connect(scheme, admin) as connection:
            try:
                connection.sendall(data)
                response = http.client.HTTPResponse(connection, method=method)
                response.begin()
                body = response.read()
            except (ConnectionError, http.client.BadStatusLine, ssl.SSLError):
                return Answer(None)
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, body)

    def request(self, method, path, headers=None, body=None, scheme="https", admin=False):
        """As the capture did: Host, Accept, and Content-Length where a body may be."""
        fields = {"Host": f"localhost:{self.port}", "Accept": "*/*", **(headers or {})}
        data = b"" if body is None else body if isinstance(body, bytes) else body.encode()
        if body is not None or method in ("POST", "PUT", "PATCH"):
            fields["Content-Length"] = str(len(data))
        head = f"{method} {path} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.exchange(head.encode() + b"\r\n" + data, scheme, admin, method)


def fill(text, values):
    """{{name}} replaced by values[name]."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], text)


def placeholders(text):
    """The names of a template, in order of appearance, each once."""
    return list(dict.fromkeys(re.findall(r"\{\{(\w+)\}\}", text)))


def walk(value, visit, name=None):
    """A copy of a JSON value; visit(name, text) may replace each text."""
    if isinstance(value, dict):
        return {key: walk(each, visit, key) for key, each in value.items()}
    if isinstance(value, list):
        return [walk(each, visit, name) for each in value]
    return visit(name, value) if isinstance(value, str) else value


def with_keys(body, ak, ek=None):
    """The body with this run's keys where the captured machine's stood; wrong values stay."""
    ours = {
        "aik_tpm": ak.ak_tpm,
        "ak_tpm": ak.ak_tpm,
        "public": ak.ak_tpm,
        "local_identifier": base64.b64encode(ak.name).decode(),
        "ek_tpm": base64.b64encode(ek.tpm2b_public).decode() if ek else None,
    }

    def visit(name, text):
        return ours[name] if ours.get(name) and len(text) > 40 else text

    return walk(body, visit)


def with_data(body, data):
    """The body with computed members where the capture has computed ones; wrong values stay."""

    def visit(name, text):
        return data[name] if name in data and len(text) > COMPUTED else text

    return walk(body, visit)


def measurement_list(cases):
    """The captured machine's list and PCR 10 after it: (lines, {number of lines: value})."""
    lines = []
    for key in ("flow/attestation-evidence", "flow/second-attestation-evidence-via-latest"):
        body = json.loads(next(case for case in cases if case["key"] == key)["request"]["body"])
        item = body["data"]["attributes"]["evidence_collected"][1]
        lines += item["data"]["entries"].splitlines(keepends=True)
    values = {0: bytes(32)}
    for number, line in enumerate(lines):
        _, _, _, digest, path = line.rstrip("\n").split(" ")
        algorithm, value = digest.split(":")
        field = algorithm.encode() + b":\0" + bytes.fromhex(value)
        name = path.encode() + b"\0"
        data = struct.pack("<I", len(field)) + field + struct.pack("<I", len(name)) + name
        values[number + 1] = hashlib.sha256(values[number] + hashlib.sha256(data).digest()).digest()
    return lines, values


# --- comparison ---------------------------------------------------------------------------------------


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", dict: "object", list: "array", type(None): "null"}[type(value)]


def differences(theirs, ours, ignored, pointer=""):
    """What a reader of `theirs` would miss in `ours`: absent members, other types, other fixed values.
    Members beyond theirs are fine. `ignored`: patterns of pointers whose value is not compared; with a
    trailing "!" neither are type and presence."""
    if any(re.fullmatch(each[:-1], pointer) for each in ignored if each.endswith("!")):
        return []
    if theirs is None:
        return []
    if kind(theirs) != kind(ours):
        return [f"{pointer}: {kind(theirs)} became {kind(ours)}"]
    found = []
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            where = f"{pointer}/{name}"
            if name not in ours:
                if not any(re.fullmatch(each[:-1], where) for each in ignored if each.endswith("!")):
                    found.append(f"{where}: absent")
            else:
                found += differences(value, ours[name], ignored, where)
        return found
    if any(re.fullmatch(each, pointer) for each in ignored if not each.endswith("!")):
        return []
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], dict):
        if len(theirs) != len(ours):
            return [f"{pointer}: {len(ours)} elements, not {len(theirs)}"]
        for index, (left, right) in enumerate(zip(theirs, ours)):
            found += differences(left, right, ignored, f"{pointer}/{index}")
        return found
    return [] if theirs == ours else [f"{pointer}: {ours!r}, not {theirs!r}"]


def complaint(answer):
    """What an error answer says is wrong; AssertionError where it says nothing clear."""
    body = answer.json()
    assert isinstance(body, dict), body
    if "errors" in body:
        for error in body["errors"]:
            assert error["status"] == str(answer.status), body
            assert isinstance(error["detail"], str) and len(error["detail"]) >= 10, body
            assert error.get("title") or error.get("code"), body
        assert body["errors"], body
        return "errors"
    if "code" in body:
        assert body["code"] == answer.status and "results" in body, body
        assert isinstance(body["status"], str) and body["status"], body
        return "envelope"
    # A refused proof is told as a resource (verifier-push-api 4.2).
    attributes = body["data"]["attributes"]
    assert attributes["evaluation"] == "fail" and "token" not in attributes, body
    return "resource"
