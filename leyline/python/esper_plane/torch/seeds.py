"""Seeds: modules that are grafted behind a named layer of a host.

A forward hook on the layer runs its seeds in the order of grafting. A seed reads what
the host has made, detached, so no gradient reaches the host through what it reads;
how its output is mixed into that of the host is its blend plan's matter. While it is
TRAINING the output of the host stays as it is, and the seed learns from the gradient
at its place (see ``Trace.train``), or from its module's ``auxiliary`` loss.

A seed that fails has no part in that pass, and the report says why. Where the host's
own numbers are not finite nothing is held against a seed.
"""

from __future__ import annotations

import dataclasses
import weakref
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import nn

from .. import blend
from . import device, mixing
from .errors import BridgeError

# Hosts that have grafts now. The seeds are no part of the host's own children: a
# Sequential would run them, and its state_dict would change.
_taken: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()
TRAINING, TERMINATED = "TRAINING", "TERMINATED"
# Part of the host's activation that a seed in TRAINING aims to move it by.
REACH = 0.1


class _Tap(torch.autograd.Function):
    """Hands the gradient of a tensor to a leaf beside it, which stays itself whatever
    is done to the tensor in place later."""

    @staticmethod
    def forward(ctx: Any, out: torch.Tensor, leaf: torch.Tensor, fresh: bool) -> torch.Tensor:
        if fresh:
            ctx.mark_dirty(out)
            return out
        return out.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, None]:  # type: ignore[override]
        return gradient, gradient, None


def _leaf_like(t: torch.Tensor) -> torch.Tensor:
    return t.new_zeros(()).expand(t.shape).detach().requires_grad_()  # one number in memory


@dataclasses.dataclass
class Trace:
    """What one pass leaves of a seed that learns, for the backward pass."""

    seed: "Seed"
    host: torch.Tensor  # before the seed; only to look for leaks
    read: torch.Tensor  # the detached leaf
    made: torch.Tensor  # what the module has returned
    leaf: torch.Tensor  # receives the gradient at the output

    def leak(self, parameters: Sequence[nn.Parameter]) -> torch.Tensor:
        """Squared norm of what the seed sends to the host, float64: 0 without any
        work where the graph does not lead there."""
        inputs = [t for t in (self.host, *parameters) if t.requires_grad]
        total = self.made.new_zeros((), dtype=torch.float64)
        if not inputs or not self.made.requires_grad:
            return total
        up = torch.ones_like(self.made)
        for g in torch.autograd.grad(self.made, inputs, up, retain_graph=True, allow_unused=True):
            if g is not None:
                total = total + g.double().square().sum()
        return total

    def train(self, upstream: torch.Tensor) -> Tuple[torch.Tensor, List[Optional[torch.Tensor]]]:
        """Loss and gradients of a seed that is TRAINING; the last of the gradients is
        that of what it reads.

        Without an ``auxiliary`` loss it learns, summed over the rows of the batch,
        <g, y> + |g| y.y / (2 REACH |h|), with g the gradient of the summed losses at
        its place, y what it adds and h what it reads: to first order what it would
        change the losses by, and no reward for more than REACH of the host's
        activation. The minimum over y is -REACH |h| g/|g|. As a sum over rows it is the
        same for a batch in one piece, in microbatches and on several ranks.
        """
        inputs = [*self.seed.learning(), self.read]
        auxiliary = getattr(self.seed.module, "auxiliary", None)
        if auxiliary is not None:
            loss = auxiliary(self.read, self.made)
        else:
            g, y, h = (t.float().flatten(1) if t.dim() > 1 else t.float()[:, None] for t in (upstream.detach(), self.made, self.read.detach()))
            size = h.norm(dim=1, keepdim=True)
            there = size > 0  # a row of nothing asks for nothing
            rho = g.norm(dim=1, keepdim=True) / (REACH * torch.where(there, size, torch.ones_like(size)))
            loss = (there * (g * y + 0.5 * rho * y.square())).sum()
        return loss, list(torch.autograd.grad(loss, inputs, allow_unused=True))


