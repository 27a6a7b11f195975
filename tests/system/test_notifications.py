# SPDX-License-Identifier: Apache-2.0
"""Notifications by webhook and ZeroMQ: what is told, in which form, and that it arrives whatever happens to
the receiver or the verifier in between (configuration-and-operations 14, decision D108; contract U22)."""
import json
import re
import sqlite3
import ssl
import subprocess
import sys
import time

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from lib.fake_server import Authority
from lib.named_tests import TESTS
from lib.notification_site import ALL_EVENTS, ZERO, NotificationSite, Receiver, SigningKey
from lib.program import Program, free_port, wait_until
from lib.push_agent import PushAgent

WEBHOOK = "['webhook']"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def receivers(authority):
    """Call it for another receiver."""
    made = []

    def make(answers=(), of=authority, port=0):
        made.append(Receiver(of, answers, port))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def sites(tmp_path, authority):
    """Call it with options for another verifier."""
    made = []

    def make(*hooks, **options):
        base = {"enabled_revocation_notifications": WEBHOOK, "webhook_url": list(hooks)} if hooks else {}
        made.append(NotificationSite(tmp_path / f"site-{len(made)}", authority, **{**base, **options}))
        return made[-1]

    yield make
    for each in made:
        each.deployment.stop()


# --- what is told ---------------------------------------------------------------------------------------


def test_U22_each_event_is_told_in_upstreams_form(sites, receivers):
    """The five of them, with the members, their order and the separators that upstream's receivers know."""
    receiver = receivers()
    site = sites(receiver.hook, notification_events=ALL_EVENTS, auto_recover_attestation_failures="True")
    key = SigningKey()
    agent = site.agent(revocation_key=key.pem, metadata='{"place": "\u00e9"}')
    enrolled = receiver.wait_for(agent, "enrolled")
    assert list(enrolled) == ["type", "ip", "agent_id", "port", "tpm_policy", "meta_data", "event_time",
                              "event_sequence"]
    site.fail(agent)
    revocation = receiver.wait_for(agent, "revocation")
    assert list(revocation) == ["type", "ip", "agent_id", "port", "tpm_policy", "meta_data", "event_time",
                                "event_id", "severity_label", "context", "event_sequence"]
    assert (revocation["ip"], revocation["port"]) == (None, None)
    assert json.loads(revocation["tpm_policy"]) == {"15": [ZERO]}
    assert revocation["meta_data"] == '{"place": "\u00e9"}'
    assert revocation["event_id"] == agent.record(site.admin)["last_event_id"]
    assert revocation["severity_label"] == "emergency"
    assert "PCR 15" in json.loads(revocation["context"])["message"]
    assert abs(time.mktime(time.strptime(revocation["event_time"])) - time.time()) < 120
    agent.ak.pcrs["sha256"][15] = bytes(32)
    agent.authenticate()
    agent.attest()
    receiver.wait_for(agent, "recovered")
    receiver.wait_for(agent, "comm_error")  # it says nothing more
    assert site.admin.delete(f"{agent.url}/v2.6/agents/{agent.id}", timeout=20).status_code == 200
    receiver.wait_for(agent, "deleted")
    assert receiver.kinds(agent) == ["enrolled", "revocation", "recovered", "comm_error", "deleted"]
    sequence = [each["event_sequence"] for each in receiver.messages(agent.id)]
    assert sequence == sorted(set(sequence))
    for request in receiver.requests:
        assert (request.method, request.path) == ("POST", "/hook?secret=1")
        assert request.headers["Content-Type"] == "application/json"
        body = request.json
        assert list(body) == ["msg", "signature"] and request.body == json.dumps(body).encode()
        assert body["msg"] == json.dumps(json.loads(body["msg"]))
        key.verify(body)
    assert "secret" not in site.log()


