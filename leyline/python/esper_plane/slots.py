"""How commands change a network: the seeds in its slots, as the plane sees them."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any, Dict, List, Mapping, Optional

from . import blend
from .envelope import Keys
from .errors import EnvelopeError, HostError
from .host import Host

__all__ = ["GRAFTED", "Slots"]

#: The stages of a seed that is part of the network and still the plane's matter.
GRAFTED = ("TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY", "FOSSILIZED")

MAX_KERNEL = 1 << 30  # bytes

_STAGE_AFTER = {
    "START_TRAINING": "TRAINING", "START_GRAFTING": "BLENDING", "STABILIZE": "SHADOWING", "EVALUATE": "PROBATIONARY",
    "FOSSILIZE": "FOSSILIZED", "FINE_TUNE": "TRAINING",
}


class Slots:
    """The seeds of a network and the stages that were carried out."""

    def __init__(self, host: Host, kernels: str) -> None:
        self.stages: Dict[str, str] = {}  #: of the seeds that the network holds, by slot
        self._host, self._kernels = host, kernels

    def obey(self, command: Mapping[str, Any], seeds: List[Dict[str, Any]]) -> None:
        """Change the network as a verified command says. Raises what the host raises."""
        if command["kind"] == "PAUSE":
            self.reconcile(seeds)
            return
        seed = command["seed"]
        slot, operation = seed["seed"], seed["operation"]
        if operation == "GERMINATE":
            return  # the kernel is not attached yet
        if operation in ("CULL", "CANCEL"):
            self._give(slot)
            return
        if operation not in _STAGE_AFTER:
            raise HostError(f"unsupported operation {operation!r}", slot)
        if operation == "START_TRAINING":
            self._host.graft(slot, dict(command), self._kernel(command))
        elif operation == "START_GRAFTING":
            self._host.set_blend(slot, plan(seed["blend"]))
        elif operation == "FINE_TUNE":
            self._host.set_alpha(slot, 0.0)
        self._enter(slot, _STAGE_AFTER[operation])

    def reconcile(self, seeds: List[Dict[str, Any]]) -> None:
        """Make the network agree with the seeds of an answer.

        One that is no longer part of the network goes; the others take their alpha, and
        take part unless they are paused. One that is managed no more stays.
        """
        there = set(self._host.slots())
        for v in seeds:
            slot = v["seed"]
            if slot not in there:
                continue
            if v["stage"] not in GRAFTED and v["stage"] != "TERMINATED":
                self._remove(slot)
                continue
            self._host.set_alpha(slot, v["alpha"])
            self._host.set_paused(slot, v["paused"])

    def adopt(self, seeds: List[Dict[str, Any]]) -> None:
        """Take the stages of an answer over: what the network holds is a snapshot now."""
        self.stages.clear()
        there = set(self._host.slots())
        for v in seeds:
            if v["seed"] in there and (v["stage"] in GRAFTED or v["stage"] == "TERMINATED"):
                self._enter(v["seed"], v["stage"])
                self._host.set_paused(v["seed"], v["paused"])

    def _enter(self, slot: str, stage: str) -> None:
        self._host.set_stage(slot, stage)
        self.stages[slot] = stage

    def _give(self, slot: str) -> None:
        """Remove a seed, or end the management of one that was kept."""
        if slot not in self._host.slots():
            return
        if self.stages.get(slot) == "FOSSILIZED":
            self._enter(slot, "TERMINATED")
            return
        self._remove(slot)

    def _remove(self, slot: str) -> None:
        self.stages.pop(slot, None)
        self._host.remove(slot)

    def _kernel(self, command: Mapping[str, Any]) -> bytes:
        """The bytes of a kernel, which are those that the plane has verified."""
        name = command["kernel"]
        parts = name.split("/")
        if not self._kernels or not name or name.startswith("/") or any(p in ("", ".", "..") for p in parts):
            raise HostError(f"kernel_missing: {name!r} is no file of a kernel store ({self._kernels or 'there is none'})")
        kernel = _read(os.path.join(self._kernels, *parts))
        digest = hashlib.sha256(kernel).hexdigest()
        if digest != command["kernel_digest"]:
            raise HostError(
                f"kernel_digest_mismatch: {name} hashes to {digest[:12]}, the plane verified {command['kernel_digest'][:12]}"
            )
        return kernel


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise HostError(f"kernel_missing: {e}") from e
    with open(fd, "rb") as f:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_KERNEL:
            raise HostError(f"kernel_missing: {path} is no regular file of at most {MAX_KERNEL} bytes")
        return f.read()


def plan(doc: Optional[Mapping[str, Any]]) -> blend.Plan:
    """The blend plan of a command. Raises BlendError for one that is none."""
    if not doc:
        raise HostError("the command has no blend plan")
    mode = blend.Mode[doc["mode"]] if doc["mode"] in blend.Mode.__members__ else blend.Mode.UNSPECIFIED
    confident = mode == blend.Mode.CONFIDENCE
    out = blend.Plan(
        mode=mode, total_steps=doc["total_steps"], temperature=doc["temperature"], channels=tuple(doc["channels"]),
        channel_count=doc["channel_count"], gate=blend.Gate(**doc["gate"]) if confident and doc["gate"] else None,
        source=blend.Source[doc["source"]] if doc["source"] in blend.Source.__members__ else blend.Source.UNSPECIFIED,
        logits=tuple(doc["logits"]),
    )
    out.validate()
    return out


def verified(command: Dict[str, Any], keys: Keys, origin: str, run: str) -> Dict[str, Any]:
    """The command with what its signature covers in place of what the plane says.

    Raises EnvelopeError when nobody has signed it, or not this.
    """
    if command["envelope"] is None:
        raise EnvelopeError("missing_signature", "the plane hands over a command without its envelope")
    signed = keys.command(command["envelope"], origin, run)
    if (signed.id, signed.kind) != (command["id"], command["kind"]):
        raise EnvelopeError("mismatch", f"what is signed is {signed.kind} {signed.id!r}, not {command['kind']} {command['id']!r}")
    told = command["seed"] or {}
    for member in ("operation", "seed"):
        if signed.kind == "SEED" and signed.seed[member] != told.get(member, ""):
            raise EnvelopeError("mismatch", f"seed.{member} is signed as {signed.seed[member]!r}, told as {told.get(member)!r}")
    return {**command, "seed": signed.seed or None, "pause": signed.pause or None}


