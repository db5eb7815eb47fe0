"""The weights of task gradients, bit for bit those that the plane decides.

A trainer that runs ahead of the plane's answers computes them itself, and says with
the step what it used; the plane derives them again and alarms on a difference. The
methods are those of the Go package aggregate. Every product is rounded before it is
added, sums go from left to right, and nothing is fused: that is what Python's floats
do anyway.
"""

from __future__ import annotations

import dataclasses
import math
from typing import List, Optional, Sequence

from . import draws
from .errors import WeightsError

__all__ = ["METHODS", "Rule", "combine", "finite", "mean", "pcgrad", "sum_weights", "validate", "weighted"]

MAX_TASKS = 64
MIN_TOTAL = 1e-12  # at or below it weights cannot be normalised
EPSILON = 1e-12  # squared length at or below which nothing is projected against a gradient

#: The methods that a trainer can compute without the plane.
METHODS = ("sum", "mean", "weighted", "pcgrad")

_CAUCHY = 1 + 1e-6
_NORMAL = 2.0**-1022


@dataclasses.dataclass(frozen=True)
class Rule:
    """How the plane combines the gradients of a run."""

    aggregation: str
    pcgrad_mean: bool = False
    task_weights: Sequence[float] = ()  #: of the plan, for ``weighted``


def finite(losses: Sequence[float], gram: Sequence[float]) -> bool:
    """Whether a step's numbers may be combined at all."""
    return all(map(math.isfinite, losses)) and all(map(math.isfinite, gram))


def combine(rule: Rule, gram: Sequence[float], tasks: int, seed: int) -> List[float]:
    """The weights of a step, one per task. ``gram`` has tasks*tasks numbers, by rows.

    Raises WeightsError for a matrix that is none, and for a method that needs the plane.
    """
    validate(gram, tasks)
    if rule.aggregation == "sum":
        return sum_weights(tasks)
    if rule.aggregation == "mean":
        return mean(tasks)
    if rule.aggregation == "weighted":
        return weighted(rule.task_weights, tasks)
    if rule.aggregation == "pcgrad":
        return pcgrad(gram, tasks, draws.orders(tasks, seed), rule.pcgrad_mean)
    raise WeightsError("aggregation", f"is {rule.aggregation!r}; without the plane there are only {', '.join(METHODS)}")


def sum_weights(tasks: int) -> List[float]:
    """The update is the sum of the gradients."""
    return [1.0] * tasks


def mean(tasks: int) -> List[float]:
    """The update is the mean of the gradients."""
    return [1.0 / tasks] * tasks


def weighted(weights: Sequence[float], tasks: int) -> List[float]:
    """Declared weights, divided by their sum."""
    if len(weights) != tasks:
        raise WeightsError("task_weights", f"are {len(weights)} for {tasks} tasks")
    for i, w in enumerate(weights):
        if not math.isfinite(w):
            raise WeightsError(f"task_weights[{i}]", f"is {w}; want a finite number")
    total = 0.0
    for w in weights:
        total += w
    out = [w / total for w in weights] if math.isfinite(total) and total > MIN_TOTAL else [math.nan]
    if not all(map(math.isfinite, out)):
        raise WeightsError("task_weights", f"sum to {total}; want a finite number over {MIN_TOTAL}")
    return out


def pcgrad(gram: Sequence[float], tasks: int, orders: Sequence[Sequence[int]], divide: bool) -> List[float]:
    """Projected conflicting gradients (Yu et al. 2020), in coefficients.

    ``orders[i]`` is a permutation of the other tasks. ``divide``: by their number.
    """
    _check_orders(tasks, orders)
    rows = [list(gram[j * tasks : (j + 1) * tasks]) for j in range(tasks)]
    out = [0.0] * tasks
    for i, order in enumerate(orders):
        c = [0.0] * tasks
        c[i] = 1.0
        for j in order:
            row, d = rows[j], 0.0
            for a, b in zip(c, row):
                d += a * b
            if d < 0 and row[j] > EPSILON:
                c[j] -= d / row[j]
        for m, v in enumerate(c):
            out[m] += v
    return [v / tasks for v in out] if divide else out


def _check_orders(tasks: int, orders: Sequence[Sequence[int]]) -> None:
    if len(orders) != tasks:
        raise WeightsError("orders", f"are {len(orders)} for {tasks} tasks")
    for i, order in enumerate(orders):
        if sorted(order) != [j for j in range(tasks) if j != i]:
            raise WeightsError(f"orders[{i}]", f"is {list(order)}; want every other task once")


def validate(gram: Sequence[float], tasks: int) -> None:
    """Raise WeightsError unless the matrix can be one of inner products."""
    if not 1 <= tasks <= MAX_TASKS:
        raise WeightsError("tasks", f"are {tasks}; want 1 to {MAX_TASKS}")
    if len(gram) != tasks * tasks:
        raise WeightsError("gram", f"has {len(gram)} numbers; want {tasks * tasks}")
    for at, v in enumerate(gram):
        if not math.isfinite(v):
            raise _bad(at, tasks, f"is {v}; want a finite number")
    for i in range(tasks):
        if gram[i * tasks + i] < 0:
            raise _bad(i * tasks + i, tasks, f"is {gram[i * tasks + i]}; a square is not negative")
    roots = [math.sqrt(gram[i * tasks + i] + _NORMAL) for i in range(tasks)]
    for i in range(tasks):
        for j in range(i + 1, tasks):
            problem = _pair(gram[i * tasks + j], gram[j * tasks + i], roots[i], roots[j])
            if problem is not None:
                raise _bad(i * tasks + j, tasks, problem)


def _pair(v: float, mirror: float, ri: float, rj: float) -> Optional[str]:
    if v != mirror:
        return f"is {v}, its mirror image {mirror}"
    if abs(v) > _CAUCHY * ri * rj:
        return f"is {v}, longer than the two gradients allow"
    return None


def _bad(at: int, tasks: int, detail: str) -> WeightsError:
    return WeightsError(f"gram[{at // tasks}][{at % tasks}]", detail)
