"""How the output of a seed is mixed into that of its host.

The definitions are those of the Go package subsystems/kasmina/blend; the vectors in
leyline/leylinetest/testdata/blend.json hold both to the same numbers. A batch is a
flat sequence of rows x features numbers, row by row, where a feature is a channel.
With alpha ``a`` and the effective share ``e`` of an element:

    CONVEX      e = a                                e*s + (1-e)*h
    RESIDUAL    e = a                                h + e*s
    CHANNEL     e = a*v of the channel               e*s + (1-e)*h
    CONFIDENCE  e = clamp(a*gate of the row, lo, hi) e*s + (1-e)*h
                gate = logistic(k*(margin - tau))

Shares are constants for the gradient. Through the blend the host is owed nothing; a
trainer whose host keeps learning gives it ``Mix.host_gradient`` or, where the output
of the seed contains that of the host, the whole gradient.

Standard library only. What is wrong is refused, never clamped, swapped or replaced.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import List, Optional, Sequence, Tuple

MAX_STEPS = 1 << 30
MAX_CHANNELS = 64
MAX_LOGITS = 64
MAX_GATE = 1e6
MIN_TEMPERATURE = 1e-6
SPARSE_SHARE = 1e-3


class Mode(enum.IntEnum):
    """The blend modes, with the codes of the plane."""

    UNSPECIFIED = 0
    CONVEX = 1
    RESIDUAL = 2
    CHANNEL = 3
    CONFIDENCE = 4


class Source(enum.IntEnum):
    """Whose classification a CONFIDENCE blend is gated by."""

    UNSPECIFIED = 0
    SEED = 1
    POLICY = 2


class BlendError(ValueError):
    """A plan or a batch that is refused: ``kind`` and ``field`` are the plane's."""

    def __init__(self, kind: str, field: str, reason: str) -> None:
        super().__init__(f"{kind}: {field} {reason}")
        self.kind, self.field, self.reason = kind, field, reason


def _invalid(field: str, reason: str) -> BlendError:
    return BlendError("invalid_field", field, reason)


def _unit(value: float) -> bool:
    return 0 <= value <= 1


