"""What knowing the gradients of the tasks costs, beside training without.

    python3 bench/gram.py [--device cpu] [--tasks 2 4 8] [--sizes small large] [--rounds 30]

Every line is one JSON document: a network, a number of tasks, and in milliseconds the
distribution (p10, median, p90) of

    sum        one backward pass of the sum of the losses
    separate   a plain backward pass for each loss, added up in .grad
    bridge     a gradient for each task, their Gram matrix, the weighted sum in .grad
    gram       of that, the Gram matrix and its transfer alone

and the ratios of the medians of bridge to sum and to separate. The forward pass is
measured with none of them. The variants take turns round by round, so that whatever
else the machine does strikes all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from esper_plane.torch import gradients  # noqa: E402

# Units of a layer, layers, rows of a batch.
SIZES = {"small": (128, 2, 64), "medium": (512, 4, 128), "large": (1536, 6, 256), "huge": (4096, 8, 512)}


class Net(nn.Module):
    """A trunk and a small head for each task."""

    def __init__(self, width: int, depth: int, tasks: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*[m for _ in range(depth) for m in (nn.Linear(width, width), nn.ReLU())])
        self.heads = nn.ModuleList(nn.Linear(width, 10) for _ in range(tasks))

    def forward(self, x: torch.Tensor) -> List[torch.Tensor]:
        h = self.trunk(x)
        return [head(h) for head in self.heads]


def measure(size: str, tasks: int, device: torch.device, rounds: int) -> Dict[str, Any]:
    """The figures of one network."""
    width, depth, rows = SIZES[size]
    torch.manual_seed(1)
    model = Net(width, depth, tasks).to(device)
    parameters = list(model.parameters())
    x, y = torch.randn(rows, width, device=device), torch.randint(0, 10, (rows,), device=device)
    spent: Dict[str, List[float]] = {"sum": [], "separate": [], "bridge": [], "gram": []}

    def timed(name: str, what: Callable[[List[torch.Tensor]], None]) -> None:
        for p in parameters:
            p.grad = None
        losses = [nn.functional.cross_entropy(out, y) for out in model(x)]
        _wait(device)
        began = time.perf_counter()
        what(losses)
        _wait(device)
        spent[name].append((time.perf_counter() - began) * 1e3)

    def separate(losses: List[torch.Tensor]) -> None:
        for i, loss in enumerate(losses):
            loss.backward(retain_graph=i + 1 < len(losses))

    def bridge(losses: List[torch.Tensor]) -> None:
        by, _ = gradients.task_gradients(losses, parameters)
        _wait(device)
        began = time.perf_counter()
        gradients.gram(by, parameters).tolist()
        spent["gram"].append((time.perf_counter() - began) * 1e3)
        gradients.apply(parameters, gradients.combine(by, [0.5] * tasks))

    for _ in range(rounds + 3):
        timed("sum", lambda losses: sum(losses).backward())  # type: ignore[union-attr]
        timed("separate", separate)
        timed("bridge", bridge)
    figures = {name: _spread(v[3:]) for name, v in spent.items()}
    return {
        "size": size, "parameters": sum(p.numel() for p in parameters), "tasks": tasks, "rows": rows, "device": str(device), "torch": torch.__version__,
        "threads": torch.get_num_threads(), "rounds": rounds, "ms": figures,
        "bridge_to_sum": round(figures["bridge"]["median"] / figures["sum"]["median"], 3),
        "bridge_to_separate": round(figures["bridge"]["median"] / figures["separate"]["median"], 3),
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _spread(v: List[float]) -> Dict[str, float]:
    cuts = statistics.quantiles(v, n=10)
    return {"p10": round(cuts[0], 4), "median": round(statistics.median(v), 4), "p90": round(cuts[-1], 4)}


def main() -> None:
    """Prints a line for every network and number of tasks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="%(default)s")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 4, 8], help="%(default)s")
    parser.add_argument("--sizes", nargs="+", choices=sorted(SIZES), default=["small", "medium", "large"], help="%(default)s")
    parser.add_argument("--rounds", type=int, default=30, help="%(default)s")
    given = parser.parse_args()
    for size in given.sizes:
        for tasks in given.tasks:
            print(json.dumps(measure(size, tasks, torch.device(given.device), given.rounds)), flush=True)


if __name__ == "__main__":
    main()
