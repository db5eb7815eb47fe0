"""Opening a run of a PyTorch network."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import torch
from torch import nn

from ..client import Client
from . import optim, posture
from .errors import BridgeError
from .host import TorchHost
from .ranks import Alone, Ranks
from .run import Run

TASK = "loss"  # the name of the one task of a run with one loss
MAX_DECLARED = 4096  # tensors that a run declares; one with more declares none
OPEN_ENDED = 1 << 53  # the planned length of a run that was told none


def attach(
    client: Client, *, name: str, host: nn.Module, optimizer: torch.optim.Optimizer, tasks: Optional[Sequence[str]] = None,
    plan: Optional[Mapping[str, Any]] = None, resume: Optional[bool] = None, verify: bool = True,
    warn: Callable[[str], None] = lambda _: None, steps: int = OPEN_ENDED, seed: Optional[int] = None,
    seeds: Sequence[str] = (), layers: Sequence[str] = (), blueprints: Sequence[str] = (),
    chance: Sequence[float] = (), drills: Sequence[Mapping[str, Any]] = (), task_weights: Sequence[float] = (),
    workload: str = "", compile: Optional[str] = None, loader: Any = None, amp: Optional[bool] = None,  # noqa: A002
    group: Any = None, **of_host: Any,
) -> Run:
    """Open a run, or resume it, and bring the network to where it starts.

    ``tasks``: one name for each loss; None: one loss. ``seeds`` are the slots in which
    seeds may grow behind ``layers``, of the kinds in ``blueprints``. ``steps``: the
    planned length; not told: open-ended. ``seed``: of the plane's random choices; not
    told: a function of the name. ``compile``: a mode of torch.compile, with which
    ``Run.model`` is compiled. Where torch.distributed is initialised all ranks of
    ``group`` have to call this; rank 0 speaks with the plane. Further options are those
    of TorchHost (evaluate, scheduler, scaler, state, shared, generators, host_branch).

    Raises BridgeError for what cannot be trained so, Refused for what the plane does
    not take.
    """
    if optimizer is None:
        raise BridgeError("missing_field", "optimizer", "is missing")
    names = [TASK] if tasks is None else list(tasks)
    bridge = TorchHost(host, optimizer, tasks=names, **of_host)
    try:
        ranks = _ranks(bridge.device, group)
        if bridge.scheduler is None and getattr(optimizer.step, "_wrapped_by_lr_sched", False):
            warn("a scheduler changes the rates of this optimizer, and no snapshot holds it: give open(..., scheduler=scheduler)")
        whole: Dict[str, Any] = {
            "run": name, "workload": workload or name, "framework": "torch", "tasks": names, "steps": int(steps),
            "seed": _seed(name) if seed is None else int(seed), "seeds": list(seeds), "layers": list(layers),
            "blueprints": list(blueprints), "chance": [float(c) for c in chance], "drills": [dict(d) for d in drills],
            "task_weights": [float(w) for w in task_weights], **_facts(bridge, ranks),
            "posture": posture.collect(str(bridge.device), _mode(host, compile), optimizer, loader, amp if bridge.scaler is None else True),
            **(plan or {}),
        }
        for layer in layers:
            bridge.grafts.layer(layer)
        run = Run(client, bridge, whole, ranks, verify=verify, warn=warn, compile_mode=compile)
        run.open(resume)
        return run
    except BaseException:
        bridge.close()
        raise


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def _mode(host: nn.Module, mode: Optional[str]) -> Optional[str]:
    """The mode of torch.compile: the given one, or that the host says of itself."""
    if mode is None and hasattr(host, "_orig_mod"):
        raise BridgeError("invalid_field", "host", "is compiled already, and its mode cannot be read", 'give the plain module and compile="default"')
    return mode


def _ranks(device: torch.device, group: Any) -> Any:
    dist = getattr(torch, "distributed", None)
    if dist is None or not dist.is_available() or not dist.is_initialized() or dist.get_world_size(group) == 1:
        return Alone()
    return Ranks(device, group)


def _facts(host: TorchHost, ranks: Any) -> Dict[str, Any]:
    declared = host.host_parameters()
    out = {
        "optimizer": optim.family(host.optimizer), "groups": optim.groups(host.optimizer),
        "parameters": sum(d["size"] for d in declared), "host_parameters": declared if len(declared) <= MAX_DECLARED else [],
    }
    if ranks.size > 1:
        out["ranks"] = ranks.size
    return out
