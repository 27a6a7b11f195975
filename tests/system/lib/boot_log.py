# SPDX-License-Identifier: Apache-2.0
"""Boot event logs in the crypto-agile form that firmware writes (measured-boot 4), and what the PCRs are
after them."""
import hashlib
import struct
import uuid

ALGORITHMS = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C}
EV_NO_ACTION = 0x00000003
EV_SEPARATOR = 0x00000004
EV_ACTION = 0x00000005
EV_S_CRTM_VERSION = 0x00000008
EV_IPL = 0x0000000D
EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")


class BootLog:
    """Events so far, in the order in which they are added."""

    def __init__(self, banks=("sha1", "sha256")):
        self.banks = banks
        self.events = []  # of (PCR, type, data, {bank: digest})

    def add(self, pcr, kind, data, measured=None):
        """`measured`: what the digests are of, unless it is the data."""
        content = data if measured is None else measured
        digests = {bank: hashlib.new(bank, content).digest() for bank in self.banks}
        self.events.append((pcr, kind, data, digests))
        return self

    def variable(self, guid, name, content, pcr=7):
        data = guid.bytes_le + struct.pack("<QQ", len(name), len(content))
        return self.add(pcr, EV_EFI_VARIABLE_DRIVER_CONFIG, data + name.encode("utf-16-le") + content)

    def command_line(self, text):
        return self.add(8, EV_IPL, b"kernel_cmdline: " + text.encode() + b"\0", text.encode())

    def binary(self):
        header = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(self.banks))
        for bank in self.banks:
            header += struct.pack("<HH", ALGORITHMS[bank], hashlib.new(bank).digest_size)
        header += b"\0"
        log = struct.pack("<II", 0, EV_NO_ACTION) + bytes(20) + struct.pack("<I", len(header)) + header
        for pcr, kind, data, digests in self.events:
            log += struct.pack("<III", pcr, kind, len(digests))
            for bank, digest in digests.items():
                log += struct.pack("<H", ALGORITHMS[bank]) + digest
            log += struct.pack("<I", len(data)) + data
        return log

    def replay(self, bank):
        """PCR -> value, of the PCRs that the log extends."""
        values = {}
        for pcr, kind, _, digests in self.events:
            if kind != EV_NO_ACTION:
                before = values.get(pcr, bytes(hashlib.new(bank).digest_size))
                values[pcr] = hashlib.new(bank, before + digests[bank]).digest()
        return values


def usual(command_line="root=/dev/vda1 ro", banks=("sha1", "sha256")):
    """A short log of a machine with Secure Boot off."""
    log = BootLog(banks)
    log.add(0, EV_S_CRTM_VERSION, "1.0".encode("utf-16-le") + b"\0\0")
    log.variable(GLOBAL, "SecureBoot", b"\0")
    log.variable(GLOBAL, "PK", b"")
    log.variable(GLOBAL, "KEK", b"")
    log.variable(SECURITY, "db", b"")
    log.variable(SECURITY, "dbx", b"")
    for pcr in range(8):
        log.add(pcr, EV_SEPARATOR, bytes(4))
    return log.command_line(command_line)
