"""The life of a run: answers, halts, the emergency signal, snapshots."""

import hashlib
import os
import pathlib
import struct
import time
import unittest

from esper_plane import snapshots
from esper_plane.client import Client
from esper_plane.errors import Halted, ProtocolError, Refused, SnapshotError
from esper_plane.session import Session

from . import fake, network
from .sessions import Case, ref


class Life(Case):
    def test_whole_run(self):
        self.mind.opening["snapshot"] = True
        s = self.session()
        s.open()
        got = self.train(s, 5)
        self.assertTrue(all(d.apply for d in got))
        s.epoch(1, [0.1, 0.2], [0.5, 0.5], 10)
        s.close()
        self.assertEqual(self.plane.kinds(), ["open", "snapshot"] + ["step"] * 5 + ["epoch", "close"])
        steps = self.sent("step")
        self.assertEqual([b["step"] for b in steps], [1, 2, 3, 4, 5])
        self.assertEqual([b["after"] for b in steps], sorted({b["after"] for b in steps}))
        self.assertEqual(self.sent("close")[0]["digest"], self.net.digest())
        self.assertGreater(steps[1]["previous_ns"], 0)

    def test_plan_is_whole(self):
        for name in ("run", "tasks", "seed", "steps", "away"):
            bad = network.plan()
            del bad[name]
            with self.assertRaisesRegex(ValueError, name):
                Session(Client(self.plane.address), self.net, bad)

    def test_answers_of_another(self):
        for bad in ({"step": "9"}, {"incarnation": 2}, {"weights": [1.0]}, {"weights": ["NaN", 1.0]}, {"run": "run-2"}):
            s = self.session()
            s.open()
            before = self.net.digest()
            self.plane.faults.append(lambda kind, body, bad=bad: (200, fake.answer(**{"step": "1", "weights": [0.5, 0.5], **bad})))
            with self.assertRaises(ProtocolError, msg=bad):
                self.train(s, 1)
            self.assertEqual(self.net.digest(), before)
            s.leave()

    def test_known_run_is_resumed(self):
        self.mind.also["open"] = lambda body: fake.problem("run_exists", 409)
        s = self.session()
        s.open()
        self.assertEqual([b["resume"] for b in self.sent("open")], [True])
        self.mind.also["open"] = lambda body: fake.problem("run_exists", 409)
        with self.assertRaises(Refused):
            self.session().open(resume=False)

    def test_resumed_from_a_snapshot(self):
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.train(s, 1)
        s.leave()
        (taken,) = self.mind.snapshots.values()
        want = self.net.digest()
        self.net = network.Net()
        self.assertNotEqual(self.net.digest(), want)
        self.mind.opening["from"] = ref(taken)
        s = self.session()
        s.open(resume=True)
        self.assertEqual((self.net.digest(), s.step_count), (want, 1))

    def test_halt(self):
        s = self.session()
        s.open()
        self.mind.next = [{"weights": [], "directives": [{"id": "99.0", "kind": "halt", "within_ns": "0", "halt": {"reason": "operator", "detail": "enough"}}]}]
        before = self.net.digest()
        with self.assertRaisesRegex(Halted, "enough"):
            self.train(s, 1)
        self.assertEqual(self.net.digest(), before)

    def test_closed_run_says_why(self):
        s = self.session()
        s.open()
        self.plane.faults.append(lambda k, b: fake.problem("run_not_open", 409))
        self.mind.directives = [[{"id": "99.0", "kind": "halt", "within_ns": "0", "halt": {"reason": "rollback_failed", "detail": "too late"}}]]
        with self.assertRaisesRegex(Halted, "too late"):
            self.train(s, 1)

    def test_profile_window(self):
        s = self.session()
        s.open()
        self.mind.next = [{"profile": "2"}, {"profile": "2"}, {}]
        self.train(s, 4)
        (p,) = self.sent("profile")
        self.assertEqual((p["first"], p["last"], p["outcome"]), (2, 3, "failed"))


