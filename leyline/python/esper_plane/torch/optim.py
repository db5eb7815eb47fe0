"""What an optimizer holds, by the names of its parameters.

Nothing here uses ``load_state_dict``: it converts buffers to the type of their
parameter and counts parameters by position, which is neither exact nor stable while
seeds come and go.
"""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import torch

from . import pack, tensors
from .errors import BridgeError

Names = Mapping[int, str]  # of parameters, by id()


def family(optimizer: Any) -> str:
    """The family as the plane names it: the class, in small letters."""
    return type(optimizer).__name__.lower()


def group_name(group: Mapping[str, Any], i: int) -> str:
    """The name under which a group is declared to the plane."""
    name = group.get("name")
    return name if isinstance(name, str) and name else f"group-{i}"


def groups(optimizer: Any) -> List[Dict[str, Any]]:
    """The parameter groups in the form of RunOpened.Groups."""
    return [
        {"name": group_name(g, i), "rate": float(g["lr"]), "parameters": sum(p.numel() for p in g["params"])}
        for i, g in enumerate(optimizer.param_groups)
    ]


def set_rates(optimizer: Any, rates: Mapping[str, float]) -> None:
    """Set the learning rate of every group. All are checked before one is set."""
    names = [group_name(g, i) for i, g in enumerate(optimizer.param_groups)]
    if sorted(names) != sorted(rates):
        raise BridgeError("invalid_field", "rates", f"are for {sorted(rates)}, the groups are {sorted(names)}")
    for name, group in zip(names, optimizer.param_groups):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rates[name])
        else:
            group["lr"] = rates[name]


def learn_rate(optimizer: Any) -> float:
    """The mean over the groups."""
    rates = [float(g["lr"]) for g in optimizer.param_groups]
    return sum(rates) / len(rates)


def momentum(optimizer: Any) -> List[float]:
    """The momentum of each group that has one."""
    out = []
    for g in optimizer.param_groups:
        m = g["momentum"] if "momentum" in g else g["betas"][0] if "betas" in g else None
        if m is not None:
            out.append(float(m))
    return out


def add(optimizer: Any, parameters: Sequence[torch.nn.Parameter], beside: Sequence[torch.nn.Parameter]) -> None:
    """Let the optimizer update more parameters, in the group of those beside them, or
    in the first. No group is added, so schedules keep their number of rates."""
    near = {id(p) for p in beside}
    group = next((g for g in optimizer.param_groups if any(id(p) in near for p in g["params"])), optimizer.param_groups[0])
    there = {id(p) for g in optimizer.param_groups for p in g["params"]}
    group["params"].extend(p for p in parameters if id(p) not in there)


def drop(optimizer: Any, parameters: Sequence[torch.nn.Parameter]) -> None:
    """Let it forget parameters: out of their groups, and their buffers too."""
    gone = {id(p) for p in parameters}
    for group in optimizer.param_groups:
        group["params"][:] = [p for p in group["params"] if id(p) not in gone]
    for p in parameters:
        optimizer.state.pop(p, None)


def save(optimizer: Any, names: Names, into: Dict[str, torch.Tensor]) -> str:
    """The state as a document of package pack: settings and members of every group,
    buffers by the names of their parameters. BridgeError for a parameter without a
    name: it belongs to no part of the network that is saved."""
    doc: Dict[str, Any] = {"groups": [], "state": {}}
    for group in optimizer.param_groups:
        entry = {k: v for k, v in group.items() if k != "params"}
        entry["params"] = [_name(names, p) for p in group["params"]]
        doc["groups"].append(entry)
        for p in group["params"]:
            if p in optimizer.state:
                doc["state"][_name(names, p)] = dict(optimizer.state[p])
    return pack.pack(doc, "optimizer", into)


def _name(names: Names, p: torch.Tensor) -> str:
    if id(p) not in names:
        raise BridgeError("unsupported_state", "optimizer", f"updates a parameter of shape {list(p.shape)} that is no part of the host", "give the whole network as the host")
    return names[id(p)]


def check(optimizer: Any, doc: Any, parameters: Mapping[str, torch.nn.Parameter]) -> None:
    """Refuse a document that ``load`` could not take over with these parameters."""
    try:
        found = [list(g["params"]) for g in doc["groups"]]
        states = doc["state"]
        fits = len(found) == len(optimizer.param_groups) and all(n in parameters for g in found for n in g)
        fits = fits and all(n in parameters and isinstance(s, dict) for n, s in states.items())
    except (TypeError, KeyError) as e:
        raise BridgeError("malformed_state", "optimizer", f"cannot be read: {type(e).__name__}: {e}") from e
    if not fits:
        raise BridgeError("malformed_state", "optimizer", "has other groups or parameters than this run's")
    for name, state in states.items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.dim() and value.shape != parameters[name].shape and "factor" not in key and key not in ("row_var", "col_var"):
                raise BridgeError("malformed_state", f"optimizer.{name}.{key}", f"is {list(value.shape)}, the parameter {list(parameters[name].shape)}")


def load(optimizer: Any, doc: Mapping[str, Any], parameters: Mapping[str, torch.nn.Parameter]) -> None:
    """Take over what ``check`` has passed. Buffers of the parameter's size go where it
    is; a count of steps stays in the memory of the host unless the group is capturable
    or fused, as the optimizers of torch want it."""
    optimizer.state.clear()
    for group, entry in zip(optimizer.param_groups, doc["groups"]):
        beside = bool(entry.get("capturable") or entry.get("fused"))
        for key, value in entry.items():
            if key != "params":
                group[key] = _like(group.get(key), value)
        group["params"][:] = [parameters[n] for n in entry["params"]]
        for name in entry["params"]:
            if name in doc["state"]:
                p = parameters[name]
                optimizer.state[p] = {k: _place(v, p, k != "step" or beside) for k, v in doc["state"][name].items()}


def _like(now: Any, value: Any) -> Any:
    if isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor):
        return now.copy_(value)
    return value.clone() if isinstance(value, torch.Tensor) else value


def _place(value: Any, p: torch.Tensor, with_parameter: bool) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    out = value.clone()
    if out.shape == p.shape:
        out = out.contiguous(memory_format=torch.preserve_format)
    return out.to(p.device) if with_parameter else out


def state(optimizer: Any, names: Names) -> Dict[str, Any]:
    """What it holds, for the plane: groups, parameters, digest."""
    into: Dict[str, torch.Tensor] = {}
    doc = save(optimizer, names, into)
    digest = hashlib.sha256(tensors.encode(into, {"optimizer": doc})).hexdigest()
    count = sum(p.numel() for g in optimizer.param_groups for p in g["params"])
    return {"groups": len(optimizer.param_groups), "parameters": count, "digest": digest}


def rebuild(optimizer: Any, names: Names, parameters: Mapping[str, torch.nn.Parameter]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Make every buffer anew from what is written out. Returns the state before and
    after. What cannot be written out or read back leaves it as it was."""
    before = state(optimizer, names)
    into: Dict[str, torch.Tensor] = {}
    text = save(optimizer, names, into)
    _, content = tensors.decode(tensors.encode(into, {}))
    doc = pack.unpack(text, content)
    check(optimizer, doc, parameters)
    load(optimizer, doc, parameters)
    return before, state(optimizer, names)
