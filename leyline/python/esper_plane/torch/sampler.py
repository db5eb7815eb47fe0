"""Batches whose order is part of a snapshot."""

from __future__ import annotations

import time
from typing import Any, Dict, Iterator, List, Optional

import torch

from . import rng
from .errors import BridgeError


class Batches:
    """The batches of a DataLoader, epoch after epoch, with a place that can be saved.

    At the beginning of every epoch the random states that the loader draws its order
    from are noted. Another place is found again by setting them and taking batches
    from the loader until it is reached, so the loader's data have to be a function of
    them (its own ``generator``, or the default ones); those batches are
    fetched once more. What was drawn in between is put back.

    ``accumulate`` batches at a time come as a list when it is above 1; the last list
    of an epoch may be shorter, and is a step like any other.
    """

    def __init__(self, loader: Any, accumulate: int = 1) -> None:
        if accumulate < 1:
            raise BridgeError("invalid_field", "accumulate", f"is {accumulate}; want 1 or more")
        self.loader, self.accumulate = loader, accumulate
        self.epoch = 0  # epochs that are over
        self.taken = 0  # batches of the loader taken in this epoch
        self.waited_ns = 0  # for the loader, in all; no part of the place
        self._start: Optional[Dict[str, Any]] = None
        self._iterator: Optional[Iterator[Any]] = None

    def __iter__(self) -> Iterator[Any]:
        """The rest of this epoch. After a restore it goes on from the place that was
        restored, also in the midst of a loop."""
        epoch = self.epoch
        while self.epoch <= epoch:
            group = self._take()
            if group is not None:
                yield group[0] if self.accumulate == 1 else group

    def _take(self) -> Optional[List[Any]]:
        began = time.monotonic_ns()
        try:
            return self._next()
        finally:
            self.waited_ns += time.monotonic_ns() - began

    def _next(self) -> Optional[List[Any]]:
        if self._iterator is None:
            self._begin()
        assert self._iterator is not None
        group: List[Any] = []
        for _ in range(self.accumulate):
            try:
                group.append(next(self._iterator))
            except StopIteration:
                break
            self.taken += 1
        if group:
            return group
        self.epoch, self.taken, self._iterator, self._start = self.epoch + 1, 0, None, None
        return None

    def _generator(self) -> Optional[torch.Generator]:
        return getattr(self.loader, "generator", None)

    def _begin(self) -> None:
        """Begin an epoch, or find the place in it that was restored."""
        if self._start is None:
            self._start = self._states()
            self._iterator = iter(self.loader)
            return
        now = self._states()
        self._set(self._start)
        self._iterator = iter(self.loader)
        for i in range(self.taken):
            if next(self._iterator, None) is None:
                raise BridgeError("malformed_state", "sampler", f"is at batch {self.taken}, the loader has {i}")
        self._set(now)

    def _states(self) -> Dict[str, Any]:
        own = self._generator()
        return {"default": rng.save(torch.device("cpu")), "own": None if own is None else own.get_state()}

    def _set(self, states: Dict[str, Any]) -> None:
        own = self._generator()
        rng.load(states["default"], torch.device("cpu"))
        if own is not None:
            own.set_state(states["own"])

    def state_dict(self) -> Dict[str, Any]:
        """The place, for a snapshot."""
        own = self._generator()
        return {
            "epoch": self.epoch, "taken": self.taken, "accumulate": self.accumulate, "start": self._start,
            "own": None if own is None else own.get_state(),
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Go to a place."""
        own = self._generator()
        if state["accumulate"] != self.accumulate or (own is None) != (state["own"] is None):
            raise BridgeError("malformed_state", "sampler", "was saved with another accumulation or another kind of generator")
        self.epoch, self.taken, self._start, self._iterator = state["epoch"], state["taken"], state["start"], None
        if own is not None:
            own.set_state(state["own"])
