"""What a session needs of a network, whatever framework it is written in.

A host changes nothing by itself: it does what a session asks, and raises when it cannot.
What it raises out of a command is told to the plane, which gives the seed up; what it
raises out of a restore is told likewise, and the network stays as it was.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Protocol, Sequence, Tuple, runtime_checkable

from . import blend

__all__ = ["Evaluation", "Host", "OptimizerState"]

#: How the network does on rows that it does not learn from: ``losses`` and
#: ``accuracies`` per task, ``samples``, and, where seeds failed on some of the rows and
#: had no part there, their slots in ``failed``.
Evaluation = Dict[str, Any]

#: What an optimizer holds: ``groups`` and ``parameters`` as numbers, ``digest`` as
#: SHA-256 in hex over settings and buffers of every group.
OptimizerState = Dict[str, Any]


@runtime_checkable
class Host(Protocol):
    """A network with slots, and its optimizer.

    ``slot`` is the id of a seed. A stage is its name in the plane (``"TRAINING"``). A
    seed is what ``graft`` made; it is part of the network until ``remove``, or until
    ``adopt`` takes another state over.
    """

    def slots(self) -> Sequence[str]:
        """The slots of the seeds that are part of the network now."""

    def graft(self, slot: str, command: Dict[str, Any], kernel: bytes) -> None:
        """Build a seed from a kernel and put it behind its layers.

        ``command`` has ``blueprint``, ``kernel`` (its file's name) and ``seed`` (the
        members of the signed command). The bytes have the digest that the plane
        verified.
        """

    def set_stage(self, slot: str, stage: str) -> None:
        """What the seed does from now on: learn apart, take part, be kept."""

    def set_blend(self, slot: str, plan: blend.Plan) -> None:
        """How its output is mixed into that of the host."""

    def set_alpha(self, slot: str, alpha: float) -> None:
        """With which share its output is mixed."""

    def set_paused(self, slot: str, paused: bool) -> None:
        """Take the seed out for the time being, with nothing in its place, or back in."""

    def remove(self, slot: str) -> None:
        """Take the seed out for good."""

    def seed_parameters(self, slot: str) -> List[Dict[str, Any]]:
        """The tensors of a seed, ascending by name: ``{"name": ..., "size": ...}``."""

    def write_snapshot(self, path: str) -> None:
        """Write the whole state of training to a file, as safetensors.

        The session makes it durable and gives it its name.
        """

    def stage(self, path: str, data: bytearray) -> object:
        """Build aside what a snapshot holds, touching nothing of the network.

        ``data`` is what the file held when its digest was checked: read that, not the
        file. The memory is the session's again when this returns.
        """

    def adopt(self, staged: object) -> None:
        """Let a staged state take over. It must not fail."""

    def scale_rates(self, rates: Dict[str, float]) -> None:
        """Use these learning rates from the next update on, one per declared group."""

    def rebuild_optimizer(self) -> Tuple[OptimizerState, OptimizerState]:
        """Make the optimizer anew from its own state.

        Returns what it held before and what it holds after: the plane compares them.
        """

    def digest(self) -> str:
        """SHA-256 over the whole state of training, 64 digits of hex."""

    def evaluate(self, without: Optional[str] = None) -> Optional[Evaluation]:
        """Judge the network by held-out rows, or as if a seed were not there.

        None: there are no such rows. Then no contribution of a seed is ever reported.
        """
