"""TorchHost: what a session asks of a network, done with PyTorch."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import nn

from .. import blend
from . import blueprints, gradients, optim, rng, state, tensors
from .errors import BridgeError
from .gradients import Part
from .seeds import Grafts, Seed, TERMINATED, TRAINING

# Judges a network: {"losses": [...], "accuracies": [...], "samples": n}, per task in
# the order of the tasks, or by their names.
Evaluate = Callable[[nn.Module], Mapping[str, Any]]


def unwrap(model: nn.Module) -> nn.Module:
    """The network itself, without DistributedDataParallel and torch.compile."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, nn.parallel.DistributedDataParallel):
            inner = model.module
        if inner is None:
            return model
        model = inner


class TorchHost:
    """A module, its optimizer, and what else its training goes on from.

    ``shared`` names the parameters (or, by their prefix, the modules) whose task
    gradients are combined by the plane's weights; all others follow the plain sum of
    the losses. None: all are shared. ``state`` holds further objects with
    ``state_dict`` and ``load_state_dict`` (a sampler, an average of weights), by name.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        tasks: Sequence[str] = (),
        scheduler: Any = None,
        scaler: Any = None,
        evaluate: Optional[Evaluate] = None,
        shared: Optional[Sequence[str]] = None,
        generators: Optional[Mapping[str, torch.Generator]] = None,
        state: Optional[Mapping[str, Any]] = None,
        host_branch: str = "learns",
    ) -> None:
        self.model, self.module = model, unwrap(model)
        self.optimizer, self.scheduler, self.scaler = optimizer, scheduler, scaler
        self.tasks, self._evaluate, self._shared = tuple(tasks), evaluate, shared
        self.generators, self._state = dict(generators or {}), dict(state or {})
        _check_extra_state(self.module)
        self._all = list(self.module.named_parameters())
        self._learns: List[bool] = []
        self.look()
        self.device = self._own[0][1].device
        self.grafts = Grafts(self.module, host_branch)
        self.kernels: Dict[str, blueprints.Kernel] = {}
        self.staged: Optional[state.Staged] = None  # by a message of rank 0
        self.changed: Callable[[], None] = lambda: None  # called when the graph of the network has changed

    def look(self) -> None:
        """Find out which parameters learn: those that are frozen or thawed between two
        steps leave or join the gradients."""
        now = [p.requires_grad for _, p in self._all]
        if now == self._learns:
            return
        learning = [x for x, learns in zip(self._all, now) if learns]
        gradients.manifest(learning)
        own = [(n, p) for n, p in learning if self._is_shared(n)]
        if not own:
            raise BridgeError("invalid_field", "shared", "names no parameter that learns")
        self._own, self._apart = own, [(n, p) for n, p in learning if not self._is_shared(n)]
        self._learns = now

    def _is_shared(self, name: str) -> bool:
        return self._shared is None or any(name == s or name.startswith(s + ".") for s in self._shared)

    # What the gradients are taken over.

    def parts(self) -> List[Part]:
        """The parameters whose task gradients are combined: the host's, then those of
        every seed that has a part in the output, in the order of grafting."""
        out = [_part("", self._own)]
        for slot, seed in self.grafts.seeds.items():
            if seed.blends and seed.learning():
                out.append(_part(slot, [(n, p) for n, p in seed.module.named_parameters() if p.requires_grad]))
        return out

    def apart(self) -> Part:
        """The parameters of the host that follow the plain sum."""
        return _part("", self._apart)

    def clear_gradients(self) -> None:
        """Leave the optimizer nothing to do."""
        for group in self.optimizer.param_groups:
            gradients.clear(group["params"])

    # Names of everything that is saved.

    def own_tensors(self) -> Iterable[Tuple[str, torch.Tensor]]:
        """Parameters and buffers of the host, buffers that are not persistent too."""
        yield from self.module.named_parameters()
        yield from self.module.named_buffers()

    def named(self, seeds: Optional[Sequence[Seed]] = None) -> Dict[str, nn.Parameter]:
        """All parameters by name, with these seeds or those that are grafted."""
        out = state.parameters_of(self.module, "model.")
        for seed in self.grafts.seeds.values() if seeds is None else seeds:
            out.update(state.parameters_of(seed.module, f"seed.{seed.slot}."))
        return out

    def names(self) -> Dict[int, str]:
        """The names of all parameters, by id()."""
        return {id(p): n for n, p in self.named().items()}

    def extras(self) -> Dict[str, Any]:
        """What is saved through its own state_dict, by the name of its document."""
        out = {"scheduler": self.scheduler, "scaler": self.scaler}
        out.update({f"extra.{k}": v for k, v in self._state.items()})
        return {k: v for k, v in out.items() if v is not None}

    def waited_ns(self) -> int:
        """What the trainer has waited for batches so far, where it takes them from ``Batches``."""
        return sum(int(getattr(x, "waited_ns", 0)) for x in self._state.values())

    def host_parameters(self) -> List[Dict[str, Any]]:
        """The tensors of the host as the plane wants them declared."""
        return sorted(({"name": n, "size": p.numel()} for n, p in self.module.named_parameters()), key=lambda d: d["name"])

    # Host, as package session knows it.

    def slots(self) -> List[str]:
        """The slots of the seeds that are part of the network."""
        return list(self.grafts.seeds)

    def graft(self, slot: str, command: Mapping[str, Any], kernel: bytes) -> None:
        """Build a seed from a kernel and put it behind its layer. A refused kernel
        changes nothing."""
        read = blueprints.read(kernel)
        if read.blueprint != command["blueprint"]:
            raise BridgeError("bad_kernel", "blueprint", f"is {read.blueprint!r}, the command says {command['blueprint']!r}")
        layer = _layer(read, (command.get("seed") or {}).get("mesh") or [])
        module = blueprints.build(read, self.grafts.layer(layer)).to(self.device)
        seed = Seed(slot, read.blueprint, layer, module)
        gradients.manifest([*self._own[:1], *[(n, p) for n, p in module.named_parameters()]])
        self.grafts.add(seed)
        self.kernels[slot] = read
        optim.add(self.optimizer, seed.learning(), list(self.grafts.layer(layer).parameters()))
        self.changed()

    def set_stage(self, slot: str, stage: str) -> None:
        """What the seed does from now on."""
        seed = self.grafts.get(slot)
        if (seed.stage == TRAINING) != (stage == TRAINING):
            self.changed()
        seed.stage = stage

    def set_blend(self, slot: str, plan: blend.Plan) -> None:
        """How its output is mixed."""
        plan.validate()
        self.grafts.get(slot).plan = plan

    def set_alpha(self, slot: str, alpha: float) -> None:
        """With which share; within [0,1]."""
        if not 0 <= alpha <= 1:
            raise BridgeError("invalid_field", "alpha", f"of {slot} is {alpha}; want a number from 0 to 1")
        self.grafts.get(slot).alpha = float(alpha)

    def set_paused(self, slot: str, paused: bool) -> None:
        """Out of the network for the time being, or back in."""
        self.grafts.get(slot).paused = bool(paused)

    def remove(self, slot: str) -> None:
        """Take a seed out; its parameters leave the optimizer."""
        seed = self.grafts.remove(slot)
        del self.kernels[slot]
        optim.drop(self.optimizer, list(seed.module.parameters()))
        self.changed()

    def seed_parameters(self, slot: str) -> List[Dict[str, Any]]:
        """The tensors of a seed, ascending by name."""
        module = self.grafts.get(slot).module
        return sorted(({"name": f"seed.{slot}.{n}", "size": p.numel()} for n, p in module.named_parameters()), key=lambda d: d["name"])

    def write_snapshot(self, path: str) -> None:
        """Write the whole state of training."""
        content, metadata = state.gather(self)
        with open(path, "wb") as out:
            tensors.write(out, content, metadata)

    def stage(self, path: str, data: Any) -> state.Staged:
        """Build aside what a snapshot holds."""
        return state.stage(self, data)

    def adopt(self, staged: object) -> None:
        """Let a staged state take over."""
        assert isinstance(staged, state.Staged)
        state.adopt(self, staged)

    def replace_seeds(self, seeds: Sequence[Seed]) -> None:
        """Other seeds in place of those that are there."""
        for slot in self.slots():
            optim.drop(self.optimizer, list(self.grafts.remove(slot).module.parameters()))
        self.kernels.clear()
        for seed in seeds:
            self.grafts.add(seed)
            self.kernels[seed.slot] = seed.kernel
        self.changed()

    def scale_rates(self, rates: Mapping[str, float]) -> None:
        """Use these learning rates from the next update on."""
        optim.set_rates(self.optimizer, rates)

    def rebuild_optimizer(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """Make the optimizer anew from its own state."""
        return optim.rebuild(self.optimizer, self.names(), self.named())

    def digest(self) -> str:
        """SHA-256 over the whole state of training."""
        content, metadata = state.gather(self)
        sink = _Digest()
        tensors.write(sink, content, metadata)  # type: ignore[arg-type]
        return sink.sum.hexdigest()

    def evaluate(self, without: Optional[str] = None) -> Optional[Dict[str, Any]]:
        """Judge the network under inference_mode, or as if a seed were not there.
        Neither its modes nor any random state are other afterwards."""
        if self._evaluate is None:
            return None
        training = [m for m in self.module.modules() if m.training]
        shown = {s: (x.stats, x.failure, x.why) for s, x in self.grafts.seeds.items()}
        self.grafts.without = without
        self.module.eval()  # without what is wrapped around it: that would wait for other ranks
        try:
            with torch.inference_mode(), rng.undisturbed(self.device):
                for seed in self.grafts.seeds.values():
                    seed.begin()
                found = dict(self._evaluate(self.module))
            failed = [s for s, x in self.grafts.seeds.items() if x.failure != "none"]
        finally:
            self.grafts.without = None
            for m in training:
                m.training = True
            for s, (stats, failure, why) in shown.items():
                seed = self.grafts.seeds[s]
                seed.stats, seed.failure, seed.why = stats, failure, why
        return {**_evaluation(found, self.tasks), "failed": failed}

    def close(self) -> None:
        """Let the module go: its hooks are taken off."""
        self.grafts.close()

    def reported(self) -> List[Seed]:
        """The seeds that a report tells of: not paused, and not the host's own."""
        return [s for s in self.grafts.seeds.values() if not s.paused and s.stage != TERMINATED]


