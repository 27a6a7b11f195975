# SPDX-License-Identifier: Apache-2.0
"""Firmware event logs as a machine with OVMF, shim and grub would write them, with their PCR values.

Nothing is random: the same choices give the same bytes. What stands for a file, a key or a hash is made
from its name.
"""
import dataclasses
import hashlib
import struct
import uuid

ALGORITHMS = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
NO_ACTION, SEPARATOR, S_CRTM_VERSION = 0x03, 0x04, 0x08
PLATFORM_CONFIG_FLAGS, IPL = 0x0A, 0x0D
VARIABLE_DRIVER_CONFIG, VARIABLE_BOOT, APPLICATION = 0x80000001, 0x80000002, 0x80000003
GPT, ACTION, FIRMWARE_BLOB, HANDOFF_TABLES = 0x80000006, 0x80000007, 0x80000008, 0x80000009
VARIABLE_AUTHORITY = 0x800000E0

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGE_SECURITY = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
CERT_X509 = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
CERT_SHA256 = "c1c41626-504c-4092-aca9-41f936934328"


class EventLog:
    """Bytes so far, and the replay of each bank. The digest of an event is that of its data unless
    `measured` says what the machine really hashed."""

    def __init__(self, banks=("sha1", "sha256")):
        self.banks = banks
        self.pcr = {bank: {} for bank in banks}
        self.extensions = []  # (PCR, {bank: digest}) in their order
        spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks))
        for bank in banks:
            spec += struct.pack("<HH", ALGORITHMS[bank], hashlib.new(bank).digest_size)
        spec += b"\0"
        self.data = bytearray(struct.pack("<II20sI", 0, NO_ACTION, bytes(20), len(spec)) + spec)

    def add(self, pcr, event_type, data, measured=None):
        covered = data if measured is None else measured
        digests = {bank: hashlib.new(bank, covered).digest() for bank in self.banks}
        if event_type == NO_ACTION:
            digests = {bank: bytes(len(digest)) for bank, digest in digests.items()}
        self.data += struct.pack("<III", pcr, event_type, len(digests))
        for bank, digest in digests.items():
            self.data += struct.pack("<H", ALGORITHMS[bank]) + digest
        self.data += struct.pack("<I", len(data)) + data
        if event_type == NO_ACTION:
            return
        self.extensions.append((pcr, digests))
        for bank, digest in digests.items():
            before = self.pcr[bank].get(pcr, bytes(len(digest)))
            self.pcr[bank][pcr] = hashlib.new(bank, before + digest).digest()


def extensions_of(data):
    """What a log's bytes extend, in order: (PCR, {bank: digest}). For logs in good order."""
    names = {number: name for name, number in ALGORITHMS.items()}
    header_size = struct.unpack_from("<I", data, 28)[0]
    count = struct.unpack_from("<I", data, 56)[0]
    sizes = dict(struct.unpack_from("<HH", data, 60 + 4 * i) for i in range(count))
    at = 32 + header_size
    while at < len(data):
        pcr, event_type, digest_count = struct.unpack_from("<III", data, at)
        at += 12
        digests = {}
        for _ in range(digest_count):
            algorithm = struct.unpack_from("<H", data, at)[0]
            size = sizes[algorithm]
            digests[names.get(algorithm)] = data[at + 2:at + 2 + size]
            at += 2 + size
        at += 4 + struct.unpack_from("<I", data, at)[0]
        if event_type != NO_ACTION:
            yield pcr, {name: digest for name, digest in digests.items() if name}


# --- structures ------------------------------------------------------------------------------------


def guid(text):
    return uuid.UUID(text).bytes_le


def guid_of(name):
    return uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes_le


def content(name, size):
    """Bytes that stand for a file."""
    return hashlib.shake_256(name.encode()).digest(size)


def utf16(text):
    return text.encode("utf-16-le") + b"\0\0"


def variable(owner, name, value):
    return guid(owner) + struct.pack("<QQ", len(name), len(value)) + name.encode("utf-16-le") + value


def certificate(name, size=800):
    """The frame of a DER certificate around bytes of its own."""
    return b"\x30\x82" + struct.pack(">H", size - 4) + content("certificate " + name, size - 4)


def signature_list(kind, owner, entries):
    size = 16 + len(entries[0])
    head = guid(kind) + struct.pack("<III", 28 + size * len(entries), 0, size)
    return head + b"".join(guid_of(owner) + entry for entry in entries)


def path_node(kind, subtype, data):
    return struct.pack("<BBH", kind, subtype, 4 + len(data)) + data


PATH_END = path_node(0x7F, 0xFF, b"")


def disk_path(file):
    return (path_node(2, 1, struct.pack("<II", 0x0A0341D0, 0)) + path_node(1, 1, bytes([0, 3]))
            + path_node(4, 1, struct.pack("<IQQ", 1, 0x800, 0x100000) + guid_of("esp") + b"\2\2")
            + path_node(4, 4, utf16(file)) + PATH_END)


def image(path, size):
    return struct.pack("<QQQQ", 0x7E000000, size, 0, len(path)) + path


def partition_table():
    names = (("esp", "EFI System Partition"), ("root", "root"))
    header = struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x10000, 92, 0x12345678, 0, 1, 0x9FFFFF, 34, 0x9FFFDE)
    header += guid_of("disk") + struct.pack("<QIII", 2, 128, 128, 0x9ABCDEF0)
    table = header + struct.pack("<Q", len(names))
    for place, (unique, name) in enumerate(names):
        table += guid_of("kind " + unique) + guid_of(unique)
        table += struct.pack("<QQQ", 0x800 + place * 0x100000, 0x1007FF + place * 0x100000, 0)
        table += name.encode("utf-16-le").ljust(72, b"\0")
    return table


