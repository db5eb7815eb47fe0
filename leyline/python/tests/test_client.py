"""The client against sockets that fail: what is asked once is recorded once."""

import json
import math
import os
import socket
import tempfile
import threading
import unittest
from unittest import mock

from esper_plane import forms
from esper_plane.client import Client
from esper_plane.errors import PlaneAway, ProtocolError, Refused, Stranger
from esper_plane.transport import TLS, Address

from . import fake


def brain(kind, body):
    if kind == "directives":
        return 204, {}
    if kind == "open":
        return fake.opened({})
    if kind == "status":
        return {"run": "run-1", "status": "open", "incarnation": 1, "step": "0"}
    if kind == "protocol":
        return {"protocol": [1]}
    return fake.answer(step=str(body.get("step", 0)), weights=[0.5, 0.5])


class Case(unittest.TestCase):
    lane = "http"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.plane = fake.Plane(self.folder, brain)
        self.addCleanup(lambda: self.plane.close())
        self.client = Client(self.plane.address, timeout=0.4, lane=self.lane)
        self.addCleanup(self.client.close)


class OverHTTP(Case):
    def test_all_reports(self):
        for kind in forms_of_reports():
            got = self.client.report(kind, "run-1", {"run": "run-1", "step": 3})
            self.assertEqual((got["step"], got["weights"], got["seq"]), (3, [0.5, 0.5], 1), kind)
        self.assertEqual(self.plane.kinds(), forms_of_reports())
        self.assertEqual(self.client.retries, 0)

    def test_recorded_once(self):
        for step, fault in enumerate(["cut", "cut after", "half", "head", "slow"], 1):
            self.plane.faults.append(fault)
            got = self.client.report("step", "run-1", {"run": "run-1", "step": step})
            self.assertEqual(got["step"], step, fault)
            self.assertEqual([b["step"] for _, b in self.plane.records], list(range(1, step + 1)), fault)
            self.assertEqual(self.client.retries, step)
        self.plane.faults.extend(["cut after", "cut", "half"])
        self.client.report("step", "run-1", {"run": "run-1", "step": 9})
        self.assertEqual(len(self.plane.records), 6)

    def test_garbage(self):
        self.plane.faults.extend(["garbage"] * 9)
        with self.assertRaises((ProtocolError, PlaneAway)):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})
        self.assertEqual(len(self.plane.records), 1)

    def test_stops_when_away(self):
        self.plane.close()
        with self.assertRaisesRegex(PlaneAway, "tried 5 times"):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})

    def test_waits_when_away(self):
        self.client.set_away("wait")
        self.plane.close()
        done = []

        def come_back():
            self.plane = fake.Plane(self.folder, brain)
            done.append(True)

        timer = threading.Timer(0.5, come_back)
        timer.start()
        self.assertEqual(self.client.report("step", "run-1", {"run": "run-1", "step": 1})["step"], 1)
        timer.join()
        self.assertEqual(done, [True])

    def test_waits_no_longer_than_told(self):
        self.plane.close()
        self.client.set_away("wait", 0.2)
        with self.assertRaises(PlaneAway):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})

    def test_not_now(self):
        self.plane.faults.append(lambda kind, body: fake.problem("stopping", 503))
        self.assertEqual(self.client.report("step", "run-1", {"run": "run-1", "step": 1})["step"], 1)
        self.plane.faults.extend([lambda kind, body: fake.problem("storage", 503)] * 5)
        with self.assertRaisesRegex(PlaneAway, "storage"):
            self.client.report("step", "run-1", {"run": "run-1", "step": 2})

    def test_refused(self):
        self.plane.faults.append(lambda kind, body: fake.problem("step_order", 409, "step", "send 4"))
        with self.assertRaises(Refused) as caught:
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})
        e = caught.exception
        self.assertEqual((e.kind, e.field, e.hint, e.status, e.detail), ("step_order", "step", "send 4", 409, "because"))
        self.assertEqual(self.client.retries, 0)
        self.plane.faults.append(lambda kind, body: fake.problem("disk_low", 503))
        with self.assertRaises(Refused):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})

    def test_another_run(self):
        self.plane.faults.append(lambda kind, body: (200, fake.answer(run="run-2")))
        with self.assertRaisesRegex(ProtocolError, "run"):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})

    def test_every_member_is_demanded(self):
        whole = fake.answer()
        for name in whole:
            if name in ("emergency", "overtaken"):
                continue
            bad = dict(whole)
            del bad[name]
            for doc in (bad, {**whole, name: None}, {**whole, name: {"a": 1}}):
                self.plane.faults.append(lambda kind, body, doc=doc: (200, doc))
                with self.assertRaisesRegex(ProtocolError, name):
                    self.client.report("step", "run-1", {"run": "run-1"})

    def test_documents_that_are_none(self):
        for raw in (b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"{} {}", b"\xff", b"[" * 100000):
            with self.assertRaises(ProtocolError, msg=raw[:20]):
                forms.parse(raw)

    def test_numbers(self):
        got = forms.encode({"a": math.nan, "b": [math.inf, -math.inf], "c": 2**64 - 1, "d": 0.1, "e": 2**53, "f": None, "g": True})
        self.assertEqual(json.loads(got), {
            "a": "NaN", "b": ["Infinity", "-Infinity"], "c": str(2**64 - 1), "d": 0.1, "e": 2**53, "f": None, "g": True,
        })
        for value, want in (("18446744073709551615", 2**64 - 1), (7, 7)):
            self.assertEqual(forms.u64(value, "x"), want)
        for bad in ("18446744073709551616", "-1", "", "1.0", "１", 1.5, True, None, -1, "0x1"):
            with self.assertRaises(ProtocolError, msg=bad):
                forms.u64(bad, "x")
        for bad in ("nan", "1", True, None, [], 10**400):
            with self.assertRaises(ProtocolError, msg=bad):
                forms.number(bad, "x")

    def test_directives(self):
        self.assertIsNone(self.client.directives("run-1", 0))
        self.plane.faults.append("slow")
        self.assertIsNone(self.client.directives("run-1", 0, wait=0.1))

    def test_what_takes_longer(self):
        """The plane reads a whole snapshot for some requests: it is not asked again meanwhile."""
        self.plane.faults.extend(["slow", "slow"])
        self.client.open({"run": "run-1"})
        self.client.report("snapshot", "run-1", {"run": "run-1", "step": 3})
        self.assertEqual((self.client.retries, self.plane.requests), (0, 2))

    def test_one_try_is_a_fresh_one(self):
        """A connection that the plane has closed meanwhile is not what a single try is spent on."""
        self.client.status("run-1")
        for s in self.plane._socks[2:]:
            s.shutdown(socket.SHUT_RDWR)
        with self.client.briefly(5):
            self.assertEqual(self.client.status("run-1")["status"], "open")

    def test_open_that_broke(self):
        """An opening that was recorded and whose answer was lost is a resume."""
        self.plane.faults.append("cut after")
        self.plane.faults.append(lambda kind, body: fake.problem("run_exists", 409))
        self.client.open({"run": "run-1"})
        self.assertTrue(self.plane.records[-1][1]["resume"])
        self.plane.faults.append(lambda kind, body: fake.problem("run_exists", 409))
        self.client.retries = 0
        with self.assertRaises(Refused):
            self.client.open({"run": "run-1"})

    def test_open_of_a_run_of_before(self):
        """A plane that was away at first does not turn a run that must be new into another's."""
        for held in ({"incarnation": 1, "step": "30"}, {"incarnation": 2, "step": "0"}):
            before = len(self.plane.records)
            self.plane.faults.extend(["cut", lambda kind, body: fake.problem("run_exists", 409)])
            self.plane.faults.append(lambda kind, body: (200, {"run": "run-1", "status": "open", **held}))
            with self.assertRaises(Refused) as caught:
                self.client.open({"run": "run-1"})
            self.assertEqual((caught.exception.kind, len(self.plane.records)), ("run_exists", before))


