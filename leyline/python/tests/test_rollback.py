"""Rollbacks: what is restored, and what is not touched before the plane has confirmed."""

import time
import unittest

from esper_plane.errors import Halted

from . import fake, network
from .sessions import Case, command, ref


class Rollback(Case):
    def trained(self):
        """A session with a snapshot of step 2 that has trained to step 4."""
        s = self.session()
        s.open()
        self.mind.next = [{}, {"snapshot": True}]
        self.train(s, 2)
        self.want = self.net.digest()
        self.train(s, 2)
        (self.taken,) = self.mind.snapshots.values()
        return s

    def confirm(self, body):
        self.mind.incarnation, self.mind.step = 2, 2
        return {"lineage": 1}

    def test_restored(self):
        s = self.trained()
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(ref(self.taken))}]
        self.mind.also["rollback"] = self.confirm
        (d,) = self.train(s, 1)
        self.assertTrue(d.restored and not d.apply)
        self.assertEqual((self.net.digest(), s.step_count, s.faulted), (self.want, 2, [4]))
        (told,) = self.sent("rollback")
        self.assertEqual((told["outcome"], told["phase"], told["digest"], told["incarnation"]), ("ok", "commit", self.taken["digest"], 1))
        self.train(s, 1)
        self.assertEqual((self.sent("step")[-1]["step"], self.sent("step")[-1]["incarnation"]), (3, 2))
        self.assertEqual(s.recoveries[0]["to_step"], 2)
        again = network.Net()
        again.state = dict(self.net.state)
        self.assertNotEqual(self.sent("step")[2]["seed"], self.sent("step")[-1]["seed"], "another lineage, other choices")

    def test_order_comes_later(self):
        s = self.trained()
        self.mind.next = [{"weights": []}]
        self.mind.directives = [[], self.mind.rollback(ref(self.taken), seq=50)]
        self.mind.also["rollback"] = self.confirm
        self.train(s, 1)
        self.assertEqual(self.net.digest(), self.want)

    def failing(self, change=None, within=10**10, outcome="failed"):
        """An order that cannot be carried out is told, and touches nothing."""
        s = self.trained()
        before = self.net.digest()
        r = ref(self.taken)
        if change:
            change(r)
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(r, within=within)}]
        self.mind.also["rollback"] = {"directives": self.mind.rollback(ref(self.taken), seq=60, effect=1)}
        seen = []

        def second(kind, body):
            if kind == "rollback" and self.sent("rollback"):
                seen.append(self.net.digest())
                self.mind.also["rollback"] = self.confirm
            return None

        self.plane.faults.extend([None, None, second, second])
        self.train(s, 1)
        first, last = self.sent("rollback")
        self.assertEqual((first["outcome"], last["outcome"]), (outcome, "ok"))
        self.assertTrue(first["reason"])
        self.assertEqual(seen, [before], "the network was touched before the plane had confirmed")
        self.assertEqual(self.net.digest(), self.want)

    def test_digest(self):
        self.failing(lambda r: r.update(digest="0" * 64))

    def test_missing(self):
        self.failing(lambda r: r.update(file="none"))

    def test_late(self):
        self.failing(within=0, outcome="deadline_exceeded")

    def test_late_when_it_is_staged(self):
        stage = self.net.stage

        def slow(path, data):
            self.net.stage = stage
            time.sleep(0.3)
            return stage(path, data)

        self.net.stage = slow
        self.failing(within=2 * 10**8, outcome="deadline_exceeded")

    def test_host_cannot_stage(self):
        stage = self.net.stage

        def once(path, data):
            self.net.stage = stage
            raise RuntimeError("cannot")

        self.net.stage = once
        self.failing()

    def test_too_late_for_the_plane(self):
        s = self.trained()
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(ref(self.taken))}]
        self.mind.also["rollback"] = lambda body: fake.problem("unknown_rollback", 404)
        self.mind.directives = [[{"id": "99.0", "kind": "halt", "within_ns": "0", "halt": {"reason": "rollback_failed", "detail": "gone"}}]]
        before = self.net.digest()
        with self.assertRaises(Halted):
            self.train(s, 1)
        self.assertEqual(self.net.digest(), before)

    def test_rollback_under_way(self):
        """A step is refused while an operator's rollback is under way."""
        s = self.trained()
        self.mind.also["step"] = lambda body: fake.problem("rollback_active", 409)
        self.mind.directives = [self.mind.rollback(ref(self.taken), seq=50)]
        self.mind.also["rollback"] = self.confirm
        (d,) = self.train(s, 1)
        self.assertEqual((d.restored, self.net.digest()), (True, self.want))

    def test_under_way_whatever_is_reported(self):
        """An operator's rollback begins between a step and what follows it."""
        for kind in ("snapshot", "ack", "epoch", "close", "probe"):
            with self.subTest(kind):
                self.plane.records.clear()
                self.plane._known.clear()
                self.mind.__init__(self.places)
                self.net = network.Net()
                s = self.trained()
                self.mind.seeds = [{"seed": "slot-1", "stage": "TRAINING", "alpha": 0.0, "paused": False}]
                self.net.seeds["slot-1"] = ["TRAINING", 0.0, False]
                self.mind.directives = [self.mind.rollback(ref(self.taken), seq=70)]
                self.mind.also["rollback"] = self.confirm
                self.mind.also[kind] = lambda body: fake.problem("rollback_active", 409)
                given = [{"id": "30.0", "kind": "command", "within_ns": "0", "command": command("GERMINATE")}]
                self.mind.next = [{"snapshot": kind == "snapshot", "probes": ["slot-1"] * (kind == "probe"), "directives": given * (kind == "ack")}]
                self.train(s, 1)
                if kind == "epoch":
                    s.epoch(1, [1.0, 1.0], [0.0, 0.0], 8)
                s.close()
                self.assertEqual((self.sent("close")[0]["step"], self.sent("close")[0]["digest"]), (2, self.want))
                self.assertEqual(len(self.sent("rollback")), 1)

    def test_commands_before_it_are_void(self):
        s = self.trained()
        graft = {"id": "11.0", "kind": "command", "within_ns": "0", "command": command("START_TRAINING")}
        self.mind.next = [{"weights": [], "directives": [graft] + self.mind.rollback(ref(self.taken))}]
        self.mind.also["rollback"] = self.confirm
        self.train(s, 1)
        self.assertEqual((self.sent("ack"), self.net.seeds), ([], {}))

    def test_after_an_epoch(self):
        s = self.trained()
        self.mind.also["epoch"] = lambda body: {"directives": self.mind.rollback(ref(self.taken))}
        self.mind.also["rollback"] = self.confirm
        s.epoch(1, [1, 1], [0, 0], 1)
        self.assertEqual(self.net.digest(), self.want)

    def test_before_the_close(self):
        s = self.trained()
        self.mind.next = [{"directives": self.mind.rollback(ref(self.taken))}]
        self.mind.also["rollback"] = self.confirm
        (d,) = self.train(s, 1)
        self.assertFalse(d.apply)
        s.close()
        self.assertEqual((self.sent("close")[0]["step"], self.sent("close")[0]["digest"]), (2, self.want))


class RollbackOverLane(Rollback):
    lane = "framed"


if __name__ == "__main__":
    unittest.main()
