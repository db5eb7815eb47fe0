"""The package against a real plane: sockets, processes, a disk and a log that is read back."""

import math
import os
import unittest

from esper_plane import draws, weights
from esper_plane.client import Client
from esper_plane.errors import PlaneAway, Refused
from esper_plane.session import Session

from . import network
from .plane import BINARY, WHY, Process
from .proxy import Proxy


@unittest.skipUnless(BINARY, WHY)
class Case(unittest.TestCase):
    lane = "http"
    lag = 0
    serve = ()

    def setUp(self):
        self.plane = Process(*self.serve)
        self.addCleanup(self.plane.close)
        if self.lane == "framed" and not self.plane.has_lane():
            self.skipTest("this plane has no framed lane")
        self.net = network.Net()
        self.warned = []

    def session(self, address=None, **changed):
        client = Client(address or self.plane.address, timeout=20, lane=self.lane)
        changed = {"steps": 60, "lag": self.lag, "lockstep": True, **changed}
        s = Session(client, self.net, network.plan(**changed), warn=self.warned.append)
        self.addCleanup(s.leave)
        return s

    def train(self, s, to, bad=(), at=None):
        """Train to a step. ``bad`` are steps that go wrong once; ``at`` is called before a step."""
        bad, attempts = set(bad), 0
        while s.step_count < to:
            number = s.begin()
            if at is not None:
                at(number)
            body, grads = self.net.report(number)
            if number in bad:
                bad.remove(number)
                body["losses"][0] = math.nan
            body["seeds"] = [self.seed(o) for o in s.observed()]
            d = s.step(body)
            attempts += 1
            self.assertLess(attempts, 10 * to)
            if d.weights is not None:
                self.net.update(d.weights, grads)
                s.after_step()
        s._drain()
        if s._mend():
            self.train(s, to, bad, at)

    @staticmethod
    def seed(o):
        out = {**o, "grad_norm": 0.1, "host_norm": 1.0, "cosine": 0.2, "loss": 0.5, "parameters": 3}
        if o["stage"] != "TRAINING":
            out["blend"] = {"mode": "RESIDUAL", "mean": o["alpha"], "p95": o["alpha"]}
        return out

    def alone(self, s, to):
        """The digest of the same network, trained with no plane, by the rule of the plane."""
        net = network.Net()
        for number in range(1, to + 1):
            body, grads = net.report(number)
            net.update(weights.combine(s._rule, body["gram"], 2, draws.step_seed(s.plan["seed"], 0, number)), grads)
        return net.digest()

    def steps_once(self):
        """Every step of every incarnation is in the log once, in order; returns them."""
        steps = [(v["incarnation"], v["step"]) for kind, v in self.plane.inputs() if kind == "step.observed"]
        self.assertEqual(len(steps), len(set(steps)))
        for before, after in zip(steps, steps[1:]):
            self.assertTrue(after[1] == before[1] + 1 or after[0] > before[0], (before, after))
        return steps


