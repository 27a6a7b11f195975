# SPDX-License-Identifier: Apache-2.0
"""The documents say what is: links lead somewhere, configuration in them is taken, commands and flags
in them exist, manual pages and --help name the same flags (contract U3)."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib.named_tests import is_defined, named, text_of
from lib.program import BINARIES, BUILD

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


def snippets():
    for document in DOCUMENTS:
        text = document.read_text()
        for kind, body in re.findall(r"^```(toml|ini)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield pytest.param(kind, body, id=f"{document.name}-{kind}-{body.split()[1]}")


@pytest.mark.parametrize("kind,body", list(snippets()))
def test_configuration_is_taken(tmp_path, kind, body):
    """Each block begins with the file that it belongs to."""
    component = re.match(r"# /etc/keylime/(\w+)\.conf", body).group(1)
    assert kind == ("toml" if component == "agent" else "ini")
    path = tmp_path / f"{component}.conf"
    path.write_text(body)
    done = subprocess.run(
        [BINARIES[component], "--check-config"],
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
    """The command lines of indented blocks, with continued lines joined."""
    for document in DOCUMENTS:
        text = document.read_text().replace("\\\n", " ")
        for line in re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE):
            yield pytest.param(line, id=f"{document.name}-{line[:40]}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_exist(line):
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


@pytest.mark.parametrize("page", PAGES)
def test_page_and_help_name_the_same_flags(page):
    text = (ROOT / "docs/man" / f"{page}.scd").read_text()
    options = re.search(r"^# OPTIONS\n(.*?)^# ", text, re.MULTILINE | re.DOTALL).group(1)
    heads = re.findall(r"^\*-.*$", options, re.MULTILINE)
    named = set(FLAG.findall(" ".join(heads).replace("*", " ").replace("\\", "")))
    assert named == flags_of_help(PAGES[page])


@pytest.mark.parametrize("page", PAGES)
def test_page_renders(page):
    rendered = BUILD / "docs" / page
    if not rendered.exists():
        pytest.skip("scdoc was not there when this was built")
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    done = subprocess.run(
        ["man", "-l", "--warnings", str(rendered)],
        env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    for heading in ("NAME", "SYNOPSIS", "OPTIONS", "FILES", "EXIT STATUS"):
        assert re.search(rf"^{heading}$", done.stdout, re.MULTILINE), heading


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