def test_default_events_are_failure_and_silence(sites, receivers):
    receiver = receivers()
    site = sites(receiver.hook)
    agent = site.agent()
    silent = site.agent()
    site.fail(agent)
    silent.authenticate()
    silent.attest()
    receiver.wait_for(silent, "comm_error")
    receiver.wait_for(agent, "revocation")
    assert site.admin.delete(f"{agent.url}/v2.6/agents/{agent.id}", timeout=20).status_code == 200
    last = site.agent()
    site.fail(last)
    receiver.wait_for(last, "revocation")
    assert {each["type"] for each in receiver.messages()} == {"revocation", "comm_error"}
    # FAIL that falls silent stays FAIL: nobody is told twice.
    assert receiver.kinds(agent) == ["revocation"] and receiver.kinds(silent) == ["comm_error"]


def test_signature_by_the_verifiers_key(sites, receivers, tmp_path):
    """Of agents that were enrolled without a key of their own, as those of our tenant; "" without either."""
    receiver = receivers()
    key, other = SigningKey(), SigningKey()
    path = tmp_path / "signing.pem"
    path.write_text(key.pem)
    site = sites(receiver.hook, notification_signing_key=path)
    agents = [site.agent(), site.agent(revocation_key=other.pem)]
    for agent in agents:
        site.fail(agent)
        receiver.wait_for(agent, "revocation")
    bodies = {json.loads(each.json["msg"])["agent_id"]: each.json for each in receiver.requests}
    key.verify(bodies[agents[0].id])
    other.verify(bodies[agents[1].id])
    with pytest.raises(InvalidSignature):
        other.verify(bodies[agents[0].id])
    site.restart({"KEYLIME_VERIFIER_REVOCATIONS_NOTIFICATION_SIGNING_KEY": ""})
    unsigned = site.agent()
    site.fail(unsigned)
    receiver.wait_for(unsigned, "revocation")
    body = next(each.json for each in receiver.requests if unsigned.id in each.json["msg"])
    assert body["signature"] == ""


def test_keys_are_checked_at_enrolment(sites):
    site = sites()
    agent = PushAgent(site.deployment.verifier_url, site.deployment.certificates / "cacert.crt")
    for bad in ("no key", SigningKey().pem[:200]):
        with pytest.raises(AssertionError, match="revocation_key"):
            agent.enrol(site.admin, revocation_key=bad)
    assert site.admin.get(f"{agent.url}/v2.6/agents/{agent.id}", timeout=20).status_code == 404


def test_an_update_leaves_the_key_or_replaces_it(sites, receivers):
    receiver = receivers()
    site = sites(receiver.hook)
    first, second = SigningKey(), SigningKey()
    agent = site.agent(revocation_key=first.pem)

    def update(**attributes):
        answer = site.admin.patch(f"{agent.url}/v3.0/agents/{agent.id}", timeout=20, json={
            "data": {"type": "agent", "id": agent.id, "attributes": attributes}})
        assert answer.status_code == 200, answer.text
        assert "PRIVATE KEY" not in answer.text

    update(metadata="{}")
    site.fail(agent)
    receiver.wait_for(agent, "revocation")
    first.verify(receiver.requests[-1].json)
    update(revocation_key=second.pem, tpm_policy="{}")
    update(tpm_policy=json.dumps({"15": [ZERO]}))
    agent.attest()
    wait_until(lambda: len(receiver.messages(agent.id, "revocation")) == 2, 30, "the second")
    second.verify(receiver.requests[-1].json)


# --- receivers that are not well ------------------------------------------------------------------------


def test_U22_receiver_that_comes_back_gets_everything(sites, receivers):
    """Nobody listens at first: tries go on, and nothing is lost, nor out of order."""
    port = free_port()
    site = sites(f"https://localhost:{port}/hook")
    agents = [site.agent() for _ in range(3)]
    for agent in agents:
        site.fail(agent)
        wait_until(lambda: agent.status(site.admin) == "FAIL", 20, "FAIL")
    site.verifier.wait_for_line(r"is not delivered to webhook localhost:\d+: .*failed try 4, the next in 0\.2 s", 30)
    receiver = receivers(port=port)
    for agent in agents:
        receiver.wait_for(agent, "revocation")
    assert [each["agent_id"] for each in receiver.messages(kind="revocation")] == [agent.id for agent in agents]
    site.verifier.wait_for_line(r"takes notifications again, after \d+ failed tries")


