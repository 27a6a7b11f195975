# SPDX-License-Identifier: Apache-2.0
"""Every option of every program, as its own table says: file, drop-ins, variable and flag take effect in
that order. What is swept comes from `--check-config --json`, so a new option is swept without a line here."""
import json
import re
import subprocess

import pytest

from lib.named_tests import TESTS
from lib.option_tables import REFERENCE, Reference
from lib.private_etc import PrivateEtc
from lib.program import BINARIES, BUILD

PROGRAMS = {**BINARIES, "ca": BUILD / "src/ca/keylime_ca"}
# Whose --check-config shows the file.
SHOWN_BY = {"verifier": "verifier", "registrar": "registrar", "agent": "agent", "tenant": "tenant", "ca": "ca",
            "logging": "verifier"}
# No table is shorter: a sweep of nothing fails.
LEAST = {"verifier": 75, "registrar": 30, "agent": 70, "tenant": 24, "ca": 13, "logging": 14}

LEVELS = ("built-in", "file", "vendor's drop-in", "drop-in", "later drop-in", "variable", "flag")

# Texts and lists of which each option takes some: its own check decides. A number makes them differ.
TEXTS = ("text-{0}", "text{0}.example", "192.0.2.{0}", "https://host{0}.example:1", "http://host{0}.example:1",
         "/nowhere/{0}", "sqlite:////nowhere/{0}.sqlite", "0x8101000{0}", "user:group{0}", "{0},{0}", "3.0", "v3.0",
         "2.{0}", "push", "PUSH", "Push", "[]", "", "U{0}", "default", "ek_cert", "generate", "hostname",
         '[{{"event_id": "x{0}", "severity_label": "error"}}]', "%(message)s {0}", "%H:%M:%S {0}",
         "StreamHandler", "(sys.stdout,)", "(sys.stderr,)", "consoleHandler", "json", "keylime")
LISTS = ("text-{0}", "192.0.2.{0}", "{0}", "2.{0}", "3.0", "/nowhere/{0}.pem", "webhook", "agent", "zeromq",
         "https://host{0}.example/x", "revocation", "info", "consoleHandler", "formatter", "root", "sha256", "sha384",
         "rsa", "ecc", "rsassa", "ecdsa")


class Sandbox(PrivateEtc):
    """Configuration directories of its own, also the vendor's, and nothing else said."""

    def __init__(self, deployment):
        super().__init__(deployment)
        self.vendor = deployment.directory / "usr-etc"
        self.vendor.mkdir()
        self.env = {"KEYLIME_DIR": str(deployment.keylime_dir)}

    def command(self, name, *arguments, before=()):
        mounts = 'mount --bind "$0" /etc && mount --bind "$1" /usr/etc && shift && exec "$@"'
        return ["unshare", "-m", "sh", "-c", mounts, str(self.root), str(self.vendor), *before,
                str(PROGRAMS[name]), *arguments]

    def check(self, component, *flags, env=None):
        """({(section, name): option}, the finished process)."""
        done = self.run(SHOWN_BY[component], "--check-config", "--json", *flags, env=env)
        assert done.returncode in (0, 1, 2) and done.stdout, done.stderr
        file = next(file for file in json.loads(done.stdout)["files"] if file["component"] == component)
        return {(option["section"], option["name"]): option for option in file["options"]}, done


