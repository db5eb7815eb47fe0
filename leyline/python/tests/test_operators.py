"""A real operator at a real plane, while a trainer runs: enrolled after the run was opened."""

import os
import subprocess
import threading
import unittest

from esper_plane.errors import Halted

from .plane import BINARY, WHY
from .test_plane import Case as OnPlane


@unittest.skipUnless(BINARY, WHY)
class Case(OnPlane):
    serve = ("--builtin-blueprints",)

    def esper(self, *arguments):
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=self.plane._clean(), timeout=60)
        self.assertEqual(done.returncode, 0, (arguments, done.stdout, done.stderr))
        return done.stdout

    def enrol(self):
        """A key of the operator ada, handed to the plane that runs."""
        self.key = os.path.join(self.plane.folder, "ada.key")
        envelope = os.path.join(self.plane.folder, "ada.enrol")
        self.esper("key", "new", "--name", "ada", self.key)
        admin = os.path.join(self.plane.data, "keys", "admin.key")
        self.esper("key", "enroll", "--kinds", "SEED,EMERGENCY,ROLLBACK,PAUSE", "--admin", admin, "-o", envelope, self.key + ".pub")
        self.esper("command", "send", envelope, "--to", self.plane.address)

    def command(self, *arguments):
        """Hands a command in from the side: its verdict comes with the next report."""
        failed = []

        def run():
            try:
                self.esper("command", *arguments, "--reason", "a test", "--key", self.key, "--to", self.plane.address)
            except BaseException as e:  # noqa: BLE001: told by the caller
                failed.append(e)

        t = threading.Thread(target=run)
        t.start()
        return t, failed

    def until(self, s, met, most=3000):
        """Trains until something has happened."""
        for _ in range(most):
            if met():
                return
            self.train(s, s.step_count + 1)
        self.fail(f"nothing happened in {most} steps")


class Halting(Case):
    def test_emergency(self):
        s = self.session(steps=10**6)
        s.open()
        self.train(s, 5)
        self.enrol()
        t, failed = self.command("emergency", "raise", "L4_HALT")
        with self.assertRaises(Halted) as caught:
            self.until(s, lambda: False)
        t.join()
        self.assertEqual(failed, [])
        self.assertIn(caught.exception.reason, ("operator", "emergency_signal"))
        last = s.step_count
        with self.assertRaises(Halted):
            s.begin()
        self.plane.stop()
        steps = [v["step"] for kind, v in self.plane.inputs() if kind == "step.observed"]
        self.assertIn(last, (steps[-1], steps[-1] - 1))

    def test_another_run_goes_on(self):
        s = self.session(steps=10**6)
        s.open()
        self.enrol()
        self.train(s, 5)
        other = self.session(run="run-2", steps=10**6)
        other.open()
        t, failed = self.command("emergency", "raise", "L4_HALT", "--run", "run-2")
        with self.assertRaises(Halted):
            self.until(other, lambda: False)
        t.join()
        self.assertEqual(failed, [])
        self.train(s, 10)
        self.assertEqual(s.step_count, 10)


class Rollback(Case):
    def test_to_a_snapshot(self):
        s = self.session(steps=10**6)
        s.open()
        self.enrol()
        self.train(s, 120)
        t, failed = self.command("rollback", "1000000")  # the newest that is proven
        self.until(s, lambda: s.recoveries or failed)
        t.join()
        self.assertEqual(failed, [])
        self.assertLess(s.recoveries[0]["to_step"], s.faulted[0])
        self.train(s, s.step_count + 10)
        s.close()


class Ahead(Rollback):
    lane = "framed"
    lag = 4


class Seeds(Case):
    def test_culled_by_an_operator(self):
        s = self.session(framework="go-gonum", steps=10**6, seeds=["seed-a"], layers=["trunk"], blueprints=["residual-mlp-16"])
        s.open()
        epoch = [0]

        def grown():
            if s.step_count % 10 == 0 and s.step_count // 10 > epoch[0]:
                epoch[0] = s.step_count // 10
                s.epoch(epoch[0], [1 / epoch[0]] * 2, [0.5, 0.5], 8)
            return self.net.seeds

        self.until(s, grown)
        self.enrol()
        t, failed = self.command("seed", "cull", "seed-a")
        self.until(s, lambda: not self.net.seeds)
        t.join()
        self.assertEqual((failed, self.warned), ([], []))
        culled = [v for kind, v in self.plane.inputs() if kind == "command.acked"]
        self.assertEqual({v["outcome"] for v in culled}, {"ok"})


if __name__ == "__main__":
    unittest.main()
