"""What a session does between two steps: it carries out what the plane has decided.

This is the half of a session that knows nothing of gradients. It is the same for every
framework, and for a trainer that runs ahead of the answers.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from . import slots, snapshots
from .client import Client
from .envelope import Keys
from .errors import EnvelopeError, Halted, HostError, PlaneAway, ProtocolError, Refused, SnapshotError
from .host import Host
from .inbox import Inbox, Restore, clip, timed
from .signal import Level, Reader, SignalError

__all__ = ["Core", "Recovery"]

HALT_WAIT = 1.0  # seconds for an order to halt that is durable already, or never comes

Recovery = Dict[str, Any]


class Core:
    """A run in progress, seen from its trainer."""

    def __init__(self, client: Client, host: Host, plan: Mapping[str, Any], verify: bool, warn: Callable[[str], None]) -> None:
        self.client, self.host, self.plan = client, host, dict(plan)
        self.run = str(plan["run"])
        self.step_count = 0  #: the last step that was applied
        self.faulted: List[int] = []  #: steps that had been reached when the run was rolled back
        self.recoveries: List[Recovery] = []  #: restores that took over, in order
        self.opened: Dict[str, Any] = {}  #: the answer to the opening
        self.inbox = Inbox()
        self._verify, self._warn = verify, warn
        self._keys = Keys(())
        self._obeyed: Set[str] = set()  # commands that were found good
        self._slots: slots.Slots = slots.Slots(host, "")
        self._signal: Optional[Reader] = None
        self._calmed: Tuple[int, int] = (0, 0)  # the signal that was found not to be about this run
        self._staging: Optional[bytearray] = None
        self._took = {"apply_ms": 0.0, "finalize_ms": 0.0}  # of what was done since the last report
        self._waited = 0.0  # seconds for the answer to the last step

    @property
    def answer(self) -> Dict[str, Any]:
        """The latest answer."""
        return self.inbox.answer

    @property
    def stages(self) -> Dict[str, str]:
        """The stages of the seeds that the network holds, by slot."""
        return self._slots.stages

    # talking

    def _body(self, extra: Mapping[str, Any]) -> Dict[str, Any]:
        return {"run": self.run, "incarnation": self.inbox.incarnation, "after": self.inbox.cursor, **extra}

    def _report(self, kind: str, extra: Mapping[str, Any]) -> Dict[str, Any]:
        """Send a report. One of a run that is closed asks for the halt that closed it."""
        try:
            return self.client.report(kind, self.run, self._body(extra))
        except Refused as e:
            self._explain(e)
            raise

    def _explain(self, e: Refused) -> None:
        """Raise Halted if that is why the run is no longer open."""
        if e.kind != "run_not_open" or not self.answer:
            return
        try:
            answer = self.client.directives(self.run, self.inbox.cursor, HALT_WAIT)
        except (Refused, PlaneAway):
            return
        if answer is not None:
            self.inbox.hear(answer)

    def poll_signal(self) -> None:
        """Raise Halted when the emergency signal says so. It reads one byte.

        The page is the plane's, and it may serve many runs: a halt that is not the
        run's own is asked about once. Where the plane does not answer the halt counts.
        """
        if self._signal is None or not self._signal.raised():
            return
        try:
            found = self._signal.load()
        except SignalError as e:
            raise Halted("emergency_signal", f"the signal is raised and cannot be read: {e}") from e
        if found.level < Level.L4_HALT or (found.level, found.at_ms) == self._calmed:
            return
        if self._mine(found.reason):
            raise Halted("emergency_signal", found.reason)
        self._calmed = (found.level, found.at_ms)

    def _mine(self, reason: str) -> bool:
        if reason == "storage failed":
            return True
        try:
            with self.client.briefly(HALT_WAIT):
                doc = self.client.status(self.run)
        except Exception:  # noqa: BLE001: whatever it is, nobody has said that it is another's
            return True
        return doc.get("status") != "open" or doc.get("emergency", "") == "L4_HALT"

    # commands

    def _carry_out(self) -> None:
        """Obey the commands that were heard, in order, and acknowledge them.

        It stops at an order to restore, which makes the rest void.
        """
        while self.inbox.commands and not self.inbox.restores:
            command = self.inbox.commands.pop(0)
            began = time.monotonic()
            ack: Dict[str, Any] = {"command": command["id"], "outcome": "ok"}
            try:
                command = self._checked(command)
                self._slots.obey(command, self.answer["seeds"])
                if command["kind"] == "SEED" and command["seed"]["operation"] == "START_TRAINING":
                    ack["parameters"] = list(self.host.seed_parameters(command["seed"]["seed"]))
            except Exception as e:  # noqa: BLE001: whatever a host raises, the plane is told
                ack.update(outcome="failed", reason=clip(e))
            spent, ack["took_ns"] = timed(began)
            self._took["apply_ms"] += spent * 1e3
            self._ack(ack)

    def _checked(self, command: Dict[str, Any]) -> Dict[str, Any]:
        if not self._verify:
            return command
        try:
            self._learn(command["envelope"])
            signed = slots.verified(command, self._keys, self.opened["origin"], self.run)
            if signed["id"] in self._obeyed:  # what was signed once is asked once, under whatever directive it comes
                raise EnvelopeError("replayed", f"command {signed['id']!r} was carried out before")
            self._obeyed.add(signed["id"])
            return signed
        except EnvelopeError as e:
            self._warn(f"command {command['id']} is not carried out: {e}")
            raise

    def _learn(self, envelope: Any) -> None:
        """Ask for the key of an envelope, if it was enrolled since the run was opened."""
        key = self._keys.missing(envelope) if envelope is not None else ""
        if not key:
            return
        try:
            found = self.client.key(key)
        except Refused as e:
            raise EnvelopeError("unknown_key", f"the plane has not enrolled key {key[:40]!r}: {e.kind}") from e
        self._keys.learn(found)

    def _ack(self, ack: Dict[str, Any]) -> None:
        """Answer a command. That the plane waits for it no more is in the log already."""
        try:
            self.inbox.hear(self._report("ack", ack))
        except Refused as e:
            if e.kind != "unknown_command":
                raise

    def _reconcile(self) -> None:
        began = time.monotonic()
        self._slots.reconcile(self.answer["seeds"])
        if self._slots.stages:
            self._took["finalize_ms"] += timed(began)[0] * 1e3

    def _settle(self) -> None:
        """Bring the network to where the plane believes it is before the next step."""
        self._carry_out()
        self._reconcile()

    def _optimize(self) -> None:
        """Carry out orders about the optimizer. What came of them goes with the next report."""
        orders, self.inbox.orders = self.inbox.orders, []
        for o in orders:
            began = time.monotonic()
            ack: Dict[str, Any] = {"order": o.id, "kind": o.kind, "outcome": "ok"}
            try:
                if o.rates is not None:
                    self.host.scale_rates(self._rates(o.rates))
                else:
                    ack["before"], ack["after"] = self.host.rebuild_optimizer()
            except Exception as e:  # noqa: BLE001: whatever a host raises, the plane is told
                ack.update(outcome="failed", reason=clip(e))
            spent, ack["took_ns"] = timed(began)
            self._took["apply_ms"] += spent * 1e3
            self.inbox.acks.append(ack)

    def _rates(self, rates: Sequence[float]) -> Dict[str, float]:
        names = [g["name"] for g in self.plan.get("groups", ())]
        if len(names) != len(rates):
            raise HostError(f"{len(rates)} learning rates came, this optimizer has {len(names)} groups")
        return dict(zip(names, rates))

    # snapshots

    def _snapshot(self) -> None:
        """Write the state of training and report it: in the full tier, then in the fast one.

        One that cannot be written ends training, which would go on without anything to
        return to.
        """
        self._reconcile()
        began = time.monotonic()
        places, name = self.opened["places"], f"{self.inbox.incarnation}-{self.step_count}"
        written = snapshots.write(places["snapshots"], f"snap-{name}.safetensors", self.host.write_snapshot)
        taken = {
            "step": self.step_count, "snapshot": f"{self.run}-{name}", "tier": "full", "file": f"snap-{name}.safetensors",
            "bytes": written.bytes, "digest": written.digest,
        }
        self.inbox.hear(self._report("snapshot", {**taken, "write_ns": timed(began)[1]}))
        if not places["fast"] or self.answer["fast_room"] < written.bytes:
            return
        began, taken["tier"] = time.monotonic(), "fast"
        try:
            snapshots.copy(written, places["fast"])
        except SnapshotError as e:
            taken["unwritten"] = clip(e)  # the full copy is there; the plane records that this one is not
        self.inbox.hear(self._report("snapshot", {**taken, "write_ns": timed(began)[1]}))

    def _recover(self) -> None:
        """Follow the plane's orders until a snapshot has taken over, or the run is halted."""
        while True:
            while self.inbox.restores:
                if self._restore(self.inbox.restores.pop(0)):
                    return
            self.poll_signal()
            answer = self.client.directives(self.run, self.inbox.cursor)
            if answer is not None:
                self.inbox.hear(answer)

    def _restore(self, order: Restore) -> bool:
        """Stage a snapshot, report it, and let it take over when the plane has confirmed.

        Until then nothing of the network is touched. False: the plane did not accept
        the result, and further orders will follow.
        """
        began = time.monotonic()
        report, staged = self._stage(order)
        spent, report["took_ns"] = timed(began)
        incarnation = self.inbox.incarnation
        try:
            answer = self._report("rollback", report)
        except Refused as e:
            if e.kind == "unknown_rollback":
                return False  # it came too late; what the plane wants instead is on its way
            raise
        self.inbox.hear(answer)
        if answer["incarnation"] == incarnation:
            return False
        if report["outcome"] != "ok":
            raise ProtocolError("incarnation", "is a new one, but nothing could be staged for it")
        self.host.adopt(staged)
        self.step_count = order.ref["step"]
        self.faulted.append(order.reached)
        self.recoveries.append({
            "rollback": order.rollback, "cause": order.cause, "fault_step": order.fault, "to_step": order.ref["step"],
            "tier": order.ref["tier"], "restore_seconds": spent, "digest": report["digest"],
        })
        self._slots.adopt(self.answer["seeds"])
        self._settle()
        return True

    def _stage(self, order: Restore) -> Tuple[Dict[str, Any], object]:
        """Read and build what an order names, within its time, and say how that went."""
        report: Dict[str, Any] = {
            "rollback": order.rollback, "phase": "commit", "tier": order.ref["tier"], "outcome": "ok",
        }
        staged: object = None
        try:
            data = self._fetch(order.ref, order.by)
            report["digest"], report["bytes"] = order.ref["digest"], len(data)
            staged = self.host.stage(self._path(order.ref), data)
            if order.by is not None and time.monotonic() >= order.by:
                raise snapshots.Deadline("the time for the restore was over when it was staged")
        except snapshots.Deadline as e:
            report.update(outcome="deadline_exceeded", reason=clip(e))
        except Exception as e:  # noqa: BLE001: whatever a host raises, the plane is told
            report.update(outcome="failed", reason=clip(e))
        return report, staged

    def _fetch(self, ref: Mapping[str, Any], by: Optional[float]) -> bytearray:
        self._staging = snapshots.fetch(self._directory(ref), ref, by, self._staging)
        return self._staging

    def _directory(self, ref: Mapping[str, Any]) -> str:
        return str(self.opened["places"]["fast" if ref["tier"] == "fast" else "snapshots"])

    def _path(self, ref: Mapping[str, Any]) -> str:
        return f"{self._directory(ref)}/{ref['file']}"
