"""Data-parallel training: one process speaks with the plane, all do what it says.

Each task's gradient is the mean over the samples of all ranks before its Gram matrix is
taken, so k ranks are one rank with the whole batch. Rank 0 has the session. What the
session asks of its host is sent to the other ranks as a message, done by all, and
counts as done only when all have done it. Messages are JSON and tensors; nothing is
pickled.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch

from . import tensors
from .errors import BridgeError

BUCKET = 4 << 20  # elements that are reduced at a time


class Alone:
    """A single process."""

    rank, size, barrier_ns = 0, 1, 0

    def samples(self, own: int) -> int:
        """The samples of all ranks."""
        return own


class Ranks:
    """The ranks of a process group; None: the default one."""

    def __init__(self, device: torch.device, group: Any = None) -> None:
        import torch.distributed as dist

        if not dist.is_initialized():
            raise BridgeError("missing_field", "ranks", "there is no process group", "call torch.distributed.init_process_group first")
        self._dist, self._group, self.device = dist, group, device
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self._first = dist.get_global_rank(group, 0) if group is not None else 0
        self.barrier_ns = 0  # what this rank waited for the others in the latest step

    def samples(self, own: int) -> int:
        """The samples of all ranks. It is the first thing that a step asks of the
        others, so the time it takes is the time that this rank waits for them."""
        began = time.monotonic_ns()
        total = torch.tensor([own], dtype=torch.int64, device=self.device)
        self._dist.all_reduce(total, group=self._group)
        out = int(total.item())
        self.barrier_ns = time.monotonic_ns() - began
        return out

    def sum_(self, ts: Sequence[torch.Tensor]) -> None:
        """Add up tensors in place."""
        for t in ts:
            self._dist.all_reduce(t, group=self._group)

    def worst(self, codes: Sequence[int]) -> List[int]:
        """The largest of each over all ranks."""
        if not codes:
            return []
        t = torch.tensor(codes, dtype=torch.int64, device=self.device)
        self._dist.all_reduce(t, op=self._dist.ReduceOp.MAX, group=self._group)
        return [int(c) for c in t.tolist()]

    def mean(self, gradient: Sequence[Optional[torch.Tensor]], parameters: Sequence[torch.Tensor], part: float) -> List[Optional[torch.Tensor]]:
        """The gradient of all ranks, of which this one has ``part`` of the samples. A
        parameter has one where any rank has one."""
        if not parameters:
            return []
        there = torch.tensor([g is not None for g in gradient], dtype=torch.int32, device=self.device)
        self._dist.all_reduce(there, op=self._dist.ReduceOp.MAX, group=self._group)
        wanted = [i for i, t in enumerate(there.tolist()) if t]
        out: List[Optional[torch.Tensor]] = [None] * len(parameters)
        bucket: List[int] = []
        for i in wanted:
            if bucket and sum(parameters[j].numel() for j in bucket) + parameters[i].numel() > BUCKET:
                self._reduce(bucket, gradient, parameters, part, out)
                bucket = []
            bucket.append(i)
        if bucket:
            self._reduce(bucket, gradient, parameters, part, out)
        return out

    def _reduce(self, which: List[int], gradient: Any, parameters: Any, part: float, out: List[Optional[torch.Tensor]]) -> None:
        flat = torch.cat([(torch.zeros_like(parameters[i]) if gradient[i] is None else gradient[i]).reshape(-1) for i in which])
        flat.mul_(part)
        self._dist.all_reduce(flat, group=self._group)
        for i, x in zip(which, flat.split([parameters[i].numel() for i in which])):
            out[i] = x.reshape(parameters[i].shape)

    # Messages from rank 0.

    def send(self, message: Dict[str, Any], data: bytes = b"") -> None:
        """Rank 0 sends a message, and bytes with it."""
        text = json.dumps(message).encode()
        head = torch.tensor([len(text), len(data)], dtype=torch.int64, device=self.device)
        self._dist.broadcast(head, self._first, group=self._group)
        for part in (text, bytes(data)):
            if part:
                self._dist.broadcast(torch.frombuffer(bytearray(part), dtype=torch.uint8).to(self.device), self._first, group=self._group)

    def receive(self) -> Tuple[Dict[str, Any], bytes]:
        """The other ranks hear it."""
        head = torch.zeros(2, dtype=torch.int64, device=self.device)
        self._dist.broadcast(head, self._first, group=self._group)
        parts = []
        for size in head.tolist():
            t = torch.empty(size, dtype=torch.uint8, device=self.device)
            if size:
                self._dist.broadcast(t, self._first, group=self._group)
            parts.append(tensors.content(t))
        return json.loads(parts[0]), parts[1]

    def agree(self, problem: str) -> str:
        """What went wrong with any rank; empty when all are well."""
        worst = self.worst([self.rank + 1 if problem else 0])[0]
        return "" if worst == 0 else problem or f"rank {worst - 1} has failed; see its output"

    def gather(self, own: bytes) -> List[bytes]:
        """What every rank has, on every rank, in their order."""
        sizes = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        self._dist.all_gather(sizes, torch.tensor([len(own)], dtype=torch.int64, device=self.device), group=self._group)
        most = max(int(s.item()) for s in sizes)
        mine = torch.zeros(most, dtype=torch.uint8, device=self.device)
        mine[:len(own)] = torch.frombuffer(bytearray(own), dtype=torch.uint8).to(self.device)
        all_ = [torch.zeros_like(mine) for _ in range(self.size)]
        self._dist.all_gather(all_, mine, group=self._group)
        return [tensors.content(t[:int(s.item())]) for t, s in zip(all_, sizes)]