def test_U22_receiver_that_answers_with_errors(sites, receivers):
    receiver = receivers([500, 503, 404, 302, 500])
    site = sites(receiver.hook)
    agent = site.agent()
    site.fail(agent)
    site.verifier.wait_for_line(rf"Notification 1 \(revocation, agent '{agent.id}'\) delivered to webhook", 30)
    assert len(receiver.messages(agent.id, "revocation")) == 6
    assert re.search("answered 500; failed try 1", site.log())


@pytest.mark.parametrize("status", [200, 500])
def test_a_long_answer_counts_by_its_status(sites, receivers, status):
    """What it says is not read to the end."""
    receiver = receivers()
    receiver.answer = lambda request: (status, {}, {"text": "x" * 1000000})
    site = sites(receiver.hook)
    agent = site.agent()
    site.fail(agent)
    site.verifier.wait_for_line(r"\) delivered to webhook" if status == 200 else "answered 500; failed try 2", 30)
    assert status != 200 or len(receiver.messages(agent.id, "revocation")) == 1


def test_a_refused_one_lets_others_pass_and_is_given_up(sites, receivers):
    """The receiver cannot take the first one, whatever is tried."""
    receiver = receivers()
    receiver.answer = lambda request: (400 if "poison" in request.json["msg"] else 202, {}, {})
    site = sites(receiver.hook, notification_max_attempts=3)
    poison, good = site.agent(metadata='{"is": "poison"}'), site.agent()
    site.fail(poison)
    receiver.wait_for(poison, "revocation")
    site.fail(good)
    receiver.wait_for(good, "revocation")
    site.verifier.wait_for_line(rf"ERROR - Notification 1 \(revocation, agent '{poison.id}'\) to webhook \S+ is given"
                                " up after notification_max_attempts: .* answered 400", 30)
    assert len(receiver.messages(poison.id, "revocation")) == 3


def test_U22_slow_receiver_delays_nobody(sites, receivers):
    """Its answers never come: attestations go on as ever, another receiver has its own pace."""
    slow, quick = receivers(["silence"] * 100), receivers()
    site = sites(slow.hook, quick.hook, request_timeout=1)
    failing, honest = site.agent(), site.agent()
    site.fail(failing)
    wait_until(lambda: slow.requests, 30, "the slow receiver")
    honest.authenticate()
    for _ in range(5):
        start = time.monotonic()
        honest.attest()
        assert time.monotonic() - start < 5
        wait_until(lambda: honest.status(site.admin) == "PASS", 20, "PASS")
        time.sleep(0.5)
    quick.wait_for(failing, "revocation")
    site.verifier.wait_for_line("is not delivered to webhook localhost:.*failed try 2", 30)
    assert len(quick.messages(failing.id, "revocation")) == 1


def test_stopping_does_not_wait_for_a_slow_receiver(sites, receivers):
    slow = receivers(["silence"] * 100)
    site = sites(slow.hook)
    site.fail(site.agent())
    wait_until(lambda: slow.requests, 30, "the slow receiver")
    start = time.monotonic()
    assert site.verifier.stop(30) == 0
    assert time.monotonic() - start < 25


@pytest.mark.parametrize("problem", ["authority", "name", "expired"])
def test_U22_certificate_that_is_wrong_gets_nothing(sites, receivers, authority, tmp_path, problem):
    """Of another authority, for another name, past its end: no body leaves, and the log says why."""
    wrong, reason = {
        "authority": (lambda: Authority(tmp_path / "other", name="other CA"), "CA|issuer|authority"),
        "name": (lambda: authority, "name"),
        "expired": (lambda: Authority(tmp_path / "other", days=-1), "expired"),
    }[problem]
    receiver = receivers(of=wrong())
    url = receiver.hook.replace("localhost", "127.0.0.1") if problem == "name" else receiver.hook
    trusted = {"webhook_trusted_ca": [str(receiver.authority.certificate_path)]} if problem == "expired" else {}
    site = sites(url, **trusted)
    site.fail(site.agent())
    line = site.verifier.wait_for_line(r"WARNING - Notification 1 .* is not delivered to webhook (.*)", 30)
    assert re.search(reason, line.group(1)), line.group(0)
    assert receiver.requests == []


