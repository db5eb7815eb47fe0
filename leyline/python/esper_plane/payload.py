"""The signed bytes of a command, read as strictly as the plane reads them.

A command is msgpack: a struct is an array of its fields in their order, an enum its
code, a float 64 bits, a digest bin. Numbers and lengths are in their shortest form,
there is one value and nothing behind it, and everything is bounded before memory is
taken for it. Package leyline/wire in Go is the other side.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any, Dict, List, Sequence

from .errors import EnvelopeError
from .forms import OPERATIONS

__all__ = ["Command", "decode", "unpack"]

MAX_BYTES = 64 << 10
MAX_DEPTH = 8
MAX_ELEMENTS = 8192
MAX_LENGTH = 4096  # bytes of one text or bin

KINDS = (
    "UNKNOWN", "SEED", "ROLLBACK", "OPTIMIZER", "CIRCUIT_BREAKER", "PAUSE", "EMERGENCY", "STRUCTURAL_PRUNING", "REGISTRY",
    "CONSERVATIVE", "POLICY",
)
BLENDS = ("UNSPECIFIED", "CONVEX", "RESIDUAL", "CHANNEL", "CONFIDENCE")
SOURCES = ("UNSPECIFIED", "SEED", "POLICY")
_FIELDS = 17  # of a command


def _bad(at: int, detail: str) -> EnvelopeError:
    return EnvelopeError("malformed", f"byte {at} of the command {detail}")


class _Walk:
    """A position in bytes that nobody here wrote."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at, self.elements = raw, 0, 0

    def take(self, n: int) -> bytes:
        start, self.at = self.at, self.at + n
        if self.at > len(self.raw):
            raise _bad(start, f"ends {self.at - len(self.raw)} bytes too early")
        return self.raw[start : self.at]

    def uint(self, width: int, floor: int) -> int:
        """A number of so many bytes, which would not fit into fewer."""
        start = self.at
        n = int.from_bytes(self.take(width), "big")
        if n < floor:
            raise _bad(start, "is not in its shortest form")
        return n

    def value(self, depth: int = 0) -> Any:
        start = self.at
        (c,) = self.take(1)
        if c < 0x80:
            return c
        if c >= 0xE0:
            return c - 256
        if 0x90 <= c < 0xA0:
            return self.array(start, c & 15, depth)
        if 0xA0 <= c < 0xC0:
            return self.text(c & 31)
        return self.long(start, c, depth)

    def long(self, start: int, c: int, depth: int) -> Any:
        """A value whose first byte says only what it is."""
        if c in (0xC2, 0xC3):
            return c == 0xC3
        if c == 0xCB:
            return struct.unpack(">d", self.take(8))[0]
        if 0xCC <= c <= 0xCF:
            return self.uint(1 << c - 0xCC, (1 << 7, 1 << 8, 1 << 16, 1 << 32)[c - 0xCC])
        if 0xD0 <= c <= 0xD3:
            return self.signed(c - 0xD0)
        if 0xC4 <= c <= 0xC6:
            return self.bin(self.uint(1 << c - 0xC4, (0, 1 << 8, 1 << 16)[c - 0xC4]))
        if 0xD9 <= c <= 0xDB:
            return self.text(self.uint(1 << c - 0xD9, (1 << 5, 1 << 8, 1 << 16)[c - 0xD9]))
        if c in (0xDC, 0xDD):
            return self.array(start, self.uint(2 << c - 0xDC, (1 << 4, 1 << 16)[c - 0xDC]), depth)
        raise _bad(start, f"is {c:#04x}, which is never used")

    def signed(self, size: int) -> int:
        start = self.at
        n = int.from_bytes(self.take(1 << size), "big", signed=True)
        if n >= (-32, -(1 << 7), -(1 << 15), -(1 << 31))[size]:
            raise _bad(start, "is not in its shortest form")
        return n

    def bin(self, n: int) -> bytes:
        if n > MAX_LENGTH:
            raise _bad(self.at, f"begins a text of {n} bytes; at most {MAX_LENGTH} are allowed")
        return self.take(n)

    def text(self, n: int) -> str:
        start = self.at
        try:
            return self.bin(n).decode("utf-8")
        except UnicodeDecodeError as e:
            raise _bad(start, "is not UTF-8") from e

    def array(self, start: int, n: int, depth: int) -> List[Any]:
        self.elements += n
        if depth >= MAX_DEPTH or self.elements > MAX_ELEMENTS or n > len(self.raw) - self.at:
            raise _bad(start, f"begins a list of {n} at depth {depth}, more than there may be")
        return [self.value(depth + 1) for _ in range(n)]


