# SPDX-License-Identifier: Apache-2.0
"""The documents say what is: links lead somewhere, configuration in them is taken, commands and flags
in them exist, manual pages and --help name the same flags (contract U3)."""
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

from lib.guide_machine import HOSTS, GuideMachine
from lib.guide_machine import PROGRAMS as INSTALLED
from lib.measurement_list import MeasurementList
from lib.named_tests import is_defined, named, text_of
from lib.program import BINARIES, BUILD, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {
    "keylime_verifier.8": "verifier",
    "keylime_registrar.8": "registrar",
    "keylime_push_model_agent.8": "agent",
    "keylime_tenant.1": "tenant",
}
PROGRAMS = {
    "keylime_verifier": "verifier",
    "keylime_registrar": "registrar",
    "keylime_push_model_agent": "agent",
    "keylime_tenant": "tenant",
}
FLAG = re.compile(r"(?<![\w-])(--?[A-Za-z][\w-]*)")


def environment(**more):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("KEYLIME_")}, **more}


def help_of(component):
    done = subprocess.run(
        [BINARIES[component], "--help"], env=environment(), capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0
    return done.stdout


def flags_of_help(component):
    """The flags that begin a line of --help: `  -v, --verifier-url URL`."""
    flags = set()
    for line in help_of(component).splitlines():
        if re.match(r" {2,6}-", line):
            head = re.split(r" {2,}", line.strip())[0]
            flags |= set(FLAG.findall(head))
    return flags


def anchors_of(path):
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), target


def test_index_has_every_page():
    """docs/README.md, and there the manual pages of programs and configuration files."""
    index = (ROOT / "docs/README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
    for page in (ROOT / "docs/man").glob("*.scd"):
        name, section = page.stem.rsplit(".", 1)
        assert f"`{name}({section})`" in index, page.name
    for name in CONFIGURATIONS.values():
        assert f"`{name}.conf(5)`" in index, name


# --- blocks -------------------------------------------------------------------------------------

CA = BUILD / "src/ca/keylime_ca"
# Whose --check-config shows the file.
CONFIGURED = {**BINARIES, "ca": CA, "logging": BINARIES["verifier"]}


class Block(NamedTuple):
    document: pathlib.Path
    number: int
    kind: str
    text: str
    reason: str  # why it is not run; "" = it is
    host: str  # the machine that it is for, where a page has several

    @property
    def file(self):
        """The configuration file that its first line names."""
        return re.match(r"# (/etc/keylime/\S+)", self.text)[1]


def blocks_of(document):
    fence = re.compile(r"(?:^<!-- not run: (.+?) -->\n)?(?:^<!-- on (\S+) -->\n)?^```(\w*)\n(.*?)^```$",
                       re.MULTILINE | re.DOTALL)
    return [Block(document, number, kind, text, reason, host) for number, (reason, host, kind, text)
            in enumerate(fence.findall(document.read_text()), 1)]


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]


def each(*kinds):
    return pytest.mark.parametrize("block", [
        pytest.param(block, id=f"{block.document.name}-{block.number}") for block in BLOCKS if block.kind in kinds])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_is_of_a_kind_that_is_tested(document):
    """Commands are fenced, so that they are run; text is what nobody types. A reason stands with its block."""
    text = document.read_text()
    blocks = blocks_of(document)
    assert 2 * len(blocks) == len(re.findall(r"^```", text, re.MULTILINE))
    assert {block.kind for block in blocks} <= {"sh", "ini", "toml", "json", "python", "text"}
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"(?<=\n\n) {4}\S.*", outside) == []
    assert len(re.findall("^<!-- not run:", text, re.MULTILINE)) == sum(bool(block.reason) for block in blocks)
    assert len(re.findall("^<!-- on ", text, re.MULTILINE)) == sum(bool(block.host) for block in blocks)


@each("json")
def test_json_is_json(block):
    json.loads(block.text)


@each("python")
def test_python_is_python(block):
    compile(block.text, block.document.name, "exec")