def test_U22_one_of_two_is_dead(sites, receivers):
    """Each receiver has its own progress, also across a restart."""
    port = free_port()
    alive = receivers()
    site = sites(alive.hook, f"https://localhost:{port}/dead")
    first = site.agent()
    site.fail(first)
    alive.wait_for(first, "revocation")
    site.restart()
    second = site.agent()
    site.fail(second)
    alive.wait_for(second, "revocation")
    late = receivers(port=port)
    for agent in (first, second):
        late.wait_for(agent, "revocation")
    time.sleep(1.5)
    for receiver in (alive, late):
        assert [each["agent_id"] for each in receiver.messages(kind="revocation")] == [first.id, second.id]


def test_receiver_that_asks_sees_the_verifiers_certificate(sites, receivers):
    receiver = receivers()
    site = sites(receiver.hook)
    context = receiver.server.socket.context
    context.load_verify_locations(site.deployment.certificates / "cacert.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    agent = site.agent()
    site.fail(agent)
    receiver.wait_for(agent, "revocation")
    shown = x509.load_der_x509_certificate(receiver.requests[0].peer_certificate)
    own = x509.load_pem_x509_certificate((site.deployment.certificates / "client-cert.crt").read_bytes())
    assert shown == own


# --- a verifier that is not well ------------------------------------------------------------------------


def test_U22_verifier_is_killed_between_event_and_delivery(sites, receivers):
    """At least once, whatever happens: the event is in the database with what caused it."""
    port = free_port()
    site = sites(f"https://localhost:{port}/hook", retry_interval=3600)
    agent = site.agent()
    site.fail(agent)
    wait_until(lambda: agent.status(site.admin) == "FAIL", 20, "FAIL")
    site.restart({"KEYLIME_VERIFIER_RETRY_INTERVAL": "0.2"}, crash=True)
    # Whether the first try was before the kill or not: the wait after it holds across the restart.
    database = sqlite3.connect(site.deployment.keylime_dir / "verifier.sqlite", timeout=30)
    with database:
        database.execute("UPDATE destinations SET due_at = 0, lease_until = 0")
    receiver = receivers(port=port)
    assert receiver.wait_for(agent, "revocation")["event_sequence"] == 1
    site.verifier.wait_for_line(r"Notification 1 \(revocation, .*delivered")
    site.restart(crash=True)
    time.sleep(2)
    assert len(receiver.messages(agent.id, "revocation")) == 1


def test_U22_every_failure_is_told_whenever_the_verifier_is_killed(sites, receivers):
    """kill -9 at some moment after each verdict: what operators see as FAIL, the receiver has, maybe twice."""
    receiver = receivers()
    site = sites(receiver.hook)
    agents = []
    for number in range(8):
        agent = site.agent()
        agents.append(agent)
        site.fail(agent)
        time.sleep(number * 0.15)
        site.restart(crash=True)
    for agent in agents:
        wait_until(lambda: agent.status(site.admin) == "FAIL", 30, "FAIL")
        # A lease that a killed verifier left ends; here it need not be waited for.
        with sqlite3.connect(site.deployment.keylime_dir / "verifier.sqlite", timeout=30) as database:
            database.execute("UPDATE destinations SET lease_until = 0")
        receiver.wait_for(agent, "revocation")
    told = {each["event_sequence"]: each for each in receiver.messages(kind="revocation")}
    assert sorted(each["agent_id"] for each in told.values()) == sorted(agent.id for agent in agents)


@pytest.mark.parametrize("growing, waits", [("True", ["1.5", "2.2", "2.2"]), ("False", ["1.5", "1.5"])])
def test_waits_grow_as_the_options_say(sites, growing, waits):
    """retry_interval to the power of the failed tries, which max_retries bounds; or always the same."""
    site = sites("https://localhost:1/hook", retry_interval=1.5, exponential_backoff=growing, max_retries=2)
    (site.deployment.directory / "logging.conf").write_text("[logger_keylime]\nlevel = DEBUG\n")
    site.restart({"KEYLIME_LOGGING_CONFIG": str(site.deployment.directory / "logging.conf")})
    site.fail(site.agent())
    for number, wait in enumerate(waits, 1):
        site.verifier.wait_for_line(f"failed try {number}, the next in {wait} s", 30)


def test_waits_hold_across_a_restart(sites):
    site = sites("https://localhost:1/hook", retry_interval=3600)
    site.fail(site.agent())
    site.verifier.wait_for_line("failed try 1, the next in 3600.0 s", 30)
    site.restart(crash=True)
    time.sleep(3)
    assert "failed try" not in site.log()[site.log().rindex("Listening on"):]


def test_U22_two_verifiers_tell_once(deployment, postgresql, receivers, authority):
    """On one database: neither a second message nor one that is lost, whichever of them an agent talks to."""
    receiver = receivers()
    ports = [free_port(), free_port()]
    env = {**NotificationSite.FAST, "KEYLIME_VERIFIER_DATABASE_URL": postgresql.create("verifier"),
           "KEYLIME_VERIFIER_QUOTE_INTERVAL": "2",
           **NotificationSite.variables({"enabled_revocation_notifications": WEBHOOK,
                                         "webhook_url": [receiver.hook],
                                         "webhook_trusted_ca": [str(authority.certificate_path)]})}
    verifiers = [deployment.start_verifier({**env, "KEYLIME_VERIFIER_PORT": str(port)}, log=f"verifier-{port}")
                 for port in ports]
    admin = deployment.admin()
    agents = []
    for number in range(8):
        agent = PushAgent(f"https://localhost:{ports[number % 2]}", deployment.certificates / "cacert.crt")
        agents.append(agent.enrol(admin, {"15": [ZERO]}))
        agent.authenticate()
        agent.ak.extend("sha256", 15, b"unwanted")
        agent.attest()
    for agent in agents:
        receiver.wait_for(agent, "revocation")
    time.sleep(2)
    assert sorted(each["event_sequence"] for each in receiver.messages()) == list(range(1, 9))
    assert all(verifier.running() for verifier in verifiers)


def test_age_ends_tries(sites):
    site = sites("https://localhost:1/hook", notification_max_age=2, housekeeping_interval=1)
    agent = site.agent()
    site.fail(agent)
    site.verifier.wait_for_line(rf"ERROR - Notification 1 \(revocation, agent '{agent.id}'\) to localhost:1 is given up:"
                                " it is older than notification_max_age", 30)


def test_outbox_is_bounded(sites):
    site = sites("https://localhost:1/hook", notification_outbox_max=2, housekeeping_interval=1,
                 notification_events=ALL_EVENTS)
    for _ in range(5):
        site.agent()
    site.verifier.wait_for_line(r"ERROR - \d notifications are lost: more than notification_outbox_max", 30)
    database = sqlite3.connect(site.deployment.keylime_dir / "verifier.sqlite", timeout=30)
    assert database.execute("SELECT sequence FROM notifications ORDER BY sequence").fetchall() == [(4,), (5,)]


# --- ZeroMQ ---------------------------------------------------------------------------------------------


class Subscriber:
    def __init__(self, port, prefix=b""):
        zmq = pytest.importorskip("zmq")
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, prefix)
        self.socket.setsockopt(zmq.RCVTIMEO, 30000)
        self.socket.connect(f"tcp://127.0.0.1:{port}")

    def receive(self):
        """One message of one frame, without a topic."""
        frames = self.socket.recv_multipart()
        assert len(frames) == 1
        return json.loads(frames[0])

    def close(self):
        self.socket.close(0)
        self.context.term()


