"""The JSON of the protocol: how requests are written and answers are read.

What is sent may leave members out that are zero; what comes back must be whole. A member
that is missing, of another kind, out of range or there twice is a ProtocolError that
names it. Members that this module does not know are left alone: a newer plane may have
more to say.
"""

from __future__ import annotations

import json
import math
from typing import Any, Callable, Dict, List, Mapping, Tuple

from .errors import ProtocolError

__all__ = ["ANSWER", "COMMAND", "OPENED", "STAGES", "encode", "parse", "read"]

Reader = Callable[[Any, str], Any]

_EXACT = 1 << 53  # integers up to here are exact in every reader of JSON
_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MAX_LIST = 1 << 16
_MISSING = object()

STAGES = (
    "DORMANT", "GERMINATED", "TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY", "FOSSILIZED", "CULLED", "EMBARGOED",
    "RESETTING", "TERMINATED",
)
LEVELS = ("L1_NOTICE", "L2_ELEVATED", "L3_CONSERVATIVE", "L4_HALT")
OPERATIONS = (
    "GERMINATE", "START_TRAINING", "START_GRAFTING", "STABILIZE", "EVALUATE", "FINE_TUNE", "FOSSILIZE", "CULL", "CANCEL",
)
TIERS = ("fast", "full")


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a request. Numbers that JSON has not become text, and so do large integers.

    Raises TypeError for what has no JSON form.
    """
    return json.dumps(_plain(body), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def _plain(x: Any) -> Any:
    kind = type(x)
    if kind is float:
        return x if math.isfinite(x) else "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    if kind is int:
        return x if -_EXACT <= x <= _EXACT else str(x)
    if isinstance(x, Mapping):
        return {name: _plain(v) for name, v in x.items()}
    if kind is list or kind is tuple:
        return [_plain(v) for v in x]
    return x


def parse(raw: bytes) -> Dict[str, Any]:
    """Read a document that must be one JSON object."""

    def members(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ProtocolError("", "holds a member twice")
        return out

    def constant(name: str) -> Any:
        raise ProtocolError("", f"holds the bare word {name}")

    try:
        doc = json.loads(raw, object_pairs_hook=members, parse_constant=constant)
    except (ValueError, RecursionError) as e:
        raise ProtocolError("", f"is not JSON: {e}") from e
    if not isinstance(doc, dict):
        raise ProtocolError("", "is not an object")
    return doc


def read(form: Mapping[str, Tuple[Reader, Any]], doc: Mapping[str, Any], path: str = "") -> Dict[str, Any]:
    """Read the members of a form out of a document, under their names."""
    out: Dict[str, Any] = {}
    for name, (reader, default) in form.items():
        value = doc.get(name, _MISSING)
        if value is not _MISSING:
            out[name] = reader(value, f"{path}{name}")
        elif default is _MISSING:
            raise ProtocolError(f"{path}{name}", "is missing")
        else:
            out[name] = default
    return out


def _bad(path: str, value: Any, want: str) -> ProtocolError:
    return ProtocolError(path, f"is {str(value)[:80]!r}; want {want}")


def text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _bad(path, value, "text")
    return value


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(path, value, "true or false")
    return value


def number(value: Any, path: str) -> float:
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(path, value, "a number")
    try:
        return float(value)
    except OverflowError:
        raise _bad(path, value, "a number of 64 bits") from None


def unit(value: Any, path: str) -> float:
    x = number(value, path)
    if not 0 <= x <= 1:
        raise _bad(path, value, "a number from 0 to 1")
    return x


def _integer(bits: int) -> Reader:
    def reader(value: Any, path: str) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
            raise _bad(path, value, f"an integer of {bits} bits")
        return int(value)

    return reader


u32, u64 = _integer(32), _integer(64)


def one_of(*names: str) -> Reader:
    """A reader of an enum's name."""

    def reader(value: Any, path: str) -> str:
        if value not in names:
            raise _bad(path, value, "one of " + ", ".join(names))
        return str(value)

    return reader


def digest(value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) != 64 or value.strip("0123456789abcdef"):
        raise _bad(path, value, "64 digits of hex")
    return value


def listed(reader: Reader) -> Reader:
    """A reader of a list."""

    def each(value: Any, path: str) -> List[Any]:
        if not isinstance(value, list) or len(value) > _MAX_LIST:
            raise _bad(path, value, "a list")
        return [reader(v, f"{path}[{i}]") for i, v in enumerate(value)]

    return each


def inner(form: Mapping[str, Tuple[Reader, Any]]) -> Reader:
    """A reader of an object within an object."""

    def reader(value: Any, path: str) -> Dict[str, Any]:
        if not isinstance(value, dict):
            raise _bad(path, value, "an object")
        return read(form, value, path + ".")

    return reader