@dataclasses.dataclass(frozen=True)
class Gate:
    """A confidence gate: clamp(alpha * logistic(k*(margin - tau)), lo, hi)."""

    k: float = 4.0
    tau: float = 0.2
    lo: float = 0.0
    hi: float = 1.0

    def validate(self) -> None:
        """Raise BlendError for the first field that is out of its range."""
        for name, value, most in (("k", self.k, MAX_GATE), ("tau", self.tau, MAX_GATE), ("lo", self.lo, 1), ("hi", self.hi, 1)):
            if not 0 <= value <= most:
                raise _invalid(f"gate.{name}", f"is {value}; want a number from 0 to {most}")
        if self.lo > self.hi:
            raise _invalid("gate.lo", f"is {self.lo}, above gate.hi ({self.hi})")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a verified command says of a blend. What the mode does not need is unset."""

    mode: Mode
    total_steps: int
    temperature: float
    channels: Tuple[float, ...] = ()
    channel_count: int = 0
    gate: Optional[Gate] = None
    source: Source = Source.UNSPECIFIED
    logits: Tuple[float, ...] = ()

    def validate(self) -> None:
        """Raise BlendError for the first field that is wrong."""
        if self.mode not in tuple(Mode) or self.mode == Mode.UNSPECIFIED:
            raise BlendError("unknown_blend_mode", "mode", f"is {self.mode!r}; none is put in its place")
        if self.total_steps < 1:
            raise BlendError("missing_field", "total_steps", "is missing")
        if self.total_steps > MAX_STEPS:
            raise _invalid("total_steps", f"is {self.total_steps}, at most {MAX_STEPS} are allowed")
        if not 0 < self.temperature < math.inf:
            raise _invalid("temperature", f"is {self.temperature}; want a finite number greater than 0")
        self._validate_channels()
        self._validate_confidence()

    def _unused(self, **fields: bool) -> None:
        for name, used in fields.items():
            if used:
                raise _invalid(name, f"is set, but {Mode(self.mode).name} does not use it")

    def _validate_channels(self) -> None:
        if self.mode != Mode.CHANNEL:
            self._unused(channels=bool(self.channels), channel_count=self.channel_count != 0)
            return
        if not self.channels:
            raise BlendError("missing_field", "channels", "is missing")
        if len(self.channels) > MAX_CHANNELS:
            raise _invalid("channels", f"has {len(self.channels)} entries, at most {MAX_CHANNELS} are allowed")
        for i, v in enumerate(self.channels):
            if not _unit(v):
                raise _invalid(f"channels[{i}]", f"is {v}; want a number from 0 to 1")
        if self.channel_count != len(self.channels):
            raise _invalid("channel_count", f"is {self.channel_count}, but there are {len(self.channels)} channels")

    def _validate_confidence(self) -> None:
        if self.mode != Mode.CONFIDENCE:
            self._unused(gate=self.gate is not None, source=self.source != Source.UNSPECIFIED, logits=bool(self.logits))
            return
        if self.gate is None:
            raise BlendError("missing_field", "gate", "is missing")
        self.gate.validate()
        if self.source == Source.UNSPECIFIED:
            raise BlendError("missing_field", "source", "is missing")
        if self.source not in tuple(Source):
            raise _invalid("source", f"is {self.source!r}")
        if self.source != Source.POLICY:
            self._unused(logits=bool(self.logits))
            return
        if len(self.logits) > MAX_LOGITS:
            raise _invalid("logits", f"has {len(self.logits)} entries, at most {MAX_LOGITS} are allowed")
        _check_logits(len(self.logits), self.logits)


@dataclasses.dataclass(frozen=True)
class Logits:
    """What one classification makes of every row: rows x classes numbers."""

    classes: int
    values: Sequence[float]


@dataclasses.dataclass(frozen=True)
class Stats:
    """What a report tells of a blend; see the plane's BlendStats."""

    mode: Mode
    source: Source
    mean: float
    p95: float
    sparsity: float
    gate_mean: float
    clamped: float


def _check_logits(classes: int, values: Sequence[float]) -> None:
    def bad(reason: str) -> BlendError:
        return BlendError("confidence_gate_missing_logits", "logits", reason)

    if not values:
        raise bad("are missing")
    if classes < 2:
        raise bad(f"are {classes} per sample; a margin needs 2 or more")
    if len(values) % classes:
        raise bad(f"are {len(values)}, no multiple of {classes} per sample")
    for i, v in enumerate(values):
        if not math.isfinite(v):
            raise bad(f"hold {v} for class {i % classes} of sample {i // classes}")


