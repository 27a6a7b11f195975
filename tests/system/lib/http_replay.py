# SPDX-License-Identifier: Apache-2.0
"""Sends the captured cases to a running registrar and verifier, each after what it presupposes: agents
that are registered, enrolled or authenticated, open challenges, proofs and quotes made for this run."""
import base64
import json
import time
import uuid

from . import http_vectors as vectors
from .program import wait_until
from .push_agent import PushAgent
from .registration import Machine, Session
from .software_ek import SoftwareEk
from .software_tpm import SoftwareAk, base64_text

# The PCRs of the captured policies.
PCR_VALUES = {0: "953ea0ab883f0319dd1e5905323e4d9ce553ce407316c5e448f47a450c7b8ce4",
              7: "1bfff685ed5a095ce4225f35f0504019d9acbc480eada7bc4c02148577c4d46d"}
TPM_POLICY = {str(pcr): [value] for pcr, value in PCR_VALUES.items()}

# What the agents of the error cases are before their first case.
REGISTERED = {"agent_3": False, "agent_4": True}  # activated?
ENROLLED = ("agent_6", "agent_7", "agent_25", "agent_26")
AUTHENTICATED = ("agent_10", "agent_11", "agent_12", "agent_13", "agent_14", "agent_15", "agent_16",
                 "agent_17", "agent_18", "agent_19", "agent_20", "agent_22", "agent_23", "agent_24")
AWAITING = {"agent_13": 2, "agent_14": 1, "agent_15": 1, "agent_16": 1, "agent_17": 1, "agent_18": 1,
            "agent_20": 1, "agent_24": 1}
ATTESTED = ("agent_19", "agent_22")
WITHOUT_POLICY = ("agent_24",)
DELETED = ("agent_23",)
# Entries of the list when the agents of the error cases were captured.
ENTRIES = 8


class CapturedAgent(PushAgent):
    """Offers and sends the captured machine's list."""

    lines, pcr10 = (), {}

    def capabilities_document(self, capabilities=None):
        document = super().capabilities_document(capabilities)
        document["data"]["attributes"]["evidence_supported"][2]["capabilities"]["entry_count"] = ENTRIES
        return document

    def attest(self):
        created = self.create()
        requested = created.json()["data"]["attributes"]["evidence_requested"]
        document = self.evidence_document(self.ak.evidence(self.chosen(created)))
        if len(requested) == 2:
            document["data"]["attributes"]["evidence_collected"].append({
                "evidence_class": "log", "evidence_type": "ima_log",
                "data": {"entry_count": ENTRIES, "entries": "".join(self.lines[:ENTRIES])}})
        answer = self.submit_document(created.headers["Location"], document)
        assert answer.status_code == 202, answer.text
        return answer


