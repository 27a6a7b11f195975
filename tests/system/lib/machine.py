# SPDX-License-Identifier: Apache-2.0
"""A machine of its own, booted by systemd: namespaces, and an overlay over the root of this machine or
over another tree, so that nothing of it is changed. Commands in it run as its root.

Boots in about a second, and needs root, cgroups of version 2, and Debian's systemd in the tree."""
import os
import pathlib
import shutil
import signal
import subprocess
import textwrap

import pytest

from .program import wait_until

# Runs in the new namespaces, and becomes the machine's first process. $1: the machine's directory,
# $2: the tree under it, $3: host name, $4: unit to reach.
FIRST_PROCESS = """
set -e
root=$1/root
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1/changes"
mkdir "$1/changes/upper" "$1/changes/work"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/changes/upper,workdir=$1/changes/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
# As the kernel makes it: log files that only root may read come here.
mount -t tmpfs -o mode=755 tmpfs "$root/sys/kernel/security"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do cp -a "/dev/$node" "$root/dev/"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/tmp"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/console"
: >"$root/etc/fstab"
: >"$root/etc/machine-id"
echo "$3" >"$root/etc/hostname"
hostname "$3"
ip link set lo up
mkdir -p "$root/var/log/journal" "$root/mnt"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \\
    --log-target=journal --show-status=no "systemd.unit=$4" </dev/null >/dev/console 2>&1
"""


def cgroup_root():
    """Where cgroups of version 2 are mounted, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and os.access(fields[1], os.W_OK):
            return pathlib.Path(fields[1])
    return None


def why_not(changes=None):
    """The reason why no machine can be booted here, or None; with `changes`, whose changes are kept in that directory."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if not pathlib.Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if cgroup_root() is None:
        return "no cgroups of version 2 that can be written"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup", "sh", "-c",
         "d=$(mktemp -d ${1:+-p \"$1\"}); test \"$1\" || mount -t tmpfs tmpfs $d; mkdir $d/u $d/w $d/r && "
         "mount -t overlay overlay -o lowerdir=/,upperdir=$d/u,workdir=$d/w $d/r; ended=$?; "
         "umount $d/r $d 2>/dev/null; rm -rf $d; exit $ended", "sh", changes or ""],
        capture_output=True, text=True, timeout=30)
    return None if tried.returncode == 0 else f"no namespaces or overlays here: {tried.stderr.strip()}"


class Machine:
    """`tree` is the directory to start from, or several as overlays list them; `unit` is reached by the boot."""

    count = 0

    def __init__(self, directory, name="machine", tree="/", unit="basic.target"):
        reason = why_not()
        if reason:
            pytest.skip(reason)
        Machine.count += 1
        self.name = name
        self.directory = pathlib.Path(directory) / f"{name}-{Machine.count}"
        for part in ("root", "changes"):
            (self.directory / part).mkdir(parents=True)
        self.cgroup = cgroup_root() / f"keylime-test-{os.getpid()}-{Machine.count}"
        self.cgroup.mkdir()
        self.log = open(self.directory / "boot.log", "wb")
        self.process = subprocess.Popen(
            ["sh", "-c",
             f"echo $$ >{self.cgroup}/cgroup.procs && exec unshare --mount --pid --fork --kill-child "
             "--net --uts --ipc --cgroup sh -c \"$0\" sh \"$@\"",
             FIRST_PROCESS, self.directory, tree, name, unit],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.pid = wait_until(self.first_process, what="the first process")
            wait_until(self.is_up, 60, "the end of the boot", 0.2)
        except BaseException:
            self.stop()
            raise

    def first_process(self):
        assert self.process.poll() is None, (self.directory / "boot.log").read_text()
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in children.split():
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                return int(pid)
        return None

    def is_up(self):
        state = self.run("systemctl", "is-system-running", check=None).stdout.strip()
        return state in ("running", "degraded")

    def command(self, *arguments):
        return ["nsenter", f"--target={self.pid}", "--all", "--root", "--wdns=/", "env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                *map(str, arguments)]

    def run(self, *arguments, check=0, timeout=60):
        """The finished command; `check` asserts its exit status."""
        done = subprocess.run(self.command(*arguments), text=True, capture_output=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        if check is not None:
            assert done.returncode == check, f"{arguments}: {done.stdout}{done.stderr}{self.trouble()}"
        return done

    def shell(self, script, **more):
        return self.run("sh", "-e", "-c", textwrap.dedent(script), **more)

    def write(self, path, content, mode="0644"):
        """`content` is bytes, or a text that may be indented."""
        if isinstance(content, str):
            content = textwrap.dedent(content).encode()
        subprocess.run(self.command("install", "-D", "-m", mode, "/dev/stdin", path), input=content,
                       check=True, timeout=60)

    def read(self, path):
        return self.run("cat", path).stdout

    def lay(self, directory):
        """A tree of this machine, laid over the machine's root."""
        packed = subprocess.run(["tar", "-C", str(directory), "-c", "."], capture_output=True, check=True,
                                timeout=120).stdout
        subprocess.run(self.command("tar", "-C", "/", "-x"), input=packed, check=True, timeout=120)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).stdout.strip()

    def active(self, unit):
        return self.show(unit, "ActiveState")

    def wait_active(self, unit, seconds=30):
        wait_until(lambda: self.active(unit) == "active", seconds, f"{unit} to be active")

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def wait_for_line(self, unit, text, seconds=30):
        wait_until(lambda: text in self.journal(unit), seconds, f"{text!r} in the journal of {unit}", 0.2)

    def trouble(self):
        """The last lines of the journal, for a failed assertion."""
        done = subprocess.run(self.command("journalctl", "--no-pager", "-n", "60", "-o", "short"),
                              capture_output=True, text=True, timeout=30)
        return "\n--- journal\n" + done.stdout

    def connect(self, other, mine, theirs):
        """A cable between two machines, with these addresses."""
        subprocess.run(["ip", "link", "add", "cable", "netns", str(self.pid), "type", "veth", "peer", "name",
                        "cable", "netns", str(other.pid)], check=True, timeout=30)
        for machine, address in ((self, mine), (other, theirs)):
            machine.shell(f"ip address add {address}/24 dev cable; ip link set cable up")

    def stop(self):
        """Everything in it is killed, and its files are gone with its namespaces."""
        (self.cgroup / "cgroup.kill").write_text("1")
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
        self.log.close()
        # Its own cgroups come from the innermost to the outermost.
        for directory, _, _ in os.walk(self.cgroup, topdown=False):
            wait_until(lambda: remove(directory), what=f"the end of {directory}")
        shutil.rmtree(self.directory, ignore_errors=True)


def remove(directory):
    try:
        os.rmdir(directory)
        return True
    except OSError:
        return False
