"""The package against a real plane over TCP: tokens, TLS, client certificates."""

import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from esper_plane.client import Client
from esper_plane.errors import PlaneAway, Refused
from esper_plane.session import Session
from esper_plane.transport import TLS

from . import network
from .plane import BINARY, WHY, Process

OPENSSL = shutil.which("openssl")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipUnless(BINARY, WHY)
class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.port = free_port()

    def at(self, name):
        return os.path.join(self.folder, name)

    def plane(self, *arguments):
        p = Process("--http", f"127.0.0.1:{self.port}", *arguments)
        self.addCleanup(p.close)
        return p

    def run_over(self, client, run="run-1"):
        net = network.Net()
        s = Session(client, net, network.plan(run=run, steps=20))
        self.addCleanup(s.leave)
        s.open()
        while s.step_count < 20:
            number = s.begin()
            body, grads = net.report(number)
            net.update(s.step(body).weights, grads)
            s.after_step()
        s.close()


class Tokens(Case):
    def test_needed(self):
        with open(self.at("token"), "w", encoding="ascii") as f:
            f.write("one " + "a" * 32 + "\ntwo " + "b" * 32 + "\n")
        os.chmod(self.at("token"), 0o600)
        p = self.plane("--http-token-file", self.at("token"))
        address = f"http://127.0.0.1:{self.port}"
        self.run_over(Client(address, token="a" * 32))
        for token in (None, "c" * 32):
            with Client(address, token=token) as client, self.assertRaises(Refused) as caught:
                client.open(network.plan(run="run-2"))
            self.assertEqual(caught.exception.status, 401)
        mine = Client(address, token="a" * 32)
        self.addCleanup(mine.close)
        answer = mine.open(network.plan(run="run-3"))
        with Client(address, token="b" * 32) as other, self.assertRaises(Refused) as caught:
            body, _ = network.Net().report(1)
            other.report("step", "run-3", {"run": "run-3", "incarnation": answer["incarnation"], "step": 1, "seed": 1, **body})
        self.assertEqual((caught.exception.kind, caught.exception.status), ("not_authorized", 403))
        opened = [v["principal"] for kind, v in p.inputs() if kind == "run.opened"]
        self.assertEqual(opened, ["token:one", "token:one"])


@unittest.skipUnless(OPENSSL, "there is no openssl to make certificates with")
class Certificates(Case):
    def certificate(self, name, *arguments):
        """A key and a certificate, by the authority if there is one."""
        subprocess.run(
            [OPENSSL, "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-keyout", self.at(name + ".key"), "-out", self.at(name + ".pem"),
             "-subj", "/CN=" + name, *arguments], check=True, capture_output=True,
        )
        os.chmod(self.at(name + ".key"), 0o600)

    def test_mutual(self):
        self.certificate("authority", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        for name, more in (("plane", "subjectAltName=IP:127.0.0.1"), ("trainer", "extendedKeyUsage=clientAuth")):
            self.certificate(
                name, "-CA", self.at("authority.pem"), "-CAkey", self.at("authority.key"), "-addext", more, "-addext", "basicConstraints=critical,CA:FALSE",
            )
        p = self.plane("--tls-cert", self.at("plane.pem"), "--tls-key", self.at("plane.key"), "--tls-client-ca", self.at("authority.pem"))
        address, ca = f"https://127.0.0.1:{self.port}", self.at("authority.pem")
        self.run_over(Client(address, tls=TLS(ca, self.at("trainer.pem"), self.at("trainer.key"))))
        self.assertEqual([v["principal"] for kind, v in p.inputs() if kind == "run.opened"], ["cert:trainer"])
        with Client(address, tls=TLS(), away="wait") as client, self.assertRaisesRegex(PlaneAway, "tried once"):
            client.open(network.plan(run="run-2"))
        for bad in (TLS(ca), TLS()):
            with Client(address, tls=bad, tries=2, timeout=5) as client, self.assertRaises((PlaneAway, Refused)):
                client.open(network.plan(run="run-2"))


if __name__ == "__main__":
    unittest.main()
