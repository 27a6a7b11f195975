# SPDX-License-Identifier: Apache-2.0
"""IMA measurement lists as a kernel would print them, with the value that PCR 10 has after them."""
import hashlib
import struct

SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


def digest_field(algorithm, digest):
    data = algorithm.encode() + b":\0" + digest
    return struct.pack("<I", len(data)) + data


def name_field(name):
    return struct.pack("<I", len(name) + 1) + name + b"\0"


def bytes_field(data):
    return struct.pack("<I", len(data)) + data


class MeasurementList:
    """Lines so far, and the replay of each bank. `column` is the hash of the second column."""

    def __init__(self, column="sha1", banks=("sha256",)):
        self.column = column
        self.lines = []  # of bytes, without line end
        self.pcr = {bank: bytes(SIZES[bank]) for bank in banks}

    def _add(self, template, data, fields):
        shown = hashlib.new(self.column, data).hexdigest()
        self.lines.append(f"10 {shown} {template} ".encode() + fields)
        for bank in self.pcr:
            self._extend(bank, hashlib.new(bank, data).digest())

    def _extend(self, bank, value):
        self.pcr[bank] = hashlib.new(bank, self.pcr[bank] + value).digest()

    def add(self, path, content=None, digest=None, algorithm="sha256"):
        """An ima-ng entry of a file; the digest as hex text."""
        name = path if isinstance(path, bytes) else path.encode()
        made = bytes.fromhex(digest) if digest else hashlib.new(algorithm, content or name).digest()
        self._add("ima-ng", digest_field(algorithm, made) + name_field(name),
                  f"{algorithm}:{made.hex()} ".encode() + name)
        return made.hex()

    def add_signed(self, path, signature=b"", digest=None, algorithm="sha256"):
        """An ima-sig entry."""
        name = path.encode()
        made = bytes.fromhex(digest) if digest else hashlib.new(algorithm, name).digest()
        self._add("ima-sig", digest_field(algorithm, made) + name_field(name) + bytes_field(signature),
                  f"{algorithm}:{made.hex()} {path} {signature.hex()}".encode())
        return made.hex()

    def add_form(self, template, path, algorithm="sha256"):
        """An entry of a file, unsigned, in any of the templates; ima has SHA-1 digests only."""
        name = path.encode()
        made = hashlib.new("sha1" if template == "ima" else algorithm, name).digest()
        if template == "ima":
            self._add(template, made + name.ljust(256, b"\0"), made.hex().encode() + b" " + name)
            return made.hex()
        kind = "ima:" if template in ("ima-ngv2", "ima-sigv2") else ""
        text = f"{kind}{algorithm}:{made.hex()}"
        data = digest_field(kind + algorithm, made) + name_field(name)
        fields, shown = {
            "ima-ng": ([], ""), "ima-ngv2": ([], ""), "ima-sig": ([b""], " "), "ima-sigv2": ([b""], " "),
            "ima-modsig": ([b"", b"", b""], "   "),
            "evm-sig": ([b"", b"", b"", b"", struct.pack("<I", 0), struct.pack("<I", 1000),
                         struct.pack("<H", 0o100755)], "     0 1000 33261"),
        }[template]
        self._add(template, data + b"".join(bytes_field(each) for each in fields),
                  f"{text} {path}{shown}".encode())
        return made.hex()

    def add_buffer(self, name, buffer, algorithm="sha256"):
        """An ima-buf entry: a key that is put on a ring, for example."""
        made = hashlib.new(algorithm, buffer).digest()
        self._add("ima-buf",
                  digest_field(algorithm, made) + name_field(name.encode()) + bytes_field(buffer),
                  f"{algorithm}:{made.hex()} {name} {buffer.hex()}".encode())
        return made.hex()

    def add_violation(self, path):
        """What the kernel writes when a file was written while it was measured."""
        zero = "0" * 2 * SIZES[self.column]
        self.lines.append(f"10 {zero} ima-ng sha256:{'0' * 64} {path}".encode())
        for bank in self.pcr:
            self._extend(bank, b"\xff" * SIZES[bank])

    def text(self, first=0):
        return b"".join(line + b"\n" for line in self.lines[first:])

    def __len__(self):
        return len(self.lines)
