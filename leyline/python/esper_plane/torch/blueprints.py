"""Kernels of framework torch: what a blueprint's file holds, and who builds it.

A kernel is a safetensors file. Its tensors are the parameters and buffers of the
module, under the names of its ``state_dict``. Its metadata say::

    format    = "esper-torch-kernel/1"
    blueprint = the blueprint's id
    builder   = the name of the builder that makes the module, see ``register``
    layer     = the layer of the host that it is grafted behind; may be missing where
                the command names one

Every other entry is for the builder, which refuses what it does not know.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Callable, Dict, Mapping, Optional

import torch
from torch import nn

from . import rng, tensors
from .errors import BridgeError

FORMAT = "esper-torch-kernel/1"
MAX_WIDTH = 1 << 20  # units of a builtin module


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel file that was read."""

    blueprint: str
    builder: str
    layer: str  # empty: the command names it
    options: Mapping[str, str]
    tensors: Mapping[str, torch.Tensor]


Builder = Callable[[Kernel, nn.Module], nn.Module]
_builders: Dict[str, Builder] = {}


def register(name: str, builder: Builder) -> None:
    """Make a builder known. It is given the kernel and the layer of the host, and
    returns a module whose ``state_dict`` has the kernel's names and shapes; what the
    kernel holds is filled in afterwards. A name can be registered once.

    The module may have these attributes: ``adds`` (default True: its output is added
    to what it reads; False: it stands for it), ``channel_dim`` (default: 1, or the
    last of three), ``classify(output) -> [logits]`` (one tensor rows x classes per
    task; a CONFIDENCE blend by the seed's own classification needs it),
    ``auxiliary(read, output) -> loss`` (what it learns while TRAINING).
    """
    if not name or name in _builders:
        raise BridgeError("duplicate", "builder", f"{name!r} is empty or registered already")
    _builders[name] = builder


def make(blueprint: str, builder: str, module: nn.Module, layer: str = "", **options: str) -> bytes:
    """The kernel file of a module. Two calls with equal arguments give equal bytes."""
    if not blueprint or not builder:
        raise BridgeError("missing_field", "blueprint" if not blueprint else "builder", "is missing")
    metadata = {"format": FORMAT, "blueprint": blueprint, "builder": builder, **options}
    if layer:
        metadata["layer"] = layer
    return tensors.encode(dict(module.state_dict()), metadata)


def read(data: bytes) -> Kernel:
    """Read a kernel. Raises FormatError of the file, BridgeError of what it says."""
    metadata, content = tensors.decode(data)
    options = dict(metadata)
    if options.pop("format", None) != FORMAT:
        raise BridgeError("bad_kernel", "format", f"is {metadata.get('format')!r}, want {FORMAT!r}")
    for name in ("blueprint", "builder"):
        if not options.get(name):
            raise BridgeError("bad_kernel", name, "is missing")
    for name, t in content.items():
        if t.is_floating_point() and not torch.isfinite(t.double()).all():
            raise BridgeError("bad_kernel", name, "holds numbers that are not finite")
    return Kernel(options.pop("blueprint"), options.pop("builder"), options.pop("layer", ""), options, content)


def build(kernel: Kernel, layer: nn.Module) -> nn.Module:
    """The module of a kernel, filled. Every tensor has to be there in name, type and
    shape, none may be left over, and a kernel that is zero throughout is refused."""
    builder = _builders.get(kernel.builder)
    if builder is None:
        raise BridgeError("unknown_builder", "builder", f"{kernel.builder!r} is not registered", "call blueprints.register before the run is opened")
    with rng.undisturbed(torch.device("cpu")):  # what a constructor draws is overwritten
        module = builder(kernel, layer)
    own = module.state_dict()
    for name in sorted(own.keys() | kernel.tensors.keys()):
        _fits(name, own.get(name), kernel.tensors.get(name))
    if not any(t.any() for t in kernel.tensors.values()):
        raise BridgeError("bad_kernel", "tensors", "are zero throughout: nothing stands in for a kernel")
    with torch.no_grad():
        for name, t in own.items():
            t.copy_(kernel.tensors[name])
    return module


def _fits(name: str, want: Optional[torch.Tensor], got: Optional[torch.Tensor]) -> None:
    if want is None or got is None:
        raise BridgeError("bad_kernel", name, "is missing in the kernel" if got is None else "is no tensor of the module")
    if want.shape != got.shape or want.dtype != got.dtype:
        raise BridgeError("bad_kernel", name, f"is {got.dtype} {list(got.shape)}, the module wants {want.dtype} {list(want.shape)}")


class ResidualMLP(nn.Module):
    """A small network upon the last dimension of what it reads, whose output is
    added. The last layer is small at first, so that a graft hardly disturbs the host
    and yet passes a gradient inwards."""

    adds = True

    def __init__(self, features: int, width: int, scale: float = 0.1) -> None:
        super().__init__()
        self.inner = nn.Linear(features, width)
        self.outer = nn.Linear(width, features)
        with torch.no_grad():
            self.outer.weight.mul_(scale)
            self.outer.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outer(torch.relu(self.inner(x)))


class ResidualConv(nn.Module):
    """The same for images: two convolutions of 3 x 3."""

    adds = True

    def __init__(self, channels: int, width: int, scale: float = 0.1) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, width, 3, padding=1)
        self.outer = nn.Conv2d(width, channels, 3, padding=1)
        with torch.no_grad():
            self.outer.weight.mul_(scale)
            self.outer.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outer(torch.relu(self.inner(x)))


def _sizes(kernel: Kernel, rank: int) -> torch.Size:
    weight = kernel.tensors.get("inner.weight")
    if kernel.options:
        raise BridgeError("bad_kernel", sorted(kernel.options)[0], "is no option of this builder")
    if weight is None or weight.dim() != rank or not 0 < math.prod(weight.shape[:2]) <= MAX_WIDTH * MAX_WIDTH:
        raise BridgeError("bad_kernel", "inner.weight", f"is missing, or has not {rank} dimensions")
    return weight.shape


def _residual_mlp(kernel: Kernel, layer: nn.Module) -> nn.Module:
    width, features = _sizes(kernel, 2)
    return ResidualMLP(features, width).to(kernel.tensors["inner.weight"].dtype)


def _residual_conv(kernel: Kernel, layer: nn.Module) -> nn.Module:
    width, channels = _sizes(kernel, 4)[:2]
    return ResidualConv(channels, width).to(kernel.tensors["inner.weight"].dtype)


register("residual-mlp", _residual_mlp)
register("residual-conv", _residual_conv)
