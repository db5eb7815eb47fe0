"""Makes the kernel of a seed for examples/two_tasks.py: a small network beside the trunk.

    python3 make_blueprint.py residual.safetensors
    esper blueprint add residual.safetensors --dir blueprints --id residual-16 \\
        --framework torch --layer trunk --risk 0.2

Then `esper serve --blueprints blueprints` offers it to every run that names it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from esper_plane.torch import blueprints

from network import WIDTH

ID = "residual-16"  # as two_tasks.py names it


def kernel(hidden: int, seed: int) -> bytes:
    """The bytes of the kernel file. Equal arguments give equal bytes."""
    torch.manual_seed(seed)
    return blueprints.make(ID, "residual-mlp", blueprints.ResidualMLP(WIDTH, hidden), layer="trunk")


def main() -> None:
    """Writes the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--hidden", type=int, default=16, help="units of the layer between (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of its first weights (%(default)s)")
    given = parser.parse_args()
    given.file.write_bytes(kernel(given.hidden, given.seed))


if __name__ == "__main__":
    main()
