# SPDX-License-Identifier: Apache-2.0
"""The files of a freshly installed Debian, for machines (lib/machine.py) that have nothing of this one."""
import pathlib
import shutil
import subprocess

import pytest

from .machine import why_not

# What a person has on a server, and an emulated TPM in the place of a chip.
INCLUDED = "systemd,systemd-sysv,sudo,openssh-server,iproute2,swtpm,swtpm-tools"


def fresh_debian(directory):
    """A directory with it, made at the first call (some minutes) and kept in `directory`."""
    reason = why_not(directory)
    if reason:
        pytest.skip(reason)
    tree = pathlib.Path(directory) / "fresh-debian"
    if (tree / "usr/bin/sudo").exists():
        return tree
    if not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    shutil.rmtree(tree, ignore_errors=True)
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", "--aptopt=Apt::Install-Recommends \"false\"",
         f"--include={INCLUDED}", "bookworm", str(tree)], capture_output=True, text=True, timeout=1500)
    if made.returncode != 0:
        pytest.skip(f"no Debian could be installed: {made.stderr.strip().splitlines()[-1:]}")
    return tree


# $1: the overlay's directory, $2: the tree under it, $3: a script for the new tree's shell.
CHANGE = """
set -e
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
cp /etc/resolv.conf "$1/root/etc/"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \\
    chroot "$1/root" sh -e -c "$3"
"""


def with_packages(tree, directory, packages):
    """`tree` and these .deb files, installed with what they need by apt: trees for Machine."""
    directory = pathlib.Path(directory)
    for part in ("upper/tmp/packages", "work", "root"):
        (directory / part).mkdir(parents=True)
    for package in packages:
        shutil.copy(package, directory / "upper/tmp/packages")
    (directory / "upper/tmp").chmod(0o1777)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", CHANGE, "sh", directory, tree,
         "apt-get -q update && apt-get -q -y install --no-install-recommends /tmp/packages/*.deb"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return f"{directory}/upper:{tree}"