class _Digest:
    """A file that only takes the sum of what is written."""

    def __init__(self) -> None:
        self.sum = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sum.update(data)
        return len(data)


def _part(name: str, named: Sequence[Tuple[str, nn.Parameter]]) -> Part:
    return Part(name, tuple(n for n, _ in named), tuple(p for _, p in named))


def _layer(kernel: blueprints.Kernel, mesh: Sequence[str]) -> str:
    if kernel.layer and mesh and kernel.layer not in mesh:
        raise BridgeError("mesh_incomplete", "layer", f"{kernel.layer!r} of the kernel is not in the mesh {list(mesh)}")
    layer = kernel.layer or (mesh[0] if mesh else "")
    if not layer:
        raise BridgeError("missing_field", "layer", "is named neither by the kernel nor by the command", "write it into the kernel: blueprints.make(..., layer=...)")
    return layer


def _check_extra_state(module: nn.Module) -> None:
    for name, m in module.named_modules():
        if type(m).get_extra_state is not nn.Module.get_extra_state:
            raise BridgeError("unsupported_state", name or "host", "keeps extra state of its own", "hand it over in state={...}")


def _evaluation(found: Mapping[str, Any], tasks: Sequence[str]) -> Dict[str, Any]:
    out: Dict[str, Any] = {}
    for key in ("losses", "accuracies"):
        values = found.get(key)
        if isinstance(values, Mapping):
            values = [values[t] for t in tasks]
        if values is None or len(values) != len(tasks):
            raise BridgeError("invalid_field", f"evaluate.{key}", f"must hold one number for each of {list(tasks)}")
        out[key] = [float(v) for v in values]
    if any(not 0 <= a <= 1 for a in out["accuracies"] if not math.isnan(a)):
        raise BridgeError("invalid_field", "evaluate.accuracies", f"are {out['accuracies']}; want parts from 0 to 1")
    if int(found.get("samples", 0)) < 1:
        raise BridgeError("missing_field", "evaluate.samples", "is missing")
    out["samples"] = int(found["samples"])
    return out
