"""The four blend modes on tensors.

The shares are computed by ``esper_plane.blend``, which the shared vectors hold to the
plane's numbers; here they meet the tensors. Shares are constants for the gradient.

A seed either *adds* to what it reads, or *replaces* it. For one that adds, ``seed`` is
what it adds: its own output is host + seed, which contains the host, so the host
keeps its whole gradient. For one that replaces, ``seed`` is its output.
"""

from __future__ import annotations

from typing import List, Optional, Sequence

import torch

from .. import blend


def channel_dim(tensor: torch.Tensor) -> int:
    """Where the channels of a batch lie: behind the batch, but last where there is a
    sequence between them (rows x positions x features)."""
    return -1 if tensor.dim() == 3 else min(1, tensor.dim() - 1)


def open_mix(
    plan: blend.Plan, alpha: float, host: torch.Tensor, logits: Sequence[torch.Tensor] = (), channels_at: Optional[int] = None
) -> blend.Mix:
    """The mix of one batch. Raises blend.BlendError as ``blend.Mix`` does."""
    where = channel_dim(host) if channels_at is None else channels_at
    heard = [blend.Logits(x.shape[-1], x.detach().double().flatten().tolist()) for x in logits]
    return blend.Mix(plan, alpha, host.shape[0], host.shape[where], heard)


def mix(
    opened: blend.Mix, plan: blend.Plan, host: torch.Tensor, seed: torch.Tensor, adds: bool, channels_at: Optional[int] = None
) -> torch.Tensor:
    """Host and seed, mixed. A share of 0 is the host and, but for RESIDUAL, one of 1
    the output of the seed, whatever the other holds."""
    if plan.mode != blend.Mode.RESIDUAL and adds:
        seed = host + seed
    shares: List[float] = list(opened.shares())
    if plan.mode in (blend.Mode.CONVEX, blend.Mode.RESIDUAL):
        return _whole(plan, shares[0], host, seed)
    where = channel_dim(host) if channels_at is None else channels_at
    shape = [1] * host.dim()
    shape[where if plan.mode == blend.Mode.CHANNEL else 0] = len(shares)
    e = torch.tensor(shares, dtype=torch.float64).to(device=host.device, dtype=host.dtype).reshape(shape)
    mixed = e * seed + (1 - e) * host
    return torch.where(e == 0, host, torch.where(e == 1, seed, mixed))


def _whole(plan: blend.Plan, e: float, host: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
    if e == 0:
        return host
    if plan.mode == blend.Mode.RESIDUAL:
        return host + e * seed
    return seed if e == 1 else e * seed + (1 - e) * host
