"""Training loops that do the right things in the wrong order, or twice."""

import textwrap
import unittest
from pathlib import Path
from unittest import mock

import torch

import esper_plane
from esper_plane.torch.errors import BridgeError
from esper_plane.torch.gradients import task_gradients
from esper_plane.torch.opening import attach
from esper_plane.torch.run import Run
from esper_plane.torch.sampler import Batches

from .test_run import batch, losses, make, state


def one_loss(model, *given):
    return sum(losses(model, *given).values())


class Order(unittest.TestCase):
    def test_losses_of_before_the_step(self):
        """Where the step begins the network may be taken back, so they may be another's."""
        for told in (0, 12):
            run, model, optimizer, session = make(tasks=["loss"])
            loss = one_loss(model, *batch())
            with self.subTest(samples=told), self.assertRaises(BridgeError) as caught, run.step() as step:
                step.backward(loss, samples=told)
            self.assertEqual((caught.exception.kind, caught.exception.field, session.bodies), ("out_of_order", "losses", []))
            with run.step() as step:  # the next one is none the worse
                step.backward(one_loss(model, *batch()))
                optimizer.step()
            self.assertTrue(step.applied)

    def test_a_pass_without_gradients_before_it_is_nothing(self):
        run, model, optimizer, _ = make(tasks=["loss"])
        with torch.no_grad():
            one_loss(model, *batch())
        h = model.low(batch()[0]).square().mean()  # of a part, which the host does not see
        with run.step() as step:
            step.backward(h, samples=12)
            optimizer.step()
        self.assertTrue(step.applied)

    def test_each_step_leaves_its_own_body(self):
        outer, model, one, _ = make(lambda b, n: None, tasks=["loss"])
        inner, other, two, session = make(tasks=["loss"])
        went_on = False
        with outer.step() as a:
            with inner.step() as b:
                a.backward(one_loss(model, *batch()))
                b.backward(one_loss(other, *batch()))
            went_on = True
        self.assertEqual((a.applied, b.applied, went_on, session.bodies), (False, None, False, []))
        with inner.step() as b:
            b.backward(one_loss(other, *batch()))
            two.step()
        self.assertTrue(b.applied)

    def test_left_between_decision_and_update(self):
        """The plane takes the update as made; nobody trains on as if it had been."""
        run, model, optimizer, session = make(tasks=["loss"])
        before = state(model)
        with self.assertRaises(ZeroDivisionError), run.step() as step:
            step.backward(one_loss(model, *batch()))
            raise ZeroDivisionError
        self.assertTrue(all(map(torch.equal, before, state(model))))
        with self.assertRaises(BridgeError) as caught, run.step():
            pass
        self.assertIn("ZeroDivisionError", str(caught.exception))
        run.close()
        self.assertEqual([c[:2] for c in session.calls if c[0] == "close"], [("close", "failed")])

    def test_left_before_the_decision_or_behind_the_update(self):
        run, model, optimizer, _ = make(tasks=["loss"])
        for decided in (False, True):
            with self.assertRaises(ZeroDivisionError), run.step() as step:
                if decided:
                    step.backward(one_loss(model, *batch()))
                    optimizer.step()
                raise ZeroDivisionError
        with run.step() as step:
            step.backward(one_loss(model, *batch()))
            optimizer.step()
        self.assertTrue(step.applied)

    def test_frozen_and_thawed_between_steps(self):
        """As when a network is fine-tuned layer by layer; like a plain loop of PyTorch."""
        runs = []
        for plain in (True, False):
            run, model, optimizer, _ = make(tasks=["loss"], optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
            for i in range(6):
                model.low.requires_grad_(i >= 2)
                model.a.requires_grad_(i < 4)
                if plain:
                    run.current = mock.Mock(applied=True)
                    run._updates = 0
                    optimizer.zero_grad()
                    one_loss(model, *batch(seed=i)).backward()
                    optimizer.step()
                    run.current = None
                    continue
                with run.step() as step:
                    step.backward(one_loss(model, *batch(seed=i)))
                    optimizer.step()
            runs.append(state(model))
        self.assertTrue(all(map(torch.equal, *runs)))

    def test_one_update_a_step(self):
        run, model, optimizer, _ = make(tasks=["loss"])
        with self.assertRaises(BridgeError) as caught, run.step() as step:
            step.backward(one_loss(model, *batch()))
            optimizer.step()
            once = state(model)
            optimizer.step()
        self.assertEqual((caught.exception.kind, caught.exception.field), ("out_of_order", "optimizer.step"))
        self.assertTrue(all(map(torch.equal, once, state(model))))


class Readme(unittest.TestCase):
    def test_the_two_lines_of_the_readme(self):
        """As they stand there, for someone who copies them."""
        text = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
        block = text.split("## Two lines\n\n", 1)[1].split("\n\nThe forward", 1)[0]
        run, model, optimizer, session = make(tasks=["loss"])
        given = {"model": model, "optimizer": optimizer, "loader": [batch(), batch()], "loss_of": lambda m, b: one_loss(m, *b)}
        with mock.patch.object(esper_plane, "open", lambda *a, **k: run):
            exec(compile(textwrap.dedent(block), "README.md", "exec"), given)  # noqa: S102: it is ours
        self.assertEqual((session.step_count, session.calls[-1][:2]), (2, ("close", "ok")))

    def test_a_scheduler_that_no_snapshot_holds(self):
        for told in (False, True):
            model = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
            warned = []
            with mock.patch.object(Run, "open", lambda self, resume: None):
                run = attach(mock.Mock(), name="s", host=model, optimizer=optimizer, plan={"away": "stop"}, warn=warned.append, scheduler=scheduler if told else None)
            run.leave()
            self.assertEqual([("scheduler" in w) for w in warned], [] if told else [True])

    def test_what_was_waited_for_batches_is_told(self):
        batches = Batches([batch(), batch()])
        run, model, optimizer, session = make(tasks=["loss"], state={"batches": batches})
        for given in batches:
            with run.step() as step:
                step.backward(one_loss(model, *given))
                optimizer.step()
        told = [r["value"] for b in session.bodies for r in b["metrics"]["readings"] if r["metric"] == "input_wait_ms"]
        self.assertEqual(len(told), 2)
        self.assertTrue(all(0 < t <= batches.waited_ns / 1e6 for t in told))

    def test_sparse_gradients(self):
        part = torch.nn.Embedding(5, 3, sparse=True)
        with self.assertRaisesRegex(BridgeError, "sparse=False"):
            task_gradients([part(torch.tensor([1, 2])).sum()], list(part.parameters()))


class Scaled(unittest.TestCase):
    def run_with(self, scale=4.0):
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        return scaler, *make(tasks=["loss"], scaler=scaler)

    def test_a_loss_that_is_scaled_already(self):
        scaler, run, model, _, session = self.run_with()
        with self.assertRaises(BridgeError) as caught, run.step() as step:
            step.backward(scaler.scale(one_loss(model, *batch())))
        self.assertEqual((caught.exception.field, session.bodies), ("losses.loss", []))

    def test_a_foreign_loop_looks_for_its_scale(self):
        """The gradients that a scaler finds too large are no fault of the network's."""
        scaler, run, model, optimizer, session = self.run_with(2.0 ** 126)
        before = state(model)
        with run.step() as step:
            scaler.scale(one_loss(model, *batch())).backward()
            model.low.weight.grad[0, 0] = float("inf")
            scaler.unscale_(optimizer)
            self.assertFalse(step.observe({"loss": 1.0}))
            scaler.step(optimizer)
            scaler.update()
        self.assertEqual((step.applied, step.passed_by, session.bodies, scaler.get_scale()), (False, True, [], 2.0 ** 125))
        self.assertTrue(all(map(torch.equal, before, state(model))))
        with run.step() as step:
            optimizer.zero_grad()
            scaler.scale(one_loss(model, *batch()) * 1e-3).backward()
            scaler.unscale_(optimizer)
            self.assertTrue(step.observe({"loss": 1e-3}))
            scaler.step(optimizer)
        self.assertEqual(len(session.bodies), 1)


if __name__ == "__main__":
    unittest.main()
