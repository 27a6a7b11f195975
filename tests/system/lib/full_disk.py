# SPDX-License-Identifier: Apache-2.0
"""A program whose directory lies on a full file system of its own, which only it sees."""
import os
import subprocess

from .private_etc import PrivateEtc

usable = PrivateEtc.usable

# $0 the directory, $1 its size, $2 what it holds at first, the rest the command.
SCRIPT = """
mount -t tmpfs -o size="$1" none "$0" && cp -a "$2/." "$0" || exit 99
cat /dev/zero > "$0/filler" 2>/dev/null
list() { (cd "$0" && find . -type f ! -name filler ! -name .lock -exec sha256sum {} + | sort -k 2); }
list; echo; shift 2; "$@" >&2; status=$?; list; exit $status
"""


def run(directory, content, command, env, size="64k"):
    """(what was done, files before, files after); both {name: digest}. Output of the command is in stderr."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, str(directory), size, str(content), *map(str, command)],
        env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60)
    before, _, after = done.stdout.partition("\n\n")
    return done, *({line[66:]: line[:64] for line in part.splitlines() if line} for part in (before, after))
