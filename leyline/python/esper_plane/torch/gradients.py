"""The gradients of several tasks, their inner products, and what is made of them.

The Gram matrix is taken on the device where the gradients are, with float64 for
products and sums; only k*k numbers for each part of the network leave it. The
gradients themselves are never copied, converted or moved: parameters of two types or
on two devices are refused.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import nn

from .errors import BridgeError

MAX_TASKS = 64
MAX_TENSORS = 65536
# Elements of one task that are widened to float64 at a time: on a processor as many as
# stay in its cache, else enough to keep a device busy.
CHUNK, CHUNK_DEVICE = 1 << 15, 1 << 20

Gradient = List[Optional[torch.Tensor]]  # one entry for each parameter; None: the task does not touch it


@dataclasses.dataclass(frozen=True)
class Part:
    """Parameters that belong together: the host's, or those of a seed."""

    name: str  # empty: the host
    names: Tuple[str, ...]
    parameters: Tuple[nn.Parameter, ...]


def manifest(named: Sequence[Tuple[str, torch.Tensor]]) -> List[Dict[str, Any]]:
    """The tensors of a flat gradient in the form of the plane's manifest: name, dtype,
    device, shape. Raises BridgeError of kind gradient_set for none, too many, or two
    that differ in type or device: nothing is converted and nothing is moved."""
    if not 0 < len(named) <= MAX_TENSORS:
        raise BridgeError("gradient_set", "manifest", f"lists {len(named)} tensors; want 1 to {MAX_TENSORS}")
    first_name, first = named[0]
    for i, (name, t) in enumerate(named):
        where = f"manifest[{i}]"
        if not t.is_floating_point():
            raise BridgeError("gradient_set", where, f"{name} is {t.dtype}", "combine gradients of float16, bfloat16, float32 or float64")
        if t.dtype != first.dtype:
            raise BridgeError("gradient_set", where, f"{name} is {t.dtype}, {first_name} is {first.dtype}", "combine gradients of one dtype; nothing is converted")
        if t.device != first.device:
            raise BridgeError("gradient_set", where, f"{name} is on {t.device}, {first_name} is on {first.device}", "combine gradients on one device; nothing is moved")
    if first.device.type == "mps":
        raise BridgeError("gradient_set", "device", "mps has no float64", "train on cpu or cuda")
    return [{"name": n, "dtype": str(t.dtype).split(".")[-1], "device": str(t.device), "shape": list(t.shape)} for n, t in named]


def flatten(gradient: Gradient, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """One vector of all elements, in the order of the manifest; zeros where the task
    touches nothing."""
    return torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(gradient, parameters)])


def unflatten(flat: torch.Tensor, parameters: Sequence[torch.Tensor]) -> List[torch.Tensor]:
    """The inverse of ``flatten``."""
    total = sum(p.numel() for p in parameters)
    if flat.dim() != 1 or flat.numel() != total:
        raise BridgeError("gradient_set", "flat", f"is {list(flat.shape)}, the parameters have {total} elements")
    return [x.reshape(p.shape) for x, p in zip(flat.split([p.numel() for p in parameters]), parameters)]


def check_losses(losses: Mapping[str, torch.Tensor], tasks: Sequence[str]) -> List[torch.Tensor]:
    """The losses in the order of the tasks. Raises BridgeError where the names are not
    those of the run, or a loss is no single number with a gradient."""
    missing = [t for t in tasks if t not in losses]
    if missing or len(losses) != len(tasks):
        extra = [t for t in losses if t not in tasks]
        raise BridgeError("unknown_task", "losses", f"lack {missing} and have {extra} beside", f"give one loss for each of {list(tasks)}")
    out = []
    for t in tasks:
        loss = losses[t]
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise BridgeError("invalid_field", f"losses.{t}", "is no tensor of one number", "reduce it, for instance by mean()")
        if not loss.requires_grad:
            raise BridgeError("invalid_field", f"losses.{t}", "has no gradient", "compute it with gradients enabled, from parameters that learn")
        out.append(loss.reshape(()))
    return out


def task_gradients(
    losses: Sequence[torch.Tensor], parameters: Sequence[nn.Parameter], leaves: Sequence[torch.Tensor] = ()
) -> Tuple[List[Gradient], List[Gradient]]:
    """One backward pass for each loss: gradients by parameters, and by leaves. The
    graph is freed with the last one."""
    inputs = [*parameters, *leaves]
    if not inputs:
        raise BridgeError("gradient_set", "parameters", "are none that learn")
    by_parameters, by_leaves = [], []
    for i, loss in enumerate(losses):
        got = list(torch.autograd.grad(loss, inputs, retain_graph=i + 1 < len(losses), allow_unused=True))
        for j, g in enumerate(got):
            if g is not None and g.layout is not torch.strided:
                raise BridgeError("gradient_set", f"parameters[{j}]", f"of shape {list(inputs[j].shape)} has a sparse gradient", "build its module with sparse=False")
        by_parameters.append(got[:len(parameters)])
        by_leaves.append(got[len(parameters):])
    return by_parameters, by_leaves


