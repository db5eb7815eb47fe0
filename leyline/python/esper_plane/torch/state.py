"""The whole state of a training run as one safetensors file.

    model.NAME          every parameter and buffer of the host
    seed.SLOT.NAME      the same of every seed
    optimizer...        buffers, by the names of their parameters
    scheduler..., scaler..., extra.KEY..., rng..., rank.N   whatever else a run goes on from
    metadata            format, step, and JSON documents (package pack) for the rest

A file is built aside and checked as a whole (``Staged``) before anything of the
network is touched.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Tuple

import torch
from torch import nn

from .. import blend
from . import blueprints, optim, pack, rng, tensors
from .errors import BridgeError
from .seeds import Seed

if TYPE_CHECKING:
    from .host import TorchHost

FORMAT = "esper-torch-state/1"


@dataclasses.dataclass
class Staged:
    """A state that was read and checked, beside the network."""

    model: Dict[str, torch.Tensor]
    seeds: List[Seed]
    documents: Dict[str, Any]  # optimizer, scheduler, scaler, rng, extra.KEY
    ranks: Dict[str, torch.Tensor]


def gather(host: "TorchHost") -> Tuple[Dict[str, torch.Tensor], Dict[str, str]]:
    """Tensors and metadata of the state. The tensors are the network's own."""
    content: Dict[str, torch.Tensor] = {f"model.{n}": t for n, t in host.own_tensors()}
    metadata = {"format": FORMAT}
    seeds: List[Dict[str, Any]] = []
    for slot, seed in host.grafts.seeds.items():
        content.update({f"seed.{slot}.{n}": t for n, t in seed.module.state_dict().items()})
        seeds.append(describe(seed, host.kernels[slot]))
    metadata["seeds"] = pack.pack(seeds, "seeds", content)
    metadata["optimizer"] = optim.save(host.optimizer, host.names(), content)
    for name, thing in host.extras().items():
        metadata[name] = pack.pack(thing.state_dict(), name, content)
    metadata["rng"] = pack.pack(rng.save(host.device, host.generators), "rng", content)
    return content, metadata


def describe(seed: Seed, kernel: blueprints.Kernel) -> Dict[str, Any]:
    """What is needed to make a seed again, beside its tensors."""
    plan = dataclasses.asdict(seed.plan)
    plan["mode"], plan["source"] = seed.plan.mode.name, seed.plan.source.name
    return {
        "slot": seed.slot, "blueprint": seed.blueprint, "layer": seed.layer, "stage": seed.stage, "alpha": float(seed.alpha),
        "paused": seed.paused, "plan": plan, "builder": kernel.builder, "options": dict(kernel.options),
    }


def stage(host: "TorchHost", data: Any) -> Staged:
    """Read a file and build what it holds, touching nothing. Raises FormatError of the
    file, BridgeError where it is not that of such a network."""
    metadata, content = tensors.decode(data)
    if metadata.get("format") != FORMAT:
        raise BridgeError("malformed_state", "format", f"is {metadata.get('format')!r}, want {FORMAT!r}")
    wanted = {"seeds", "optimizer", "rng", *host.extras()}
    for name in sorted(wanted ^ (metadata.keys() - {"format"})):
        raise BridgeError("malformed_state", name, "is missing" if name in wanted else "is nothing that this run keeps")
    documents = {name: pack.unpack(metadata[name], content) for name in wanted}
    model = _model(host, content)
    seeds = [_seed(host, entry, content) for entry in documents.pop("seeds")]
    parameters = host.named(seeds)
    optim.check(host.optimizer, documents["optimizer"], parameters)
    rng.check(documents["rng"], host.device, host.generators)
    return Staged(model, seeds, documents, {n: t for n, t in content.items() if n.startswith("rank.")})


def _model(host: "TorchHost", content: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    own = dict(host.own_tensors())
    found = {n[len("model."):]: t for n, t in content.items() if n.startswith("model.")}
    for name in sorted(own.keys() ^ found.keys()):
        raise BridgeError("malformed_state", f"model.{name}", "is missing" if name in own else "is nothing that the host has")
    for name, t in own.items():
        if t.shape != found[name].shape or t.dtype != found[name].dtype:
            raise BridgeError("malformed_state", f"model.{name}", f"is {found[name].dtype} {list(found[name].shape)}, the host's is {t.dtype} {list(t.shape)}")
    return found


def _seed(host: "TorchHost", entry: Any, content: Mapping[str, torch.Tensor]) -> Seed:
    try:
        slot, layer = entry["slot"], entry["layer"]
        prefix = f"seed.{slot}."
        own = {n[len(prefix):]: t for n, t in content.items() if n.startswith(prefix)}
        kernel = blueprints.Kernel(entry["blueprint"], entry["builder"], layer, entry["options"], own)
        plan = plan_of(entry["plan"])
    except (KeyError, TypeError, AttributeError) as e:
        raise BridgeError("malformed_state", "seeds", f"cannot be read: {type(e).__name__}: {e}") from e
    module = blueprints.build(kernel, host.grafts.layer(layer)).to(host.device)
    seed = Seed(slot, kernel.blueprint, layer, module)
    seed.stage, seed.alpha, seed.paused, seed.plan = entry["stage"], entry["alpha"], entry["paused"], plan
    seed.kernel = kernel
    return seed


def plan_of(raw: Mapping[str, Any]) -> blend.Plan:
    """The plan that ``describe`` has written out."""
    gate = raw["gate"]
    return blend.Plan(**{
        **raw, "mode": blend.Mode[raw["mode"]], "source": blend.Source[raw["source"]],
        "channels": tuple(raw["channels"]), "logits": tuple(raw["logits"]),
        "gate": None if gate is None else blend.Gate(**gate),
    })


def adopt(host: "TorchHost", staged: Staged) -> None:
    """Let it take over. Everything was checked when it was staged."""
    with torch.no_grad():
        for name, t in host.own_tensors():
            t.copy_(staged.model[name])
    host.replace_seeds(staged.seeds)
    optim.load(host.optimizer, staged.documents["optimizer"], host.named())
    for name, thing in host.extras().items():
        thing.load_state_dict(staged.documents[name])
    rng.load(staged.documents["rng"], host.device, host.generators)
    host.clear_gradients()


def parameters_of(module: nn.Module, prefix: str) -> Dict[str, nn.Parameter]:
    """The parameters of a module under full names."""
    return {prefix + n: p for n, p in module.named_parameters()}