class Replay:
    """One run over the cases."""

    def __init__(self, deployment, cases):
        self.deployment = deployment
        self.cases = cases
        CapturedAgent.lines, CapturedAgent.pcr10 = vectors.measurement_list(cases)
        ca = str(deployment.certificates / "cacert.crt")
        chain = [str(deployment.certificates / name)
                 for name in ("client-cert.crt", "client-private.pem")]
        self.verifier_wire = vectors.Wire(deployment.verifier_port, ca, chain)
        self.registrar_wire = vectors.Wire(deployment.registrar_tls_port, ca, chain,
                                           plain_port=deployment.registrar_port)
        self.registrar = Session(deployment.registrar_plain_url, ca)
        self.ek = SoftwareEk("rsa")
        self.other_ak = SoftwareAk()
        self.agents = {}
        self.challenges = {}
        self.chosen = {}
        self.values = {"tag": "capture", "policy": "capture-policy", "policy_one": "one"}
        self.ak = self.new_ak()

    def new_ak(self):
        ak = SoftwareAk()
        ak.pcrs["sha256"].update({pcr: bytes.fromhex(value) for pcr, value in PCR_VALUES.items()})
        ak.pcrs["sha256"][10] = CapturedAgent.pcr10[ENTRIES]
        return ak

    # --- preparation --------------------------------------------------------------------------

    def agent(self, name):
        """The agent of a placeholder, in the state that its cases presuppose."""
        if name in self.agents:
            return self.agents[name]
        agent = CapturedAgent(self.deployment.verifier_url, self.deployment.certificates / "cacert.crt",
                          self.ak, str(uuid.uuid4()))
        self.agents[name] = agent
        self.values[name] = agent.id
        admin = self.deployment.admin()
        if name in REGISTERED:
            machine = Machine(agent.id, self.ek, self.other_ak)
            assert machine.register(self.registrar).status_code == 200
            if REGISTERED[name]:
                assert machine.activate(self.registrar).status_code == 200
        if name in ENROLLED + AUTHENTICATED:
            if name in WITHOUT_POLICY:
                agent.enrol(admin)
            else:
                agent.enrol(admin, TPM_POLICY, runtime_policy_name=self.values["policy"])
        if name in AUTHENTICATED:
            agent.authenticate()
            self.values[name.replace("agent", "token")] = agent.token
        if name in ATTESTED:
            agent.attest()
            self.await_verdict(agent)
        for _ in range(AWAITING.get(name, 0)):
            self.chosen[name] = agent.chosen(agent.create())
        if name in DELETED:
            assert admin.delete(f"{agent.url}/v2.6/agents/{agent.id}").status_code == 200
        return agent

    def await_verdict(self, agent):
        admin = self.deployment.admin()
        wait_until(lambda: agent.latest(admin)["attributes"]["stage"] == "verification_complete",
                   10, "the verdict")

    def prepare(self, case):
        text = json.dumps(case["request"]) + case.get("response_template", "")
        for name in vectors.placeholders(text):
            if name.startswith(("agent_", "token_")):
                self.agent(name.replace("token", "agent"))
        if "{{session_open}}" in text and not case["name"].endswith("-again") and \
                case["name"] != "proof-again-after-success":
            self.open_session(vectors.placeholders(text), "session_open")
        if case["key"].startswith("negotiation/ima-") or case["name"] == "system-info-missing":
            # Ten open challenges a minute are enough for one agent (decision D80).
            spare = self.agent("agent_11")
            case["request"]["path"] = case["request"]["path"].replace("{{agent_10}}", spare.id)
            case["request"]["headers"]["Authorization"] = f"Bearer {spare.token}"
        if case["name"] == "policy-delete-in-use-by-one":
            self.use_policy(self.values["policy_one"], self.agent("agent_72"))
        if case["name"].endswith("-then-verdict"):
            name = next(each for each in vectors.placeholders(text) if each.startswith("agent_"))
            self.await_verdict(self.agent(name))
        if case["name"] == "authorization-secret-altered":
            token = self.agent("agent_10").token
            case["request"]["headers"]["Authorization"] = f"Bearer {token[:-3]}AAA"

    def use_policy(self, name, agent):
        policy = next(case["request"]["body"] for case in self.cases if case["key"] == "flow/policy-create")
        admin = self.deployment.admin()
        stored = admin.post(f"{agent.url}/v2.6/allowlists/{name}", json=json.loads(policy), timeout=20)
        assert stored.status_code == 201, stored.text
        agent.enrol(admin, runtime_policy_name=name)

    def open_session(self, names, slot):
        name = next((each for each in names if each.startswith("agent_")), "agent_6")
        session, challenge = self.agent(name).open_session()
        self.values[slot] = session
        self.challenges[slot] = challenge

    # --- bodies -------------------------------------------------------------------------------

    def body(self, case):
        text = case["request"].get("body")
        if text is None:
            return None
        try:
            body = json.loads(vectors.fill(text, self.values))
        except ValueError:
            return text
        if case["server"] == "verifier" or case["group"] == "flow":
            body = vectors.with_keys(body, self.ak, self.ek)
        if case.get("body_is_computed"):
            body = self.computed(case, body)
        return json.dumps(body)

    def computed(self, case, body):
        if case["name"] == "activate":
            return {"auth_tag": self.machine.tag()}
        if "authentication_provided" in json.dumps(body):
            slot = "session_1" if "{{session_1}}" in case["request"]["path"] else "session_open"
            return vectors.with_data(body, self.proof(case["name"], self.challenges[slot]))
        name = next((each for each in vectors.placeholders(case["request"]["path"])
                     if each in self.chosen), None)
        if case["name"] == "one-item-missing":
            body["data"]["attributes"]["evidence_collected"] = []
        return vectors.with_data(body, self.quote(case["name"], self.chosen[name])) if name else body

    def proof(self, name, challenge):
        nonce = base64.b64decode(challenge)
        ak = self.other_ak if name == "proof-signed-by-other-key" else self.ak
        if name == "proof-quote-instead-of-certify":
            message, signature, _ = ak.quote(nonce, "sha256", [0])
        else:
            message, signature = ak.certify(nonce)
        if name == "proof-bad-signature":
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return {"message": base64_text(message), "signature": base64_text(signature)}

    def quote(self, name, chosen):
        nonce = base64.b64decode(chosen["challenge"])
        if name.endswith("wrong-nonce"):
            nonce = bytes(len(nonce))
        pcrs = chosen["selected_subjects"]["sha256"]
        message, signature, blob = self.ak.quote(nonce, "sha256", pcrs)
        if name == "message-wrong-magic":
            message = bytes(3) + message[3:]
        elif name == "message-trailing-bytes":
            message += bytes(3)
        elif name == "certify-instead-of-quote":
            message, signature = self.ak.certify(nonce)
        elif name == "subject-data-lacks-pcrs":
            blob = self.ak.pcr_blob("sha256", [0])
        return {"subject_data": base64_text(blob), "message": base64_text(message),
                "signature": base64_text(signature)}

    # --- sending ------------------------------------------------------------------------------

    def send(self, case, prepared=False):
        if not prepared:
            self.prepare(case)
        if case["name"] == "second-attestation-create":
            self.ak.pcrs["sha256"][10] = CapturedAgent.pcr10[len(CapturedAgent.lines)]
        elif case["group"] != "flow":
            self.ak.pcrs["sha256"][10] = CapturedAgent.pcr10[ENTRIES]
        wire = self.registrar_wire if case["server"] == "registrar" else self.verifier_wire
        request = case["request"]
        if request.get("raw"):
            return wire.exchange(request["raw"].encode(), case["scheme"])
        headers = {name: vectors.fill(value, self.values)
                   for name, value in (request.get("headers") or {}).items()}
        arguments = (request["method"], vectors.fill(request["path"], self.values), headers,
                     self.body(case), case["scheme"], case["client_certificate"] == "admin")
        answer = wire.request(*arguments)
        # The captured client waited for the interval; so does this one, where the case is not about it.
        while answer.status == 429 and case["name"] != "negotiation-too-early":
            time.sleep(int(answer.headers["retry-after"]))
            answer = wire.request(*arguments)
        self.learn(case, answer)
        return answer

    def learn(self, case, answer):
        """What later cases need of this answer."""
        name = case["name"]
        if name == "register" and answer.status == 200:
            self.machine = Machine(self.values["agent_1"], self.ek, self.ak)
            self.machine.blob = base64.b64decode(answer.json()["results"]["blob"])
        elif name == "session-create":
            data = answer.json()["data"]
            self.values["session_1"] = data["id"]
            requested = data["attributes"]["authentication_requested"][0]
            self.challenges["session_1"] = requested["chosen_parameters"]["challenge"]
        elif name == "session-proof":
            self.agents["agent_1"].token = answer.json()["data"]["attributes"]["token"]
            self.values["token_1"] = self.agents["agent_1"].token
        elif answer.status == 201 and case["request"]["method"] == "POST" and \
                "evidence_requested" in str(answer.body):
            agent = next(iter(vectors.placeholders(case["request"]["path"])), None)
            quote = answer.json()["data"]["attributes"]["evidence_requested"][0]
            self.chosen[agent] = quote["chosen_parameters"]
        elif case["group"] == "flow" and answer.status == 202:
            self.await_verdict(self.agents["agent_1"])

    # --- what is expected ---------------------------------------------------------------------

    def expected(self, case):
        """The captured body with this run's values in it, or None where it was no JSON."""
        try:
            body = json.loads(vectors.fill(case["response_template"], self.values))
        except ValueError:
            return None
        return vectors.with_keys(body, self.ak, self.ek)