@pytest.fixture
def subscribers():
    made = []

    def make(*arguments):
        made.append(Subscriber(*arguments))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_U22_zeromq_subscribers_receive(sites, subscribers):
    port = free_port()
    key = SigningKey()
    site = sites(enabled_revocation_notifications="['zeromq']", zmq_port=port, notification_events=ALL_EVENTS)
    both = [subscribers(port), subscribers(port)]
    agent = site.agent(revocation_key=key.pem)
    for subscriber in both:
        assert json.loads(subscriber.receive()["msg"])["type"] == "enrolled"
    site.fail(agent)
    for subscriber in both:
        body = subscriber.receive()
        key.verify(body)
        message = json.loads(body["msg"])
        assert (message["type"], message["agent_id"]) == ("revocation", agent.id)
    site.verifier.wait_for_line(rf"\(revocation, agent '{agent.id}'\) delivered to ZeroMQ tcp://127.0.0.1:{port}")


def test_zeromq_peer_that_sends_does_not_silence_others(sites, subscribers):
    """What a peer sends that is no subscription says nothing about who subscribes."""
    zmq = pytest.importorskip("zmq")
    port = free_port()
    site = sites(enabled_revocation_notifications="['zeromq']", zmq_port=port, notification_events=ALL_EVENTS)
    subscriber = subscribers(port)
    agent = site.agent()
    assert json.loads(subscriber.receive()["msg"])["type"] == "enrolled"
    with zmq.Context() as context, context.socket(zmq.XSUB) as peer:
        peer.connect(f"tcp://127.0.0.1:{port}")
        peer.send(b"\x02")
        time.sleep(1)
        site.fail(agent)
        assert json.loads(subscriber.receive()["msg"])["type"] == "revocation"


