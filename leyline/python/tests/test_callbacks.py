"""The callbacks, against stand-ins for Lightning and transformers: see loops.py."""

from __future__ import annotations

import importlib
import sys
import types
import unittest
from unittest import mock

from esper_plane.callbacks.watch import LoopError, whole_steps
from esper_plane.errors import Halted

from .loops import HuggingLoop, LightningLoop, Module, Number, Run, lightning, transformers

NAN = float("nan")


class TestLightning(unittest.TestCase):
    def test_every_update_is_a_step(self) -> None:
        run = Run()
        callback, module = lightning(run, samples=32, away="wait"), Module()
        loop = LightningLoop(callback, module)
        loop.fit([3.0, 2.0])
        self.assertEqual(run.seen, [(3.0, 32, 1), (2.0, 32, 1)])
        self.assertEqual(run.order, ["enter", "observe", "exit"] * 2)
        self.assertEqual(run.closed, [{}])
        self.assertEqual((run.opened["tasks"], run.opened["steps"], run.opened["away"]), (["loss"], 100, "wait"))
        self.assertIs(run.opened["host"], module)
        self.assertEqual(loop.optimizer.updates, 4)

    def test_losses_are_what_the_user_computed(self) -> None:
        run = Run()
        LightningLoop(lightning(run), Module(), accumulate=2, scale=1024.0).fit([1.0, 3.0, 5.0])
        self.assertEqual(run.seen, [(2.0, 0, 2), (5.0, 0, 1)])  # the last group has one

    def test_a_refused_update_changes_nothing(self) -> None:
        run = Run()
        callback, module = lightning(run), Module()
        loop = LightningLoop(callback, module)
        loop.fit([NAN])
        self.assertEqual([p.value for p in module.weights], [1.0, 1.0])
        self.assertEqual((callback.refused, loop.should_stop, run.ended), (1, False, [None]))

    def test_a_halt_stops_training(self) -> None:
        for run in (Run(halt_at=2), Run(halt_after=2), Run(halt_before=3)):
            callback, module = lightning(run), Module()
            loop = LightningLoop(callback, module)
            loop.fit([1.0, 1.0, 1.0])
            self.assertEqual(len(run.seen), 2)
            self.assertEqual(module.weights[0].value, 0.5 if run.halt_at else 0.0)
            self.assertTrue(loop.should_stop)
            self.assertIsInstance(callback.halted, Halted)
            self.assertEqual((run.closed, run.order[-1]), ([], "leave"))  # the plane has ended it

    def test_a_step_that_is_not_over(self) -> None:
        run = Run()
        callback, module = lightning(run), Module()
        loop = LightningLoop(callback, module)
        callback.on_train_start(loop, module)
        callback.on_train_batch_start(loop, module, None, 0)
        callback.on_train_end(loop, module)
        self.assertEqual((run.ended, run.closed), ([LoopError], [{}]))

    def test_an_update_without_a_step(self) -> None:
        run = Run()
        callback, module = lightning(run), Module()
        loop = LightningLoop(callback, module)
        callback.on_train_start(loop, module)
        callback.on_before_backward(loop, module, Number(1.0))
        with self.assertRaises(LoopError):
            callback.on_before_optimizer_step(loop, module, loop.optimizer)

    def test_a_failure_closes_the_run(self) -> None:
        run = Run()
        callback, module = lightning(run), Module()
        loop = LightningLoop(callback, module)
        loop.optimizer.step = mock.Mock(side_effect=RuntimeError("out of memory"))  # type: ignore[method-assign]
        with self.assertRaises(RuntimeError):
            loop.fit([1.0])
        self.assertEqual(run.closed, [{"outcome": "FAILED", "reason": "RuntimeError: out of memory"}])
        self.assertEqual(run.ended, [RuntimeError])

    def test_loops_it_cannot_watch(self) -> None:
        def by_hand(loop: LightningLoop) -> None:
            loop.module.automatic_optimization = False

        def two(loop: LightningLoop) -> None:
            loop.optimizers.append(loop.optimizer)

        def ranks(loop: LightningLoop) -> None:
            loop.world_size = 2

        def endless(loop: LightningLoop) -> None:
            loop.estimated_stepping_batches = float("inf")

        for change in (by_hand, two, ranks, endless):
            run = Run()
            loop = LightningLoop(lightning(run), Module())
            change(loop)
            with self.subTest(change.__name__), self.assertRaises(LoopError):
                loop.fit([1.0])
            self.assertEqual(run.opened, {})

    def test_steps_may_be_given(self) -> None:
        run = Run()
        loop = LightningLoop(lightning(run, steps=7), Module())
        loop.estimated_stepping_batches = float("inf")
        loop.fit([1.0])
        self.assertEqual(run.opened["steps"], 7)

    def test_without_the_library(self) -> None:
        sys.modules.pop("esper_plane.callbacks.lightning", None)
        gone = {"lightning": None, "lightning.pytorch": None, "pytorch_lightning": None}
        with mock.patch.dict(sys.modules, gone), self.assertRaisesRegex(ImportError, "needs the package lightning"):
            importlib.import_module("esper_plane.callbacks.lightning")