class OverHTTP(Case):
    def test_a_run(self):
        s = self.session()
        s.open()
        self.train(s, 30, bad=[20])
        s.epoch(1, [0.1, 0.2], [0.5, 0.5], 8)
        self.train(s, 60)
        s.close()
        self.assertEqual([r["fault_step"] for r in s.recoveries], [20])
        self.plane.stop()
        self.plane.verify()
        closed = [v for kind, v in self.plane.inputs() if kind == "run.closed"]
        self.assertEqual([(c["step"], c["digest"], c["outcome"]) for c in closed], [(60, self.net.digest(), "ok")])
        self.assertEqual(self.steps_once()[-1], (2, 60))
        self.assertEqual(s.mismatches, 0)

    def test_nothing_of_a_bad_step_stays(self):
        """The network after a rollback is bit for bit that of the snapshot."""
        s = self.session()
        s.open()
        self.train(s, 24)
        seen, adopt = [], self.net.adopt

        def noted(staged):
            adopt(staged)
            seen.append(self.net.digest())

        self.net.adopt = noted
        self.train(s, 40, bad=[25])
        self.assertEqual(seen, [self.alone(s, s.recoveries[0]["to_step"])])
        s.close()

    def test_cut_wires(self):
        for seed in range(4):
            proxy = Proxy(os.path.join(self.plane.folder, f"p{seed}"), self.plane.socket, seed, cuts=12)
            self.addCleanup(proxy.close)
            self.net = network.Net()
            run = f"run-{seed}"
            s = self.session(proxy.address, run=run)
            s.open()
            self.train(s, 60, bad=[33])
            s.close()
            proxy.close()
            self.assertGreater(proxy.broken, 3)
            inputs = [(k, v) for k, v in self.plane.inputs() if v.get("run") == run]
            steps = [(v["incarnation"], v["step"]) for k, v in inputs if k == "step.observed"]
            self.assertEqual(len(steps), len(set(steps)))
            self.assertEqual(steps[-1][1], 60)
            kinds = [k for k, _ in inputs]
            self.assertEqual((kinds.count("run.closed"), kinds.count("snapshot.taken")), (1, len({(v["snapshot"], v["tier"]) for k, v in inputs if k == "snapshot.taken"})))
            closed = [v for k, v in inputs if k == "run.closed"]
            self.assertEqual(closed[0]["digest"], self.net.digest())

    def test_plane_is_killed(self):
        s = self.session(away="wait", away_seconds=60)
        s.open()
        killed = []

        def kill(number):
            if number in (15, 31) and number not in killed:
                killed.append(number)
                self.plane.kill()
                self.plane.start()

        self.train(s, 60, at=kill)
        s.close()
        self.assertEqual(killed, [15, 31])
        self.plane.stop()
        self.plane.verify()
        steps = self.steps_once()
        self.assertEqual(sorted({n for _, n in steps}), list(range(1, 61)))
        closed = [v for kind, v in self.plane.inputs() if kind == "run.closed"]
        self.assertEqual({closed[0]["digest"], self.net.digest()}, {self.alone(s, 60)})

    def test_plane_stays_away(self):
        s = self.session()
        s.open()
        self.train(s, 5)
        before = self.net.digest()
        self.plane.kill()
        with self.assertRaises(PlaneAway):
            self.train(s, 60)
        if self.lag == 0:
            self.assertEqual(self.net.digest(), before)

    def test_trainer_is_gone_and_comes_back(self):
        s = self.session()
        s.open()
        self.train(s, 37)
        s.leave()
        self.net = network.Net()
        s = self.session()
        opened = s.open()
        self.assertTrue(opened["resumed"])
        self.assertLessEqual(s.step_count, 37)
        self.train(s, 60)
        s.close()
        self.assertEqual(self.steps_once()[-1][1], 60)
        self.assertEqual(self.net.digest(), self.alone(s, 60))
        with self.assertRaises(Refused):
            self.session(run="run-2", framework="unheard of").open()

    def test_refused(self):
        for changed, kind, field in [
            ({"away": "perhaps"}, "invalid_field", "away"), ({"tasks": []}, "missing_field", "tasks"), ({"steps": 0}, "missing_field", "steps"),
        ]:
            with self.assertRaises(Refused) as caught:
                self.session(run="run-9", away=changed.get("away", "stop"), **{k: v for k, v in changed.items() if k != "away"}).client.open(
                    {**network.plan(run="run-9"), **changed}
                )
            self.assertEqual((caught.exception.kind, caught.exception.field), (kind, field))

    def test_directives_can_be_waited_for(self):
        s = self.session()
        s.open()
        self.assertIsNone(s.client.directives("run-1", s.inbox.cursor, wait=0.3))
        self.assertEqual(s.client.status("run-1")["run"], "run-1")


class OverLane(OverHTTP):
    lane = "framed"


class Ahead(OverHTTP):
    lane = "framed"
    lag = 4


@unittest.skipUnless(BINARY, WHY)
class Seeds(Case):
    """Seeds that a policy grows, by commands that it has signed."""

    serve = ("--builtin-blueprints",)

    def test_grown(self):
        s = self.session(
            framework="go-gonum", steps=200, seeds=["seed-a", "seed-b"], layers=["trunk"], blueprints=["residual-mlp-16"],
        )
        s.open()
        for epoch in range(1, 21):
            self.train(s, 10 * epoch)
            s.epoch(epoch, [1 / epoch, 1 / epoch], [0.5, 0.5], 8)
        s.close()
        acks = [v for kind, v in self.plane.inputs() if kind == "command.acked"]
        self.assertGreaterEqual(len(acks), 3)
        self.assertEqual({a["outcome"] for a in acks}, {"ok"})
        self.assertIn("graft", {c[0] for c in self.net.calls})
        self.assertEqual(self.warned, [])


if __name__ == "__main__":
    unittest.main()
