"""The callbacks around loops of PyTorch, beside a real plane.

The loops call the hooks as those of Lightning and transformers do; the stand-ins of
tests/loops.py are where the base classes are looked for. A gradient that is no
number comes in each, and training goes on from the last snapshot.
"""

import os
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from served import Plane  # noqa: E402

import esper_plane  # noqa: E402
from tests.loops import lightning, transformers  # noqa: E402

BINARY = os.environ.get("ESPER_BINARY")
STEPS, BAD = 60, 45  # the last of which no snapshot is older than step 25
SETTINGS = {"tolaria.snapshot_every": 10, "tolaria.diverge_mode": "shadow"}


class Real:
    """Stands in for a run, and opens a real one."""

    def __init__(self):
        self.runs = []

    def open(self, *args, **kwargs):
        self.runs.append(REAL_OPEN(*args, **kwargs))
        return self.runs[-1]


REAL_OPEN = esper_plane.open


def data(n=16, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=g)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def loss_of(model, number):
    x = data(seed=number)
    found = (model(x).squeeze(1) - x.sum(1)).square().mean()
    return found * float("nan") if number == BAD else found


class Lightning(unittest.TestCase):
    def fit(self, plane, accumulate):
        real = Real()
        callback = lightning(real)
        callback._watch._address = plane.address
        model = net()
        model.automatic_optimization = True
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
        trainer = SimpleNamespace(
            world_size=1, optimizers=[optimizer], should_stop=False, lr_scheduler_configs=[], estimated_stepping_batches=STEPS,
            accumulate_grad_batches=accumulate, precision_plugin=SimpleNamespace(),
        )
        callback.on_train_start(trainer, model)
        number, last = 0, []
        for i in range(STEPS * accumulate):
            callback.on_train_batch_start(trainer, model, None, i)
            full = (i + 1) % accumulate == 0
            number += full

            def backward():
                loss = loss_of(model, number if full else number + 1000) / accumulate
                if i % accumulate == 0:
                    optimizer.zero_grad()
                callback.on_before_backward(trainer, model, loss)
                loss.backward()

            def closure():  # as Lightning's: the update asks for its gradients itself
                backward()
                callback.on_before_optimizer_step(trainer, model, optimizer)

            if full:
                optimizer.step(closure)
                last.append(all(p.isfinite().all() for p in model.parameters()))
            else:
                backward()
            callback.on_train_batch_end(trainer, model, None, None, i)
        callback.on_train_end(trainer, model)
        return callback, real.runs[0], last

    def test_a_gradient_that_is_no_number(self):
        for accumulate in (1, 2):
            with self.subTest(accumulate=accumulate), Plane(Path(BINARY), settings=SETTINGS) as plane:
                callback, run, finite = self.fit(plane, accumulate)
                self.assertEqual((callback.refused, callback.halted, len(run.recoveries)), (1, None, 1))
                self.assertTrue(all(finite))
                # Where it was taken back to, and the updates that the loop still made.
                back = run.recoveries[0]
                self.assertEqual(run.step_count, int(back["to_step"]) + STEPS - BAD, back)
                steps = plane.inputs("step.observed")
                self.assertEqual({s["microbatches"] for s in steps}, {accumulate})
                self.assertEqual({s["samples"] for s in steps}, {16 * accumulate})
                self.assertEqual(len(steps), STEPS)
                plane.stop()
                plane.check()


class Transformers(unittest.TestCase):
    class Model(nn.Module):
        """Returns its loss, as the models of the library do."""

        def __init__(self):
            super().__init__()
            self.inner = net()

        def forward(self, number):
            return {"loss": loss_of(self.inner, number)}

    def test_a_gradient_that_is_no_number(self):
        with Plane(Path(BINARY), settings=SETTINGS) as plane:
            real = Real()
            callback = transformers(real)
            callback._watch._address = plane.address
            model = self.Model()
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
            scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=STEPS)
            args = SimpleNamespace(world_size=1, fp16=False, max_grad_norm=1.0, per_device_train_batch_size=16)
            state, control = SimpleNamespace(max_steps=STEPS), SimpleNamespace(should_training_stop=False)
            given = {"model": model, "optimizer": optimizer, "lr_scheduler": scheduler}
            callback.on_train_begin(args, state, control, **given)
            for number in range(1, STEPS + 1):
                callback.on_step_begin(args, state, control, **given)
                model(number)["loss"].backward()
                nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm)
                callback.on_pre_optimizer_step(args, state, control, **given)
                optimizer.step()
                scheduler.step()
                model.zero_grad()
                callback.on_step_end(args, state, control, **given)
                self.assertTrue(all(p.isfinite().all() for p in model.parameters()), number)
            callback.on_train_end(args, state, control, **given)
            run = real.runs[0]
            self.assertEqual((callback.refused, callback.halted, len(run.recoveries)), (1, None, 1))
            self.assertEqual(scheduler.last_epoch, run.step_count + 1)  # the loop steps it for the lost update too
            norms = [float(s["gram"][0]) for s in plane.inputs("step.observed")]
            self.assertEqual(sum(n != n for n in norms), 1)
            self.assertLessEqual(max(n for n in norms if n == n), 1 + 1e-5)  # they are clipped by then
            plane.stop()
            plane.check()


if not BINARY:
    Lightning = unittest.skip("ESPER_BINARY names no program")(Lightning)
    Transformers = unittest.skip("ESPER_BINARY names no program")(Transformers)


if __name__ == "__main__":
    unittest.main()