class TestTransformers(unittest.TestCase):
    def test_every_update_is_a_step(self) -> None:
        run = Run()
        module = Module()
        loop = HuggingLoop(transformers(run), module, accumulate=2)
        loop.train([1.0, 3.0, 5.0, 7.0])
        self.assertEqual(run.seen, [(2.0, 16, 2), (6.0, 16, 2)])
        self.assertIs(run.opened["optimizer"], loop.optimizer)
        self.assertEqual((run.opened["steps"], run.closed, module.hooks), (50, [{}], []))

    def test_losses_that_are_parts_of_a_sum(self) -> None:
        run = Run()
        HuggingLoop(transformers(run, accumulate="sum"), Module(), accumulate=2).train([1.0, 3.0])
        self.assertEqual(run.seen, [(4.0, 16, 2)])

    def test_an_evaluation_is_no_step(self) -> None:
        run, module = Run(), Module()
        loop = HuggingLoop(transformers(run), module)
        loop.event("on_train_begin")
        loop.event("on_step_begin")
        module.training = False
        loop.forward(9.0)
        with self.assertRaises(LoopError):
            loop.event("on_pre_optimizer_step")
        self.assertEqual(run.seen, [])

    def test_a_refused_update_changes_nothing(self) -> None:
        run, module = Run(), Module()
        callback = transformers(run)
        HuggingLoop(callback, module).train([NAN])
        self.assertEqual(([p.value for p in module.weights], callback.refused), ([1.0, 1.0], 1))

    def test_a_halt_stops_training(self) -> None:
        for run in (Run(halt_at=2), Run(halt_after=2), Run(halt_before=3)):
            module, callback = Module(), transformers(run)
            loop = HuggingLoop(callback, module)
            loop.train([1.0, 1.0, 1.0])
            self.assertTrue(loop.control.should_training_stop)
            self.assertEqual((len(run.seen), run.closed, run.order[-1]), (2, [], "leave"))
            self.assertEqual(module.weights[0].value, 0.5 if run.halt_at else 0.0)

    def test_loops_it_cannot_watch(self) -> None:
        for change in ({"world_size": 2}, {"fp16": True, "max_grad_norm": 0.0}):
            run = Run()
            loop = HuggingLoop(transformers(run), Module())
            loop.args = types.SimpleNamespace(**{**vars(loop.args), **change})
            with self.subTest(str(change)), self.assertRaises(LoopError):
                loop.train([1.0])
            self.assertEqual(run.opened, {})

    def test_the_scaler_of_fp16_is_handed_on(self) -> None:
        for scaler in (None, object()):
            run = Run()
            loop = HuggingLoop(transformers(run), Module())
            loop.args.fp16, loop.kwargs["optimizer"].scaler = True, scaler
            if scaler is None:
                self.assertRaises(LoopError, loop.train, [1.0])
            else:
                loop.train([1.0])
            self.assertIs(run.opened.get("scaler"), scaler)

    def test_a_model_without_a_loss(self) -> None:
        run, module = Run(), Module()
        loop = HuggingLoop(transformers(run), module)
        loop.event("on_train_begin")
        with self.assertRaises(LoopError):
            module.hooks[0](module, (), ())

    def test_without_the_library(self) -> None:
        sys.modules.pop("esper_plane.callbacks.transformers", None)
        with mock.patch.dict(sys.modules, {"transformers": None}), self.assertRaisesRegex(ImportError, "needs the package transformers"):
            importlib.import_module("esper_plane.callbacks.transformers")


class TestScaler(unittest.TestCase):
    def test_what_it_passes_by_is_not_refused(self) -> None:
        """The gradients stay, so that the scaler of the loop sees what it has found."""
        run = Run(passes_by=True)
        for callback, loop in ((lightning(run), LightningLoop), (transformers(run), HuggingLoop)):
            module = Module()
            made = loop(callback, module)
            getattr(made, "fit" if loop is LightningLoop else "train")([NAN])
            self.assertEqual((callback.refused, callback.halted, made.optimizer.updates), (0, None, 2))


class TestSteps(unittest.TestCase):
    def test_only_a_whole_number_counts(self) -> None:
        self.assertEqual(whole_steps(None, 7), 7)
        self.assertEqual(whole_steps(3, float("inf")), 3)
        for wanted, planned in ((None, float("inf")), (None, -1), (None, NAN), (0, 7), (None, 2.5)):
            with self.subTest(wanted=wanted, planned=planned), self.assertRaises(LoopError):
                whole_steps(wanted, planned)


if __name__ == "__main__":
    unittest.main()
