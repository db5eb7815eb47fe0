"""The network of the examples, and what can be done to it on purpose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from digits import CLASSES, SIDE, Pairs

__all__ = ["FAULTS", "Batches", "Fault", "TwoTasks", "device_of", "judge", "losses", "parse_fault", "strike"]

WIDTH = 64  # of the trunk, behind which seeds are grafted


class TwoTasks(nn.Module):
    """A small convolutional network with a trunk that both tasks share.

    Its layer "trunk" is what seeds grow behind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        size = ((SIDE // 2) - 2) // 2
        self.trunk = nn.Sequential(nn.Linear(32 * size * size, WIDTH), nn.ReLU())
        self.left = nn.Linear(WIDTH, CLASSES)
        self.right = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Returns the logits of each task."""
        trunk = self.trunk(self.features(images))
        return {"left": self.left(trunk), "right": self.right(trunk)}


def losses(logits: dict[str, Tensor], batch: Pairs) -> dict[str, Tensor]:
    """The cross-entropy of each task, in nats."""
    cross = nn.functional.cross_entropy
    return {"left": cross(logits["left"], batch.left), "right": cross(logits["right"], batch.right)}


@torch.inference_mode()
def judge(model: nn.Module, data: Pairs, rows: int = 1000) -> tuple[list[float], list[float], int]:
    """Mean losses and accuracies over data, per task, and how many images that were."""
    was = model.training
    model.eval()
    loss, right = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for at in range(0, len(data), rows):
        batch = Pairs(data.images[at : at + rows], data.left[at : at + rows], data.right[at : at + rows])
        logits = model(batch.images)
        for task, (name, value) in enumerate(losses(logits, batch).items()):
            loss[task] += value.item() * len(batch)
            right[task] += int((logits[name].argmax(1) == getattr(batch, name)).sum())
    model.train(was)
    return (loss / len(data)).tolist(), (right / len(data)).tolist(), len(data)


class Batches:
    """Endless random batches, whose place can be written into a snapshot.

    After a rollback the batches behind the snapshot come again in the same order.
    """

    def __init__(self, data: Pairs, size: int, seed: int) -> None:
        self._data, self._size = data, size
        self._generator = torch.Generator().manual_seed(seed)
        self._order = torch.empty(0, dtype=torch.int64)
        self._at = 0

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Pairs:
        if self._at + self._size > len(self._order):
            self._order = torch.randperm(len(self._data), generator=self._generator)
            self._at = 0
        rows = self._order[self._at : self._at + self._size].to(self._data.left.device)
        self._at += self._size
        return Pairs(self._data.images[rows], self._data.left[rows], self._data.right[rows])

    def state_dict(self) -> dict[str, Any]:
        """What load_state_dict needs."""
        return {"generator": self._generator.get_state(), "order": self._order.clone(), "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to where state_dict was called."""
        self._generator.set_state(state["generator"])
        self._order, self._at = state["order"].clone(), int(state["at"])


#: What a fault does to the network, by the names that `esper run --fault` gives them.
FAULTS = {
    "nan": "writes NaN into a weight",
    "loss-spike": "multiplies the weights of the heads, so that the losses jump and stay finite",
    "collapse": "makes the network forget everything, so that it guesses",
}


@dataclass(frozen=True)
class Fault:
    """A fault that strikes before a step is computed, once."""

    name: str
    step: int


def parse_fault(text: str) -> Fault:
    """Reads NAME@STEP. Raises ValueError that says what is wanted."""
    found = re.fullmatch(r"([a-z-]+)@([1-9][0-9]*)", text)
    if found is None or found[1] not in FAULTS:
        raise ValueError(f"fault {text!r}: want NAME@STEP with a step of 1 or more and one of {', '.join(FAULTS)}")
    return Fault(found[1], int(found[2]))


@torch.no_grad()
def strike(model: nn.Module, fault: Fault) -> None:
    """Damages the network."""
    parameters = dict(model.named_parameters())
    heads = [p for name, p in parameters.items() if name.startswith(("left.", "right."))]
    if fault.name == "nan":
        heads[0].view(-1)[0] = float("nan")
    elif fault.name == "loss-spike":
        for p in heads:
            p.mul_(-20.0)
    else:
        for p in parameters.values():
            p.zero_()


def device_of(name: str) -> torch.device:
    """The device of a name; auto is a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