def add_mean(total: Gradient, new: Gradient, before: float, weight: float) -> Gradient:
    """The mean of gradients over samples: ``total`` is that of ``before`` samples,
    ``new`` of ``weight`` more. With 0 before it is ``new`` itself."""
    if before == 0:
        return list(new)
    a, b = before / (before + weight), weight / (before + weight)
    out: Gradient = []
    for t, n in zip(total, new):
        if t is None:
            out.append(None if n is None else n * b)
        else:
            out.append(t * a if n is None else t.mul_(a).add_(n, alpha=b))
    return out


def gram(gradients: Sequence[Gradient], parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """The k*k inner products of the tasks' gradients over these parameters: float64,
    on their device, exactly symmetric."""
    k = len(gradients)
    device = parameters[0].device if parameters else None
    total = torch.zeros(k, k, dtype=torch.float64, device=device)
    for tasks, which in _touched(gradients).items():
        part = torch.zeros(len(tasks), len(tasks), dtype=torch.float64, device=device)
        for piece in _pieces([[gradients[t][i].reshape(-1) for i in which] for t in tasks]):  # type: ignore[union-attr]
            part += _products(piece)
        if len(tasks) == k:
            total += part
        else:
            at = torch.tensor(tasks, device=device)
            total[at[:, None], at] += part
    return torch.triu(total) + torch.triu(total, 1).t()


def _products(m: torch.Tensor) -> torch.Tensor:
    """The inner products of the rows; on a processor the upper triangle alone, and not
    by a BLAS, which some builds of torch have only in its plain form."""
    if m.device.type != "cpu":
        return m @ m.t()
    out = torch.zeros(len(m), len(m), dtype=torch.float64)
    for i in range(len(m)):
        out[i, i:] = (m[i] * m[i:]).sum(1)
    return out


def _touched(gradients: Sequence[Gradient]) -> Dict[Tuple[int, ...], List[int]]:
    """The parameters by the tasks that touch them; those of none are left out."""
    out: Dict[Tuple[int, ...], List[int]] = {}
    for i, column in enumerate(zip(*gradients)):
        tasks = tuple(t for t, g in enumerate(column) if g is not None)
        if tasks:
            out.setdefault(tasks, []).append(i)
    return out


def _pieces(rows: List[List[torch.Tensor]]) -> Iterator[torch.Tensor]:
    """Lists of flat tensors, the same sizes in each, as float64 matrices with a row
    for each list and a chunk of columns at most."""
    chunk = CHUNK if rows[0][0].device.type == "cpu" else CHUNK_DEVICE
    waiting, size = 0, 0  # first tensor that is not handed out, elements since
    sizes = [t.numel() for t in rows[0]]
    for i, n in enumerate(sizes):
        if size + n > chunk and i > waiting:
            yield _widened([row[waiting:i] for row in rows])
            waiting, size = i, 0
        if n > chunk:
            for at in range(0, n, chunk):
                yield _widened([[row[i][at:at + chunk]] for row in rows])
            waiting = i + 1
        else:
            size += n
    if waiting < len(sizes):
        yield _widened([row[waiting:] for row in rows])


def _widened(rows: List[List[torch.Tensor]]) -> torch.Tensor:
    flat = [row[0] if len(row) == 1 else torch.cat(row) for row in rows]
    out = torch.empty(len(flat), flat[0].numel(), dtype=torch.float64, device=flat[0].device)
    for to, f in zip(out, flat):
        to.copy_(f)
    return out


def combine(gradients: Sequence[Gradient], weights: Sequence[float]) -> Gradient:
    """The weighted sum of the tasks' gradients, in their own type. A parameter that no
    task touches has none."""
    if len(weights) != len(gradients):
        raise BridgeError("invalid_field", "weights", f"are {len(weights)} for {len(gradients)} tasks")
    out: Gradient = [None] * len(gradients[0])
    for tasks, which in _touched(gradients).items():
        first, *others = tasks
        sums = torch._foreach_mul([gradients[first][i] for i in which], weights[first])
        for t in others:
            torch._foreach_add_(sums, [gradients[t][i] for i in which], alpha=weights[t])
        for i, s in zip(which, sums):
            out[i] = s
    return out


def norm_of_sum(products: Sequence[Sequence[float]]) -> float:
    """The L2 norm of the sum of the gradients with this Gram matrix."""
    total = sum(sum(row) for row in products)
    return total if total != total else max(total, 0.0) ** 0.5


def apply(parameters: Sequence[nn.Parameter], gradient: Gradient) -> None:
    """Put a gradient where an optimizer looks for it."""
    for p, g in zip(parameters, gradient):
        p.grad = g


def clear(parameters: Sequence[nn.Parameter]) -> None:
    """Leave an optimizer nothing: one whose parameters have no gradient passes them by."""
    for p in parameters:
        p.grad = None
