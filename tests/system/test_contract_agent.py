# SPDX-License-Identifier: Apache-2.0
"""What the user guide says about the agent's configuration, command line and identity (contract C27 to C62,
U4, U25). Each test names the rows that it proves."""
import base64
import datetime
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.fake_server import Authority
from lib.private_etc import PrivateEtc
from lib.program import BINARIES
from lib.stage import AGENT, Stage

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def stage(deployment, tmp_path):
    made = Stage(deployment, tmp_path)
    yield made
    made.stop()


def run_agent(deployment, *flags, env=None, cwd=None):
    """Run the agent to its end."""
    base = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""}
    return subprocess.run([str(BINARIES["agent"]), *flags], env={**base, **(env or {})}, cwd=cwd,
                          capture_output=True, text=True, timeout=20)


@pytest.fixture
def etc(deployment):
    if not PrivateEtc.usable():
        pytest.skip("mount namespaces are not allowed here")
    return PrivateEtc(deployment)


def shown(done, option):
    """(value, source) of an option in the output of --check-config."""
    assert done.returncode == 0, done.stderr
    found = re.search(rf"^{option} = (.*?) +# (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return found[1].strip('"'), found[2]


# --- sources ---------------------------------------------------------------------------------------

# Option, its value in file, drop-in and variable, and as a flag where there is one.
SOURCES = [
    ("verifier_url", '"https://a.example:1"', '"https://b.example:2"', "https://c.example:3",
     "--verifier-url", "https://d.example:4"),
    ("verifier_tls_ca_cert", '"a.pem"', '"b.pem"', "c.pem", "--ca-certificate", "d.pem"),
    ("attestation_interval_seconds", "11", "12", "13", "--attestation-interval-seconds", "14"),
    ("registrar_ip", '"127.0.0.2"', '"::1"', "registrar.example", None, None),
    ("registrar_port", "1001", '"1002"', "1003", None, None),
    ("registrar_tls_enabled", "true", "false", "yes", None, None),
    ("registrar_tls_port", "1001", "1002", "1003", None, None),
    ("registrar_tls_ca_cert", '"a.pem"', '"/b.pem"', "c.pem", None, None),
    ("uuid", f'"{AGENT}"', '"hash_ek"', "hostname", None, None),
    ("api_versions", '["2.6", "3.0"]', '"3.0"', "[v3.0]", None, None),
    ("tpm_hash_alg", '"sha384"', '"sha512"', "sha256", None, None),
    ("tpm_signing_alg", '"ecdsa"', '"rsapss"', "rsassa", None, None),
    ("timeout", "1", "2", "3", "--timeout", "4"),
    ("agent_identifier", '"a"', '"b"', "c", "--agent-identifier", "d"),
    ("registrar_url", '"http://a:1"', '"http://b:2"', "http://c:3", "--registrar-url", "http://d:4"),
    ("insecure", "true", "false", "on", "--insecure=false", None),
    ("avoid_tpm", "true", "false", "1", "--avoid-tpm=false", None),
    ("exponential_backoff_initial_delay", "1", "2", "3", None, None),
    ("exponential_backoff_max_retries", "1", "2", "3", None, None),
    ("exponential_backoff_max_delay", "1", "2", "3", None, None),
]
LISTS = {"[v3.0]": "['v3.0']", '"3.0"': "['3.0']", '["2.6", "3.0"]': "['2.6', '3.0']"}


def as_shown(value):
    words = {"yes": "true", "on": "true", "1": "true"}
    return LISTS.get(value, value).strip('"'), words.get(value)


@pytest.mark.parametrize("option,file,dropin,variable,flag,given", SOURCES, ids=[row[0] for row in SOURCES])
def test_every_source_of_every_option(etc, option, file, dropin, variable, flag, given):
    """C28, C29, C30, C53: file < drop-in < variable < flag, each with its place; one left out, the next counts."""
    def check(expected, source, *flags, env=None):
        value, place = shown(etc.run("agent", "--check-config", *flags, env=env), option)
        assert value in as_shown(expected), (value, expected)
        assert re.fullmatch(source, place), (place, source)

    name = f"KEYLIME_AGENT_{option.upper()}"
    etc.write("agent.conf", f"[other]\nsomething = 1\n[agent]\n{option} = {file}\n")
    check(file, r"/etc/keylime/agent\.conf:4:\d+")
    etc.write("agent.conf.d/050-more.conf", f"[agent]\n{option} = {dropin}\n")
    check(dropin, r"/etc/keylime/agent\.conf\.d/050-more\.conf:2:\d+")
    check(variable, name, env={name: variable})
    if flag:
        flags = [flag, given] if given else [flag]
        check(given or "false", flag.split("=")[0], *flags, env={name: variable})
        check(given or "false", flag.split("=")[0], *flags)


@pytest.mark.parametrize("word,value", [
    ("1", "true"), ("true", "true"), ("ON", "true"), ("Yes", "true"),
    ("0", "false"), ("FALSE", "false"), ("off", "false"), ("nO", "false")])
def test_words_of_booleans(deployment, word, value):
    """C31: in variables, in any case; in TOML's texts too (C33)."""
    env = {"KEYLIME_AGENT_REGISTRAR_TLS_ENABLED": word}
    assert shown(run_agent(deployment, "--check-config", env=env), "registrar_tls_enabled")[0] == value
    (deployment.directory / "agent.conf").write_text(f'[agent]\nregistrar_tls_enabled = "{word}"\n')
    assert shown(run_agent(deployment, "--check-config"), "registrar_tls_enabled")[0] == value


@pytest.mark.parametrize("line", [
    'registrar_port = "abc"', "registrar_port = 8890.5", "registrar_port = true", "registrar_port = [8890]",
    'registrar_tls_enabled = "maybe"', "registrar_tls_enabled = 2", "verifier_url = 8881",
    'verifier_url = ["https://a:1"]', "uuid = 2026-11-29"])
def test_values_of_another_type(deployment, line):
    """C33: refused with the place."""
    conf = deployment.directory / "agent.conf"
    conf.write_text(f"[agent]\n{line}\n")
    done = run_agent(deployment, "--check-config")
    assert done.returncode == 1 and re.search(rf"{re.escape(str(conf))}:2:\d+: ", done.stderr), done.stderr


def test_keylime_dir_beats_every_other_source(deployment, tmp_path):
    """C29, C47: KEYLIME_DIR before the option's own variable, that before the file."""
    for name in ("file", "variable"):
        (tmp_path / name).mkdir()
    (deployment.directory / "agent.conf").write_text(f'[agent]\nkeylime_dir = "{tmp_path}/file"\n')
    none = {"KEYLIME_DIR": ""}
    own = {"KEYLIME_AGENT_KEYLIME_DIR": f"{tmp_path}/variable"}
    assert shown(run_agent(deployment, "--check-config", env=none), "keylime_dir")[0].endswith("/file")
    assert shown(run_agent(deployment, "--check-config", env={**none, **own}),
                 "keylime_dir") == (f"{tmp_path}/variable", "KEYLIME_AGENT_KEYLIME_DIR")
    assert shown(run_agent(deployment, "--check-config", env=own),
                 "keylime_dir") == (str(deployment.keylime_dir), "KEYLIME_DIR")


@pytest.mark.parametrize("text", ['uuid = "generate"\n', '[verifier]\nuuid = "generate"\n'])
def test_options_outside_their_table(deployment, text):
    """C28: refused with the line and the table that they belong to."""
    conf = deployment.directory / "agent.conf"
    conf.write_text(text)
    done = run_agent(deployment, "--check-config")
    assert done.returncode == 1
    assert re.search(rf"{re.escape(str(conf))}:\d+:\d+: option 'uuid' .* must be in \[agent\]", done.stderr)


# Root without the right to read what its mode forbids.
AS_OWNER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
@pytest.mark.parametrize("which", ["configuration", "drop-in", "ca"])
def test_unreadable_files(deployment, tmp_path, which):
    """C35, C120: refused with path, mode and owner; never skipped."""
    conf = deployment.directory / "agent.conf"
    path = {"configuration": conf, "drop-in": tmp_path / "agent.conf.d/1.conf", "ca": tmp_path / "ca.pem"}[which]
    path.parent.mkdir(exist_ok=True)
    path.write_text("[agent]\n")
    path.chmod(0)
    env = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": ""}
    command = [*AS_OWNER, str(BINARIES["agent"])]
    if which == "ca":
        env["KEYLIME_AGENT_VERIFIER_TLS_CA_CERT"] = str(path)
    if which == "drop-in":
        if not PrivateEtc.usable():
            pytest.skip("mount namespaces are not allowed here")
        etc = PrivateEtc(deployment)
        etc.write("agent.conf", "[agent]\n")
        etc.write("agent.conf.d/1.conf", "[agent]\n")
        (etc.keylime / "agent.conf.d/1.conf").chmod(0)
        path = "/etc/keylime/agent.conf.d/1.conf"
        env = {"PATH": "/usr/bin:/bin", **etc.env}
        command = etc.command("agent", before=AS_OWNER)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1, done.stdout + done.stderr
    assert str(path) in done.stderr and "Permission denied" in done.stderr
    assert re.search(r"mode 0000", done.stderr) and re.search(r"owner root", done.stderr), done.stderr


# --- options ---------------------------------------------------------------------------------------


def test_paths_are_below_keylime_dir(stage, tmp_path):
    """C35, C37: relative to keylime_dir wherever the agent is started; absolute as it is; default and empty."""
    right, wrong = stage.authority.certificate_path, Authority(tmp_path / "wrong").certificate_path
    work = stage.deployment.keylime_dir
    (work / "cv_ca").mkdir()
    shutil.copy(right, work / "cv_ca/cacert.crt")
    shutil.copy(right, work / "ours.pem")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "cv_ca").mkdir(parents=True)
    for name in ("ours.pem", "cv_ca/cacert.crt"):
        shutil.copy(wrong, elsewhere / name)
    before = os.getcwd()
    try:
        for place in ("/", str(elsewhere)):
            for value in ("ours.pem", "default", "", str(right)):
                os.chdir(place)
                agent = stage.agent(env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": value})
                agent.wait_for_line("SUCCESS! Evidence accepted")
                agent.stop()
    finally:
        os.chdir(before)


@pytest.mark.parametrize("content,reason", [
    (None, "No such file"), ("", "no PEM certificate"), ("key", "no PEM certificate"),
    ("text", "no PEM certificate")])
def test_ca_files_that_cannot_be_used(stage, tmp_path, content, reason):
    """C37, C43: refused with the resolved path, for the verifier always, for the registrar with TLS only."""
    path = stage.deployment.keylime_dir / "ca.pem"
    if content == "key":
        path.write_bytes(stage.authority.chain_path.read_bytes().split(b"-----BEGIN CERTIFICATE")[0])
    elif content is not None:
        path.write_text(content)
    for option, more in (("VERIFIER_TLS_CA_CERT", {}),
                         ("REGISTRAR_TLS_CA_CERT", {"KEYLIME_AGENT_REGISTRAR_TLS_ENABLED": "true"})):
        agent = stage.agent(env={f"KEYLIME_AGENT_{option}": "ca.pem", **more})
        agent.wait_for_line(rf"ERROR - {option.lower()} = {path}: .*{reason}")
        assert agent.process.wait(5) == 1
    plain = stage.agent(env={"KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": "ca.pem"})
    plain.wait_for_line("SUCCESS! Evidence accepted")
    plain.stop()
    insecure = stage.agent("--insecure", env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": "ca.pem"})
    insecure.wait_for_line("SUCCESS! Evidence accepted")


@pytest.mark.parametrize("options,origin", [
    ({}, "http://127.0.0.1:8890"),
    ({"REGISTRAR_PORT": "9999"}, "http://127.0.0.1:9999"),
    ({"REGISTRAR_TLS_PORT": "7777"}, "http://127.0.0.1:8890"),
    ({"REGISTRAR_TLS_ENABLED": "true"}, "https://127.0.0.1:8891"),
    ({"REGISTRAR_TLS_ENABLED": "on", "REGISTRAR_PORT": "9999"}, "https://127.0.0.1:9999"),
    ({"REGISTRAR_TLS_ENABLED": "1", "REGISTRAR_PORT": "9999", "REGISTRAR_TLS_PORT": "7777"},
     "https://127.0.0.1:7777"),
    ({"REGISTRAR_TLS_ENABLED": "true", "REGISTRAR_PORT": "8890", "REGISTRAR_TLS_PORT": "7777"},
     "https://127.0.0.1:7777"),
    ({"REGISTRAR_IP": "::1"}, "http://[::1]:8890"), ({"REGISTRAR_IP": "[::1]"}, "http://[::1]:8890"),
    ({"REGISTRAR_IP": "localhost"}, "http://localhost:8890"),
])
def test_address_of_the_registrar(deployment, stage, options, origin):
    """C39 to C42, C50, C51: which port counts with and without TLS; 8888 never does; the default verifier."""
    env = {f"KEYLIME_AGENT_{name}": value for name, value in options.items()}
    base = {"PATH": "/usr/bin:/bin", **deployment.env, "KEYLIME_AGENT_RUN_AS": "",
            "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
            "KEYLIME_AGENT_REGISTRAR_TLS_CA_CERT": str(stage.authority.certificate_path)}
    agent = stage.deployment.start("agent", "--avoid-tpm", env={**base, **env})
    agent.wait_for_line(re.escape(f"Verifier: https://localhost:8881, registrar: {origin}") + "$")
    agent.wait_for_line(rf"GET {re.escape(origin)}/version")


def test_registrar_by_name(stage):
    """C39, C40: a host name, and a port in quotes."""
    (stage.deployment.directory / "agent.conf").write_text(
        f'[agent]\nregistrar_ip = "localhost"\nregistrar_port = "{stage.registrar.port}"\n')
    agent = stage.deployment.start("agent", "--avoid-tpm", env={
        "KEYLIME_AGENT_RUN_AS": "", "KEYLIME_AGENT_UUID": AGENT,
        "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url + "/",
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path)})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    # C36: a trailing slash of verifier_url changes no path.
    assert {request.path for request in stage.verifier.requests} >= {
        "/v3.0/sessions", f"/v3.0/agents/{AGENT}/attestations"}


@pytest.mark.parametrize("value", ["3.0", "v3.0", "default", "latest", "2.6, 3.0", "[2.6 v3.0]", "[]", ""])
def test_api_versions(stage, value):
    """C45: lists of every form that contain 3.0; requests go to /v3.0/."""
    agent = stage.agent(env={"KEYLIME_AGENT_API_VERSIONS": value})
    if value == "[]":
        agent.wait_for_line(r"api_versions = '\[\]': must contain 3\.0")
        assert agent.process.wait(5) == 1
        return
    agent.wait_for_line("SUCCESS! Evidence accepted")
    assert all(request.path.startswith("/v3.0/") for request in stage.verifier.requests
               if request.method != "GET")


def test_further_options_have_their_effect(stage):
    """C49: what the guide does not list is sent, used, or said to have no effect; nothing is dropped in silence."""
    data = stage.deployment.directory / "elsewhere.json"
    agent = stage.agent("--insecure=false", env={
        "KEYLIME_AGENT_CONTACT_IP": "192.0.2.7", "KEYLIME_AGENT_CONTACT_PORT": "77",
        "KEYLIME_AGENT_CERTIFICATION_KEYS_SERVER_IDENTIFIER": "my-ak",
        "KEYLIME_AGENT_REGISTRAR_API_VERSIONS": "2.4, 2.5", "KEYLIME_AGENT_AGENT_DATA_PATH": str(data),
        "KEYLIME_AGENT_TLS_ACCEPT_INVALID_CERTS": "true",
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": "/nowhere"})
    agent.wait_for_line("SUCCESS! Evidence accepted")
    register = next(r for r in stage.registrar.requests if r.method == "POST")
    assert register.path == f"/v2.5/agents/{AGENT}"
    assert (register.json["ip"], register.json["port"]) == ("192.0.2.7", 77)
    assert data.exists() and not (stage.deployment.keylime_dir / "agent_data.json").exists()
    offer = next(r for r in stage.verifier.requests if r.path.endswith("/attestations"))
    quote = offer.json["data"]["attributes"]["evidence_supported"][0]["capabilities"]
    assert quote["certification_keys"][0]["server_identifier"] == "my-ak"


def test_no_option_is_parsed_and_dropped():
    """C49: each option of the table is read by the program's own code, or is said to be without effect."""
    sources = "".join(path.read_text() for path in (ROOT / "src/agent").glob("*.c")
                      if path.name != "options.c")
    example = subprocess.run([str(BINARIES["agent"]), "--example-config"], capture_output=True, text=True,
                             check=True).stdout
    options = re.findall(r"^# ?(\w+) = ", example, re.MULTILINE)
    assert len(options) > 40, example
    checked_only = {"api_version"}  # has one value
    assert [name for name in options if f'"{name}"' not in sources and name not in checked_only] == []


# --- command line and back-off -----------------------------------------------------------------------


def test_interval_by_flag(stage):
    """C53: the flag beats the file; without it the file's value stays."""
    (stage.deployment.directory / "agent.conf").write_text("[agent]\nattestation_interval_seconds = 4\n")
    plain = {"KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS": "3"}
    stage.agent(env=plain).wait_for_line("Waiting 3 seconds before next attestation")
    stage.agent("--attestation-interval-seconds", "2", env=plain).wait_for_line("Waiting 2 seconds")
    base = stage.deployment.agent_env(AGENT)
    del base["KEYLIME_AGENT_ATTESTATION_INTERVAL_SECONDS"]
    agent = stage.deployment.start("agent", "--avoid-tpm", log="file", env={
        **base, "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port)})
    agent.wait_for_line("Waiting 4 seconds before next attestation")


def test_ca_by_flag(stage, tmp_path):
    """C54: --ca-certificate is relative to the current directory, and not for the registrar."""
    shutil.copy(stage.authority.certificate_path, tmp_path / "mine.pem")
    before = os.getcwd()
    try:
        os.chdir(tmp_path)
        agent = stage.agent("--ca-certificate", "mine.pem",
                            env={"KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": "/nowhere"})
        refused = stage.agent("--ca-certificate", "mine.pem",
                              env={"KEYLIME_AGENT_REGISTRAR_TLS_ENABLED": "true"})
    finally:
        os.chdir(before)
    agent.wait_for_line("SUCCESS! Evidence accepted")
    refused.wait_for_line(rf"registrar_tls_ca_cert = {stage.deployment.keylime_dir}/cv_ca/cacert\.crt")
    assert refused.process.wait(5) == 1


def test_insecure_is_for_certificates_only(deployment):
    """C57: --insecure makes no http:// of it."""
    done = run_agent(deployment, "--insecure", "--verifier-url", "http://localhost:8881")
    assert done.returncode == 2 and "must use https" in done.stderr


@pytest.mark.parametrize("initial,cap,delays,clamped", [
    (100, 150, [0.1, 0.15, 0.15], False), (5000, 300, [0.3, 0.3, 0.3], True)])
def test_no_delay_above_the_cap(stage, initial, cap, delays, clamped):
    """C62: the cap holds for every delay, also for an initial one above it, with a warning."""
    stage.registrar.replace[("GET", "/version")] = None
    agent = stage.agent(env={
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_INITIAL_DELAY": str(initial),
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": str(cap),
        "KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_RETRIES": "3"})
    agent.wait_for_line("Registration failed")
    times = stage.registrar.times("GET", "/version")[:4]
    assert len(times) == 4
    for earlier, later, wanted in zip(times, times[1:], delays):
        assert wanted * 0.75 - 0.02 <= later - earlier <= min(wanted * 1.25, cap / 1000) + 0.3
    warned = "exponential_backoff_initial_delay (5000 ms) is above exponential_backoff_max_delay (300 ms)"
    assert (warned in agent.output()) == clamped


def test_delays_begin_anew(stage):
    """C65: one warning a retry; after a success the next failure waits the initial delay again."""
    left = [3]

    def cut(request):
        left[0] -= 1
        return None if left[0] >= 0 else "usual"

    stage.registrar.replace[("GET", "/version")] = cut
    agent = stage.agent(env={"KEYLIME_AGENT_EXPONENTIAL_BACKOFF_MAX_DELAY": "5000"})
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated")
    left[0], start = 2, len(agent.output())  # one for a kept connection, which is opened again unasked
    agent.signal(signal.SIGHUP)
    agent.wait_for_line(f"SUCCESS: Agent {AGENT} activated", start=start)
    delays = re.findall(r"WARNING - Network error.*GET http\S+/version, attempt (\d) of 6, next in (\S+) s",
                        agent.output())
    assert [attempt for attempt, _ in delays[:4]] == ["1", "2", "3", "1"]
    assert float(delays[2][1]) >= 0.6 and float(delays[3][1]) <= 0.3


# --- log -------------------------------------------------------------------------------------------


def test_log_without_setting_anything(stage):
    """C68: transitions and successes at INFO, line by line through a pipe, within a second of the event."""
    env = {"PATH": "/usr/bin:/bin", **stage.deployment.env, **stage.deployment.agent_env(AGENT),
           "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
           "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
           "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port)}
    agent = subprocess.Popen([str(BINARIES["agent"]), "--avoid-tpm"], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    os.set_blocking(agent.stdout.fileno(), False)
    text, late = "", []
    until = time.monotonic() + 20
    while "State: Attesting -> Negotiating" not in text and time.monotonic() < until:
        select.select([agent.stdout], [], [], 1)
        read = (agent.stdout.read() or b"").decode()
        for stamp in re.findall(r"^(\S+ \S+?\.\d+) - ", read, re.MULTILINE):
            age = datetime.datetime.now() - datetime.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S.%f")
            if age > datetime.timedelta(seconds=2):  # one for a busy machine
                late.append(stamp)
        text += read
    agent.terminate()
    assert agent.wait(10) == 0
    agent.stdout.close()
    for line in ("State: Unregistered -> Registered", f"SUCCESS: Agent {AGENT} registered",
                 "State: Negotiating -> Attesting", "SUCCESS! Evidence accepted by the Verifier."):
        assert f"INFO - {line}" in text, text
    assert late == []


# --- upstream's files ------------------------------------------------------------------------------

# Options of upstream's shipped agent.conf, with the values that it sets.
UPSTREAM = """
version = "2.4"
api_versions = "default"
uuid = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"
ip = "127.0.0.1"
port = 9002
contact_ip = "127.0.0.1"
contact_port = 9002
registrar_ip = "127.0.0.1"
registrar_tls_port = 8891
registrar_tls_enabled = false
registrar_tls_ca_cert = "default"
enable_agent_mtls = true
keylime_dir = "/var/lib/keylime"
server_key = "default"
server_key_password = ""
payload_key = "default"
payload_key_password = ""
server_cert = "default"
trusted_client_ca = "default"
enc_keyname = "derived_tci_key"
dec_payload_file = "decrypted_payload"
secure_size = "1m"
extract_payload_zip = true
enable_revocation_notifications = false
revocation_actions_dir = "/usr/libexec/keylime"
revocation_notification_ip = "127.0.0.1"
revocation_notification_port = 8992
revocation_cert = "default"
revocation_actions = ""
payload_script = "autorun.sh"
enable_insecure_payload = false
allow_payload_revocation_actions = true
tpm_hash_alg = "sha256"
tpm_encryption_alg = "rsa"
tpm_signing_alg = "rsassa"
ek_handle = "generate"
enable_iak_idevid = false
iak_idevid_template = "detect"
iak_idevid_asymmetric_alg = "rsa"
iak_idevid_name_alg = "sha256"
idevid_password = ""
idevid_handle = ""
iak_password = ""
iak_handle = ""
iak_cert = "default"
idevid_cert = "default"
tpm_ownerpassword = ""
run_as = ""
agent_data_path = "default"
ima_ml_path = "default"
measuredboot_ml_path = "default"
attestation_interval_seconds = 60
verifier_tls_ca_cert = "default"
registrar_api_versions = "default"
certification_keys_server_identifier = "ak"
uefi_logs_evidence_version = "2.1"
exponential_backoff_initial_delay = 10000
exponential_backoff_max_retries = 5
exponential_backoff_max_delay = 300000
tls_accept_invalid_certs = false
tls_accept_invalid_hostnames = false
"""


def test_upstreams_file_and_key_go_on(stage):
    """U25: its configuration works without a warning but for the shared id, and its agent_data.json, readable
    by all as upstream leaves it, keeps the key."""
    work = stage.deployment.keylime_dir
    stage.verifier.seconds = 15  # an interval of 60 s is below five times that
    (work / "cv_ca").mkdir()
    shutil.copy(stage.authority.certificate_path, work / "cv_ca/cacert.crt")
    (stage.deployment.directory / "agent.conf").write_text(
        f'[agent]{UPSTREAM}registrar_port = {stage.registrar.port}\nverifier_url = "{stage.verifier.url}"\n')
    checked = run_agent(stage.deployment, "--check-config")
    assert checked.returncode == 0 and "WARNING" not in checked.stderr, checked.stderr
    keys = set()
    for log in ("first", "second"):
        agent = stage.deployment.start("agent", "--avoid-tpm", env={}, log=log)
        agent.wait_for_line("SUCCESS! Evidence accepted")
        warnings = [line for line in agent.output().splitlines()
                    if " WARNING - " in line and "INSECURE" not in line and "measurement list" not in line
                    and "boot log" not in line]
        assert len(warnings) == 1 and "every default installation" in warnings[0], warnings
        agent.stop()
        keys.add(next(r for r in stage.registrar.requests if r.method == "POST").json["aik_tpm"])
        stage.registrar.requests.clear()
        os.chmod(work / "agent_data.json", 0o644)
    assert len(keys) == 1


# --- problems, all at once -------------------------------------------------------------------------


def test_every_problem_in_one_run(deployment):
    """U4: rules of one option and rules between options, in one run; start and --check-config refuse alike."""
    conf = deployment.directory / "agent.conf"
    conf.write_text('[agent]\nregistrar_port = 0\napi_versions = "2.6"\ntpm_signing_alg = "ecdsa"\n'
                    'tpm_encryption_alg = "rsa"\nek_handle = "7"\ntpm_ownerpassword = "hex:0"\n'
                    'enable_iak_idevid = true\niak_idevid_template = "H-9"\niak_cert = "none.pem"\n'
                    'avoid_tpm = true\n')
    expected = [rf"{re.escape(str(conf))}:{line}:\d+: \[agent\] {option} = " for line, option in [
        (2, "registrar_port"), (3, "api_versions"), (5, "tpm_encryption_alg"), (6, "ek_handle"),
        (7, "tpm_ownerpassword"), (8, "enable_iak_idevid"), (9, "iak_idevid_template"), (10, "iak_cert")]]
    nowhere = {"KEYLIME_DIR": "/nowhere"}
    expected.append(r"KEYLIME_DIR: \[agent\] keylime_dir = '/nowhere': No such file or directory")
    checked = run_agent(deployment, "--check-config", env=nowhere)
    started = run_agent(deployment, env=nowhere)
    assert checked.returncode == 1 and started.returncode == 1
    problems = [line.split(": ", 1)[1] for line in checked.stderr.splitlines() if "[agent]" in line]
    assert len(problems) == len(expected), checked.stderr
    for pattern in expected:
        assert any(re.match(pattern, line) for line in problems), (pattern, problems)
    assert problems == [line.split(": ", 1)[1] for line in started.stderr.splitlines() if "[agent]" in line]
    assert "hex:0" not in checked.stderr


def test_a_refused_word_is_no_second_problem(deployment):
    """U4: what depends on a value that was refused is not judged."""
    done = run_agent(deployment, "--check-config", env={
        "KEYLIME_AGENT_TPM_SIGNING_ALG": "dsa", "KEYLIME_AGENT_TPM_ENCRYPTION_ALG": "ecc"})
    assert done.returncode == 1
    assert "tpm_signing_alg = 'dsa'" in done.stderr and "do not fit" not in done.stderr


# --- identity --------------------------------------------------------------------------------------


def test_each_former_key_is_kept(stage):
    """D94: the second change does not overwrite what the first has put aside; hints name this agent's id."""
    directory = stage.deployment.keylime_dir
    contents = []
    for algorithm in ("sha256", "sha384", "sha512"):
        agent = stage.agent(env={"KEYLIME_AGENT_TPM_HASH_ALG": algorithm})
        agent.wait_for_line("Made a new attestation key")
        contents.append((directory / "agent_data.json").read_text())
        if algorithm != "sha256":
            agent.wait_for_line(f"WARNING.*tpm_hash_alg was changed.*regdelete -u {AGENT}$")
        agent.stop()
    assert (directory / "agent_data.json.bak").read_text() == contents[0]
    assert (directory / "agent_data.json.bak.1").read_text() == contents[1]
    assert not (directory / "agent_data.json.bak.2").exists()


def test_hints_name_the_id(stage):
    """C115a: commands in messages can be pasted: the id is this agent's own."""
    stage.registrar.replace[("POST", AGENT)] = (
        403, {}, {"code": 403, "status": "different TPM identity", "results": {}})
    agent = stage.agent()
    agent.wait_for_line(f"keylime_tenant -c regdelete -u {AGENT}")
    agent.stop()
    path = stage.deployment.keylime_dir / "agent_data.json"
    path.write_text("{}")
    damaged = stage.agent()
    damaged.wait_for_line(f"ERROR.*regdelete -u {AGENT}, start the agent.*update --push-model -u {AGENT}")


def device_certificate(path, key):
    """A certificate for a device key, as its maker gives it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    now = datetime.datetime.utcnow()
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key)
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def test_detected_device_keys_are_the_tpms(stage, simulator):
    """tpm-formats §4.4: with a certificate for the TPM's own P-256 IAK, detect registers that key."""
    env = {
        "KEYLIME_AGENT_VERIFIER_URL": stage.verifier.url,
        "KEYLIME_AGENT_VERIFIER_TLS_CA_CERT": str(stage.authority.certificate_path),
        "KEYLIME_AGENT_REGISTRAR_PORT": str(stage.registrar.port),
        "KEYLIME_AGENT_ENABLE_IAK_IDEVID": "true",
    }
    named = stage.deployment.start_agent(AGENT, tcti=simulator.tcti, log="named", env={
        **env, "KEYLIME_AGENT_IAK_IDEVID_TEMPLATE": "H-2"})
    named.wait_for_line("SUCCESS! Evidence accepted")
    named.stop()
    wanted = next(r.json for r in stage.registrar.requests if r.method == "POST")["iak_tpm"]
    area = base64.b64decode(wanted)
    point = ec.EllipticCurvePublicNumbers(
        int.from_bytes(area[-66:-34], "big"), int.from_bytes(area[-32:], "big"), ec.SECP256R1())
    device_certificate(stage.deployment.keylime_dir / "iak-cert.crt", point.public_key())
    stage.registrar.requests.clear()
    detected = stage.deployment.start_agent(AGENT, tcti=simulator.tcti, log="detected", env=env)
    detected.wait_for_line("SUCCESS! Evidence accepted")
    body = next(r.json for r in stage.registrar.requests if r.method == "POST")
    assert body["iak_tpm"] == wanted and body["iak_cert"]
