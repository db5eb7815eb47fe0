"""The callbacks, against stand-ins for Lightning and transformers.

The stand-ins call the hooks in the order of the libraries' own loops and give them what
these give. The libraries were not at hand: nothing here shows that a release of them
works with the callbacks.
"""

from __future__ import annotations

import importlib
import sys
import types
import unittest
from typing import Any, Dict, Iterator, List, Optional, Tuple
from unittest import mock

import esper_plane
from esper_plane.callbacks.watch import LoopError, whole_steps
from esper_plane.errors import Halted

NAN = float("nan")


class Number:
    """As much of a tensor as the callbacks use."""

    def __init__(self, value: float) -> None:
        self.value = value

    def detach(self) -> Number:
        return self

    def __float__(self) -> float:
        return self.value


class Parameter:
    def __init__(self) -> None:
        self.value, self.grad = 1.0, None  # type: float, Optional[float]


class Module:
    def __init__(self) -> None:
        self.automatic_optimization, self.training = True, True
        self.weights = [Parameter(), Parameter()]
        self.hooks: List[Any] = []

    def parameters(self) -> Iterator[Parameter]:
        return iter(self.weights)

    def register_forward_hook(self, hook: Any) -> Any:
        self.hooks.append(hook)
        return types.SimpleNamespace(remove=lambda: self.hooks.remove(hook))

    def backward(self) -> None:
        for p in self.weights:
            p.grad = 0.5


class Optimizer:
    """Momentum of a kind: a parameter that has no gradient stays as it is."""

    def __init__(self, module: Module) -> None:
        self.module, self.updates = module, 0

    def step(self) -> None:
        for p in self.module.weights:
            if p.grad is not None:
                p.value -= p.grad
                self.updates += 1

    def zero_grad(self) -> None:
        for p in self.module.weights:
            p.grad = None


class Step:
    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> Step:
        self.run.order.append("enter")
        if self.run.order.count("enter") == self.run.halt_before:
            raise Halted("operator", "as the test wants it")
        return self

    def observe(self, losses: dict, samples: int, microbatches: int) -> bool:
        loss = losses["loss"]
        self.run.order.append("observe")
        self.run.seen.append((loss, samples, microbatches))
        if len(self.run.seen) == self.run.halt_at:
            raise Halted("rollback_failed", "as the test wants it")
        return loss == loss

    def __exit__(self, *error: Any) -> None:
        self.run.order.append("exit")
        self.run.ended.append(error[0])
        if 0 < self.run.halt_after == len(self.run.seen):
            raise Halted("operator", "as the test wants it")


class Run:
    """What esper_plane.open would return."""

    def __init__(self, halt_at: int = 0, halt_after: int = 0, halt_before: int = 0) -> None:
        self.halt_at, self.halt_after, self.halt_before = halt_at, halt_after, halt_before
        self.seen: List[Tuple[float, int, int]] = []
        self.order: List[str] = []
        self.ended: List[Any] = []
        self.closed: List[dict] = []
        self.opened: dict = {}

    def open(self, address: str, **options: Any) -> Run:
        self.opened = {"address": address, **options}
        return self

    def step(self) -> Step:
        return Step(self)

    def close(self, **how: Any) -> None:
        self.closed.append(how)

    def leave(self) -> None:
        self.order.append("leave")


def library(run: Run, name: str, modules: Dict[str, types.ModuleType], **options: Any) -> Any:
    """The callback of a module that finds stand-ins where it looks for its library."""
    full = f"esper_plane.callbacks.{name}"
    sys.modules.pop(full, None)
    with mock.patch.dict(sys.modules, modules), mock.patch.object(esper_plane, "open", run.open, create=True):
        module = importlib.import_module(full)
        sys.modules.pop(full, None)
        return module.EsperCallback("unix:s", "test", **options)


