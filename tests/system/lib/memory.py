# SPDX-License-Identifier: Apache-2.0
"""Memory of a program under test, in KiB; None where a sanitizer's own would be measured with it."""
import pathlib


def _kibibytes(program, field):
    process = pathlib.Path("/proc") / str(program.pid)
    maps = (process / "maps").read_text()
    if "libasan" in maps or "libtsan" in maps or "clang_rt" in maps:
        return None
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {field}")


def resident(program):
    return _kibibytes(program, "VmRSS")


def peak(program):
    """The most that was ever resident."""
    return _kibibytes(program, "VmHWM")
