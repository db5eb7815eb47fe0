"""Trains two tasks on real digits beside a plane: seeds grow, a fault strikes, it recovers.

    esper serve --data data/plane --config leyline/python/examples/two_tasks.toml --blueprints blueprints
    python3 two_tasks.py --address unix:data/plane/esper.sock --fault nan@300

(make_blueprint.py makes what is in blueprints.) Each image shows two overlapping digits;
one task is to read the left, the other the right. Every step the plane says how the
gradients of both are combined; a seed is trained beside the trunk and blended in if it
helps; and what the fault breaks is taken back to the last good snapshot.

It says what happened and ends with 0 if all that was promised did, else with 1.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch

import esper_plane
from esper_plane.errors import EsperError

from digits import CLASSES, pairs, read
from network import FAULTS, Batches, Fault, TwoTasks, device_of, judge, losses, parse_fault, strike

TASKS = ["left", "right"]
SLOTS = ["seed-1", "seed-2"]


@dataclass
class Story:
    """What happened."""

    steps: int = 0  # that were trained, those included that were taken back
    withheld: int = 0  # whose update the plane did not let be made
    struck: int = 0  # faults
    spared: int = 0  # faults of an earlier process of the same run
    stages: set[str] = field(default_factory=set)  # that seeds came to
    accuracies: list[float] = field(default_factory=list)  # on held-out images, at the end
    seconds: float = 0.0


def options() -> argparse.Namespace:
    """Reads the command line."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--address", default="auto", help="of the plane: unix:PATH, https://HOST:PORT, or auto to start one (%(default)s)")
    p.add_argument("--name", default="two-tasks", help="of the run (%(default)s)")
    p.add_argument("--steps", type=int, default=700, help="%(default)s")
    p.add_argument("--batch", type=int, default=64, help="images of a step (%(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of all that is random (%(default)s)")
    p.add_argument("--device", default="auto", help="cpu, cuda:0, ...; auto: a GPU where there is one")
    p.add_argument("--away", default="stop", choices=("stop", "wait"), help="what to do while the plane cannot be reached (%(default)s)")
    p.add_argument("--compile", metavar="MODE", help="of torch.compile, for example default; not given: nothing is compiled")
    p.add_argument("--lag", type=int, default=0, help="how many steps an answer may be behind; 0: each is waited for")
    p.add_argument("--fault", type=parse_fault, action="append", default=[], metavar="NAME@STEP", help=f"may be repeated; NAME is one of {', '.join(FAULTS)}")
    p.add_argument("--least", type=float, default=0.85, help="accuracy that both tasks must come to (%(default)s)")
    p.add_argument("--no-seeds", action="store_true", help="let nothing grow")
    p.add_argument("--json", action="store_true", help="the last line is one JSON document")
    return p.parse_args()


def train(given: argparse.Namespace) -> tuple[Story, Any]:
    """Trains as the command line says and returns what happened, and the run."""
    torch.manual_seed(given.seed)
    device = device_of(given.device)
    training, held_out = (part.to(device) for part in pairs(read(), 10_000, 2_000))
    model = TwoTasks().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    batches = Batches(training, given.batch, given.seed)

    def evaluate(network: torch.nn.Module) -> dict[str, Any]:
        loss, accuracy, rows = judge(network, held_out)
        return {"losses": loss, "accuracies": accuracy, "samples": rows}

    run = esper_plane.open(
        given.address, name=given.name, host=model, optimizer=optimizer, tasks=TASKS, steps=given.steps, seed=given.seed,
        state={"batches": batches}, evaluate=evaluate, chance=[math.log(CLASSES)] * 2, lag=given.lag, away=given.away,
        compile=given.compile,
        seeds=[] if given.no_seeds else SLOTS, layers=["trunk"], blueprints=[] if given.no_seeds else ["residual-16"],
        drills=[{"name": f.name, "step": f.step} for f in given.fault],
    )  # fmt: skip
    story, began = Story(), time.monotonic()
    # A run that is resumed is spared what has struck and was taken back already.
    waiting = [f for f in given.fault if all(reached < f.step for reached in run.session.faulted)]
    story.spared = len(given.fault) - len(waiting)
    if run.step_count:
        print(f"resumed at step {run.step_count}")
    with run:
        while run.step_count < given.steps:
            waiting = inject(model, waiting, run.step_count + 1, story)
            one_step(run, optimizer, next(batches), story)
    story.seconds = time.monotonic() - began
    story.accuracies = judge(model, held_out)[1]
    return story, run


def inject(model: TwoTasks, waiting: list[Fault], step: int, story: Story) -> list[Fault]:
    """Lets strike what is due, once: a step that is trained again is spared."""
    for fault in waiting:
        if fault.step == step:
            strike(model, fault)
            story.struck += 1
            print(f"step {step}: {fault.name} {FAULTS[fault.name]}")
    return [f for f in waiting if f.step != step]


def one_step(run: Any, optimizer: torch.optim.Optimizer, batch: Any, story: Story) -> None:
    """One step of training, as it would be without a plane but for the two with-lines."""
    with run.step() as step:
        step.backward(losses(run.model(batch.images), batch), samples=len(batch))
        optimizer.step()
    story.steps += 1
    if not step.applied:
        story.withheld += 1
        print(f"step {step.number}: not applied; the network is that of step {run.step_count}")
    for slot, stage in run.stages.items():
        if stage not in story.stages:
            story.stages.add(stage)
            print(f"step {run.step_count}: {slot} is {stage}")


def broken(given: argparse.Namespace, story: Story, run: Any) -> list[str]:
    """What was promised and did not happen."""
    out = []
    if story.struck + story.spared != len(given.fault):
        out.append(f"{story.struck} of {len(given.fault)} faults struck, {story.spared} had before")
    if len(run.recoveries) < story.struck:
        out.append(f"{story.struck} faults were followed by {len(run.recoveries)} rollbacks")
    if run.step_count != given.steps:
        out.append(f"training ended at step {run.step_count} of {given.steps}")
    if min(story.accuracies) < given.least:
        out.append(f"accuracies on held-out images are {story.accuracies}, below {given.least}")
    return out


def main() -> int:
    """Trains, tells, and judges."""
    given = options()
    try:
        story, run = train(given)
    except EsperError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for recovery in run.recoveries:
        print(f"{recovery['rollback']}: {recovery['cause']} at step {recovery['fault_step']}, back to step {recovery['to_step']} in {recovery['restore_seconds'] * 1e3:.1f} ms")
    missing = broken(given, story, run)
    for what in missing:
        print(f"BROKEN: {what}", file=sys.stderr)
    print(f"{story.steps} steps in {story.seconds:.1f} s; accuracies left {story.accuracies[0]:.3f}, right {story.accuracies[1]:.3f}")
    if given.json:
        print(json.dumps({
            "steps": story.steps, "withheld": story.withheld, "rollbacks": len(run.recoveries), "stages": sorted(story.stages),
            "accuracies": story.accuracies, "seconds": round(story.seconds, 2), "broken": missing,
        }))  # fmt: skip
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
