"""torch.compile: what falls back is told, and a graft compiles anew."""

import unittest

import torch
from torch import nn

from esper_plane.torch import blueprints, compiled
from esper_plane.torch.host import TorchHost
from esper_plane.torch.run import Run

from .fake import Session
from .test_run import TASKS, Net, batch, losses


def make(model, mode="default", lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    session = Session()
    return Run(None, TorchHost(model, optimizer, tasks=TASKS), {"tasks": TASKS}, session=session, compile_mode=mode), optimizer, session


class Compiles(unittest.TestCase):
    def test_several_tasks_and_a_graft(self):
        """The numbers are those of eager code, before and behind a graft."""
        torch.manual_seed(0)
        eager = Net()
        fast = Net()
        fast.load_state_dict(eager.state_dict())
        runs = [make(fast), make(eager, None)]
        calls = []
        for run, optimizer, session in runs:
            for i in range(4):
                if i == 2:
                    torch.manual_seed(5)
                    run.host.graft("s1", {"blueprint": "b"}, blueprints.make("b", "residual-mlp", blueprints.ResidualMLP(16, 4), layer="low"))
                    run.host.set_stage("s1", "BLENDING")
                    run.host.set_alpha("s1", 0.5)
                with run.step() as step:
                    step.backward(losses(run.model, *batch(seed=i)))
                    optimizer.step()
            calls.append([c for c in session.calls if c != "after"])
        self.assertEqual(calls, [[], []], "nothing fell back")
        for a, b in zip(runs[0][2].bodies, runs[1][2].bodies):
            torch.testing.assert_close(torch.tensor(a["gram"]), torch.tensor(b["gram"]), rtol=1e-4, atol=1e-7)
            self.assertEqual([s["alpha"] for s in a["seeds"]], [s["alpha"] for s in b["seeds"]])
        self.assertEqual(len(runs[0][2].bodies[3]["seeds"]), 1)
        self.assertNotEqual(runs[0][2].bodies[3]["seeds"][0]["grad_norm"], 0)
        for p, q in zip(fast.parameters(), eager.parameters()):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


class FallsBack(unittest.TestCase):
    def broken(self, raises, after=0):
        """A host whose compiled code raises."""
        run, optimizer, session = make(Net())
        real, made = run.model._compiled, []

        def stub(*args, **kwargs):
            made.append(1)
            if len(made) > after:
                raise raises
            return run.host.model(*args, **kwargs)

        run.model._compiled = stub
        for i in range(after + 2):
            with run.step() as step:
                step.backward(losses(run.model, *batch()))
                optimizer.step()
        return run, session, made

    def test_stages(self):
        from torch._dynamo.exc import BackendCompilerFailed, InternalTorchDynamoError, Unsupported  # noqa: F401

        for want, error, after in (
            ("compile", InternalTorchDynamoError("x"), 0),
            ("warmup", RuntimeError("x"), 0),
            ("runtime", RuntimeError("x"), 1),
        ):
            with self.subTest(want):
                run, session, made = self.broken(error, after)
                self.assertEqual([c for c in session.calls if c != "after"], [("fallback", want)])
                self.assertEqual(len(made), after + 1, "given up")
                run.host.graft("s1", {"blueprint": "b"}, blueprints.make("b", "residual-mlp", blueprints.ResidualMLP(16, 4), layer="low"))
                self.assertIsNotNone(run.model._compiled, "compiled anew")

    def test_recompile_limit(self):
        import torch._dynamo

        class Counts(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.n = nn.Parameter(torch.ones(3)), 0

            def forward(self, x):
                return self.w * x * self.n

        model = Counts()
        fast = compiled.Compiled(model, "default")
        stages = []
        with torch._dynamo.config.patch(recompile_limit=2, automatic_dynamic_shapes=False, assume_static_by_default=True, allow_unspec_int_on_nn_module=False):
            for n in range(6):
                model.n = n * 10 + 3
                self.assertEqual(fast(torch.ones(3))[0].item(), model.n)
                stages += [s for s, _ in fast.take_fallbacks()]
        self.assertEqual(stages, ["recompile_limit"])

    def test_an_error_of_the_model_is_its_own(self):
        class Bad(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(torch.ones(3))

            def forward(self, x):
                return self.w @ x

        fast = compiled.Compiled(Bad(), "default")
        fast._compiled = fast._module
        with self.assertRaises(RuntimeError):
            fast(torch.ones(4))
        self.assertEqual(fast.take_fallbacks(), [])

    @unittest.skipUnless(hasattr(torch, "AcceleratorError"), "this torch has no AcceleratorError")
    def test_a_device_error_is_not_tried_again(self):
        fast = compiled.Compiled(nn.Linear(2, 2), "default")
        calls = []

        def stub(*args):
            calls.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

        fast._compiled = stub
        with self.assertRaises(torch.OutOfMemoryError):
            fast(torch.ones(1, 2))
        self.assertEqual((calls, fast.take_fallbacks()), ([1], []))


if __name__ == "__main__":
    unittest.main()