@each("ini", "toml")
def test_configuration_is_taken(tmp_path, block):
    """Each block begins with the file that it belongs to."""
    component = re.match(r"/etc/keylime/(\w+)\.conf", block.file)[1]
    assert block.kind == ("toml" if component == "agent" else "ini")
    path = tmp_path / f"{component}.conf"
    path.write_text(block.text)
    done = subprocess.run(
        [CONFIGURED[component], "--check-config"],
        env=environment(
            **{f"KEYLIME_{component.upper()}_CONFIG": str(path)}, KEYLIME_DIR=str(tmp_path)
        ),
        capture_output=True,
        text=True,
        timeout=20,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "WARNING" not in text, text
    assert str(path) in done.stdout  # a value came from the block


def commands():
    """The command lines of blocks, with continued lines joined."""
    for block in BLOCKS:
        for line in block.text.replace("\\\n", " ").splitlines() if block.kind == "sh" else []:
            if line.strip():
                yield pytest.param(line, id=f"{block.document.name}-{line[:40]}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_exist(line):
    """Also of blocks that are not run."""
    words = [w for w in line.split("#")[0].replace("&", "").split() if w != "sudo" and "=" not in w]
    if not words:
        return
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets, line
    elif words[0] in PROGRAMS:
        component = PROGRAMS[words[0]]
        flags = flags_of_help(component)
        for flag in (word for word in words[1:] if FLAG.fullmatch(word)):
            assert flag in flags, line
        if "-c" in words:
            assert re.search(rf"^  {words[words.index('-c') + 1]} ", help_of(component), re.M), line
    elif words[0] in ("systemctl", "journalctl"):
        for unit in (word for word in words if word.startswith("keylime_")):
            assert (ROOT / "packaging/systemd" / f"{unit}.service.in").exists(), line
    elif "/" in words[0] and not words[0].startswith("build"):
        assert (ROOT / words[0]).exists(), line


# --- blocks that are run ------------------------------------------------------------------------

ID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
AGENT_CONF = f"""[agent]
uuid = "{ID}"
verifier_url = "https://localhost:8881"
"""


def registered(machine, **options):
    """What most pages start from: both servers, and an agent that is registered."""
    machine.write("/etc/keylime/agent.conf", AGENT_CONF + "".join(f"{k} = {v}\n" for k, v in options.items()))
    machine.run("systemctl start keylime_verifier keylime_registrar keylime_push_model_agent\n"
                f"until keylime_tenant -c regstatus -u {ID}; do sleep 0.2; done")


def enrolled(machine):
    registered(machine)
    machine.run(f"keylime_tenant -c add --push-model -u {ID}")


def measured(machine):
    """A registered machine, and the lists that the page on runtime policies works with."""
    registered(machine)
    files = MeasurementList()
    for path in ("boot_aggregate", "/usr/bin/bash", "/usr/bin/ls", "/tmp/scratch"):
        files.add(path)
    for name in ("good-machine.list", "other-machine.list"):
        (machine.home / name).write_bytes(files.text())
    (machine.home / "excludes").write_text("/tmp/.*\n")


def booted(machine):
    """A machine whose firmware kept a log."""
    log = machine.root / "security/tpm0/binary_bios_measurements"
    log.parent.mkdir()
    subprocess.run([ROOT / "tests/tools/make-event-log", log], check=True)
    registered(machine)


def in_the_sources(machine):
    """The directories that a page on development names."""
    for name in ("tests", "build"):
        (machine.home / name).symlink_to({"tests": ROOT / "tests", "build": BUILD}[name])


def passes(machines):
    return machines[""].status(ID) == "PASS"


# Page -> (what is there before its first block, what must hold after its last one).
SCENES = {
    "api.md": (registered, None),
    "quick-start.md": (None, passes),
    "deployment.md": (None, lambda machines: "PASS" in machines["operator.example.com"].run(
        "keylime_tenant -c bulkinfo")),
    "policies.md": (enrolled, passes),
    "runtime-policies.md": (measured, None),
    "measured-boot.md": (booted, None),
    "notifications.md": (None, None),
    "options.md": (None, None),
    "troubleshooting.md": (registered, None),
    "development.md": (in_the_sources, None),
}
RUN = {block.document.name for block in BLOCKS if block.kind == "sh" and not block.reason}


def test_every_page_with_commands_has_a_scene():
    assert RUN <= set(SCENES)


@pytest.mark.parametrize("name", sorted(RUN))
def test_commands_of_a_page(name, simulator):
    """In their order, each ending with 0; configuration blocks are where they say."""
    if not GuideMachine.usable():
        pytest.skip("no namespaces here (CAP_SYS_ADMIN, CAP_NET_ADMIN)")
    prepare, holds = SCENES[name]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(GuideMachine(simulator, interval=2))
        machines = {"": first, HOSTS[0]: first}
        first.trust(simulator)
        if prepare:
            prepare(first)
        for block in BLOCKS:
            if block.document.name != name or block.reason:
                continue
            if block.host not in machines:
                machines[block.host] = stack.enter_context(GuideMachine(simulator, block.host, beside=first, interval=2))
                machines[block.host].trust(simulator)
            machine = machines[block.host]
            if block.kind in ("ini", "toml"):
                machine.write(block.file, block.text)
            elif block.kind == "sh":
                machine.run(block.text)
                machine.settle()
        if holds:
            wait_until(lambda: holds(machines), 30, "what the page promises")


# --- texts --------------------------------------------------------------------------------------


def texts_of_the_sources():
    """The string literals of the programs, adjacent ones joined."""
    source = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.c*")))
    return re.sub(r'"\s*\n\s*"', "", source).replace('\\"', '"')


def test_lines_that_the_troubleshooting_page_shows_are_the_programs():
    """Each quoted line of a first column, up to what stands for a value."""
    text = (ROOT / "docs/troubleshooting.md").read_text()
    sources = texts_of_the_sources() + os.strerror(98) + os.strerror(13)
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", text, re.MULTILINE)
    assert len(cells) > 35
    for quoted in (quoted for cell in cells for quoted in re.findall("`([^`]+)`", cell)):
        parts = re.split(r"FILE:LINE:COLUMN: |FILE|\b\d+\b|keylime$|root|https://|Verifier reports (?:FAIL|TIMEOUT)", quoted)
        for part in (part.strip() for part in parts):
            assert len(part) < 4 or part in sources, (quoted, part)


def test_picture_of_the_house():
    """docs/architecture.md draws the folders of src/ on the floors that the include lines prove."""
    picture = next(block.text for block in BLOCKS if block.document.name == "architecture.md" and "programs" in block.text)
    loader = importlib.machinery.SourceFileLoader("floors", str(ROOT / "tests/check-include-floors"))
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader("floors", loader))
    loader.exec_module(script)
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    row = {name: number for number, line in enumerate(picture.splitlines())
           for name in folders if re.search(rf"\| +{re.escape(name)}[: ]", line)}
    assert set(row) == folders
    for name in folders:
        for below in script.FLOORS.get(name, script.LIBRARY_FLOORS):
            assert row[below] >= row[name], (name, below)


# --- manual pages -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_page_and_help_name_the_same_flags(page):
    text = (ROOT / "docs/man" / f"{page}.scd").read_text()
    options = re.search(r"^# OPTIONS\n(.*?)^# ", text, re.MULTILINE | re.DOTALL).group(1)
    heads = re.findall(r"^\*-.*$", options, re.MULTILINE)
    named = set(FLAG.findall(" ".join(heads).replace("*", " ").replace("\\", "")))
    assert named == flags_of_help(PAGES[page])


RENDERED = BUILD / "docs"
CONFIGURATIONS = {"verifier": "keylime_verifier", "registrar": "keylime_registrar", "tenant": "keylime_tenant",
                  "agent": "keylime_push_model_agent", "ca": "keylime_ca",
    "logging": "keylime_logging",
}


def page_names():
    """Of every program and of every configuration file."""
    pages = {path.stem for path in (ROOT / "docs/man").glob("*.scd")}
    return sorted(pages | {f"{CONFIGURATIONS[path.stem]}.conf.5" for path in (BUILD / "packaging").glob("*.conf")})


def test_U3_every_program_has_a_page():
    pages = {name.rsplit(".", 1)[0] for name in page_names()}
    assert set(INSTALLED) - {"keylime-push-model-agent"} <= pages  # the agent's other name, a link


@pytest.mark.parametrize("page", page_names())
def test_U3_page_is_clean(page):
    """No warning of man, nor of mandoc where it is installed; the headings that readers look for."""
    rendered = RENDERED / page
    if not rendered.exists():
        pytest.skip("scdoc was not there when this was built")
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    done = subprocess.run(
        ["man", "-l", "--warnings=w", str(rendered)],
        env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"},
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    shown = re.sub(".\b", "", done.stdout)
    headings = ["NAME", "DESCRIPTION"] + (["SYNOPSIS", "EXIT STATUS"] if not page.endswith(".5") else [])
    for heading in headings + (["OPTIONS", "FILES"] if page in PAGES else []):
        assert re.search(rf"^{heading}$", shown, re.MULTILINE), heading
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", rendered], capture_output=True, text=True)
        ours = [line for line in lint.stdout.splitlines() if "paragraph macro" not in line]  # scdoc's own form
        assert ours == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_U3_page_of_the_configuration_has_every_option(program):
    """Made from the example file, whose options are the program's: name and default of each."""
    page = BUILD / "docs" / f"{program}.conf.5"
    if not page.exists() or not shutil.which("man"):
        pytest.skip("scdoc was not there when this was built, or man is not installed")
    done = subprocess.run(
        ["man", "-l", "--warnings", str(page)],
        env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8", "MANWIDTH": "200"},
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    shown = re.sub(".\b", "", done.stdout)
    example = subprocess.run(
        [BINARIES[PROGRAMS[program]], "--example-config"], capture_output=True, text=True, timeout=20
    ).stdout
    options = re.findall(r"^#(\w+) =(.*)$", example, re.MULTILINE)
    assert len(options) > 10
    for name, default in options:
        value = default.strip().replace('""', "")
        line = f"{name} = {value}" if value else name
        assert re.search(rf"^ +{re.escape(line)}$", shown, re.MULTILINE), line


# --- the guide's page ---------------------------------------------------------------------------

# Options of the user guide, contract C18 to C24 and C36 to C62.
GUIDE = {
    "verifier": ("quote_interval", "challenge_lifetime", "verification_timeout"),
    "agent": (
        "verifier_url", "verifier_tls_ca_cert", "attestation_interval_seconds", "registrar_ip",
        "registrar_port", "registrar_tls_enabled", "registrar_tls_port", "registrar_tls_ca_cert", "uuid",
        "api_versions", "tpm_hash_alg", "tpm_signing_alg", "keylime_dir",
        "exponential_backoff_initial_delay", "exponential_backoff_max_retries",
        "exponential_backoff_max_delay",
    ),
}


@pytest.mark.parametrize("component", GUIDE)
def test_C1_every_option_of_the_guide_is_explained(component):
    """Each with the default that the program has."""
    text = (ROOT / "docs/push-model.md").read_text()
    table = text[text.index(f"| option of `[{component}]`") :].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \| \S", table, re.MULTILINE))
    example = subprocess.run(
        [BINARIES[component], "--example-config"], capture_output=True, text=True, timeout=20
    ).stdout
    defaults = dict(re.findall(r"^#(\w+) = (.*)$", example, re.MULTILINE))
    assert set(GUIDE[component]) <= set(rows)
    assert {name: defaults.get(name) for name in rows} == rows


def test_C5_pages_of_the_guide_exist():
    for name in ("push-model.md", "authentication.md"):
        assert f"docs/{name}" in (ROOT / "README.md").read_text()


# --- the contract -------------------------------------------------------------------------------


def contract():
    """{number: last cell} of the tables of docs/contract.md; each number once."""
    text = (ROOT / "docs/contract.md").read_text()
    rows = re.findall(r"^\| ([CU]\d+) \| .* \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a number stands twice"
    return dict(rows)


def test_contract_has_every_number():
    expected = [f"C{n}" for n in range(1, 125)] + [f"U{n}" for n in range(1, 26)]
    assert list(contract()) == expected


def numbers_in(text):
    """The numbers of the contract that a test's text names: C7, C44a, C36-C47, C10 to C26, test_U6_..."""
    found = set(re.findall(r"(?<![A-Za-z0-9])([CU]\d{1,3})(?=[a-e]?(?![A-Za-z0-9]))", text))
    for kind, first, last in re.findall(r"([CU])(\d+)[a-e]?\s*(?:-|to)\s*[CU](\d+)", text):
        found |= {f"{kind}{number}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.mark.parametrize("number", contract())
def test_contract_names_tests_that_exist(number):
    """And their files name the number."""
    cell = contract()[number]
    assert named(cell) or cell == "none yet", cell
    for file, test in named(cell):
        assert is_defined(file, test), (file, test)
        assert number in numbers_in(text_of(file)), file