# --- a boot ----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Machine:
    """What may differ from one boot to another."""
    banks: tuple = ("sha1", "sha256")
    secure_boot: bool = True
    firmware: str = "OVMF 2024.02"
    kernel: str = "6.1.0-18-amd64"
    command_line: str = "root=/dev/vda2 ro quiet"
    initrd: str = "initrd of the distribution"  # stands for its content
    keys: tuple = ("vendor 0", "vendor 1")  # certificates in db
    revoked: int = 4  # hashes in dbx
    extra_events: int = 0  # further commands of grub, for large logs


def measure_firmware(log, machine):
    log.add(0, S_CRTM_VERSION, utf16(machine.firmware))
    for base, name in ((0x820000, "PEI volume"), (0x900000, "DXE volume")):
        log.add(0, FIRMWARE_BLOB, struct.pack("<QQ", base, 0xE0000), content(machine.firmware + name, 64))


def measure_keys(log, machine):
    x509 = [signature_list(CERT_X509, "owner", [certificate(name)]) for name in machine.keys]
    revoked = [content(f"revoked {i}", 32) for i in range(machine.revoked)]
    for owner, name, value in (
        (GLOBAL, "SecureBoot", b"\1" if machine.secure_boot else b"\0"),
        (GLOBAL, "PK", signature_list(CERT_X509, "owner", [certificate("platform")])),
        (GLOBAL, "KEK", signature_list(CERT_X509, "owner", [certificate("exchange")])),
        (IMAGE_SECURITY, "db", b"".join(x509)),
        (IMAGE_SECURITY, "dbx", signature_list(CERT_SHA256, "owner", revoked)),
    ):
        log.add(7, VARIABLE_DRIVER_CONFIG, variable(owner, name, value))
    log.add(7, SEPARATOR, bytes(4))


def measure_boot_options(log):
    path = disk_path("\\EFI\\debian\\shimx64.efi")
    option = struct.pack("<IH", 1, len(path)) + utf16("debian") + path
    log.add(1, HANDOFF_TABLES, struct.pack("<Q", 1) + guid_of("SMBIOS") + bytes(8), content("SMBIOS", 64))
    for name in ("etc/table-loader", "etc/acpi/rsdp"):
        log.add(1, PLATFORM_CONFIG_FLAGS, name.encode() + b"\0", content(name, 64))
    log.add(1, VARIABLE_BOOT, variable(GLOBAL, "BootOrder", struct.pack("<H", 1)))
    log.add(1, VARIABLE_BOOT, variable(GLOBAL, "Boot0001", option))
    log.add(4, ACTION, b"Calling EFI Application from Boot Option")
    for pcr in range(7):
        log.add(pcr, SEPARATOR, bytes(4))
    log.add(5, GPT, partition_table())


def measure_application(log, file, name):
    log.add(4, APPLICATION, image(disk_path(file) if file else b"", 0x100000), content(name, 64))


def measure_shim(log, machine):
    if machine.secure_boot:
        key = guid_of("owner") + certificate(machine.keys[0])
        log.add(7, VARIABLE_AUTHORITY, variable(IMAGE_SECURITY, "db", key))
    measure_application(log, "\\EFI\\debian\\shimx64.efi", "shim")
    for name, measured in (("MokList", content("MokList", 64)), ("MokListX", content("MokListX", 64)),
                           ("MokListTrusted", b"\1")):
        log.add(14, IPL, name.encode() + b"\0", measured)
    if machine.secure_boot:
        log.add(7, VARIABLE_AUTHORITY, variable(SHIM, "SbatLevel", b"sbat,1,2023012900\nshim,2\ngrub,3\n"))
        log.add(7, VARIABLE_AUTHORITY, variable(SHIM, "Shim", guid_of("shim") + certificate("distribution")))
    measure_application(log, "\\EFI\\debian\\grubx64.efi", "grub")


def measure_command(log, prefix, text):
    """grub hashes the text without its prefix."""
    log.add(8, IPL, f"{prefix}: {text}\0".encode(), text.encode())


def measure_file(log, path, data):
    log.add(9, IPL, path.encode() + b"\0", data)


def measure_grub(log, machine):
    kernel, initrd = f"/boot/vmlinuz-{machine.kernel}", f"/boot/initrd.img-{machine.kernel}"
    measure_file(log, "(hd0,gpt1)/EFI/debian/grub.cfg", content("grub.cfg", 64))
    for command in ("search.fs_uuid 5d1f0b12 root hd0,gpt2", "set prefix=(hd0,gpt2)/boot/grub",
                    "menuentry Debian GNU/Linux --class debian {\n\tlinux\n\tinitrd\n}",
                    f"linux {kernel} {machine.command_line}"):
        measure_command(log, "grub_cmd", command)
    for number in range(machine.extra_events):
        measure_command(log, "grub_cmd", f"set counter_of_further_commands={number}")
    measure_file(log, f"(hd0,gpt2){kernel}", content("plain " + machine.kernel, 64))
    if machine.secure_boot:
        measure_application(log, None, "kernel " + machine.kernel)
    measure_command(log, "kernel_cmdline", f"(hd0,gpt2){kernel} {machine.command_line}")
    measure_command(log, "grub_cmd", f"initrd {initrd}")
    measure_file(log, f"(hd0,gpt2){initrd}", machine.initrd.encode())


def boot(machine=Machine()):
    log = EventLog(machine.banks)
    measure_firmware(log, machine)
    measure_keys(log, machine)
    measure_boot_options(log)
    measure_shim(log, machine)
    measure_grub(log, machine)
    for text in (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success"):
        log.add(5, ACTION, text)
    return log