def unpack(raw: bytes) -> Any:
    """Read one value. Raises EnvelopeError of the kind ``malformed``."""
    if len(raw) > MAX_BYTES:
        raise _bad(0, f"begins {len(raw)} bytes; at most {MAX_BYTES} are allowed")
    walk = _Walk(raw)
    out = walk.value()
    if walk.at != len(raw):
        raise _bad(walk.at, f"is one of {len(raw) - walk.at} behind the end")
    return out


@dataclasses.dataclass(frozen=True)
class Command:
    """What a trainer needs of a signed command."""

    issuer: str
    origin: str  #: of the log that it is for
    run: str
    id: str
    sequence: int
    kind: str
    seed: Dict[str, Any]  #: of the kind SEED: members as in the protocol, ``blend`` with its enums by name
    pause: Dict[str, Any]  #: of the kind PAUSE


def decode(raw: bytes) -> Command:
    """Read the payload of a command's envelope. Raises EnvelopeError."""
    top = _fields(unpack(raw), "command", (str, list, str, int, int, int, int) + (list,) * (_FIELDS - 7))
    origin, run = _fields(top[1], "audience", (str, str))
    kind = _name(KINDS, top[6], "kind")
    return Command(
        issuer=top[0], origin=origin, run=run, id=top[2], sequence=top[3], kind=kind,
        seed=_seed(top[7]) if kind == "SEED" else {}, pause=_pause(top[11]) if kind == "PAUSE" else {},
    )


def _fields(value: Any, name: str, types: Sequence[type]) -> List[Any]:
    """The fields of a struct, each of its type."""
    if not isinstance(value, list) or len(value) != len(types):
        raise EnvelopeError("malformed", f"{name} is not a list of {len(types)} fields")
    for i, (v, t) in enumerate(zip(value, types)):
        if type(v) is not t:
            raise EnvelopeError("malformed", f"field {i} of {name} is a {type(v).__name__}; want {t.__name__}")
    return value


def _name(names: Sequence[str], code: int, field: str) -> str:
    if not 0 <= code < len(names):
        raise EnvelopeError("malformed", f"{field} has code {code}, which is none")
    return names[code]


def _floats(value: List[Any], field: str) -> List[float]:
    return [float(v) for v in _fields(value, field, (float,) * len(value))]


def _seed(value: List[Any]) -> Dict[str, Any]:
    op, seed, blueprint, mesh, blend, reason, parameters = _fields(value, "seed", (int, str, str, list, list, str, list))
    return {
        "operation": _name(("",) + OPERATIONS, op, "seed.operation"), "seed": seed, "blueprint": blueprint,
        "mesh": list(_fields(mesh, "seed.mesh", (str,) * len(mesh))), "blend": _blend(blend), "reason": reason,
        "parameters": [dict(zip(("name", "value"), _fields(p, "seed.parameters", (str, float)))) for p in parameters],
    }


def _blend(value: List[Any]) -> Dict[str, Any]:
    mode, steps, temperature, channels, count, gate, source, logits = _fields(
        value, "seed.blend", (int, int, float, list, int, list, int, list)
    )
    return {
        "mode": _name(BLENDS, mode, "seed.blend.mode"), "total_steps": steps, "temperature": temperature,
        "channels": _floats(channels, "seed.blend.channels"), "channel_count": count,
        "gate": dict(zip(("k", "tau", "lo", "hi"), _fields(gate, "seed.blend.gate", (float,) * 4))),
        "source": _name(SOURCES, source, "seed.blend.source"), "logits": _floats(logits, "seed.blend.logits"),
    }


def _pause(value: List[Any]) -> Dict[str, Any]:
    action, scope, seed, reason = _fields(value, "pause", (int, int, str, str))
    return {"action": action, "scope": scope, "seed": seed, "reason": reason}
