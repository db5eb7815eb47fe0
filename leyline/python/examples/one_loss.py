"""A plane beside a loop that is there already: one loss, no seeds, two lines.

    esper serve --data data/plane --config leyline/python/examples/shadow.toml
    python3 one_loss.py --address unix:data/plane/esper.sock

With that configuration the plane only watches: it keeps snapshots, says in its log what
it would have done, and steps in for one thing alone, a loss or a gradient that is no
number.
"""

from __future__ import annotations

import argparse

import torch

import esper_plane

from digits import pairs, read
from network import Batches, TwoTasks, device_of, losses


def main() -> None:
    """Trains 200 steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="auto", help="of the plane (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="%(default)s")
    given = parser.parse_args()

    torch.manual_seed(1)
    device = device_of("auto")
    model = TwoTasks().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    batches = Batches(pairs(read(), 10_000, 10)[0].to(device), 64, seed=1)

    with esper_plane.open(given.address, name="one-loss", host=model, optimizer=optimizer, steps=given.steps, state={"batches": batches}) as run:
        while run.step_count < given.steps:
            batch = next(batches)
            with run.step() as step:
                loss = sum(losses(model(batch.images), batch).values())
                step.backward(loss)
                optimizer.step()
    print(f"loss {loss.item():.3f} after {run.step_count} steps")


if __name__ == "__main__":
    main()