class OverLane(OverHTTP):
    lane = "framed"

    def test_garbage(self):
        self.plane.faults.append("garbage")
        with self.assertRaisesRegex(ProtocolError, "announces a frame"):
            self.client.report("step", "run-1", {"run": "run-1", "step": 1})

    def test_pipelined(self):
        for step in range(1, 6):
            self.client.send_step("run-1", {"run": "run-1", "step": step})
        self.assertEqual(self.client.outstanding(), 5)
        with self.assertRaises(ValueError):
            self.client.report("epoch", "run-1", {})
        self.assertEqual([self.client.receive_step("run-1")["step"] for _ in range(5)], [1, 2, 3, 4, 5])
        self.assertFalse(self.client.ready())

    def test_pipelined_once(self):
        """Wherever the lane is cut, every step is recorded once and answered in order."""
        for at in range(5):
            for fault in ("cut", "cut after", "half", "slow"):
                with self.subTest(fault, at=at):
                    self.plane.records.clear()
                    self.plane._known.clear()
                    self.plane.faults.clear()
                    self.plane.faults.extend([None] * at + [fault])
                    base = 100 * at
                    for step in range(1, 6):
                        self.client.send_step("run-1", {"run": "run-1", "step": base + step, "fault": fault})
                    got = [self.client.receive_step("run-1")["step"] for _ in range(5)]
                    self.assertEqual(got, [base + s for s in range(1, 6)])
                    self.assertEqual([b["step"] for _, b in self.plane.records], got)

    def test_refused_step_is_over(self):
        self.plane.faults.append(lambda kind, body: fake.problem("step_order", 409, "step"))
        for step in (1, 2):
            self.client.send_step("run-1", {"run": "run-1", "step": step})
        with self.assertRaises(Refused):
            self.client.receive_step("run-1")
        self.assertEqual(self.client.receive_step("run-1")["step"], 2)

    def test_not_now_in_flight(self):
        self.plane.faults.extend([lambda kind, body: fake.problem("stopping", 503)] * 2)
        for step in (1, 2, 3):
            self.client.send_step("run-1", {"run": "run-1", "step": step})
        self.assertEqual([self.client.receive_step("run-1")["step"] for _ in range(3)], [1, 2, 3])

    def test_too_large(self):
        with self.assertRaises(ValueError):
            self.client.report("step", "run-1", {"x": "a" * (4 << 20)})


