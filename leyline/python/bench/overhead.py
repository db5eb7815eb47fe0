"""What a plane costs in a step of examples/two_tasks.py.

    python3 bench/overhead.py --esper PATH [--batch 64] [--blocks 20] [--of 50]

All variants train at the same time, a block of steps each in turn, so that whatever else
the machine does strikes all of them. It prints one JSON line per variant, in
milliseconds a step, as the clock says and as the processor was used by this process
(which says nothing of waiting, and is less disturbed by a busy machine):

    plain      one backward pass of the sum of the losses, no plane
    two        one backward pass per task, no plane: what knowing their gradients costs
    sync       the bridge and a plane, each answer waited for
    lag-8      the same, answers up to 8 steps late

Then the ratios of the medians to plain. Each variant has a model and an optimizer of its
own; the planes fsync to the disk of the temporary directory.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tools"), str(HERE.parent / "examples")]

import esper_plane  # noqa: E402
from digits import CLASSES, Pairs, pairs, read  # noqa: E402
from network import Batches, TwoTasks, device_of, losses  # noqa: E402
from served import Plane  # noqa: E402

Step = Callable[[Pairs], None]


def network(device: torch.device) -> tuple[TwoTasks, torch.optim.Optimizer]:
    """The same network with the same weights every time."""
    torch.manual_seed(1)
    model = TwoTasks().to(device)
    return model, torch.optim.Adam(model.parameters(), lr=2e-3)


def plain(device: torch.device) -> Step:
    """Training as everybody does it."""
    model, optimizer = network(device)

    def step(batch: Pairs) -> None:
        optimizer.zero_grad()
        sum(losses(model(batch.images), batch).values()).backward()
        optimizer.step()

    return step


def two(device: torch.device) -> Step:
    """A backward pass per task, added up."""
    model, optimizer = network(device)
    parameters = list(model.parameters())

    def step(batch: Pairs) -> None:
        optimizer.zero_grad()
        for loss in losses(model(batch.images), batch).values():
            found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            for p, g in zip(parameters, found):
                if g is not None:
                    p.grad = g if p.grad is None else p.grad + g
        optimizer.step()

    return step


def beside(stack: ExitStack, binary: Path, device: torch.device, steps: int, lag: int) -> Step:
    """Training beside a plane of its own."""
    model, optimizer = network(device)
    plane = stack.enter_context(Plane(binary, settings={"tolaria.diverge_loss": 100}))
    run = stack.enter_context(esper_plane.open(
        plane.address, name="overhead", host=model, optimizer=optimizer, tasks=["left", "right"], steps=steps, seed=1,
        chance=[math.log(CLASSES)] * 2, lag=lag,
    ))  # fmt: skip

    def step(batch: Pairs) -> None:
        with run.step() as s:
            s.backward(losses(model(batch.images), batch))
            optimizer.step()
        if not s.applied:
            raise RuntimeError(f"step {s.number} was not applied: what was measured is no training")

    return step


@dataclass
class Figures:
    """Milliseconds of each step, the device included, and those of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, step: Step, batches: Batches, n: int, device: torch.device) -> None:
        """Makes n steps."""
        for _ in range(n):
            batch = next(batches)
            wall, cpu = time.perf_counter(), time.process_time()
            step(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            self.wall.append((time.perf_counter() - wall) * 1e3)
            self.cpu.append((time.process_time() - cpu) * 1e3)

    def told(self, name: str) -> dict[str, Any]:
        """The distribution, as it is printed."""
        out: dict[str, Any] = {"variant": name, "steps": len(self.wall)}
        for what, ms in (("", self.wall), ("cpu_", self.cpu)):
            cuts = statistics.quantiles(ms, n=100, method="inclusive")
            out.update({f"{what}p{p}_ms": round(cuts[p - 1], 3) for p in (50, 90, 99)})
        return out


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--esper", type=Path, required=True, help="the program")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=64, help="images of a step (%(default)s)")
    parser.add_argument("--blocks", type=int, default=20, help="of each variant (%(default)s)")
    parser.add_argument("--of", type=int, default=50, help="steps of a block (%(default)s)")
    parser.add_argument("--warmup", type=int, default=20, help="steps of each variant that are not counted (%(default)s)")
    parser.add_argument("--variants", default="plain,two,sync,lag-8")
    given = parser.parse_args()
    device = device_of(given.device)
    steps = given.warmup + given.blocks * given.of
    data = pairs(read(), 10_000, 10)[0].to(device)
    with ExitStack() as stack:
        makers: dict[str, Callable[[], Step]] = {
            "plain": lambda: plain(device), "two": lambda: two(device),
            "sync": lambda: beside(stack, given.esper, device, steps, 0),
            "lag-8": lambda: beside(stack, given.esper, device, steps, 8),
        }  # fmt: skip
        variants = {name: makers[name]() for name in given.variants.split(",")}
        batches = {name: Batches(data, given.batch, seed=1) for name in variants}
        figures = {name: Figures() for name in variants}
        for name, step in variants.items():
            Figures().measure(step, batches[name], given.warmup, device)
        for _ in range(given.blocks):
            for name, step in variants.items():
                figures[name].measure(step, batches[name], given.of, device)
    for name, found in figures.items():
        print(json.dumps(found.told(name)))
    if "plain" in figures:
        for what in ("wall", "cpu"):
            medians = {name: statistics.median(getattr(found, what)) for name, found in figures.items()}
            print(json.dumps({f"{what}_ratio_of_medians_to_plain": {n: round(m / medians["plain"], 3) for n, m in medians.items()}}))


if __name__ == "__main__":
    main()
