# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts on a machine: programs under their names, example configurations, units,
user and directories (contract C7, C66, C67, C69, C72, C73, U9, U11, U18; configuration-and-operations
12.1; push-agent 15)."""
import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib.program import BINARIES, BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPONENTS = ("verifier", "registrar", "agent", "tenant")
SERVERS = ("keylime_verifier", "keylime_registrar")
UNITS = SERVERS + ("keylime_push_model_agent",)


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KEYLIME_", "RUST_LOG"))}
    return {**kept, **more}


def check_config(component, path, directory):
    """The lines of --check-config with that one file: option and value without the source, and what
    was logged."""
    (directory / "work").mkdir(exist_ok=True)
    done = subprocess.run(
        [BINARIES[component], "--check-config"],
        env=clean_environment(
            **{f"KEYLIME_{component.upper()}_CONFIG": str(path)}, KEYLIME_DIR=str(directory / "work")
        ),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    own = done.stdout.split("\n# logging.conf\n")[0]
    values = re.findall(r"^(\w+ =.*?) +# (.*)$", own, re.MULTILINE)
    return {line: source for line, source in values}, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The root of an installation, and its files by path below the prefix."""
    meson = "/usr/bin/meson" if os.path.exists("/usr/bin/meson") else shutil.which("meson")
    if not meson:
        pytest.skip("meson is not installed")
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(
        [meson, "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(root)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = next(root.rglob("bin/keylime_verifier")).parents[1]
    return root, prefix


# --- programs ------------------------------------------------------------------------------------


def test_programs_and_both_names_of_the_agent(installed):
    prefix = installed[1]
    for name in UNITS + ("keylime_tenant", "keylime-push-model-agent"):
        done = subprocess.run(
            [prefix / "bin" / name, "--help"], capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0
        assert re.match(rf"[Uu]sage: {name} ", done.stdout), done.stdout[:200]


def test_both_names_of_the_agent_have_a_page(installed):
    if not shutil.which("scdoc"):
        pytest.skip("scdoc is not installed")
    pages = next(installed[0].rglob("man8"))
    page = (pages / "keylime-push-model-agent.8").read_text()
    assert page == (pages / "keylime_push_model_agent.8").read_text() and "keylime_push_model_agent" in page


def test_nothing_of_the_pull_agent(installed):
    """C27: no file is named as one of the pull agent's, so both packages fit on one machine."""
    root = installed[0]
    files = [path.relative_to(root) for path in root.rglob("*") if not path.is_dir()]
    assert files
    foreign = [path for path in files if path.name.removesuffix(".service") == "keylime_agent"]
    assert foreign == []


def test_another_prefix(tmp_path):
    """Every file follows it, but for the configuration; the units start the programs where they are."""
    meson = "/usr/bin/meson" if os.path.exists("/usr/bin/meson") else shutil.which("meson")
    if not meson:
        pytest.skip("meson is not installed")
    build = tmp_path / "build"
    done = subprocess.run([meson, "setup", "--prefix=/usr/local", "--sysconfdir=/etc", "-Dtests=false", build, ROOT],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    listed = subprocess.run([meson, "introspect", "--installed", build], capture_output=True, text=True, check=True)
    places = json.loads(listed.stdout).values()
    assert "/usr/local/bin/keylime_verifier" in places
    for name in UNITS:
        assert f"/usr/local/lib/systemd/system/{name}.service" in places
        text = (build / "packaging" / f"{name}.service").read_text()
        assert f"\nExecStart=/usr/local/bin/{name}\n" in text
    assert [place for place in places if not place.startswith(("/usr/local/", "/etc/keylime"))] == []


# --- example configurations ----------------------------------------------------------------------


@pytest.mark.parametrize("component", COMPONENTS)
def test_example_is_the_programs_own(installed, component):
    example = installed[1] / "share/doc/keylime-c/examples" / f"{component}.conf"
    done = subprocess.run(
        [BINARIES[component], "--example-config"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0
    assert example.read_text() == done.stdout
    assert len(done.stdout.splitlines()) > 20


@pytest.mark.parametrize("component", COMPONENTS)
def test_example_loads_as_shipped(tmp_path, component):
    values, text = check_config(component, BUILD / "packaging" / f"{component}.conf", tmp_path)
    assert values and "WARNING" not in text and "ERROR" not in text, text


@pytest.mark.parametrize("component", COMPONENTS)
def test_example_in_force_changes_no_value(tmp_path, component):
    """Each shown default is a value that the program takes, and the one that it has anyway. `mode` has
    none: it stands in the file as the guide writes it, and the program says the same without (C14)."""
    text = (BUILD / "packaging" / f"{component}.conf").read_text()
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    defaults, _ = check_config(component, empty, tmp_path)
    shown = re.findall(r"^#(\w+) =(.*)$", text, re.MULTILINE)
    # An option without a default is shown without a value: that is no value to set.
    in_force = re.sub(r'^#(\w+ = (?!""$).+)$', r"\1", text, flags=re.MULTILINE)
    path = tmp_path / "full.conf"
    path.write_text(in_force)
    values, log = check_config(component, path, tmp_path)
    assert "WARNING" not in log, log
    said = re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE)
    assert said == ([("mode", "push")] if component == "verifier" else [])
    named = {name for name, _ in said}
    assert {line for line in values if line.split(" ")[0] not in named} == {
        line for line in defaults if line.split(" ")[0] not in named}
    assert sum(str(path) in source for source in values.values()) > len(shown) / 2
    assert {name for name, _ in shown} | named == {line.split(" ")[0] for line in defaults}


# --- systemd -------------------------------------------------------------------------------------


def read_unit(installed, name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    path = installed[1] / "lib/systemd/system" / f"{name}.service"
    unit.read_string(path.read_text())
    return unit


@pytest.mark.parametrize("name", UNITS)
def test_unit_says_what_upstreams_says(installed, name):
    unit = read_unit(installed, name)
    service = unit["Service"]
    prefix = "/" + str(installed[1].relative_to(installed[0]))
    assert service["ExecStart"] == f"{prefix}/bin/{name}"
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert service["RestartSec"] == "120s"
    assert service["TimeoutSec"] == "60s"
    assert service["NoNewPrivileges"] == "yes"
    if name in SERVERS:
        assert (service["User"], service["Group"]) == ("keylime", "keylime")
        assert "network.target" in unit["Unit"]["After"]
        assert unit["Install"]["WantedBy"] == "default.target"
    else:
        # Not root, which then becomes keylime:tss, but that from the beginning.
        assert (service["User"], service["Group"]) == ("keylime", "tss")
        assert unit["Unit"]["Conflicts"] == "keylime_agent.service"
        for directive in ("After", "Wants"):
            assert "network-online.target tpm2-abrmd.service" == unit["Unit"][directive]
        assert service["Environment"] == "RUST_LOG=keylime_push_model_agent=info,keylime=info"
        assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.parametrize("name", UNITS)
def test_sandbox_is_rated(installed, name):
    """U18: 2.0 or better of 10, by systemd's own measure."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = installed[1] / "lib/systemd/system" / f"{name}.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_both_spellings_of_the_agents_unit(installed):
    alias = installed[1] / "lib/systemd/system/keylime-push-model-agent.service"
    assert os.readlink(alias) == "keylime_push_model_agent.service"


def test_registrar_starts_after_the_verifier(installed):
    assert read_unit(installed, "keylime_verifier")["Unit"]["Before"] == "keylime_registrar.service"
    assert "keylime_verifier.service" in read_unit(installed, "keylime_registrar")["Unit"]["After"]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit(installed, tmp_path, name):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text = (installed[1] / "lib/systemd/system" / f"{name}.service").read_text()
    unit = tmp_path / f"{name}.service"
    unit.write_text(re.sub("^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    about_ours = [line for line in done.stderr.splitlines() if name in line]
    assert done.returncode == 0 and not about_ours, done.stderr


def test_user_and_directories(installed):
    """systemd itself reads the two files; nothing is changed."""
    library = installed[1] / "lib"
    if not shutil.which("systemd-sysusers"):
        pytest.skip("systemd-sysusers is not installed")
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", library / "sysusers.d/keylime.conf"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0 and "line" not in done.stderr, done.stderr
    rows = [
        line.split()
        for line in (library / "tmpfiles.d/keylime.conf").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ["d", "/var/lib/keylime", "0700", "keylime", "keylime", "-"] in rows
    # C100: the guide copies the CA certificate into it.
    assert ["d", "/var/lib/keylime/cv_ca", "0700", "keylime", "keylime", "-"] in rows


@pytest.mark.parametrize("package,own", [
    ("verifier", ["verifier.sqlite", "verifier.sqlite-wal", "verifier.sqlite-shm", "verifier.sqlite-journal"]),
    ("registrar", ["registrar.sqlite", "registrar.sqlite-wal", "registrar.sqlite-shm", "registrar.sqlite-journal"]),
    ("agent", ["agent_data.json", "agent_data.json.bak", "agent_data.json.bak.1", "agent_id", "agent_id.last",
               "boot_time", "software_tpm.json"]),
])
def test_purge_takes_only_what_the_program_wrote(tmp_path, package, own):
    """U11: what the administrator put beside it, a copy of a database among it, stays."""
    script = (ROOT / f"packaging/debian/keylime-c-{package}.postrm").read_text()
    foreign = ["verifier.sqlite.before-upgrade", "registrar.sqlite.2026-11-29", "agent_data.json.saved"]
    for name in own + foreign:
        (tmp_path / name).touch()
    for action, kept in (("remove", own + foreign), ("purge", foreign)):
        subprocess.run(["sh", "-c", script.replace("/var/lib/keylime", str(tmp_path)), "postrm", action], check=True)
        assert {path.name for path in tmp_path.iterdir()} == set(kept)
