# SPDX-License-Identifier: Apache-2.0
"""A push agent whose machine keeps an IMA measurement list and a boot event log, both extended into the
PCRs of its software TPM, and which sends what the verifier asks for."""
import base64
import json

from .boot_log import BootLog
from .measurement_list import MeasurementList
from .push_agent import PushAgent
from .software_tpm import base64_text

BOOT_AGGREGATE = "boot_aggregate"


class LoggingAgent(PushAgent):
    """`column`: hash of the list's second column; `bank`: the only one that the TPM offers."""

    def __init__(self, *arguments, column="sha1", bank="sha256", **members):
        super().__init__(*arguments, **members)
        self.bank = bank
        self.column = column
        self.boot_number = 0
        self.event_log = None
        self.boot()

    # --- the machine ------------------------------------------------------------------------------

    def boot(self, event_log=None):
        """A (re)boot: new list with its first entry, new event log."""
        if self.boot_number:
            self.ak.reboot()
        self.boot_number += 1
        self.boot_time = f"2026-11-{self.boot_number:02}T08:00:00Z"
        self.list = MeasurementList(self.column, (self.bank,))
        self.list.add(BOOT_AGGREGATE)
        self.event_log = event_log or self.event_log
        if self.event_log:
            for pcr, value in self.event_log.replay(self.bank).items():
                self.ak.pcrs[self.bank][pcr] = value

    def run(self, *paths):
        """The kernel measures files."""
        return [self.list.add(path) for path in paths]

    def policy(self, *paths, **members):
        """A runtime policy that lists what the machine has measured so far (all, or these paths)."""
        digests = {}
        for line in self.list.lines:
            _, _, template, digest, path = line.decode(errors="replace").split(" ")[:5]
            if template == "ima-ng" and (not paths or path in paths or path == BOOT_AGGREGATE):
                digests.setdefault(path, []).append(digest.split(":")[1])
        return runtime_policy(digests, log_hash_alg=self.column, **members)

    # --- evidence ---------------------------------------------------------------------------------

    def capabilities_document(self, capabilities=None):
        document = super().capabilities_document(
            capabilities or self.ak.capabilities(banks=(self.bank,)))
        quote, uefi, ima = document["data"]["attributes"]["evidence_supported"]
        ima["capabilities"]["entry_count"] = len(self.list)
        document["data"]["attributes"]["system_info"]["boot_time"] = self.boot_time
        document["data"]["attributes"]["evidence_supported"] = [quote, uefi, ima]
        return document

    def log_data(self, item):
        if item["evidence_type"] == "uefi_log":
            return {"entries": base64_text(self.event_log.binary()) if self.event_log else None}
        text = self.list.text(item["chosen_parameters"]["starting_offset"])
        data = {"entry_count": text.count(b"\n"), "entries": text.decode(errors="replace")}
        if data["entries"].encode() != text:
            data["entries_raw"] = base64_text(text)
        return data

    def requested(self, created):
        assert created.status_code == 201, created.text
        return created.json()["data"]["attributes"]["evidence_requested"]

    def answer_document(self, created):
        """What an honest agent sends for this 201."""
        collected = []
        for item in self.requested(created):
            if item["evidence_type"] == "tpm_quote":
                self.ak.pcrs[self.bank][10] = self.list.pcr[self.bank]
                data = self.ak.evidence(item["chosen_parameters"])
            else:
                data = self.log_data(item)
            collected.append({"evidence_class": item["evidence_class"],
                              "evidence_type": item["evidence_type"], "data": data})
        return {"data": {"type": "attestation", "attributes": {"evidence_collected": collected}}}

    def attest(self):
        """One honest cycle; the 202's answer."""
        created = self.create()
        answer = self.submit_document(created.headers["Location"], self.answer_document(created))
        assert answer.status_code == 202, answer.text
        return answer

    def offset(self, created):
        """Where the IMA list is asked for from."""
        item = next(each for each in self.requested(created) if each["evidence_type"] == "ima_log")
        return item["chosen_parameters"]["starting_offset"]


def runtime_policy(digests, excludes=(), log_hash_alg="sha1", generator=3, **members):
    return {"meta": {"version": 1, "generator": generator}, "release": 0, "digests": digests,
            "excludes": list(excludes), "keyrings": {},
            "ima": {"ignored_keyrings": [], "log_hash_alg": log_hash_alg, "dm_policy": None},
            "ima-buf": {}, "verification-keys": "", **members}


def encoded(policy):
    """As requests carry it; a text or bytes as they are."""
    if isinstance(policy, str):
        policy = policy.encode()
    data = policy if isinstance(policy, bytes) else json.dumps(policy).encode()
    return base64.b64encode(data).decode()
