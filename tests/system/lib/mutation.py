# SPDX-License-Identifier: Apache-2.0
"""Wrong messages out of right ones: each member of a JSON message dropped and replaced by values of every
type, and texts that are no JSON at all."""
import copy
import json

# Bytes that are no UTF-8, put in as text and exchanged after encoding.
INVALID = "@@invalid-utf-8@@"
INVALID_BYTES = (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
DROPPED = object()
VALUES = {
    "dropped": DROPPED, "null": None, "true": True, "number": 7, "negative": -1,
    "huge number": 10 ** 400, "fraction": 0.5, "empty": "", "text": "x", "long": "A" * 20000,
    "NUL": "a\0b", "control": "\x01\x1b[31m", "astral": "\U0001f600" * 50, "invalid": INVALID,
    "array": [], "nested": [[[[]]]], "object": {}, "null inside": [None], "strange": {"": {"a": None}},
}


def pointers(message, path=()):
    """Paths of every member and of the first element of every array."""
    found = [path] if path else []
    if isinstance(message, dict):
        for name, value in message.items():
            found += pointers(value, path + (name,))
    elif isinstance(message, list) and message:
        found += pointers(message[0], path + (0,))
    return found


def changed(message, path, value):
    message = copy.deepcopy(message)
    place = message
    for step in path[:-1]:
        place = place[step]
    if value is DROPPED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return message


def mutants(message):
    """(name, bytes) of each wrong message."""
    for path in pointers(message):
        for name, value in VALUES.items():
            text = json.dumps(changed(message, path, value)).encode()
            where = "/" + "/".join(str(step) for step in path)
            if name != "invalid":
                yield f"{where}: {name}", text
                continue
            for number, each in enumerate(INVALID_BYTES):
                yield f"{where}: invalid {number}", text.replace(INVALID.encode(), each)


def texts(message):
    """Bodies that are no JSON object, or a strange form of one."""
    good = json.dumps(message).encode()
    yield from (b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b"[[]]", b"{}{}", b"nul", b"\0",
                b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"NaN", b"-", b'{"a":NaN}', b'{"a":1e999}',
                b"{'data': 1}", b'{"a":1,}', b'{"data":"\\ud800"}', b'{"data":"\\u0000"}',
                b'{"a":' + b"9" * 100000 + b"}", b"a=b&c=d", b"<xml/>")
    yield from (b"[" * 100000, b'{"data":' * 50000, b'{"data":' * 900 + b"1" + b"}" * 900,
                b'{"data":' + b"[" * 200 + b"]" * 200 + b"}", b'"' + b"\\" * 99999)
    yield good + b"x"
    yield good + good
    yield good + b"\0"
    for part in range(1, 8):
        yield good[: len(good) * part // 8]
    yield b" " * 100000 + good[:-1]
    yield b'{"data":' + b"{}," * 30000
    yield json.dumps({f"m{number}": number for number in range(20000)}).encode()
    yield (b'{' + b'"data":{},' * 20000 + b'"x":1}')
