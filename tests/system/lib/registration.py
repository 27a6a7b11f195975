# SPDX-License-Identifier: Apache-2.0
"""A registrar on its own, and agents in software that register with it."""
import base64

import requests

from .software_ek import SoftwareEk, auth_tag
from .software_tpm import SoftwareAk


def base64_text(data):
    return base64.b64encode(data).decode()


class Registrar:
    """A running registrar that made its own certificates (reg_ca)."""

    def __init__(self, deployment, env=None):
        self.deployment = deployment
        self.env = {
            "KEYLIME_REGISTRAR_TLS_DIR": "generate",
            "KEYLIME_REGISTRAR_REGISTER_RATE_LIMIT_PER_IP": "0",
            **(env or {}),
        }
        self.directory = deployment.keylime_dir / "reg_ca"
        self.start()

    def start(self):
        self.program = self.deployment.start_registrar(self.env)
        self.plain = self._session(self.deployment.registrar_plain_url)
        self.admin = self._session(self.deployment.registrar_url)
        self.admin.cert = tuple(
            str(self.directory / name) for name in ("client-cert.crt", "client-private.pem")
        )
        self.anonymous = self._session(self.deployment.registrar_url)

    def _session(self, url):
        return Session(url, str(self.directory / "cacert.crt"))

    def record(self, agent_id):
        answer = self.admin.get(f"/v2.6/agents/{agent_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def list(self):
        return self.admin.get("/v2.6/agents/").json()["results"]["uuids"]


class Session(requests.Session):
    def __init__(self, url, ca):
        super().__init__()
        self.trust_env = False
        self.url = url
        self.verify = ca

    def request(self, method, path, **kwargs):
        return super().request(method, self.url + path, timeout=30, **kwargs)


class Machine:
    """A machine that registers: EK and AK of one TPM."""

    def __init__(self, agent_id, ek=None, ak=None):
        self.agent_id = agent_id
        self.ek = ek or SoftwareEk("ecc")
        self.ak = ak or SoftwareAk("ecdsa")
        self.blob = None

    def body(self, **members):
        """As the push agent sends it; None removes a member, `...` (Ellipsis) sends null."""
        body = {
            "ek_tpm": base64_text(self.ek.tpm2b_public),
            "aik_tpm": base64_text(self.ak.tpm2b_public),
            "ekcert": "",
            "iak_cert": None,
            "idevid_cert": None,
            "ip": "127.0.0.1",
            "mtls_cert": "disabled",
            "port": 9002,
        }
        body.update(members)
        return {
            name: None if value is ... else value
            for name, value in body.items()
            if value is not None
        }

    def register(self, session, version="v2.6", **members):
        answer = session.post(f"/{version}/agents/{self.agent_id}", json=self.body(**members))
        if answer.status_code == 200:
            self.blob = base64.b64decode(answer.json()["results"]["blob"])
        return answer

    def tag(self, blob=None):
        return auth_tag(self.ek.open(blob or self.blob, self.ak.name), self.agent_id)

    def activate(self, session, tag=None, version="v2.6"):
        return session.put(
            f"/{version}/agents/{self.agent_id}", json={"auth_tag": tag or self.tag()}
        )

    def enter(self, session, **members):
        """Register and activate, both with success."""
        answer = self.register(session, **members)
        assert answer.status_code == 200, answer.text
        answer = self.activate(session)
        assert answer.status_code == 200, answer.text
