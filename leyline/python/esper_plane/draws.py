"""The random draws that plane and trainer must agree on to the bit.

``mix`` and ``PCG`` are those of the Go package detmath; their formulas are in its
comments. They spread seeds and are useless for secrets.
"""

from __future__ import annotations

from typing import List, Tuple

__all__ = ["PCG", "mix", "orders", "step_seed"]

_64 = (1 << 64) - 1
_128 = (1 << 128) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
_INCREMENT = 0x5851F42D4C957F2D14057B7EF767814F


def _finish(z: int) -> int:
    """The output function of SplitMix64."""
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _64
    return z ^ z >> 31


def mix(seed: int, *parts: int) -> Tuple[int, int]:
    """The 128-bit seed of a stream, from a run's seed and what names the stream."""
    hi, lo = _GAMMA, 2 * _GAMMA & _64
    for p in (seed, *parts, len(parts)):
        hi = _finish(hi + _finish(p + _GAMMA & _64) & _64)
        lo = _finish(lo ^ _finish(p + 2 * _GAMMA & _64))
    return hi, lo


def step_seed(seed: int, lineage: int, step: int) -> int:
    """The seed of a step's random choices: the lower half of the stream of that step."""
    return mix(seed, lineage, step)[1]


class PCG:
    """The generator PCG-XSL-RR 128/64."""

    def __init__(self, hi: int, lo: int) -> None:
        self._state = _INCREMENT
        self._state = self._state + (hi << 64 | lo) & _128
        self._step()

    def _step(self) -> None:
        self._state = self._state * _MULTIPLIER + _INCREMENT & _128

    def uint64(self) -> int:
        """The next 64 bits."""
        self._step()
        value, turn = self._state >> 64 ^ self._state & _64, self._state >> 122
        return (value >> turn | value << 64 - turn) & _64

    def below(self, n: int) -> int:
        """A number from 0 to n-1, without bias, by rejection; n is 1 or more."""
        if n < 1:
            raise ValueError(f"below({n}): want 1 or more")
        least = (1 << 64) % n
        while True:
            product = self.uint64() * n
            if product & _64 >= least:
                return product >> 64

    def shuffle(self, items: List[int]) -> None:
        """Fisher and Yates, from the end, in place."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def orders(tasks: int, seed: int) -> List[List[int]]:
    """The orders in which the gradients of a step with this seed visit each other."""
    rng, out = PCG(*mix(seed)), []
    for i in range(tasks):
        others = [j for j in range(tasks) if j != i]
        rng.shuffle(others)
        out.append(others)
    return out
