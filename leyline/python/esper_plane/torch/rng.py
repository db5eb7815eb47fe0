"""The random states of a trainer: torch's, Python's, NumPy's where it is in use."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any, Dict, Iterator, Mapping, Optional

import torch

from .errors import BridgeError


def save(device: torch.device, generators: Optional[Mapping[str, torch.Generator]] = None) -> Dict[str, Any]:
    """All of them, for package pack."""
    out: Dict[str, Any] = {"cpu": torch.get_rng_state(), "python": random.getstate()}
    if device.type == "cuda":
        out["cuda"] = torch.cuda.get_rng_state(device)
    if "numpy" in sys.modules:
        kind, keys, at, has, cached = sys.modules["numpy"].random.get_state()
        out["numpy"] = (str(kind), torch.tensor(keys.tolist(), dtype=torch.int64), int(at), int(has), float(cached))
    out["generators"] = {name: g.get_state() for name, g in (generators or {}).items()}
    return out


def load(state: Mapping[str, Any], device: torch.device, generators: Optional[Mapping[str, torch.Generator]] = None) -> None:
    """Take them over. Call ``check`` first."""
    torch.set_rng_state(state["cpu"])
    random.setstate(state["python"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    if "numpy" in state and "numpy" in sys.modules:
        kind, keys, at, has, cached = state["numpy"]
        sys.modules["numpy"].random.set_state((kind, keys.tolist(), at, has, cached))
    for name, g in (generators or {}).items():
        g.set_state(state["generators"][name])


def check(state: Any, device: torch.device, generators: Optional[Mapping[str, torch.Generator]] = None) -> None:
    """Refuse what ``load`` could not take over on this device."""
    try:
        torch.Generator().set_state(state["cpu"])
        random.Random().setstate(state["python"])
        lacking = set(generators or {}) ^ set(state["generators"])
        if device.type == "cuda":
            torch.Generator(device).set_state(state["cuda"])
        if "numpy" in state:
            torch.as_tensor(state["numpy"][1])[623]
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as e:
        raise BridgeError("malformed_state", "rng", f"cannot be read: {type(e).__name__}: {e}") from e
    if lacking:
        raise BridgeError("malformed_state", "rng.generators", f"differ in {sorted(lacking)}", "register the same generators as when it was written")


@contextlib.contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """What is drawn inside changes nothing outside."""
    state = save(device)
    try:
        yield
    finally:
        load(state, device)
