# SPDX-License-Identifier: Apache-2.0
"""The completions of bash and zsh (U1), by the shells themselves: every command, and every option that a program's
--help shows."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from lib.program import BINARIES, BUILD

COMPLETIONS = BUILD / "packaging"
DEBIAN = pathlib.Path(__file__).parents[2] / "packaging/debian"
PROGRAMS = {
    "keylime_verifier": BINARIES["verifier"],
    "keylime_registrar": BINARIES["registrar"],
    "keylime_push_model_agent": BINARIES["agent"],
    "keylime_ima_emulator": BUILD / "src/ima-emulator/keylime_ima_emulator",
    "keylime_tenant": BINARIES["tenant"],
    "keylime_ca": BUILD / "src/ca/keylime_ca",
    "keylime-policy": BUILD / "src/policy-tool/keylime-policy",
}
TOOLS = ("keylime_tenant", "keylime_ca", "keylime-policy")


def help_of(program, *words):
    done = subprocess.run([PROGRAMS[program], *words, "--help"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of(text):
    """All names of options at the beginning of lines, as --help prints them."""
    names = set()
    for line in re.findall(r"^ {2,6}(-.*)$", text, re.MULTILINE):
        names |= set(re.findall(r"(?:^|, )(--?[\w-]+)", line))
    return names


def commands_of(program):
    """With their words: "add", "create runtime"."""
    lines = re.findall(r"^  ([a-z][\w -]*?)  +\w.*$", help_of(program), re.MULTILINE)
    return [name for name in lines if not name.startswith("keylime")]


def test_the_help_is_read_rightly():
    """Otherwise the tests below would look for nothing."""
    assert {"add", "doctor", "listmbpolicy"} <= set(commands_of("keylime_tenant"))
    assert len(commands_of("keylime_tenant")) == 22 and len(commands_of("keylime_ca")) == 6
    assert "create runtime" in commands_of("keylime-policy") and len(commands_of("keylime-policy")) == 7
    assert {"-c", "--command", "-vp", "--mb_refstate"} <= options_of(help_of("keylime_tenant"))
    assert {"--insecure", "--check-config", "-v"} <= options_of(help_of("keylime_push_model_agent"))


def test_packages_hold_the_completions_of_their_programs():
    """In Debian's folders of both shells."""
    installed = {path: path.read_text().split() for path in DEBIAN.glob("*.install")}
    for program in PROGRAMS:
        (files,) = [files for files in installed.values() if f"usr/bin/{program}" in files]
        assert f"usr/share/bash-completion/completions/{program}" in files
        assert f"usr/share/zsh/vendor-completions/_{program}" in files
    assert "-Dzsh_completion_dir=/usr/share/zsh/vendor-completions" in (DEBIAN / "rules").read_text()


# --- bash ------------------------------------------------------------------------------------------


def bash(program, *words, cwd=None):
    """What bash would offer for the last of `words`."""
    script = """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        "$function"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", COMPLETIONS / program, program, *words], cwd=cwd,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_parses(program):
    subprocess.run(["bash", "-n", COMPLETIONS / program], check=True)


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name not in TOOLS])
def test_bash_options_of_programs_without_commands(program):
    assert set(bash(program, "-")) == options_of(help_of(program))


def test_bash_both_names_of_the_agent():
    done = subprocess.run(["bash", "-c", 'source "$1"; complete -p keylime-push-model-agent', "bash",
                           COMPLETIONS / "keylime_push_model_agent"], capture_output=True, text=True)
    assert "keylime_push_model_agent" in done.stdout


@pytest.mark.parametrize("program", TOOLS)
def test_bash_commands_and_their_options(program):
    """Every command is completed, and after it every option of its --help; all together are those of the
    program's."""
    seen = set()
    commands = commands_of(program)
    assert set(bash(program, "")) == {name.split()[0] for name in commands}
    for command in commands:
        words = command.split()
        for i, word in enumerate(words):
            assert word in bash(program, *words[:i], word[:-1])
        offered = set(bash(program, *words, "-"))
        assert options_of(help_of(program, *words)) <= offered, command
        seen |= offered
    assert seen >= options_of(help_of(program))


def test_bash_command_as_an_option():
    assert "addruntimepolicy" in bash("keylime_tenant", "-c", "addr")
    assert "create" in bash("keylime_ca", "--command", "")
    assert "--runtime-policy" in bash("keylime_tenant", "-c", "add", "--push-model", "--runtime")
    assert bash("keylime_ca", "-c", "revoke", "--dn") == []
    assert bash("keylime_tenant", "-c", "addallowlist", "--allowlist-n") == ["--allowlist-name"]