class Signal(Case):
    def raised(self, level=4, reason=b"operator", at=5):
        self.page(struct.pack("<IBBBBQ48s", 2, level > 1, level, len(reason), 1, at, reason))

    def test_halt(self):
        s = self.session()
        s.open()
        self.train(s, 1)
        self.raised()
        self.mind.emergency = "L4_HALT"
        with self.assertRaisesRegex(Halted, "operator"):
            self.train(s, 1)
        self.assertEqual(len(self.sent("step")), 1)

    def test_another_runs_halt(self):
        s = self.session()
        s.open()
        self.raised()
        before = self.plane.requests
        self.train(s, 3)
        self.assertEqual(self.plane.requests - before, 4, "it is asked about once")

    def test_halt_without_a_plane(self):
        for reason in (b"operator", b"storage failed"):
            s = self.session()
            s.open()
            self.raised(reason=reason)
            if reason == b"operator":
                self.plane.faults.extend(["cut"] * 5)
            with self.assertRaises(Halted):
                s.begin()
            self.page(bytes(64))
            s.leave()

    def test_halt_of_a_plane_that_hangs(self):
        s = self.session()
        s.open()
        self.raised()
        self.plane.faults.append(lambda kind, body: time.sleep(1.5))
        with self.assertRaises(Halted):
            s.begin()

    def test_below_a_halt(self):
        s = self.session()
        s.open()
        self.raised(level=3)
        self.train(s, 2)

    def test_missing(self):
        os.remove(self.places["signal"])
        with self.assertRaisesRegex(SnapshotError, "signal"):
            self.session().open()


class Snapshots(Case):
    def test_both_tiers(self):
        s = self.session()
        s.open()
        self.mind.next = [{}, {"snapshot": True, "fast_room": "100000"}]
        self.mind.also["snapshot"] = {"fast_room": "100000"}
        self.train(s, 2)
        full, fast = self.sent("snapshot")
        self.assertEqual((full["tier"], fast["tier"], full["step"]), ("full", "fast", 2))
        for taken, place in ((full, "snapshots"), (fast, "fast")):
            path = os.path.join(self.places[place], taken["file"])
            raw = pathlib.Path(path).read_bytes()
            self.assertEqual((len(raw), hashlib.sha256(raw).hexdigest()), (taken["bytes"], taken["digest"]))
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertEqual(os.listdir(self.places[place]), [taken["file"]])

    def test_no_room(self):
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.train(s, 1)
        self.assertEqual([b["tier"] for b in self.sent("snapshot")], ["full"])

    def test_fast_one_cannot_be_written(self):
        pathlib.Path(self.places["fast"]).write_text("no directory")
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.mind.also["snapshot"] = {"fast_room": "100000"}
        self.train(s, 1)
        self.assertIn("cannot write", self.sent("snapshot")[1]["unwritten"])

    def test_cannot_be_written(self):
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.net.broken.add("write_snapshot")
        with self.assertRaisesRegex(RuntimeError, "broken"):
            self.train(s, 1)
        self.assertEqual((self.sent("snapshot"), os.listdir(self.places["snapshots"])), ([], []))
        self.mind.places["snapshots"] = ""
        self.net.broken.clear()
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        with self.assertRaisesRegex(SnapshotError, "places.snapshots"):
            self.train(s, 1)

    def test_fetch_refuses(self):
        os.mkdir(self.places["snapshots"])
        good = snapshots.write(self.places["snapshots"], "a", lambda p: pathlib.Path(p).write_bytes(b"x" * 100) and None)
        r = {"snapshot": "s", "tier": "full", "file": "a", "bytes": 100, "digest": good.digest}
        self.assertEqual(snapshots.fetch(self.places["snapshots"], r), b"x" * 100)
        os.symlink("a", os.path.join(self.places["snapshots"], "link"))
        os.mkfifo(os.path.join(self.places["snapshots"], "pipe"))
        for change in ({"bytes": 99}, {"digest": "0" * 64}, {"digest": ""}, {"file": "b"}, {"file": "../a"}, {"file": ".."}, {"file": "link"}, {"file": "pipe"}, {"file": ""}):
            with self.assertRaises(SnapshotError, msg=change):
                snapshots.fetch(self.places["snapshots"], {**r, **change})
        with self.assertRaises(SnapshotError):
            snapshots.fetch("", r)
        with self.assertRaises(snapshots.Deadline):
            snapshots.fetch(self.places["snapshots"], r, by=time.monotonic() - 1)


if __name__ == "__main__":
    unittest.main()
