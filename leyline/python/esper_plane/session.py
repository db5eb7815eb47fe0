"""A run, from its opening to its close, for a trainer in any framework.

A session knows the protocol and nothing of gradients; a host knows its framework and
nothing of the plane. What a trainer does with one::

    session = Session(client, host, plan)
    session.open()
    while session.step_count < plan["steps"]:
        session.begin()                                # halts, restores
        ...                                            # forward and backward
        decision = session.step({"losses": ..., "gram": ..., "samples": ..., "learn_rate": ...})
        if decision.weights is not None:
            ...                                        # combine the gradients, update
            session.after_step()                       # commands, probes, snapshots
    session.close()

Whatever is missing, late or another's raises; a session never goes on as if it had an
answer.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from . import weights
from .client import Client
from .envelope import Keys
from .errors import ProtocolError, Refused, SnapshotError
from .host import Host
from .inbox import timed
from .signal import Reader
from .slots import Slots
from .steps import Decision, Steps

__all__ = ["Decision", "Host", "Session"]


class Session(Steps):
    """See the module. ``plan`` holds the members of RunOpened, without ``resume``.

    ``verify``: a command is carried out only if a key that the plane has enrolled has
    signed it. ``warn`` is told what does not end training, in words.
    """

    def __init__(
        self, client: Client, host: Host, plan: Mapping[str, Any], *, verify: bool = True,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises ValueError for a plan without what a session itself needs."""
        for name in ("run", "tasks", "seed", "steps", "away"):
            if name not in plan:
                raise ValueError(f"plan.{name} is missing; nothing is put in its place")
        super().__init__(client, host, plan, verify, warn)
        self._began = 0.0
        self._epoch_at = time.monotonic()
        self._window: Optional[Dict[str, int]] = None  # of a profile

    # opening and closing

    def open(self, resume: Optional[bool] = None) -> Dict[str, Any]:
        """Open the run and bring the network to where it starts. Returns the OpenAnswer.

        ``resume``: True where the plane must know the run, False where it must not;
        None: it is resumed where the plane knows it.
        """
        self.client.set_away(self.plan["away"], self.plan.get("away_seconds", 0))
        opened = self._open(resume)
        self.opened = opened
        self._rule = weights.Rule(opened["rule"]["aggregation"], opened["rule"]["pcgrad_mean"], self.plan.get("task_weights", ()))
        self._check_lag()
        self._keys = Keys(opened["keys"])
        self._slots = Slots(self.host, opened["places"]["kernels"])
        self._watch(opened["places"]["signal"])
        self.faulted = list(opened["faulted"])
        self.inbox.hear(opened)
        start = opened["from"]
        if start is not None and start["snapshot"]:
            self.host.adopt(self.host.stage(self._path(start), self._fetch(start, None)))
            self.step_count = start["step"]
        self._slots.adopt(opened["seeds"])
        self._settle()
        if opened["snapshot"]:
            self._snapshot()
            self._settle()
        self._epoch_at = time.monotonic()
        return opened

    def _open(self, resume: Optional[bool]) -> Dict[str, Any]:
        try:
            return self.client.open({**self.plan, "resume": bool(resume)})
        except Refused as e:
            if resume is not None or e.kind != "run_exists":
                raise
        return self.client.open({**self.plan, "resume": True})

    def _check_lag(self) -> None:
        if self.lag == 0:
            return
        if self._rule.aggregation not in weights.METHODS:
            raise ProtocolError("rule.aggregation", f"is {self._rule.aggregation!r}, which a trainer with a lag cannot compute")
        if not self.client.can_pipeline():
            raise ValueError(f"plan.lag is {self.lag}, but {self.client.address.text} has no framed lane; use a unix socket, or lag 0")

    def _watch(self, path: str) -> None:
        if not path or not os.path.exists(path):
            if path and self.client.address.path:
                raise SnapshotError(f"the emergency signal {path} is not there; a trainer has to see the plane's files")
            self._warn("the emergency signal cannot be polled from this machine: a halt is heard with the next answer")
            return
        self._signal = Reader(path)

    def close(self, outcome: str = "ok", reason: str = "") -> Dict[str, Any]:
        """End the run. An order to restore that is outstanding is carried out before."""
        while True:
            self._drain()
            self._mend()
            body = {"step": self.step_count, "outcome": outcome, "reason": reason, "acks": self.inbox.reported()}
            if outcome == "ok":
                body["digest"] = self.host.digest()
            try:
                answer = self._report("close", body)
            except Refused as e:
                if e.kind != "rollback_active":
                    raise
                self._fault = True
                continue
            self.leave()
            return answer

    def leave(self) -> None:
        """Let go of the plane and leave the run open, to be resumed."""
        if self._signal is not None:
            self._signal.close()
            self._signal = None
        self.client.close()

    # steps

    def begin(self) -> int:
        """Called before the forward pass: the number of the step that is to be trained."""
        self.poll_signal()
        self._listen()
        self._mend()
        self._profile()
        self._began = time.monotonic()
        return self.step_count + 1

    def after_step(self) -> None:
        """What follows an update: commands, probes, the snapshot that is due.

        An order to restore makes the rest of it void; ``begin`` carries it out.
        """
        pending = self.inbox.commands or self._due["probes"] or self._due["snapshot"]
        if pending or self._fault:
            self._drain()
        if not self._fault:
            self._unless_overtaken(self._follow)
        self._last = timed(self._began)[0]

    def _follow(self) -> None:
        probes, snapshot = self._due["probes"], self._due["snapshot"]
        self._due = {"snapshot": False, "probes": []}
        self._carry_out()
        if probes and not self.inbox.restores:
            self._probe(probes)
            self._carry_out()
        if snapshot and not self.inbox.restores:
            self._snapshot()
            self._carry_out()
        if not self.inbox.restores:
            self._reconcile()

    def _probe(self, seeds: Sequence[str]) -> None:
        """Measure what seeds add: the network as it is, and without one of them."""
        self._reconcile()
        for slot in seeds:
            if slot not in self.host.slots():
                continue  # carried out in between: it was culled
            self._probe_one(slot)

    def _probe_one(self, slot: str) -> None:
        began = time.monotonic()
        alpha = next((v["alpha"] for v in self.answer["seeds"] if v["seed"] == slot), None)
        there, gone = self.host.evaluate(), self.host.evaluate(without=slot)
        if there is None or gone is None or alpha is None or slot in there.get("failed", ()):
            return  # nothing was measured; a seed that failed is reported with the next step
        body = {
            "step": self.step_count, "seed": slot, "alpha": alpha, "losses": there["losses"], "accuracies": there["accuracies"],
            "losses_at0": gone["losses"], "accuracy_at0": gone["accuracies"], "samples": there["samples"],
            "took_ns": timed(began)[1],
        }
        self._unless_overtaken(lambda: self.inbox.hear(self._report("probe", body)))

    def epoch(self, epoch: int, losses: Sequence[float], accuracies: Sequence[float], samples: int) -> None:
        """Report a held-out evaluation at the end of an epoch, which counts from 1."""
        self._drain()
        if self._mend():
            return  # what was measured is of a network that is gone
        body = {
            "step": self.step_count, "epoch": epoch, "losses": list(losses), "accuracies": list(accuracies), "samples": samples,
            "took_ns": timed(self._epoch_at)[1], "hook_ns": int(self._waited * 1e9),
        }
        if not self._unless_overtaken(lambda: self.inbox.hear(self._report("epoch", body))):
            return
        self._epoch_at = time.monotonic()
        if not self._mend():
            self._optimize()
            self._unless_overtaken(self._follow)

    def fallback(self, stage: str, reason: str, seed: str = "") -> None:
        """Tell that compiled code was given up: of a seed, or of the host."""
        self._drain()
        self.inbox.hear(self._report("fallback", {"step": self.step_count, "seed": seed, "stage": stage, "reason": reason}))

    def _profile(self) -> None:
        """Close the profile window that the next step is not in, and open the one it is in.

        A session times no operations, and says so.
        """
        window, number = self.answer["profile"], self.step_count + 1
        w = self._window
        if w is not None and (w["window"], w["incarnation"]) != (window, self.inbox.incarnation):
            self._window = None
            self._drain()
            self.inbox.hear(self._report("profile", {
                "first": w["first"], "last": w["last"], "outcome": "failed", "reason": "this trainer records no trace",
            }))
        if window:
            if self._window is None:
                self._window = {"window": window, "incarnation": self.inbox.incarnation, "first": number, "last": number}
            self._window["last"] = number