class Seed(nn.Module):
    """A grafted module with its stage, alpha and blend plan."""

    def __init__(self, slot: str, blueprint: str, layer: str, module: nn.Module) -> None:
        super().__init__()
        self.slot, self.blueprint, self.layer, self.module = slot, blueprint, layer, module
        self.adds = bool(getattr(module, "adds", True))
        self.channels_at: Optional[int] = getattr(module, "channel_dim", None)
        self.stage, self.alpha, self.paused = TRAINING, 0.0, False
        self.plan = blend.Plan(blend.Mode.RESIDUAL, 1, 1.0)
        self.stats: Optional[blend.Stats] = None
        self.failure, self.why = "none", ""
        self.kernel: Any = None  # of a seed that comes from a snapshot

    @property
    def blends(self) -> bool:
        """Whether it has a part in the output."""
        return self.stage != TRAINING and not self.paused

    def learning(self) -> List[nn.Parameter]:
        """Its parameters that learn."""
        return [p for p in self.module.parameters() if p.requires_grad]

    def begin(self) -> None:
        """Forget what the last step has shown."""
        self.stats, self.failure, self.why = None, "none", ""

    def _fail(self, what: str, why: str) -> None:
        if self.failure == "none":
            self.failure, self.why = what, why[:1000]

    def run(self, host: torch.Tensor, alpha: float, branch: str) -> Tuple[torch.Tensor, Optional[Trace]]:
        """What becomes of the host's output, and the trace if there is one to learn
        from. For what the module does it never raises; what the device does ends the step."""
        learns = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        read = host.detach()
        if learns and read.is_floating_point():
            read.requires_grad_()
        sound = bool(torch.isfinite(host).all())
        try:
            made = self.module(read)
            self._check(host, made, sound)
        except device.ERRORS:
            raise
        except Exception as e:  # whatever a module raises: the seed fails, the host goes on
            self._fail("forward", f"{type(e).__name__}: {e}")
            return host, None
        out, fresh = host, False
        if self.blends:
            try:
                out = self._mix(host if branch == "learns" else host.detach(), made, alpha)
            except blend.BlendError as e:
                if sound:
                    self._fail("logits" if e.kind == "confidence_gate_missing_logits" else "blend", str(e))
                return host, None
            fresh = out is not host and out is not made and out.requires_grad and not out.is_leaf
        if not learns:
            return out, None
        leaf = _leaf_like(out)
        return _Tap.apply(out, leaf, fresh), Trace(self, host, read, made, leaf)

    def _check(self, host: torch.Tensor, made: Any, sound: bool) -> None:
        if not isinstance(made, torch.Tensor) or made.shape != host.shape:
            shape = list(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
            raise BridgeError("bad_seed", "output", f"is {shape}, the host's is {list(host.shape)}")
        if sound and not bool(torch.isfinite(made).all()):
            raise BridgeError("bad_seed", "output", "is not finite, while what it reads is")

    def _mix(self, host: torch.Tensor, made: torch.Tensor, alpha: float) -> torch.Tensor:
        logits: Sequence[torch.Tensor] = ()
        if self.plan.source == blend.Source.SEED and self.plan.mode == blend.Mode.CONFIDENCE:
            classify = getattr(self.module, "classify", None)
            if classify is not None:
                with torch.no_grad():
                    logits = classify((host + made) if self.adds else made)
        opened = mixing.open_mix(self.plan, alpha, host, logits, self.channels_at)
        self.stats = opened.stats()
        return mixing.mix(opened, self.plan, host, made, self.adds, self.channels_at)


class Grafts:
    """The seeds of a host, by slot, in the order of grafting.

    ``branch`` says what the host is owed through a blend: "learns" (the gradient of
    its own part, as the plane's trainer does it) or "detached" (nothing).
    """

    def __init__(self, host: nn.Module, branch: str = "learns") -> None:
        if branch not in ("learns", "detached"):
            raise BridgeError("invalid_field", "host_branch", f"is {branch!r}", "write learns or detached")
        if host in _taken:
            raise BridgeError("duplicate", "host", "has seeds already", "open one run at a time on a host")
        self.host, self.branch = host, branch
        _taken.add(host)
        self.seeds: Dict[str, Seed] = {}
        self._hooks: Dict[str, Any] = {}
        self.traces: List[Trace] = []
        self.without: Optional[str] = None  # a slot that has no part, to judge the network without it

    def close(self) -> None:
        """Take every hook off. The seeds' parameters stay where they are."""
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()
        _taken.discard(self.host)

    def layer(self, name: str) -> nn.Module:
        """The layer of that name; BridgeError where the host has none."""
        try:
            return self.host.get_submodule(name)
        except AttributeError as e:
            raise BridgeError("unknown_layer", "layer", f"{name!r} is none of the host's", "name it as in named_modules()") from e

    def add(self, seed: Seed) -> None:
        """Graft a seed behind those that are there."""
        if seed.slot in self.seeds:
            raise BridgeError("slot_taken", "seed", f"{seed.slot!r} holds a seed already")
        layer = self.layer(seed.layer)
        self.seeds[seed.slot] = seed
        if seed.layer not in self._hooks:
            name = seed.layer
            hook = _eager(lambda module, args, output: self._pass(name, output, module.training))
            self._hooks[name] = layer.register_forward_hook(hook)

    def remove(self, slot: str) -> Seed:
        """Take a seed out; the host is what it was without it."""
        seed = self.get(slot)
        del self.seeds[slot]
        if all(s.layer != seed.layer for s in self.seeds.values()):
            self._hooks.pop(seed.layer).remove()
        return seed

    def get(self, slot: str) -> Seed:
        """The seed of a slot; BridgeError where there is none."""
        if slot not in self.seeds:
            raise BridgeError("unknown_seed", "seed", f"{slot!r} holds no seed")
        return self.seeds[slot]

    def begin(self) -> None:
        """Begin a step."""
        self.traces.clear()
        for s in self.seeds.values():
            s.begin()

    def _pass(self, layer: str, output: Any, training: bool) -> Any:
        host = output[0] if isinstance(output, tuple) else output
        if not isinstance(host, torch.Tensor):
            raise BridgeError("bad_layer", layer, f"returns {type(host).__name__}", "graft behind a layer that returns a tensor, or one first")
        for seed in self.seeds.values():
            if seed.layer != layer or seed.paused or seed.slot == self.without:
                continue
            seed.train(training)
            host, trace = seed.run(host, seed.alpha, self.branch)
            if trace is not None:
                self.traces.append(trace)
        return (host, *output[1:]) if isinstance(output, tuple) else host


def _eager(fn: Any) -> Any:
    """Keep a hook out of compiled code: it decides by values."""
    compiler = getattr(torch, "compiler", None)
    return compiler.disable(fn) if compiler is not None and hasattr(compiler, "disable") else fn
