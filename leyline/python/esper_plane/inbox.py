"""What the plane has said and the trainer has not carried out yet.

Directives come with any answer and are heard once. The cursor that goes back with the
next request says that they have arrived, so they are kept here until they are done.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from .errors import Halted, ProtocolError

__all__ = ["Inbox", "Order", "Restore"]

MAX_TEXT = 1024  # bytes of a reason


@dataclasses.dataclass(frozen=True)
class Restore:
    """An order to restore a snapshot, and by when on this machine's clock."""

    rollback: str
    ref: Dict[str, Any]
    fault: int
    reached: int
    cause: str
    by: Optional[float]  #: of time.monotonic(); None: there is no deadline


@dataclasses.dataclass(frozen=True)
class Order:
    """An order about the optimizer."""

    id: str
    kind: str  #: rates or rebuild
    rates: Optional[List[float]]


class Inbox:
    """The latest answer, and what is still to be done of all of them."""

    def __init__(self) -> None:
        self.answer: Dict[str, Any] = {}
        self.commands: List[Dict[str, Any]] = []
        self.restores: List[Restore] = []
        self.orders: List[Order] = []
        self.acks: List[Dict[str, Any]] = []  #: of orders, to be told with the next report
        self._heard: Set[str] = set()

    @property
    def cursor(self) -> int:
        return int(self.answer.get("cursor", 0))

    @property
    def incarnation(self) -> int:
        return int(self.answer.get("incarnation", 0))

    def hear(self, answer: Dict[str, Any]) -> None:
        """Take an answer in. Raises Halted, which comes before everything else.

        An answer that opens a new incarnation makes void what was asked of the network
        before it.
        """
        void = 0
        if answer["incarnation"] < self.incarnation:
            raise ProtocolError("incarnation", f"is {answer['incarnation']}, after one of {self.incarnation}")
        if answer["incarnation"] != self.incarnation:
            void = answer["seq"]
            self.commands, self.restores, self.orders, self.acks = [], [], [], []
        self.answer = answer
        for d in answer["directives"]:
            self._directive(d, void)

    def _directive(self, d: Dict[str, Any], void: int) -> None:
        content = d[d["kind"]]
        if content is None:
            raise ProtocolError(f"directives.{d['kind']}", "is missing")
        if d["kind"] == "halt":
            raise Halted(content["reason"], content["detail"])
        if d["id"] in self._heard or _record(d["id"]) < void:
            return
        self._heard.add(d["id"])
        if d["kind"] == "restore":
            by = time.monotonic() + d["within_ns"] / 1e9 if d["deadline"] else None
            self.restores.append(
                Restore(content["rollback"], content["from"], content["fault"], content["reached"], content["cause"], by)
            )
        elif d["kind"] == "command":
            self.commands.append(content)
        else:
            self.orders.append(Order(d["id"], d["kind"], content.get("rates")))

    def reported(self) -> List[Dict[str, Any]]:
        """Take the acknowledgements that a report is to carry."""
        out, self.acks = self.acks, []
        return out


def _record(effect: str) -> int:
    """The record of an effect's id."""
    seq, dot, index = effect.partition(".")
    if not dot or not (seq.isascii() and seq.isdigit() and index.isascii() and index.isdigit()):
        raise ProtocolError("directives.id", f"is {effect[:40]!r}; want seq.index")
    return int(seq)


def clip(error: BaseException) -> str:
    """An error in words that a report may hold, without the half of a character."""
    words = str(error) or type(error).__name__
    return words.encode("utf-8", "replace")[:MAX_TEXT].decode("utf-8", "ignore")


def timed(began: float) -> Tuple[float, int]:
    """Seconds since a time of time.monotonic(), and the same in nanoseconds."""
    spent = max(0.0, time.monotonic() - began)
    return spent, int(spent * 1e9)