def anything(value: Any, path: str) -> Any:
    return value


def must(reader: Reader) -> Tuple[Reader, Any]:
    return reader, _MISSING


def may(reader: Reader, default: Any = None) -> Tuple[Reader, Any]:
    return reader, default


Form = Dict[str, Tuple[Reader, Any]]

SEED_VIEW: Form = {"seed": must(text), "stage": must(one_of(*STAGES)), "alpha": must(unit), "paused": must(flag)}
SNAPSHOT_REF: Form = {
    "snapshot": may(text, ""), "step": may(u64, 0), "tier": may(one_of(*TIERS), ""), "file": may(text, ""),
    "bytes": may(u64, 0), "digest": may(digest, ""), "check": may(anything, ""),
}
GATE: Form = {"k": may(number, 0.0), "tau": may(number, 0.0), "lo": may(number, 0.0), "hi": may(number, 0.0)}
BLEND: Form = {
    "mode": must(text), "total_steps": may(u32, 0), "temperature": may(number, 0.0),
    "channels": may(listed(number), []), "channel_count": may(u32, 0), "gate": may(inner(GATE)),
    "source": may(text, "UNSPECIFIED"), "logits": may(listed(number), []),
}
PARAMETER: Form = {"name": must(text), "value": must(number)}
SEED_COMMAND: Form = {
    "operation": may(one_of(*OPERATIONS), ""), "seed": may(text, ""), "blueprint": may(text, ""),
    "mesh": may(listed(text), []), "blend": may(inner(BLEND)), "reason": may(text, ""),
    "parameters": may(listed(inner(PARAMETER)), []),
}
PAUSE: Form = {"action": may(text, ""), "scope": may(text, ""), "seed": may(text, ""), "reason": may(text, "")}
COMMAND: Form = {
    "id": must(text), "seed": may(inner(SEED_COMMAND)), "blueprint": may(text, ""), "kernel": may(text, ""),
    "kernel_digest": may(digest, ""), "kind": must(one_of("SEED", "PAUSE")), "pause": may(inner(PAUSE)),
    "envelope": may(anything),
}
RESTORE: Form = {
    "rollback": must(text), "from": must(inner(SNAPSHOT_REF)), "cause": may(text, ""), "fault": may(u64, 0),
    "reached": may(u64, 0),
}
HALT: Form = {"reason": may(text, "unspecified"), "detail": may(text, "")}
RATES: Form = {"step": must(u64), "rates": must(listed(number))}
REBUILD: Form = {"step": may(u64, 0)}
DIRECTIVE: Form = {
    "id": must(text), "kind": must(one_of("command", "restore", "halt", "rates", "rebuild")), "command": may(inner(COMMAND)),
    "restore": may(inner(RESTORE)), "halt": may(inner(HALT)), "rates": may(inner(RATES)), "rebuild": may(inner(REBUILD)),
    "deadline": may(text, ""), "within_ns": may(u64, 0),
}

#: The answer to every report.
ANSWER: Form = {
    "seq": must(u64), "run": must(text), "incarnation": must(u32), "step": must(u64), "lineage": must(u32),
    "weights": must(listed(number)), "seeds": must(listed(inner(SEED_VIEW))), "snapshot": must(flag), "profile": must(u64),
    "probes": must(listed(text)), "emergency": may(one_of(*LEVELS), "UNSPECIFIED"),
    "directives": must(listed(inner(DIRECTIVE))), "fast_room": must(u64), "cursor": must(u64), "overtaken": must(flag),
}
_PLACES: Form = {name: may(text, "") for name in ("snapshots", "fast", "kernels", "signal", "traces")}
_RULE: Form = {"aggregation": must(text), "pcgrad_mean": may(flag, False)}
KEY: Form = {"key": must(text), "public": must(text), "issuer": must(text)}

#: The answer to an opening.
OPENED: Form = {
    **ANSWER, "protocol": must(u32), "from": may(inner(SNAPSHOT_REF)), "resumed": must(flag), "faulted": must(listed(u64)),
    "places": must(inner(_PLACES)), "rule": must(inner(_RULE)), "keys": may(listed(inner(KEY)), []),
    "admin_key": may(text, ""), "origin": must(text), "snapshot_every": may(u64, 0), "quick_from": may(u64, 0),
}
#: As much as a client needs of what the plane holds of a run.
HELD: Form = {"incarnation": must(u32), "step": must(u64), "status": must(text)}
PROBLEM: Form = {
    "kind": must(text), "status": must(u32), "field": may(text, ""), "hint": may(text, ""), "detail": may(text, ""),
    "title": may(text, ""),
}