def _logistic(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def _margin(logits: Sequence[float]) -> float:
    first, second = sorted(logits)[:-3:-1]
    return min(first - second, 1.7976931348623157e308)


def alpha(step: int, total: int, temperature: float) -> float:
    """The share of the seed after ``step`` of ``total`` steps of the schedule."""
    if total <= 0:
        return 1.0
    if not temperature > MIN_TEMPERATURE:
        temperature = MIN_TEMPERATURE
    return _logistic((step - total * 0.5) / temperature)


class Mix:
    """The blend of one batch under a plan, at an alpha.

    ``logits`` is one classification per task, where the plan takes them from the
    seed. Raises BlendError: of the plan; for an alpha or a batch that is none; for
    channels that are not those of the batch; confidence_gate_missing_logits.
    """

    def __init__(self, plan: Plan, alpha: float, rows: int, features: int, logits: Sequence[Logits] = ()) -> None:
        plan.validate()
        if not _unit(alpha):
            raise _invalid("alpha", f"is {alpha}; want a number from 0 to 1")
        if rows < 1 or features < 1:
            raise _invalid("batch", f"is {rows} x {features}; want one row and one feature at least")
        self._plan, self.rows, self.features = plan, rows, features
        self._gates: List[float] = []
        self._clamped = 0
        if plan.mode == Mode.CHANNEL:
            if len(plan.channels) != features:
                raise _invalid("channels", f"has {len(plan.channels)} entries, the host has {features} channels")
            self._shares = [alpha * v for v in plan.channels]
        elif plan.mode == Mode.CONFIDENCE and plan.gate is not None:
            self._gates = self._open(plan.gate, logits)
            free = [alpha * g for g in self._gates]
            self._shares = [min(max(e, plan.gate.lo), plan.gate.hi) for e in free]
            self._clamped = sum(a != b for a, b in zip(free, self._shares))
        else:
            self._shares = [alpha]

    def _open(self, gate: Gate, logits: Sequence[Logits]) -> List[float]:
        if self._plan.source == Source.POLICY:
            margins = [_margin(self._plan.logits)] * self.rows
        else:
            if not logits:
                _check_logits(0, ())
            for c in logits:
                _check_logits(c.classes, c.values)
                if len(c.values) // c.classes != self.rows:
                    raise BlendError(
                        "confidence_gate_missing_logits", "logits",
                        f"are those of {len(c.values) // c.classes} samples, the batch has {self.rows}",
                    )
            margins = [
                min(_margin(c.values[i * c.classes:(i + 1) * c.classes]) for c in logits) for i in range(self.rows)
            ]
        return [_logistic(gate.k * (m - gate.tau)) for m in margins]

    def share(self, row: int, channel: int) -> float:
        """The effective share of the seed in an element."""
        if self._plan.mode == Mode.CHANNEL:
            return self._shares[channel]
        if self._plan.mode == Mode.CONFIDENCE:
            return self._shares[row]
        return self._shares[0]

    def shares(self) -> Tuple[float, ...]:
        """The effective shares: one for all elements, one for each channel (CHANNEL)
        or one for each row (CONFIDENCE)."""
        return tuple(self._shares)

    def _each(self) -> List[float]:
        return [self.share(r, c) for r in range(self.rows) for c in range(self.features)]

    def output(self, host: Sequence[float], seed: Sequence[float]) -> List[float]:
        """The mix of host and seed."""
        return [self._element(e, h, s) for e, h, s in zip(self._each(), self._batch("host", host), self._batch("seed", seed))]

    def _element(self, e: float, h: float, s: float) -> float:
        if e == 0:
            return h
        if self._plan.mode == Mode.RESIDUAL:
            return h + e * s
        return s if e == 1 else e * s + (1 - e) * h

    def seed_gradient(self, upstream: Sequence[float]) -> List[float]:
        """What the seed is owed of the gradient of the output."""
        return [e * g for e, g in zip(self._each(), self._batch("upstream", upstream))]

    def host_gradient(self, upstream: Sequence[float]) -> List[float]:
        """The part that belongs to the host's own output in the mix."""
        if self._plan.mode == Mode.RESIDUAL:
            return list(self._batch("upstream", upstream))
        return [(1 - e) * g for e, g in zip(self._each(), self._batch("upstream", upstream))]

    def _batch(self, field: str, values: Sequence[float]) -> Sequence[float]:
        if len(values) != self.rows * self.features:
            raise _invalid(field, f"has {len(values)} numbers, the batch is {self.rows} x {self.features}")
        return values

    def stats(self) -> Stats:
        """What a report tells of the blend."""
        n, ordered = len(self._shares), sorted(self._shares)
        return Stats(
            mode=self._plan.mode,
            source=self._plan.source,
            mean=min(sum(self._shares) / n, 1.0),
            p95=ordered[(95 * n + 99) // 100 - 1],
            sparsity=sum(e <= SPARSE_SHARE for e in ordered) / n,
            gate_mean=min(sum(self._gates) / n, 1.0) if self._gates else 0.0,
            clamped=self._clamped / n,
        )
