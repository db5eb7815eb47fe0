"""Trainers that run ahead of the plane's answers."""

import unittest

from esper_plane.errors import ProtocolError

from . import network
from .sessions import Case, Mind, ref


class Ahead(Case):
    """A trainer that runs ahead of the answers."""

    lane = "framed"
    lag = 3

    def test_weights_are_its_own(self):
        s = self.session()
        s.open()
        got = self.train(s, 10)
        s.close()
        self.assertTrue(all(d.weights == [0.5, 0.5] for d in got))
        self.assertEqual([b["applied"] for b in self.sent("step")], [[0.5, 0.5]] * 10)
        self.assertEqual(self.plane.kinds()[-1], "close")
        self.assertEqual((s.mismatches, self.warned), (0, []))

    def test_never_further_ahead(self):
        s = self.session()
        s.open()
        most, send = [], s.client.send_step

        def counted(run, body):
            send(run, body)
            most.append(s.client.outstanding())

        s.client.send_step = counted
        self.train(s, 20)
        self.assertLessEqual(max(most), 3)
        self.assertEqual(max(b["step"] - heard for b, heard in zip(self.sent("step"), range(20))), 1)

    def test_not_finite(self):
        """Nothing is applied, and everything in flight is heard first."""
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.train(s, 5)
        (taken,) = self.mind.snapshots.values()
        s.begin()
        self.mind.unfit = {"weights": [], "directives": self.mind.rollback(ref(taken), seq=70)}
        step = taken["step"]

        def confirm(body):
            self.mind.incarnation, self.mind.step = 2, step
            return {}

        self.mind.also["rollback"] = confirm
        d = s.step({"losses": [float("nan"), 1.0], "gram": [1.0, 0.0, 0.0, 1.0], "samples": 1, "learn_rate": 0.1})
        self.assertEqual((d.apply, d.restored, s.step_count, s.client.outstanding()), (False, True, step, 0))
        self.assertEqual((self.sent("step")[-1]["applied"], self.sent("step")[-1]["losses"][0]), ([], "NaN"))

    def test_undone_from_behind(self):
        """A step that was applied is found to be bad while others are in flight."""
        s = self.session()
        s.open()
        self.mind.next = [{}, {"snapshot": True}]
        self.train(s, 3)
        s._drain()
        s.after_step()
        (taken,) = self.mind.snapshots.values()
        at = taken["step"]
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(ref(taken), seq=80)}]
        self.mind.ahead = True

        def confirm(body):
            self.mind.incarnation, self.mind.step = 2, at
            return {}

        self.mind.also["rollback"] = confirm
        self.train(s, 6)
        s._drain()  # what was sent has arrived
        self.assertEqual(len(self.sent("rollback")), 1)
        self.assertEqual(s.recoveries[0]["to_step"], at)
        self.assertEqual({b["incarnation"] for b in self.sent("step")}, {1, 2})
        kinds = self.plane.kinds()
        self.assertEqual(kinds[kinds.index("rollback") - 1], "step")

    def behind(self):
        """A session that has applied steps behind a bad one and not heard of it."""
        s = self.session()
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.train(s, 3)
        s._drain()
        s.after_step()
        (taken,) = self.mind.snapshots.values()
        self.taken = taken
        self.mind.ahead = True
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(ref(taken), seq=80)}]

        def confirm(body):
            self.mind.incarnation, self.mind.step = 2, taken["step"]
            return {}

        self.mind.also["rollback"] = confirm
        s.client.ready = lambda: False  # nothing is heard before it must be
        return s

    def test_drained_before_it_is_undone(self):
        s = self.behind()
        got = self.train(s, 4)
        self.assertEqual([d.apply for d in got], [True, True, True, False])
        self.assertEqual((s.step_count, s.client.outstanding(), len(s.recoveries)), (self.taken["step"], 0, 1))

    def test_epoch_of_what_is_gone(self):
        s = self.behind()
        self.train(s, 2)
        s.epoch(1, [1.0, 1.0], [0.0, 0.0], 8)
        self.assertEqual((self.sent("epoch"), len(s.recoveries)), ([], 1))

    def test_close_of_what_is_gone(self):
        s = self.behind()
        self.train(s, 2)
        s.close()
        self.assertEqual(self.sent("close")[0]["step"], self.taken["step"])

    def test_mismatch_is_told(self):
        s = self.session()
        s.open()
        self.mind.next = [{"weights": [0.25, 0.75]}]
        self.train(s, 6)
        self.assertEqual((s.mismatches, len(self.warned)), (1, 1))

    def test_needs(self):
        self.mind.opening["rule"] = {"aggregation": "gradvac", "pcgrad_mean": False}
        with self.assertRaisesRegex(ProtocolError, "gradvac"):
            self.session().open()
        self.mind.opening.clear()
        self.lane = "http"
        with self.assertRaisesRegex(ValueError, "lane"):
            self.session(steps=5).open()

    def test_cut_anywhere(self):
        """Whatever breaks, every step is recorded once and applied once."""
        for fault in ("cut", "cut after", "half"):
            for at in range(6):
                with self.subTest(fault, at=at):
                    self.plane.records.clear()
                    self.plane._known.clear()
                    self.mind = Mind(self.places)
                    self.net = network.Net()
                    s = self.session()
                    s.open()
                    self.plane.faults.extend([None] * at + [fault])
                    got = self.train(s, 6)
                    s.close()
                    self.plane.faults.clear()
                    self.assertEqual([d.step for d in got if d.apply], [1, 2, 3, 4, 5, 6])
                    self.assertEqual([b["step"] for b in self.sent("step")], [1, 2, 3, 4, 5, 6])
                    self.assertEqual(self.plane.kinds().count("close"), 1)


if __name__ == "__main__":
    unittest.main()