def test_bash_values(tmp_path):
    (tmp_path / "policy one.json").write_text("")
    (tmp_path / "folder").mkdir()
    here = dict(cwd=tmp_path)
    assert bash("keylime_tenant", "add", "--runtime-policy", "pol", **here) == ["policy one.json"]
    assert bash("keylime_tenant", "add", "--runtime-policy", "=", "pol", **here) == ["policy one.json"]
    assert bash("keylime_ca", "bundle", "-o", "", **here) == ["folder"]
    assert bash("keylime_ca", "bundle", "--for", "") == ["registrar", "verifier", "tenant", "agent"]
    assert bash("keylime_ca", "bundle", "--for", "=") == ["registrar", "verifier", "tenant", "agent"]
    assert bash("keylime_tenant", "add", "-u", "", **here) == []
    assert bash("keylime-policy", "check", "runtime", "--violations", "i") == ["ignore"]
    assert set(bash("keylime-policy", "check", "measured-boot", "-p", "", **here)) == {"policy one.json", "folder"}
    assert set(bash("keylime-policy", "show", "event-log", "", **here)) == {"policy one.json", "folder"}


# --- zsh -------------------------------------------------------------------------------------------

# A shell in which TAB writes down all matches, and Control-X the line as it is.
SETUP = """
unset HISTFILE; PS1='>'; fpath=(%(folder)s $fpath)
autoload -Uz compinit; compinit -u -D
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
    local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >> %(matches)s; builtin compadd "$@"
}
setopt no_list_ambiguous no_beep; LISTMAX=10000; zstyle ':completion:*' menu no
ended() { : > %(ended)s }
complete-and-end() { zle complete-word; ended; BUFFER=; }
zle -N complete-and-end; bindkey '^I' complete-and-end
ended
"""


class Zsh:
    def __init__(self, directory):
        self.ended, self.matches = directory / "ended", directory / "matches"
        folder = directory / "functions"
        folder.mkdir()
        for program in PROGRAMS:
            shutil.copy(COMPLETIONS / f"_{program}", folder)
        setup = directory / "setup"
        setup.write_text(SETUP % {"folder": folder, "matches": self.matches, "ended": self.ended})
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.environ["TERM"] = "dumb"
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.type(f"source {setup}\n")

    def type(self, text):
        """Until the shell says that it is done."""
        self.ended.unlink(missing_ok=True)
        os.write(self.terminal, text.encode())
        until = time.monotonic() + 30
        while not self.ended.exists():
            assert time.monotonic() < until, self.shown
            self.drain(0.05)
        self.drain(0.05)

    def drain(self, seconds):
        self.shown = getattr(self, "shown", b"")[-4000:]
        while select.select([self.terminal], [], [], seconds)[0]:
            self.shown += os.read(self.terminal, 65536)
            seconds = 0

    def offers(self, line):
        self.matches.write_text("")
        self.type(line + "\t")
        return {match.removesuffix("=") for match in self.matches.read_text().splitlines()}

    def stop(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    made = Zsh(tmp_path_factory.mktemp("zsh"))
    yield made
    made.stop()


@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_parses(program):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    done = subprocess.run(["zsh", "-n", COMPLETIONS / f"_{program}"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name not in TOOLS])
def test_zsh_options_of_programs_without_commands(zsh, program):
    assert options_of(help_of(program)) <= zsh.offers(f"{program} -")


@pytest.mark.parametrize("program", TOOLS)
def test_zsh_commands_and_their_options(zsh, program):
    commands = commands_of(program)
    assert {name.split()[0] for name in commands} <= zsh.offers(f"{program} ")
    seen = set()
    for command in commands:
        if " " in command:
            assert command.split()[1] in zsh.offers(f"{program} {command.split()[0]} ")
        offered = zsh.offers(f"{program} {command} -")
        assert options_of(help_of(program, *command.split())) <= offered, command
        seen |= offered
    assert seen >= options_of(help_of(program))


def test_zsh_values(zsh):
    assert zsh.offers("keylime_ca bundle --for ") >= {"registrar", "verifier", "tenant", "agent"}
    assert "doctor" in zsh.offers("keylime_tenant -c doc")
    assert zsh.offers("keylime-policy check runtime --violations ") >= {"path", "ignore", "fail"}
    assert "--runtime-policy" in zsh.offers("keylime_tenant -c add --runtime-p")