@pytest.fixture
def sandbox(deployment):
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    try:
        subprocess.run(["mkdir", "-p", "/usr/etc"], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("/usr/etc is missing and cannot be made")
    return Sandbox(deployment)


# --- values ---------------------------------------------------------------------------------------------


def candidates(option):
    """Values to try, as JSON has them."""
    kind, low, high = option["type"], option.get("minimum"), option.get("maximum")
    if kind == "bool":
        return [True, False]
    if kind == "word":
        return option["words"]
    if kind in ("int", "real"):
        near = float(option["default"] or 1)
        values = [near + step for step in range(1, 5)] + [near - step for step in range(1, 5)] + [near / 2]
        allowed = [value for value in values if low is None or low <= value <= high]
        return [int(value) for value in allowed] if kind == "int" else allowed
    if kind == "list":
        return [[text.format(number)] for text in LISTS for number in range(1, 4)]
    return [text.format(number) for text in TEXTS for number in range(1, 4)]


def as_variable(value):
    if isinstance(value, list):
        return "[" + ", ".join(f"'{element}'" for element in value) + "]"
    return str(value)


def as_file(value, toml):
    if not toml:
        return as_variable(value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def takes(sandbox, component, options):
    """{key: values that the option takes, each once}: asked of the program, which is told one candidate of
    every option at a time."""
    rows = {key: candidates(option) for key, option in options.items()}
    taken = {key: [] for key in options}
    for number in range(max(map(len, rows.values()))):
        tried = {key: values[number] for key, values in rows.items() if number < len(values)}
        env = {options[key]["variable"]: as_variable(value) for key, value in tried.items()}
        shown, _ = sandbox.check(component, env=env)
        for key, value in tried.items():
            if shown[key]["source"] == options[key]["variable"] and value not in taken[key]:
                taken[key].append(value)
    return taken


def as_shown(option, value):
    """How --check-config prints a value that is in force. What has no effect is shown as it was given."""
    if option["secret"] and value:
        return "(set)"
    if option["effect"] != "yes":
        return None
    return value


# --- the sweep ------------------------------------------------------------------------------------------


def file_text(component, options, values):
    toml = component == "agent"
    sections = {}
    for (section, name), value in values.items():
        sections.setdefault(section, []).append(f"{name} = {as_file(value, toml)}")
    return "".join(f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items())


def place_of(level, sandbox, component):
    """Where a file of that level stands, and what --check-config calls it."""
    base = f"{component}.conf"
    return {"file": (sandbox.keylime / base, f"/etc/keylime/{base}"),
            "vendor's drop-in": (sandbox.vendor / f"keylime/{base}.d/zzz", f"/usr/etc/keylime/{base}.d/zzz"),
            "drop-in": (sandbox.keylime / f"{base}.d/010", f"/etc/keylime/{base}.d/010"),
            "later drop-in": (sandbox.keylime / f"{base}.d/020", f"/etc/keylime/{base}.d/020")}.get(level)


@pytest.mark.parametrize("component", SHOWN_BY)
def test_every_option_takes_each_source_in_its_order(sandbox, component):
    if component == "agent":
        sandbox.env = {}  # KEYLIME_DIR beats all sources of keylime_dir
    options, _ = sandbox.check(component)
    assert len(options) >= LEAST[component]
    taken = takes(sandbox, component, options)
    poor = [key for key, values in taken.items() if not values]
    assert poor == [], "no candidate is taken: add one to TEXTS or LISTS"

    order = list(LEVELS)
    if component == "agent":  # the vendor's directory is below the machine's file (push-agent 3.1)
        order.remove("vendor's drop-in")
        order.insert(1, "vendor's drop-in")
    env, flags, swept = {}, [], 0
    for number, level in enumerate(order):
        values = {key: row[number % len(row)] for key, row in taken.items()}
        said = options
        if place := place_of(level, sandbox, component):
            place[0].parent.mkdir(parents=True, exist_ok=True)
            place[0].write_text(file_text(component, options, values))
        elif level == "variable":
            env = {option["variable"]: as_variable(values[key]) for key, option in options.items()}
        elif level == "flag":
            said = {key: option for key, option in options.items() if option["flag"]}
            flags = [f"--{option['flag']}={as_variable(values[key]).lower() if option['type'] == 'bool' else values[key]}"
                     for key, option in said.items()]
        shown, done = sandbox.check(component, *flags, env=env)
        for key, option in said.items():
            found = shown[key]
            expected = {"built-in": "built-in", "variable": option["variable"],
                        "flag": f"--{option['flag']}"}.get(level) or place[1]
            assert re.fullmatch(re.escape(expected) + r"(:\d+)*", found["source"]), (level, found, done.stderr)
            assert found["set"] == (level != "built-in"), found
            value = as_shown(option, values[key])
            if level != "built-in" and value is not None:
                assert found["value"] == value, (level, found, value)
            swept += 1
    assert swept >= (len(order) - 1) * LEAST[component]


@pytest.mark.parametrize("component", SHOWN_BY)
def test_one_file_replaces_all_others(sandbox, component, tmp_path):
    options, _ = sandbox.check(component)
    key, option = next((key, option) for key, option in options.items() if option["type"] in ("int", "word"))
    *_, value = [value for value in candidates(option) if str(value) != option["default"]]
    for place in ("file", "vendor's drop-in", "drop-in"):
        path = place_of(place, sandbox, component)[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("this is no configuration\n")
    alone = tmp_path / "alone.conf"
    alone.write_text(file_text(component, options, {key: value}))
    shown, done = sandbox.check(component, env={f"KEYLIME_{component.upper()}_CONFIG": str(alone)})
    assert done.returncode == 0, done.stderr
    assert shown[key]["value"] == value and shown[key]["source"].startswith(f"{alone}:2")


# --- what the operator is told ----------------------------------------------------------------------------


@pytest.mark.parametrize("component", SHOWN_BY)
def test_options_without_effect_say_so_once(sandbox, component):
    """Decision D111; the agent's file is shared with the pull agent, whose options it passes over."""
    options, _ = sandbox.check(component)
    dead = {key: "1" for key, option in options.items() if option["effect"] == "none"}
    shared = {key: "1" for key, option in options.items() if option["effect"] == "pull-model"}
    sandbox.write(f"{component}.conf", file_text(component, options, {**dead, **shared}))
    _, done = sandbox.check(component)
    assert done.returncode == 0, done.stderr
    told = re.findall(r" - INFO - /etc/keylime/\w+\.conf:[\d:]+: option '(\w+)' in \[(\w+)\] has no effect$",
                      done.stderr, re.MULTILINE)
    assert sorted((section, name) for name, section in told) == sorted(dead)
    assert "WARNING" not in done.stderr, done.stderr


@pytest.mark.parametrize("component", SHOWN_BY)
def test_no_bad_value_is_taken_and_all_are_named(sandbox, component):
    """Wrong types, numbers out of bounds and words of no list: all in one run, each with its line."""
    options, _ = sandbox.check(component)
    bad = {}
    for key, option in options.items():
        if option["effect"] != "yes":
            continue
        if option["type"] == "word":
            bad[key] = "no-such-word"
        elif option["type"] in ("int", "real"):
            bad[key] = int(option["maximum"]) + 1 if option.get("maximum") else "twelve"
        elif option["type"] == "bool":
            bad[key] = "perhaps"
    text = file_text(component, options, bad)
    sandbox.write(f"{component}.conf", text)
    shown, done = sandbox.check(component)
    assert done.returncode == 1
    lines = {(section, name): number + 1 for section, name, number in numbered(text)}
    for key in bad:
        section, name = key
        sentence = rf"/etc/keylime/{component}\.conf:{lines[key]}(:\d+)?: \[{section}\] {name} = '.*': must be "
        assert re.search(sentence, done.stderr), (key, done.stderr)
        assert re.match(rf"/etc/keylime/{component}\.conf:{lines[key]}", shown[key]["refused"])
        assert shown[key]["source"] == "built-in" and not shown[key]["set"]
    low = {key: int(options[key]["minimum"]) - 1 for key in bad if options[key].get("minimum")}
    sandbox.write(f"{component}.conf", file_text(component, options, low))
    shown, done = sandbox.check(component)
    assert all(shown[key]["refused"] for key in low) and done.returncode == (1 if low else 0)


def numbered(text):
    """(section, name, line from 0) of each option of an INI or TOML text."""
    section = None
    for number, line in enumerate(text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line:
            yield section, line.split(" = ")[0], number


@pytest.mark.parametrize("component", SHOWN_BY)
def test_secrets_are_not_shown(sandbox, component):
    options, _ = sandbox.check(component)
    secret = {key: "https://hidden-word/" for key, option in options.items() if option["secret"]}
    assert {name for _, name in options if "password" in name} <= {name for _, name in secret} | {
        name for (_, name), option in options.items() if option["effect"] != "yes"}
    sandbox.write(f"{component}.conf", file_text(component, options, secret))
    for arguments in (["--check-config", "--json"], ["--check-config"]):
        done = sandbox.run(SHOWN_BY[component], *arguments)
        assert "hidden-word" not in done.stdout + done.stderr
        assert done.stdout.count("(set)") >= len(secret)


@pytest.mark.parametrize("hooks", [["ftp://a/hidden-word"], ["https://me:hidden-word@a/"] * 2])
def test_wrong_webhooks_are_not_shown(sandbox, hooks):
    sandbox.write("verifier.conf", f"[revocations]\nwebhook_url = {hooks}\n")
    done = sandbox.run("verifier", "--check-config")
    assert done.returncode == 1 and "webhook_url" in done.stderr
    assert "hidden-word" not in done.stdout + done.stderr


def example_of(component):
    return (BUILD / f"packaging/{component}.conf").read_text()


@pytest.mark.parametrize("component", SHOWN_BY)
def test_example_and_page_have_every_option(sandbox, component):
    """Each in its section with default, meaning, and what is allowed; those without effect by their names."""
    options, _ = sandbox.check(component)
    example, section, comment, shown = example_of(component), None, [], {}
    for line in example.splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif found := re.fullmatch(r"#?(\w+) =(.*)", line):
            shown[(section, found[1])] = (found[2].strip(), " ".join(comment))
        comment = [*comment, line[2:]] if line.startswith("# ") else []
    assert set(shown) == {key for key, option in options.items() if option["effect"] == "yes"}
    silent = " ".join(re.findall(r"^# (.*)$", example, re.MULTILINE))
    for key, option in options.items():
        if option["effect"] != "yes":
            assert re.search(rf"(without effect|passed over):[^.]*\b{key[1]}\b", silent), key
            continue
        value, text = shown[key]
        assert same(value, option["default"]) or (key, value) == (("verifier", "mode"), "push"), key
        assert len(text) > 5 and text.rstrip(".") != key[1], key
        if option.get("minimum") is not None:
            assert f"From {option['minimum']:.15g} to {option['maximum']:.15g}." in text, key
        if option.get("words"):
            assert f"One of: {', '.join(option['words'])}." in text, key
        if option["type"] in ("int", "real"):
            assert re.search(UNITS, text, re.IGNORECASE), (key, text)
    page = next((BUILD / "docs").glob(f"*{'push_model_agent' if component == 'agent' else component}.conf.5.scd"), None)
    if page is None:
        pytest.skip("scdoc was not there when this was built")
    source = page.read_text().replace("\\", "")
    for (_, name), option in options.items():
        if option["effect"] == "yes":
            assert re.search(rf"^\*{name}\*", source, re.MULTILINE), name
        else:
            assert name in source, name


# What a number counts.
UNITS = (r"second|day|byte|port\b|threads|requests|registrations|attestations|events|connections|notifications|"
         r"retries|tries|size")


# --- files that cannot be taken --------------------------------------------------------------------------


@pytest.mark.parametrize("component", [name for name in SHOWN_BY if name != "agent"])
@pytest.mark.parametrize("text,line,words", [
    ("{section}\nthis is half a li", 2, "is neither a comment, nor [section], nor option = value"),
    ("a = b\n", 1, "text before the first [section]"), ("{section}\n{section}\n", 2, "stands twice in this file"),
    ("\ufeff{section}\n", 1, "byte order mark"), ("{section}\nx = \0\n", 2, "NUL byte"),
    ("{section}\nx = \udcff\n", 2, "not valid UTF-8"), ("{section}\nx = 1\nX = 2\n", 3, "option 'x' stands twice")])
def test_files_that_are_none(sandbox, component, text, line, words):
    """In base file and drop-in alike: file, line and reason, all files in one run, and the values beside it."""
    content = text.replace("{section}", f"[{component}]").encode("utf-8", "surrogateescape")
    for name in (f"{component}.conf", f"{component}.conf.d/50"):
        sandbox.write(name, "")
        (sandbox.keylime / name).write_bytes(content)
    options, done = sandbox.check(component)
    assert done.returncode == 1 and len(options) >= LEAST[component]
    for name in (f"{component}.conf", f"{component}.conf.d/50"):
        assert f"/etc/keylime/{name}:{line}: " in done.stderr, done.stderr
    assert done.stderr.count(words) == 2, done.stderr


@pytest.mark.parametrize("component", SHOWN_BY)
def test_what_is_unknown_is_one_warning(sandbox, component):
    toml = component == "agent"
    table = f"[{component}]\nno_such_option = 1\n"
    sandbox.write(f"{component}.conf", table + ("" if toml else "[no_such_section]\nx = 1\n"))
    sandbox.write(f"{component}.conf.d/50", table)
    sandbox.write(f"{component}.conf.d/old.rpmsave", "nonsense")
    _, done = sandbox.check(component, env={f"KEYLIME_{component.upper()}_NO_SUCH": "1"})
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len([line for line in warnings if f"unknown option 'no_such_option' in [{component}]" in line]) == 1
    assert len([line for line in warnings if "in [no_such_section]" in line]) == (0 if toml else 1)
    assert [line for line in warnings if "old.rpmsave skipped" in line]
    assert [line for line in warnings if f"KEYLIME_{component.upper()}_NO_SUCH names no option" in line]


@pytest.mark.parametrize("component,text,sentences", [
    ("registrar", "port = 0\ntls_port = 0\n", ["port and tls_port are both 0: one of them must be set"]),
    ("registrar", "port = 7\ntls_port = 7\n", ["must be another one than port"]),
    ("verifier", "restrict_admin_names = True\nadmin_certificate_names = []\ndatabase_url = mysql://u:sesame@h/x\n"
     "severity_policy = [{\"event_id\": \"(\", \"severity_label\": \"emergency\"}]\n"
     "runtime_policy_keys = ['/nowhere/key.pem']\nserver_key = mine.pem\n",
     ["nobody could administer this server", "MySQL and MariaDB are not supported", "unterminated subpattern",
      "/nowhere/key.pem", "To use tls_dir=generate, the following options must be set to 'default': server_key"]),
    ("verifier", "tls_dir = /nowhere\ntrusted_client_ca = [ca.pem]\n",
     ["server certificate /nowhere/server-cert.crt: No such file", "server key /nowhere/server-private.pem: No such",
      "trusted CA certificate /nowhere/ca.pem: No such file"]),
    ("registrar", "tls_dir =\n", ["must be default, generate or a directory"]),
])
def test_what_options_do_not_allow_together(sandbox, component, text, sentences):
    sandbox.write(f"{component}.conf", f"[{component}]\n{text}")
    _, done = sandbox.check(component)
    assert done.returncode == 1 and "sesame" not in done.stdout + done.stderr
    for sentence in sentences:
        assert sentence in done.stderr, done.stderr
    assert list(sandbox.deployment.keylime_dir.iterdir()) == []


def test_problems_of_other_files_are_named(sandbox):
    """ca.conf where the server makes certificates, tenant.conf where the registrar reads it, logging.conf always."""
    sandbox.write("ca.conf", "[ca]\ncert_lifetime = 0\n")
    sandbox.write("tenant.conf", "no section\n")
    sandbox.write("logging.conf", "[logger_root]\nlevel = LOUD\n")
    sandbox.write("registrar.conf", "[registrar]\ntls_dir = generate\n")
    _, done = sandbox.check("registrar")
    assert done.returncode == 1
    for place in ("ca.conf:2: [ca] cert_lifetime", "tenant.conf:1: text before", "logging.conf:2: [logger_root] level"):
        assert f"/etc/keylime/{place}" in done.stderr, done.stderr


# --- effects ---------------------------------------------------------------------------------------------

# Whose only value is checked: there is nothing to read.
CHECKED_ONLY = {"version", "authorization_provider", "measured_boot_imports", "tpm_identity", "api_version",
                "durable_attestation_import", "persistent_store_url", "transparency_log_url",
                "time_stamp_authority_url", "time_stamp_authority_certs_path"}
SWEEPS = {"test_options.py", "option_tables.py", "upstream_files.py", "fuzz_ini.c"}


def code_below(*folders, ending=".c"):
    return {path: path.read_text(errors="replace") for folder in folders for path in (TESTS.parent / folder).rglob("*")
            if path.suffix == ending and path.name not in SWEEPS}


@pytest.mark.parametrize("component", SHOWN_BY)
def test_every_option_is_read(sandbox, component):
    """By the code beside the table: none is parsed and dropped."""
    folders = {"ca": ["src/pki"], "logging": ["src/config"]}.get(component, [f"src/{component}"])
    code = code_below(*folders, "src/http", "src/store", "src/pki")
    options, _ = sandbox.check(component)
    read = set()
    for path, text in code.items():
        if path.name == "options.c":
            continue
        # Beside a row of a table, the name stands once more where it is read.
        text = re.sub(r"""(\.name = |\b(?:TEXT|INT|REAL|BOOL|LIST|WORD)\()"\w+\"""", "", text)
        read |= set(re.findall(r'"(\w+)"', text))
    dropped = [name for (_, name), option in options.items()
               if option["effect"] == "yes" and name not in read and name not in CHECKED_ONLY]
    assert dropped == []


@pytest.mark.parametrize("component", SHOWN_BY)
def test_every_option_is_set_by_another_test(sandbox, component):
    """For its effect: as a variable, as a flag, or in the text of a file. What servers share, one may set."""
    tests = "\n".join([*code_below("tests", ending=".py").values(), *code_below("tests/unit").values()])
    options, _ = sandbox.check(component)
    untested = []
    for (section, name), option in options.items():
        if option["effect"] != "yes" or name in CHECKED_ONLY:
            continue
        part = name if section == component else f"{section}_{name}"
        forms = [rf"KEYLIME_(?:{component.upper()}|\{{.+?\}})_{part.upper()}\b", rf"^\W*{name} ?= ?\S",
                 rf"\b{name}=", rf'"{name}":', rf'\("{part.upper()}", ', rf"(?:\\n|[\"']){name} ?= ?"]
        if option["flag"]:
            forms.append(rf"--{option['flag']}\b")
        if not re.search("|".join(forms), tests, re.MULTILINE):
            untested.append((section, name))
    assert untested == []


# --- against the reference -----------------------------------------------------------------------------


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference documents are not here")
@pytest.mark.parametrize("component", SHOWN_BY)
def test_every_option_of_the_reference_is_known(sandbox, component):
    """With the reference's default, unless a decision has another one."""
    options, _ = sandbox.check(component)
    rows = Reference(component).rows
    assert len(rows) >= Reference.LEAST[component]
    missing = [key for key in rows if key not in options and key[1] != "version"]
    assert missing == []
    other = {key: (options[key]["default"], row.default) for key, row in rows.items()
             if row.default is not None and key not in Reference.DECIDED
             and key[1] != "version" and options[key]["effect"] == "yes"
             and not same(options[key]["default"], row.default)}
    assert other == {}
    lively = [key for key, row in rows.items() if row.dead and options[key]["effect"] == "yes"
              and key not in Reference.ALIVE]
    assert lively == []


def same(ours, theirs):
    def plain(text):
        return re.sub(r"""["' \[\]]""", "", text or "").lower()
    try:
        return float(plain(ours)) == float(plain(theirs))
    except ValueError:
        return plain(ours) == plain(theirs)