class LightningLoop:
    """The order of hooks of Lightning's Trainer with automatic optimization."""

    def __init__(self, callback: Any, module: Module, accumulate: int = 1, scale: Optional[float] = None) -> None:
        self.callback, self.module, self.optimizer = callback, module, Optimizer(module)
        self.world_size, self.optimizers, self.should_stop = 1, [self.optimizer], False
        self.lr_scheduler_configs: List[Any] = []
        self.estimated_stepping_batches: float = 100
        self.accumulate_grad_batches = accumulate
        scaler = None if scale is None else types.SimpleNamespace(get_scale=lambda: scale)
        self.precision_plugin = types.SimpleNamespace(scaler=scaler)

    def fit(self, losses: List[float]) -> None:
        try:
            self.callback.on_train_start(self, self.module)
            for i, loss in enumerate(losses):
                self.batch(i, loss, last=i == len(losses) - 1)
                if self.should_stop:
                    break
            self.callback.on_train_end(self, self.module)
        except BaseException as error:
            self.callback.on_exception(self, self.module, error)
            raise

    def batch(self, i: int, loss: float, last: bool) -> None:
        scaler = self.precision_plugin.scaler
        scaled = loss / self.accumulate_grad_batches * (scaler.get_scale() if scaler else 1)
        if self.callback.on_train_batch_start(self, self.module, None, i) == -1:
            return
        self.callback.on_before_backward(self, self.module, Number(scaled))
        self.module.backward()
        if last or (i + 1) % self.accumulate_grad_batches == 0:
            self.callback.on_before_optimizer_step(self, self.module, self.optimizer)
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.callback.on_train_batch_end(self, self.module, None, None, i)


def lightning(run: Run, **options: Any) -> Any:
    class Callback:
        pass

    callbacks = types.ModuleType("lightning.pytorch.callbacks")
    callbacks.Callback = Callback  # type: ignore[attr-defined]
    stand_ins = {"lightning": types.ModuleType("lightning"), "lightning.pytorch": types.ModuleType("lightning.pytorch"), "lightning.pytorch.callbacks": callbacks}
    return library(run, "lightning", stand_ins, **options)


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


class HuggingLoop:
    """The order of hooks of the Trainer of transformers."""

    def __init__(self, callback: Any, module: Module, accumulate: int = 1) -> None:
        self.callback, self.module, self.optimizer, self.accumulate = callback, module, Optimizer(module), accumulate
        self.args = types.SimpleNamespace(world_size=1, fp16=False, max_grad_norm=1.0, per_device_train_batch_size=8)
        self.state = types.SimpleNamespace(max_steps=50, global_step=0)
        self.control = types.SimpleNamespace(should_training_stop=False)
        self.kwargs = {"model": module, "optimizer": types.SimpleNamespace(optimizer=self.optimizer), "lr_scheduler": None}

    def event(self, name: str) -> None:
        control = getattr(self.callback, name)(self.args, self.state, self.control, **self.kwargs)
        self.control = control or self.control

    def forward(self, loss: float) -> None:
        for hook in list(self.module.hooks):
            hook(self.module, (), {"loss": Number(loss)})

    def train(self, losses: List[float]) -> None:
        self.event("on_train_begin")
        for i, loss in enumerate(losses):
            if i % self.accumulate == 0:
                self.event("on_step_begin")
            self.forward(loss)
            self.module.backward()
            if (i + 1) % self.accumulate == 0:
                self.event("on_pre_optimizer_step")
                self.optimizer.step()
                self.optimizer.zero_grad()
                self.state.global_step += 1
                self.event("on_step_end")
            if self.control.should_training_stop:
                break
        self.event("on_train_end")


def transformers(run: Run, **options: Any) -> Any:
    module = types.ModuleType("transformers")
    module.TrainerCallback = type("TrainerCallback", (), {})  # type: ignore[attr-defined]
    return library(run, "transformers", {"transformers": module}, **options)


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


class TestSteps(unittest.TestCase):
    def test_only_a_whole_number_counts(self) -> None:
        self.assertEqual(whole_steps(None, 7), 7)
        self.assertEqual(whole_steps(3, float("inf")), 3)
        for wanted, planned in ((None, float("inf")), (None, -1), (None, NAN), (0, 7), (None, 2.5)):
            with self.subTest(wanted=wanted, planned=planned), self.assertRaises(LoopError):
                whole_steps(wanted, planned)


if __name__ == "__main__":
    unittest.main()
