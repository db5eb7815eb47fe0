"""One step: ``with run.step() as step: step.backward({...}); optimizer.step()``."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Type, Union

import torch

from . import gradients
from .errors import BridgeError, StepSkipped
from .measure import Gathered, seed_reports

if TYPE_CHECKING:
    from .run import Run

Losses = Union[torch.Tensor, Mapping[str, torch.Tensor]]

# Steps in a row that a GradScaler may pass by while it looks for its scale. With one
# more, or a scale of 1 or less, the plane is told, as of any step whose gradients are
# no numbers.
SCALER_TRIES = 160


class Step:
    """A step of a run.

    ``number`` counts from 1; ``applied`` is None before the decision, then whether the
    update is to be made. When it is not, nothing is left of the gradients and the rest
    of the with-body is passed by, the step of the optimizer and those of schedules
    included; the network may be that of a snapshot then.
    """

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.number = 0
        self.applied: Optional[bool] = None
        self.restored = False  #: the network is that of a snapshot now
        self.passed_by = False  #: a GradScaler looks for its scale; the plane was not asked
        self._gathered: Optional[Gathered] = None
        self._open = False
        self._observed = False
        self._began = 0

    def __enter__(self) -> "Step":
        self.number = self.run.begin()
        self._open, self._began = True, time.monotonic_ns()
        self.run.current = self
        return self

    def accumulate(self, losses: Losses, samples: int = 0) -> None:
        """Take the gradients of one microbatch. ``losses`` are means over its samples;
        the gradients of the step are means over all of them. ``samples``: how many it
        has; 0: as many rows as the host was last given."""
        self._ready()
        if self._gathered is None:
            self._gathered = self.run.gather()
        given = {self.run.tasks[0]: losses} if isinstance(losses, torch.Tensor) and len(self.run.tasks) == 1 else losses
        if not isinstance(given, Mapping):
            raise BridgeError("invalid_field", "losses", f"is one loss for {len(self.run.tasks)} tasks", "give a dict of task and loss")
        self._unscaled(given)
        self._device(lambda: self._gathered.add(given, self.run.count(samples), self._scale()))  # type: ignore[union-attr]

    def backward(self, losses: Losses, samples: int = 0) -> None:
        """Take the gradients of the last microbatch, ask the plane, and put what it
        says into .grad. Where nothing may be applied this does not return."""
        self.accumulate(losses, samples)
        self.decide()

    def decide(self) -> None:
        """Ask the plane about what was accumulated."""
        self._ready()
        if self._gathered is None:
            raise BridgeError("out_of_order", "step.decide", "comes before any gradient", "call step.accumulate first")
        self._device(self._ask)
        if not self.applied and not self.passed_by:
            raise StepSkipped(self)

    def observe(self, losses: Mapping[str, float], samples: int = 0, microbatches: int = 1) -> bool:
        """Ask the plane about gradients that a foreign loop has computed into .grad, of
        one task. False: they are gone, and nothing may be applied; or ``passed_by``: a
        GradScaler looks for its scale, and will not let the update be made."""
        self._ready()
        if len(self.run.tasks) != 1 or self.run.host.grafts.seeds:
            raise BridgeError("invalid_field", "tasks", "are several, or there are seeds: their gradients cannot be told apart", "call step.backward")
        self._observed = True
        self._gathered = self.run.gather()
        self._gathered.observe(losses, self.run.count(samples or self.run.seen), microbatches)
        self._device(self._ask)
        return bool(self.applied)

    def decided_by_closure(self, args: Any, kwargs: Mapping[str, Any]) -> bool:
        """Whether a step of the optimizer computes its gradients itself, by a closure
        that asks the plane."""
        return self.applied is None and (any(callable(a) for a in args) or kwargs.get("closure") is not None)

    def _ready(self) -> None:
        if not self._open or self.applied is not None:
            raise BridgeError("out_of_order", "step", "is not open, or decided already", "call it once, inside `with run.step() as step`")

    def _unscaled(self, losses: Mapping[str, Any]) -> None:
        """Refuse a loss that the scaler of the run has been multiplied into: it would be twice."""
        factor = getattr(self.run.host.scaler, "_scale", None)
        for task, loss in losses.items():
            other = getattr(getattr(loss, "grad_fn", None), "_saved_other", None)
            if factor is not None and isinstance(other, torch.Tensor) and other.data_ptr() == factor.data_ptr():
                raise BridgeError("invalid_field", f"losses.{task}", "is scaled already", "give the loss itself: step.backward scales it")

    def _scale(self) -> float:
        scaler = self.run.host.scaler
        if scaler is None or not scaler.is_enabled():
            return 1.0
        scaler.scale(torch.zeros((), device=self.run.host.device))  # the first call sets it up
        return float(scaler.get_scale())

    def _device(self, what: Any) -> Any:
        """Whatever torch raises ends the step: the gradients go, the network is not
        moved, and nobody tries again."""
        try:
            return what()
        except BaseException:
            self.run.host.clear_gradients()
            raise

    def _ask(self) -> None:
        g = self._gathered
        assert g is not None
        g.reduce()
        scale = self._scale()
        figures = g.figures(1.0 if self._observed else scale)
        if scale > 1 and self._scaler_searches(figures.losses, figures.gram):
            self._pass_by(g)
            return
        body: Dict[str, Any] = {
            "losses": figures.losses, "gram": figures.gram, "samples": g.samples, "microbatches": g.microbatches,
            "learn_rate": self.run.learn_rate(), "seeds": seed_reports(self.run.host, figures),
            "forward_ns": time.monotonic_ns() - self._began, "metrics": self.run.metrics(),
        }
        if g.ranks.size > 1:
            body["barrier_ns"] = g.ranks.barrier_ns
        weights, self.restored = self.run.ask(body)
        self.applied = weights is not None
        if weights is None:
            self.run.host.clear_gradients()
            return
        self._put(g, weights)

    def _scaler_searches(self, losses: Any, gram: Any) -> bool:
        """Finite losses whose scaled gradients are no numbers are how a GradScaler
        finds out that its scale is too large."""
        overflow = all(map(math.isfinite, losses)) and not all(map(math.isfinite, gram))
        self.run.passed = self.run.passed + 1 if overflow else 0
        return overflow and self.run.passed <= SCALER_TRIES

    def _pass_by(self, g: Gathered) -> None:
        self.applied, self.passed_by = False, True
        if self._observed:
            return  # they are unscaled already, and the scaler has found it
        self._fill(g, [1.0] * len(self.run.tasks))  # the scaler finds what it looks for, and makes no update

    def _put(self, g: Gathered, weights: Any) -> None:
        if self._observed:
            w = weights[0]
            if w != 1:
                for p in g.parameters:
                    if p.grad is not None:
                        p.grad.mul_(w)
            return
        self._fill(g, weights)

    def _fill(self, g: Gathered, weights: Any) -> None:
        host = self.run.host
        host.clear_gradients()
        gradients.apply(g.parameters, g.combined(weights))
        for slot, b in g.boundaries.items():
            if b.own and slot in host.grafts.seeds:
                gradients.apply(host.grafts.seeds[slot].learning(), b.own)
        if host.scaler is not None and host.scaler.is_enabled():
            host.scaler.unscale_(host.optimizer)  # once, whatever the number of microbatches

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        self._open = False
        self.run.current = None
        if isinstance(error, StepSkipped) and error.step is self:
            self.run.end(self)
            return True
        if error is not None:
            self.run.host.clear_gradients()
            if self.applied and not self.run.updated():
                self.run.unmade = f"step {self.number} was left by {type(error).__name__} before the update that the plane takes as made"
            return False
        if self.applied is None:
            raise BridgeError("out_of_order", "step", "ends without a decision", "call step.backward inside the with-body")
        if self.applied and not self._observed and not self.run.updated():
            raise BridgeError("out_of_order", "optimizer.step", "was not called, but the plane takes the update as made", "call it behind step.backward")
        self.run.end(self)
        return False
