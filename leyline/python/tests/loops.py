"""Stand-ins for Lightning and transformers, and for a run of a plane.

They call the hooks in the order of the libraries' own loops and give them what these
give. The libraries were not at hand: nothing here shows that a release of them works
with the callbacks.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any, Dict, Iterator, List, Optional, Tuple
from unittest import mock

import esper_plane
from esper_plane.errors import Halted


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
        self.run, self.passed_by = run, run.passes_by

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

    def __init__(self, halt_at: int = 0, halt_after: int = 0, halt_before: int = 0, passes_by: bool = False) -> None:
        self.halt_at, self.halt_after, self.halt_before = halt_at, halt_after, halt_before
        self.passes_by = passes_by
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


def library(run: Any, name: str, modules: Dict[str, types.ModuleType], **options: Any) -> Any:
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


def lightning(run: Any, **options: Any) -> Any:
    """The callback for Lightning, with nothing of Lightning but the names."""
    names = ("lightning", "lightning.pytorch", "lightning.pytorch.callbacks")
    modules = {name: types.ModuleType(name) for name in names}
    modules[names[-1]].Callback = type("Callback", (), {})  # type: ignore[attr-defined]
    return library(run, "lightning", modules, **options)


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


def transformers(run: Any, **options: Any) -> Any:
    """The callback for transformers, likewise."""
    module = types.ModuleType("transformers")
    module.TrainerCallback = type("TrainerCallback", (), {})  # type: ignore[attr-defined]
    return library(run, "transformers", {"transformers": module}, **options)
