"""The data of the examples: real handwritten digits, two on each image.

They are the digits of testdata/mnist of this repository, whose README says where they
come from. Nothing is fetched.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["CLASSES", "SIDE", "Digits", "Pairs", "pairs", "read"]

SIDE = 18  # pixels of a composed image
OFFSET = 4  # row and column at which the right digit begins
CLASSES = 10
HELD_OUT = 2000  # digits that no training image has

DEFAULT = Path(__file__).resolve().parents[3] / "testdata" / "mnist" / "digits.bin.gz"


@dataclass(frozen=True)
class Digits:
    """Labelled square images."""

    labels: Tensor  #: int64 [n]
    pixels: Tensor  #: uint8 [n, side, side]


@dataclass(frozen=True)
class Pairs:
    """Images of two overlapping digits, and which they are."""

    images: Tensor  #: float32 [n, 1, SIDE, SIDE], mean 0 and variance 1 over the training images
    left: Tensor  #: int64 [n]
    right: Tensor  #: int64 [n]

    def __len__(self) -> int:
        return len(self.left)

    def to(self, device: torch.device) -> Pairs:
        """The same in the memory of a device."""
        return Pairs(self.images.to(device), self.left.to(device), self.right.to(device))


def read(path: Path = DEFAULT) -> Digits:
    """Reads a file of digits; its layout is in testdata/mnist/README.md.

    Raises OSError when it cannot be read and ValueError when it is none.
    """
    raw = gzip.decompress(path.read_bytes())
    if len(raw) < 13 or raw[:8] != b"esperdig":
        raise ValueError(f"{path} is no file of digits")
    count, side = struct.unpack_from("<IB", raw, 8)
    if len(raw) != 13 + count * (1 + side * side):
        raise ValueError(f"{path} is cut short: {count} digits of {side} pixels do not fit in {len(raw)} bytes")
    flat = torch.frombuffer(bytearray(raw[13:]), dtype=torch.uint8)
    return Digits(flat[:count].to(torch.int64), flat[count:].reshape(count, side, side))


def _compose(digits: Digits, pool: Tensor, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draws n pairs from a pool of digits; a pixel is the larger of the two."""
    drawn = pool[torch.randint(len(pool), (2, n), generator=generator)]
    side = digits.pixels.shape[1]
    canvas = torch.zeros(n, SIDE, SIDE, dtype=torch.uint8)
    canvas[:, :side, :side] = digits.pixels[drawn[0]]
    right = canvas[:, OFFSET : OFFSET + side, OFFSET : OFFSET + side]
    torch.maximum(right, digits.pixels[drawn[1]], out=right)
    return canvas, digits.labels[drawn[0]], digits.labels[drawn[1]]


def pairs(digits: Digits, train: int, held_out: int, seed: int = 7) -> tuple[Pairs, Pairs]:
    """Composes training and held-out images, which have no digit in common.

    The same seed gives the same images in every run, which a resumed one needs.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(digits.labels), generator=generator)
    parts = [
        _compose(digits, order[HELD_OUT:], train, generator),
        _compose(digits, order[:HELD_OUT], held_out, generator),
    ]
    grey = parts[0][0].to(torch.float32)
    mean, deviation = grey.mean(), grey.std()

    def finished(canvas: Tensor, left: Tensor, right: Tensor) -> Pairs:
        return Pairs(((canvas.to(torch.float32) - mean) / deviation).unsqueeze(1), left, right)

    return finished(*parts[0]), finished(*parts[1])
