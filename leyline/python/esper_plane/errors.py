"""What can go wrong between a trainer and its plane, one type for each.

Nothing here is a default in disguise: a trainer that catches one of these must not
train on as if it had an answer.
"""

from __future__ import annotations

from typing import Optional

__all__ = [
    "EnvelopeError",
    "EsperError",
    "Halted",
    "HostError",
    "PlaneAway",
    "PlaneNotFound",
    "ProtocolError",
    "Refused",
    "SnapshotError",
    "Stranger",
    "WeightsError",
]


class EsperError(Exception):
    """The root of everything that this package raises on purpose."""


class Refused(EsperError):
    """The plane has read a request and refuses it. The log holds why.

    ``kind`` is stable, programs may compare it; ``field`` is dotted, as it was sent;
    ``hint`` says what to do about it; ``status`` is that of HTTP.
    """

    def __init__(self, kind: str, field: str = "", hint: str = "", status: int = 0, detail: str = "") -> None:
        text = detail or kind
        if field and field not in text:
            text = f"{field}: {text}"
        if hint:
            text = f"{text}; {hint}"
        super().__init__(f"the plane refused ({kind}): {text}")
        self.kind, self.field, self.hint, self.status, self.detail = kind, field, hint, status, detail


class Halted(EsperError):
    """The plane has stopped the run, or published a halt. Training must end.

    ``reason`` is the plane's word for it, ``detail`` a sentence for people.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"the plane halted the run ({reason}): {detail}")
        self.reason, self.detail = reason, detail


class PlaneAway(EsperError):
    """The plane cannot be reached, or goes on saying that it is not ready.

    Whatever was sent may have arrived. Sending it again with the same client is safe;
    training on is not.
    """

    def __init__(
        self, address: str, detail: str, tries: int = 1, hint: str = 'start it again, or open the run with away="wait"'
    ) -> None:
        times = "once" if tries == 1 else f"{tries} times"
        super().__init__(f"the plane at {address} cannot be reached (tried {times}): {detail}; {hint}")
        self.address, self.detail, self.tries = address, detail, tries


class ProtocolError(EsperError):
    """What came back is no answer to what was asked.

    It is malformed, or belongs to another run, step or incarnation. ``field`` names the
    member, dotted.
    """

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"the answer of the plane cannot be used: {field + ' ' if field else ''}{detail}")
        self.field, self.detail = field, detail


class PlaneNotFound(EsperError):
    """``open("auto")`` finds no program to start, or it does not come up."""


class Stranger(EsperError):
    """The process that listens at a unix socket is another user's."""


class EnvelopeError(EsperError):
    """A command is not what its signature covers, or nobody's that may sign it.

    ``kind`` is one of ``malformed``, ``unknown_key``, ``missing_signature``,
    ``invalid_signature``, ``wrong_audience``, ``mismatch`` and ``replayed``.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


class SnapshotError(EsperError):
    """A snapshot cannot be written or read back as it was registered."""


class WeightsError(EsperError):
    """Weights cannot be computed: a Gram matrix, a rule or an order is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field} {detail}")
        self.field, self.detail = field, detail


class HostError(EsperError):
    """What a host network cannot do that a command or an order asks of it.

    A host may raise any exception; this one is for those without a type of their own.
    """

    def __init__(self, detail: str, slot: Optional[str] = None) -> None:
        super().__init__(f"seed {slot}: {detail}" if slot else detail)
        self.slot = slot
