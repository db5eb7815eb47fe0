"""Run: a training run beside a plane."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

import torch
from torch import nn

from ..client import Client
from ..errors import Halted
from ..session import Session
from . import compiled, follow, optim
from .errors import BridgeError
from .host import TorchHost
from .measure import Gathered
from .ranks import Alone
from .step import Step

class Run:
    """A run that is open. ``with`` closes it: as failed when something was raised; one
    that was halted or interrupted is left as it is, to be resumed."""

    def __init__(
        self, client: Client, host: TorchHost, plan: Mapping[str, Any], ranks: Any = Alone(), *, verify: bool = True,
        warn: Callable[[str], None] = lambda _: None, compile_mode: Optional[str] = None, session: Any = None,
    ) -> None:
        self.host, self.plan, self.ranks, self._warn = host, dict(plan), ranks, warn
        self.tasks: List[str] = list(plan["tasks"])
        self.current: Optional[Step] = None
        self.passed = 0  # steps in a row that a GradScaler has passed by
        self._passed_since = 0  # since the last report
        self._updates, self._rows, self._over = 0, 0, False
        self.seen = 0  # rows that the host was given in this step
        self._outside, self._before = 0, False  # passes since the last step; whether this one came behind some
        self.unmade = ""  # why the plane takes an update as made that was not
        self._told: Optional[int] = None  # incarnation in which the momentum was told
        self._clock = (time.monotonic(), time.process_time())
        self._batches = host.waited_ns()  # what was waited for batches before the last report
        self.session: Any = session
        if session is not None:
            pass
        elif ranks.rank == 0:
            leader = None if ranks.size == 1 else follow.Leader(host, ranks)
            self.session = Session(client, leader or host, plan, verify=verify, warn=warn)
            if leader is not None:
                self.session = follow.Led(self.session, leader)
        else:
            client.close()
            self.session = follow.Follower(host, ranks)
        self.model: Any = host.model
        self._hooks: List[Any] = []
        if compile_mode is not None:
            self.model = compiled.Compiled(host.model, compile_mode, self._look)
        else:
            self._hooks.append(host.module.register_forward_pre_hook(lambda _, args, kwargs: self._look(args, kwargs), with_kwargs=True))
        host.changed = self._changed
        self._hooks += [
            host.optimizer.register_step_pre_hook(self._guard),
            host.optimizer.register_step_post_hook(self._count),
        ]

    def open(self, resume: Optional[bool] = None) -> None:
        """Open it; see ``opening.attach``."""
        self.session.open(resume)

    # what a user looks at

    @property
    def step_count(self) -> int:
        """The last step that was applied."""
        return int(self.session.step_count)

    @property
    def stages(self) -> Dict[str, str]:
        """The stages of the seeds that the network holds, by slot."""
        return {slot: s.stage for slot, s in self.host.grafts.seeds.items()}

    @property
    def recoveries(self) -> List[Dict[str, Any]]:
        """The restores that took over, in order."""
        return list(getattr(self.session, "recoveries", []))

    def step(self) -> Step:
        """The next step, for a with-statement."""
        if self._over:
            raise BridgeError("out_of_order", "run", "is closed")
        if self.current is not None:
            raise BridgeError("out_of_order", "step", "begins inside another")
        if self.unmade:
            raise BridgeError("out_of_order", "run", self.unmade, "leave it and open it again: it is resumed from its last snapshot")
        return Step(self)

    def epoch(self, number: int, found: Optional[Mapping[str, Any]] = None) -> None:
        """Report a held-out evaluation at the end of epoch ``number``, from 1 on;
        ``found`` is what evaluate returns, None: it is called now."""
        judged = self.host.evaluate() if found is None else found
        if judged is None:
            raise BridgeError("missing_field", "evaluate", "is missing", "give esper_plane.open(..., evaluate=...), or hand the figures over")
        self.session.epoch(number, judged["losses"], judged["accuracies"], judged["samples"])

    # what a step needs

    def begin(self) -> int:
        """Halts, restores, compile fallbacks; then the number of the step."""
        self._tell_fallbacks()
        number = int(self.session.begin())
        self.host.clear_gradients()
        self.host.look()
        self.host.grafts.begin()
        self._updates, self._rows, self.seen = 0, 0, 0
        self._before, self._outside = self._outside > 0, 0
        return number

    def gather(self) -> Gathered:
        """An empty collection of gradients."""
        return Gathered(self.host, self.tasks, self.ranks)

    def count(self, samples: int) -> int:
        """The samples of a microbatch: as told, or the rows that the host was given."""
        if self._before and self.seen == 0:
            raise BridgeError(
                "out_of_order", "losses", "were computed before the step began, of a network that may be another by now",
                "compute them inside the with-body",
            )
        if samples < 0 or samples == 0 and self._rows == 0:
            raise BridgeError("missing_field", "samples", "is not told, and the host was given no tensor", "say step.backward(..., samples=n)")
        return samples or self._rows

    def ask(self, body: Mapping[str, Any]) -> Tuple[Optional[List[float]], bool]:
        """The plane's word on a step: weights, or None; whether it was restored."""
        decision = self.session.step(body)
        self._passed_since = 0
        return decision.weights, bool(decision.restored)

    def learn_rate(self) -> float:
        """The mean over the parameter groups."""
        return optim.learn_rate(self.host.optimizer)

    def metrics(self) -> Dict[str, Any]:
        """The readings of this step."""
        now = time.monotonic(), time.process_time()
        wall, used = now[0] - self._clock[0], now[1] - self._clock[1]
        self._clock = now
        readings = []
        momenta = optim.momentum(self.host.optimizer)
        incarnation = int(getattr(getattr(self.session, "inbox", None), "incarnation", 1))
        if momenta and self._told != incarnation:
            readings.append({"metric": "optimizer_momentum", "value": sum(momenta) / len(momenta)})
            self._told = incarnation
        if self.host.device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self.host.device)
            readings.append({"metric": "gpu_mem_used_gb", "value": (total - free) / (1 << 30)})
            readings.append({"metric": "gpu_mem_free_gb", "value": free / (1 << 30)})
        waited = self.host.waited_ns()
        if waited > self._batches:
            readings.append({"metric": "input_wait_ms", "value": (waited - self._batches) / 1e6})
            self._batches = waited
        if wall > 0:
            readings.append({"metric": "cpu_util_percent", "value": min(100.0, 100 * used / wall / _processors())})
        out: Dict[str, Any] = {"readings": readings}
        if self._passed_since:
            out["extra"] = [{"name": "scaler_passed_by", "value": float(self._passed_since)}]
        return out

    def updated(self) -> bool:
        """Whether the optimizer has made its step, or a GradScaler was asked to."""
        return self._updates > 0 or self.host.scaler is not None

    def end(self, step: Step) -> None:
        """What follows a step."""
        if step.passed_by:
            self._passed_since += 1
        elif step.applied:
            self.session.after_step()
        self.host.clear_gradients()

    # hooks

    def _look(self, args: Any, kwargs: Any) -> None:
        if not torch.is_grad_enabled():
            return
        if self.current is None:
            self._outside += 1
        else:
            first = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor) and x.dim()), None)
            self._rows = 0 if first is None else int(first.shape[0])
            self.seen += self._rows

    def _guard(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.current is not None and self.current.decided_by_closure(args[1:], kwargs):
            return
        there = any(p.grad is not None for g in optimizer.param_groups for p in g["params"])
        if there and (self.current is None or not self.current.applied):
            raise BridgeError("out_of_order", "optimizer.step", "would make an update that the plane has not decided", "call it behind step.backward, inside the with-body")
        if there and self._updates:
            raise BridgeError("out_of_order", "optimizer.step", "comes a second time, but the plane has decided one update", "call it once behind step.backward")
        if not there and self.current is not None and self.current.applied:
            raise BridgeError("out_of_order", "optimizer.step", "finds no gradients, but the plane takes the update as made", "leave .grad as it is behind step.backward")

    def _count(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._updates += 1

    def _changed(self) -> None:
        if isinstance(self.model, compiled.Compiled):
            self.model.recompile()

    def _tell_fallbacks(self) -> None:
        if isinstance(self.model, compiled.Compiled):
            for stage, reason in self.model.take_fallbacks():
                self._warn(f"compiled code was given up ({stage}): {reason}")
                self.session.fallback(stage, reason[:1000])

    # the end

    def close(self, outcome: str = "ok", reason: str = "") -> None:
        """End the run. A second call does nothing."""
        if self._over:
            return
        if self.unmade and outcome.lower() == "ok":
            outcome, reason = "failed", self.unmade
        try:
            self._tell_fallbacks()
            self.session.close(outcome.lower(), reason[:1000])
        finally:
            self._let_go()

    def leave(self) -> None:
        """Let the run stay open, to be resumed."""
        if not self._over:
            self.session.leave()
            self._let_go()

    def _let_go(self) -> None:
        self._over = True
        for h in self._hooks:
            h.remove()
        self.host.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            self.close()
        elif isinstance(error, (Halted, KeyboardInterrupt, GeneratorExit)):
            self.leave()
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Tell the plane why, if it can still be told; what was raised goes on."""
        try:
            self.close("failed", f"{type(error).__name__}: {error}")
        except Exception as e:  # noqa: BLE001: the first error is the one to see
            self._warn(f"the run could not be closed: {e}")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