def test_zeromq_waits_for_a_subscriber(sites, subscribers):
    """Also one that comes after the verifier was killed and started again; other topics are none."""
    port = free_port()
    site = sites(enabled_revocation_notifications="['zeromq']", zmq_port=port)
    subscribers(port, b"another topic")
    agent = site.agent()
    site.fail(agent)
    site.verifier.wait_for_line("is not delivered to ZeroMQ tcp://.*: nobody subscribes", 30)
    site.restart(crash=True)
    assert json.loads(subscribers(port).receive()["msg"])["agent_id"] == agent.id


def test_zeromq_address_that_is_taken_ends_the_start(deployment):
    port = free_port()
    env = NotificationSite.variables({"enabled_revocation_notifications": "['zeromq']", "zmq_port": port})
    deployment.start_verifier(env)
    other = deployment.start("verifier", log="other", env={**env, "KEYLIME_VERIFIER_PORT": str(free_port())})
    assert other.process.wait(30) == 1
    assert re.search(rf"cannot publish notifications on tcp://127.0.0.1:{port}: .*zmq_port", other.output())


# --- the page -------------------------------------------------------------------------------------------

PAGE = TESTS.parent / "docs/notifications.md"


@pytest.fixture
def example(tmp_path):
    """Call it with the number of a Python block of the page and its arguments: it runs until the test ends."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    made = []

    def run(number, *arguments):
        script = tmp_path / f"example-{number}.py"
        script.write_text(blocks[number])
        made.append(Program("example", [sys.executable, script, *arguments], {}, tmp_path / f"example-{number}.log"))
        return made[-1]

    yield run
    for each in made:
        each.kill()


def test_examples_of_the_page_receive(sites, example, tmp_path):
    """Receiver and subscriber as they stand there, with the key that its commands make."""
    pytest.importorskip("zmq")
    for command in re.findall(r"^openssl .*$", PAGE.read_text(), re.MULTILINE):
        subprocess.run(command.replace("/var/lib/keylime", str(tmp_path)), shell=True, check=True, cwd=tmp_path,
                       capture_output=True, timeout=60)
    hook, port = free_port(), free_port()
    receiver = example(0, tmp_path / "signing.pub", hook)
    subscriber = example(1, f"tcp://127.0.0.1:{port}")
    site = sites(enabled_revocation_notifications="['webhook', 'zeromq']", webhook_url=f"http://127.0.0.1:{hook}/x",
                 zmq_port=port, notification_signing_key=tmp_path / "signing.pem")
    agent = site.agent()
    site.fail(agent)
    for program in (receiver, subscriber):
        program.wait_for_line(f"^1 revocation {agent.id}$", 30)


def test_message_of_the_page_is_one(sites, receivers):
    """With the members of a real one."""
    block = re.search(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL).group(1)
    shown = json.loads(block)
    receiver = receivers()
    site = sites(receiver.hook)
    agent = site.agent()
    site.fail(agent)
    real = receiver.wait_for(agent, "revocation")
    told = json.loads(shown["msg"])
    assert list(shown) == list(receiver.requests[0].json) and list(told) == list(real)
    assert told["event_id"] == real["event_id"]
    assert shown["msg"] == json.dumps(told) and block.strip() == json.dumps(shown)


# --- configuration --------------------------------------------------------------------------------------

BAD = [
    ({"enabled_revocation_notifications": "['mail']"}, "must be a list out of agent, webhook and zeromq"),
    ({"enabled_revocation_notifications": WEBHOOK}, "webhook_url.*must be set"),
    ({"notification_events": "['failed']"}, "must be a list out of revocation, comm_error"),
    *[({"webhook_url": url}, "http:// or https://") for url in ("ftp://host/x", "host", "https://",
                                                                "['https://a', 'mailto:b']")],
    ({"webhook_url": "['https://a/x', 'https://a/x']"}, "twice"),
    ({"webhook_url": [f"https://host-{number}/" for number in range(17)]}, "at most 16"),
    ({"zmq_port": 0}, "zmq_port"), ({"zmq_ip": ""}, "zmq_ip"), ({"notification_outbox_max": 0}, "outbox_max"),
    ({"notification_max_age": 0}, "max_age"), ({"notification_max_attempts": -1}, "max_attempts"),
]


@pytest.mark.parametrize("options, reason", BAD)
def test_bad_options_are_refused_before_anything_opens(deployment, options, reason):
    for arguments in ((), ("--check-config",)):
        program = deployment.start("verifier", *arguments, env=NotificationSite.variables(options))
        assert program.process.wait(30) == 1
        assert re.search(reason, program.output()), program.output()
    assert not deployment.keylime_dir.joinpath("verifier.sqlite").exists()


@pytest.mark.parametrize("options, reason", [
    ({"webhook_trusted_ca": "['/nowhere/ca.pem']"}, "/nowhere/ca.pem"),
    ({"notification_signing_key": "/nowhere/key.pem"}, "/nowhere/key.pem"),
])
def test_files_that_are_missing_end_the_start(deployment, options, reason):
    env = NotificationSite.variables({"enabled_revocation_notifications": WEBHOOK,
                                      "webhook_url": "https://localhost/x", **options})
    program = deployment.start("verifier", env=env)
    assert program.process.wait(60) == 1
    assert reason in program.output()


def test_a_key_that_cannot_sign_ends_the_start(deployment):
    path = deployment.directory / "ec.pem"
    deployment.start_verifier().stop()
    path.write_bytes((deployment.certificates / "client-private.pem").read_bytes())
    env = NotificationSite.variables({"enabled_revocation_notifications": WEBHOOK,
                                      "webhook_url": "https://localhost/x", "notification_signing_key": path})
    program = deployment.start("verifier", env=env)
    assert program.process.wait(60) == 1
    assert re.search("notification_signing_key = .*ec.pem: must be an RSA private key", program.output())


def test_what_an_operator_should_know_is_said(deployment):
    """Plain HTTP leaves as it is written, and others can listen to ZeroMQ: both are warned of."""
    receiver = Receiver(None)
    env = NotificationSite.variables({"enabled_revocation_notifications": "['agent', 'webhook', 'zeromq']",
                                      "webhook_url": receiver.hook, "zmq_ip": "0.0.0.0", "zmq_port": free_port()})
    verifier = deployment.start_verifier({**NotificationSite.FAST, **env})
    for line in ("WARNING - Option webhook_url: notifications leave without encryption",
                 "WARNING - Option zmq_ip = 0.0.0.0: whoever reaches this address can read",
                 "agent has no effect, as push agents do not listen"):
        assert line in verifier.output()
    admin = deployment.admin()
    agent = PushAgent(deployment.verifier_url, deployment.certificates / "cacert.crt").enrol(admin, {"15": [ZERO]})
    agent.authenticate()
    agent.ak.extend("sha256", 15, b"unwanted")
    agent.attest()
    receiver.wait_for(agent, "revocation")
    receiver.stop()


def test_nothing_leaves_by_default(sites):
    """['agent'] sends nothing, and nothing is written down."""
    site = sites()
    agent = site.agent()
    site.fail(agent)
    wait_until(lambda: agent.status(site.admin) == "FAIL", 20, "FAIL")
    database = sqlite3.connect(site.deployment.keylime_dir / "verifier.sqlite", timeout=30)
    assert database.execute("SELECT COUNT(*) FROM notifications").fetchone() == (0,)
    assert "Notification" not in site.log()
