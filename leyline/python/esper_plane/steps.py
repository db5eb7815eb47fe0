"""The steps of a session: reported one by one, or ahead of the answers."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional

from . import draws, weights
from .client import Client
from .core import HALT_WAIT, Core
from .errors import PlaneAway, ProtocolError, Refused
from .host import Host
from .inbox import timed
from .slots import GRAFTED

__all__ = ["Decision", "Steps"]

# The order in which readings are told.
_METRICS = (
    "optimizer_momentum", "hook_latency_ms", "apply_ms", "finalize_ms", "input_wait_ms", "h2d_copy_ms", "gpu_mem_used_gb",
    "gpu_mem_free_gb", "gpu_util_percent", "cpu_util_percent",
)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is to become of a step."""

    step: int
    weights: Optional[List[float]]  #: one per task; None: nothing may be updated, the batch is dropped
    restored: bool = False  #: the network is that of a snapshot now
    again: bool = False  #: the same step is to be trained again

    @property
    def apply(self) -> bool:
        """Whether to update."""
        return self.weights is not None


class Steps(Core):
    """A run whose steps are reported before anything is updated."""

    def __init__(self, client: Client, host: Host, plan: Mapping[str, Any], verify: bool, warn: Callable[[str], None]) -> None:
        super().__init__(client, host, plan, verify, warn)
        self.lag = int(plan.get("lag", 0))
        self.tasks = len(plan["tasks"])
        self.mismatches = 0  #: steps whose weights the plane derived otherwise
        self._rule = weights.Rule("unspecified")
        self._due: Dict[str, Any] = {"snapshot": False, "probes": []}
        self._fault = False  # an answer said that what was applied must be undone
        self._flight: Deque[Dict[str, Any]] = deque()  # steps that were sent and not answered
        self._last = 0.0  # seconds of the previous step

    def observed(self) -> List[Dict[str, Any]]:
        """The seeds that a step must tell of: slot, stage and alpha of each, in slot order."""
        there = set(self.host.slots())
        return [
            {"seed": v["seed"], "stage": self.stages[v["seed"]], "alpha": v["alpha"]}
            for v in self.answer["seeds"]
            if v["seed"] in there and v["stage"] in GRAFTED and not v["paused"] and self.stages.get(v["seed"]) not in (None, "TERMINATED")
        ]

    def step(self, body: Mapping[str, Any]) -> Decision:
        """Report a step before anything is updated: the members of StepObserved.

        Run, incarnation, step, seed, acknowledgements and times that a session knows are
        filled in.
        """
        number = self.step_count + 1
        if self.lag:
            return self._step_ahead(number, body)
        report = self._observed(number, body)
        asked = time.monotonic()
        try:
            answer = self._report("step", report)
        except Refused as e:
            self.inbox.acks[:0] = report["acks"]  # they have not arrived
            return self._overtaken(e, number)
        self._waited = timed(asked)[0]
        self._hear_step(answer, number)
        if self._mend():
            return Decision(number, None, restored=True)
        self._optimize()
        self.step_count = number
        return Decision(number, list(answer["weights"]))

    def _observed(self, number: int, body: Mapping[str, Any]) -> Dict[str, Any]:
        out = {
            "step": number, "seed": draws.step_seed(self.plan["seed"], self.answer["lineage"], number),
            "previous_ns": int(self._last * 1e9), "acks": self.inbox.reported(), **body,
        }
        out["metrics"] = self._metrics(out.get("metrics") or {})
        return out

    def _metrics(self, given: Mapping[str, Any]) -> Dict[str, Any]:
        """What the trainer has measured, and what the session has, in the order of the contract."""
        readings = {r["metric"]: r["value"] for r in given.get("readings", ())}
        own = {"hook_latency_ms": self._waited * 1e3, **self._took}
        readings.update({name: v for name, v in own.items() if v > 0 and name not in readings})
        self._took = dict.fromkeys(self._took, 0.0)
        unknown = [name for name in readings if name not in _METRICS]
        if unknown:
            raise ValueError(f"metrics.readings: {unknown[0]!r} is no reading; a figure of one's own goes into extra")
        return {**given, "readings": [{"metric": m, "value": readings[m]} for m in _METRICS if m in readings]}

    def _hear_step(self, answer: Dict[str, Any], number: int) -> None:
        """Take the answer to a step in, and note what it asks for."""
        if answer["weights"]:
            self._check_answer(answer, number)
        if not answer["weights"] or answer["overtaken"]:
            self._fault = True
        self.inbox.hear(answer)
        self._due["snapshot"] = self._due["snapshot"] or answer["snapshot"]
        self._due["probes"] += [p for p in answer["probes"] if p not in self._due["probes"]]

    def _check_answer(self, answer: Mapping[str, Any], number: int) -> None:
        if answer["step"] != number:
            raise ProtocolError("step", f"is {answer['step']}, asked was about {number}")
        if answer["incarnation"] != self.inbox.incarnation:
            raise ProtocolError("incarnation", f"is {answer['incarnation']}, reported was {self.inbox.incarnation}")
        if len(answer["weights"]) != self.tasks or not all(map(math.isfinite, answer["weights"])):
            raise ProtocolError("weights", f"are {answer['weights']}; want {self.tasks} finite numbers")

    def _overtaken(self, e: Refused, number: int) -> Decision:
        """Go on after a report that the plane refused because it had decided something else.

        The report is dropped, what was decided is carried out, and the same step is
        trained again. Every other refusal is raised, and so is this one when there is
        nothing to hear.
        """
        if e.kind == "rollback_active":
            self._fault = True
            self._mend()
            return Decision(number, None, restored=True)
        if e.kind not in ("unknown_seed", "missing_seed") and not e.field.startswith("seed"):
            raise e
        try:
            answer = self.client.directives(self.run, self.inbox.cursor, HALT_WAIT)
        except (Refused, PlaneAway):
            answer = None
        if answer is None:
            raise e
        self.inbox.hear(answer)
        self._settle()
        return Decision(number, None, again=True)

    def _mend(self) -> bool:
        """Restore what the plane wants restored; False when there is nothing to mend."""
        if not self._fault and not self.inbox.restores:
            return False
        while self._fault or self.inbox.restores:
            self._drain()
            self._fault, self._due = False, {"snapshot": False, "probes": []}
            try:
                self._recover()
            except Refused as e:  # of what followed the restore: another one is under way
                if e.kind != "rollback_active":
                    raise
                self._fault = True
        return True

    def _unless_overtaken(self, do: Callable[[], None]) -> bool:
        """Do something that reports; False when the plane had decided something else."""
        try:
            do()
        except Refused as e:
            self._overtaken(e, self.step_count)
            return False
        return True

    # ahead of the answers

    def _step_ahead(self, number: int, body: Mapping[str, Any]) -> Decision:
        """Report a step with the weights that the shared algorithm gives, and go on.

        One that is not finite is not applied: its answer is waited for.
        """
        asked = time.monotonic()
        while len(self._flight) >= self.lag:
            self._take()
        if self._mend():
            return Decision(number, None, restored=True)
        report = self._observed(number, body)
        if not weights.finite(report["losses"], report["gram"]):
            return self._unfit(number, report)
        applied = weights.combine(self._rule, report["gram"], self.tasks, report["seed"])
        self.client.send_step(self.run, self._body({**report, "applied": applied}))
        self._flight.append({"step": number, "weights": applied})
        self._waited = timed(asked)[0]
        self._optimize()
        self.step_count = number
        return Decision(number, applied)

    def _unfit(self, number: int, report: Dict[str, Any]) -> Decision:
        self._drain()
        if self._mend():
            return Decision(number, None, restored=True)
        answer = self._report("step", {**report, "applied": []})
        self._hear_step(answer, number)
        if answer["weights"]:
            raise ProtocolError("weights", "came for a step that is not finite")
        self._mend()
        return Decision(number, None, restored=True)

    def _take(self) -> None:
        """Hear the answer to the oldest step in flight."""
        sent = self._flight[0]
        try:
            answer = self.client.receive_step(self.run)
        except Refused as e:
            self._flight.popleft()
            self._explain(e)
            if e.kind != "rollback_active":
                raise
            self._fault = True
            return
        self._flight.popleft()
        if self._fault and answer["weights"]:
            raise ProtocolError("weights", f"came for step {sent['step']}, behind one that must be undone")
        self._hear_step(answer, sent["step"])
        if answer["weights"] and answer["weights"] != sent["weights"]:
            self.mismatches += 1
            self._warn(f"step {sent['step']}: the plane derives the weights {answer['weights']}, applied were {sent['weights']}")

    def _listen(self) -> None:
        """Hear the answers that are there already."""
        while self._flight and self.client.ready():
            self._take()

    def _drain(self) -> None:
        """Wait for the answers to all steps in flight."""
        while self._flight:
            self._take()
