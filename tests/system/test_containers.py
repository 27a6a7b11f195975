# SPDX-License-Identifier: Apache-2.0
"""What the images of packaging/containers promise: their text by a linter and by its rules, and the programs as
they run there, not root, with nothing to write but their directory, and without /run. Where an engine answers,
the images are built."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from lib.deployment import Deployment
from lib.program import BINARIES, BUILD, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "packaging/containers/Containerfile"
PROGRAMS = ("verifier", "registrar", "agent", "tenant")
AGENT = "4f3c4c57-2f0b-4c1e-9d3a-0b6f6a1c2d02"
USER = "990"


def stages():
    """The instructions of each stage by its name."""
    text = re.sub(r"\\\n", " ", CONTAINERFILE.read_text())
    made = {}
    for line in text.splitlines():
        begin = re.match(r"FROM (\S+) AS (\w+)$", line)
        if begin:
            current = made[begin.group(2)] = [("FROM", begin.group(1))]
        elif line and not line.startswith("#") and made:
            current.append(tuple(line.split(maxsplit=1)))
    return made


@pytest.mark.parametrize("program", PROGRAMS)
def test_image_of_each_program(program):
    """Another user than root by number, a volume, a health check, one program; nothing of the build is left."""
    stage = stages()[program]
    last = dict(stage)
    assert last["USER"] == f"{USER}:{USER}"
    assert last["VOLUME"] == "/var/lib/keylime"
    assert "HEALTHCHECK" in last
    binary = {"agent": "keylime_push_model_agent"}.get(program, f"keylime_{program}")
    assert last["ENTRYPOINT"] == f'["/usr/bin/{binary}"]'
    assert BINARIES[program].name == binary
    ports = {"verifier": "8881", "registrar": "8890 8891"}
    assert last.get("EXPOSE") == ports.get(program)
    # What runs as root comes before, and leaves no list of packages behind.
    order = [name for name, _ in stage]
    assert max(i for i, name in enumerate(order) if name == "RUN") < order.index("USER")
    for name, text in stage:
        assert name != "RUN" or "rm -rf /packages /var/lib/apt/lists/*" in text


def test_no_stage_of_the_build_is_an_image():
    for program in PROGRAMS:
        base = dict(stages()[program])["FROM"]
        assert base in ("base", "server")


def test_linter_has_nothing_to_say():
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed")
    # Versions of Debian's packages are those of the base image's release.
    done = subprocess.run(["hadolint", "--ignore", "DL3008", CONTAINERFILE], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# $1: the directory that may be written, then the command. /run is there, and is of no use to anybody.
CONTAINED = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / &&
mount -t tmpfs -o ro,mode=0000,size=4k tmpfs /run && shift &&
exec setpriv --reuid=990 --regid=990 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def contained(directory):
    """Starts a command as an engine does with `--read-only --cap-drop=all`."""
    return ("unshare", "--mount", "sh", "-c", CONTAINED, "sh", str(directory))


@pytest.fixture
def open_deployment():
    """That another user comes to. pytest closes the directory above its own whenever it starts, also beside this."""
    with tempfile.TemporaryDirectory(prefix="keylime-contained-") as directory:
        os.chmod(directory, 0o755)
        made = Deployment(directory)
        yield made
        made.stop()


def test_programs_as_they_are_contained(open_deployment):
    """From nothing to PASS, through a reload and a stop."""
    deployment = open_deployment
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    wrapper = contained(deployment.keylime_dir)
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    for path in deployment.directory.glob("*.conf"):
        path.chmod(0o644)
    os.chown(deployment.keylime_dir, 990, 990)
    deployment.tpm_cert_store.chmod(0o755)
    verifier = deployment.start("verifier", wrapper=wrapper)
    verifier.wait_for_line("Listening on ")
    registrar = deployment.start("registrar", wrapper=wrapper)
    registrar.wait_for_line("Listening on ")
    agent = deployment.start_agent(AGENT, "--avoid-tpm", wrapper=wrapper)
    agent.wait_for_line(f"Agent {AGENT} activated")
    for program in (verifier, registrar, agent):
        fields = dict(line.split(":", 1) for line in open(f"/proc/{program.pid}/status"))
        assert set(fields["Uid"].split()) == {USER} and int(fields["CapBnd"], 16) == 0
    environment = {**deployment.env, "PATH": "/usr/bin:/bin", "KEYLIME_TENANT_REQUIRE_EK_CERT": "False"}

    def tenant(*arguments):
        return subprocess.run([*wrapper, BINARIES["tenant"], *arguments, "-u", AGENT], env=environment,
                              capture_output=True, text=True, timeout=60)

    added = tenant("-c", "add", "--push-model")
    assert added.returncode == 0, added.stdout + added.stderr
    wait_until(lambda: '"PASS"' in tenant("-c", "cvstatus", "--push-model", "--json").stdout, what="PASS")
    for program in (verifier, registrar):
        program.signal(1)
        program.wait_for_line("Reloaded certificates")
    for program in (agent, registrar, verifier):
        assert program.stop() == 0


def test_health_is_a_handshake(deployment):
    """At the port that the configuration says, from wherever it says so."""
    env = {**deployment.env, "PATH": f"{BUILD}/src/verifier:{BUILD}/src/registrar:/usr/bin:/bin"}

    def health(name):
        return subprocess.run([ROOT / "packaging/containers/healthcheck", name], env=env, timeout=30,
                              capture_output=True).returncode

    assert health("verifier") != 0 and health("registrar") != 0 and health("nobody") == 2
    deployment.start_verifier()
    deployment.start_registrar()
    assert health("verifier") == 0 and health("registrar") == 0


def engine():
    """A command that builds images, with its arguments so far; None where none works."""
    for command in (["podman", "build"], ["docker", "build"]):
        if shutil.which(command[0]) and subprocess.run([command[0], "info"], capture_output=True,
                                                       timeout=60).returncode == 0:
            return command
    return None


def test_images_are_built():
    """Each, and its program says its version as user 990. KEYLIME_BASE_IMAGE names a base where the usual one
    cannot be had."""
    if not os.environ.get("KEYLIME_BUILD_IMAGES"):
        pytest.skip("takes minutes and the network: set KEYLIME_BUILD_IMAGES")
    build = engine()
    if not build:
        pytest.skip("neither podman nor docker answers")
    base = os.environ.get("KEYLIME_BASE_IMAGE")
    arguments = ["--build-arg", f"DEBIAN={base}"] if base else []
    for program in PROGRAMS:
        tag = f"keylime-test-{program}"
        subprocess.run([*build, *arguments, "-f", CONTAINERFILE, "--target", program, "-t", tag, ROOT], check=True,
                       timeout=3600)
        shown = subprocess.run([build[0], "run", "--rm", "--read-only", "--cap-drop=all", tag, "--version"],
                               check=True, capture_output=True, text=True, timeout=120).stdout
        assert shown.startswith(f"keylime_{'push_model_agent' if program == 'agent' else program} ")