class Strangers(Case):
    @unittest.skipUnless(os.geteuid() == 0, "only root can listen as somebody else")
    def test_a_plane_of_another_user(self):
        """Who listens is looked at before anything is sent, on both ways."""
        os.chmod(self.folder, 0o777)
        os.mkdir(os.path.join(self.folder, "x"), 0o777)
        os.chmod(os.path.join(self.folder, "x"), 0o777)
        os.seteuid(65534)
        try:
            plane = fake.Plane(os.path.join(self.folder, "x"), brain)
        finally:
            os.seteuid(0)
        self.addCleanup(plane.close)
        for lane in ("http", "framed"):
            for me, fine in ((1000, False), (65534, True), (0, True)):
                with mock.patch("os.geteuid", lambda: me), Client(plane.address, timeout=5, lane=lane) as client:
                    ask = lambda: client.report("step", "run-1", {"run": "run-1", "step": me})  # noqa: B023, E731
                    if fine:
                        ask()
                        continue
                    with self.assertRaisesRegex(Stranger, "uid 65534 listens"):
                        ask()
        self.assertEqual(plane.requests, 4)


class Addresses(unittest.TestCase):
    def test_good(self):
        self.assertEqual(Address.parse("unix:s").path, os.path.abspath("s"))
        self.assertEqual((Address.parse("http://h:7").host, Address.parse("http://h:7").port), ("h", 7))
        self.assertTrue(Address.parse("https://h").secure)

    def test_refused(self):
        for bad in ("", "unix:", "s", "ftp://h", "http://", "http://h/x", "http://h?x", "auto"):
            with self.assertRaises(ValueError, msg=bad):
                Address.parse(bad)
        for more in ({"token": "t"}, {"tls": TLS()}, {"lane": "framed"}, {"lane": "x"}, {"away": "x"}, {"away_seconds": -1}):
            with self.assertRaises(ValueError, msg=more):
                Client("http://192.0.2.1:80", **more)
        Client("http://127.0.0.1:80", token="t")


def forms_of_reports():
    return ["step", "epoch", "snapshot", "probe", "ack", "rollback", "fallback", "profile", "close"]


if __name__ == "__main__":
    unittest.main()
