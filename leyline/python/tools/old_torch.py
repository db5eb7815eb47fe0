"""Opens a run with the PyTorch that runs this, whatever its version.

    old_torch.py version               what it is
    old_torch.py open ADDRESS refused  the plane must refuse it for its posture
    old_torch.py open ADDRESS accepted the plane must take it
"""

from __future__ import annotations

import sys

import torch
from esper_plane.client import Client
from esper_plane.errors import Refused
from esper_plane.torch import posture

RUN = "old"


def plan() -> dict[str, object]:
    """A run of one step, with the posture of this torch."""
    return {
        "run": RUN, "workload": "posture", "framework": "torch", "posture": posture.collect("cpu"),
        "tasks": ["loss"], "parameters": 1, "seed": 1, "steps": 1, "away": "stop",
    }  # fmt: skip


def opened(address: str, wanted: str) -> int:
    """Opens the run and closes it again. Returns the exit code."""
    with Client(address) as client:
        try:
            answer = client.open(plan())
        except Refused as refusal:
            print(f"refused with {refusal.status}, kind {refusal.kind}, field {refusal.field}: {refusal.detail}; {refusal.hint}")
            return 0 if wanted == "refused" and refusal.kind == "unsupported_posture" and refusal.field == "posture.version" else 1
        client.report("close", RUN, {
            "run": RUN, "incarnation": answer["incarnation"], "after": answer["cursor"], "step": 0,
            "outcome": "failed", "reason": "nothing was to be trained", "acks": [],
        })  # fmt: skip
    print("accepted")
    return 0 if wanted == "accepted" else 1


def main() -> int:
    """Does what the command line says."""
    if sys.argv[1:] == ["version"]:
        print(f"torch {torch.__version__} under Python {sys.version.split()[0]}")
        return 0
    if len(sys.argv) != 4 or sys.argv[1] != "open" or sys.argv[3] not in ("refused", "accepted"):
        print(__doc__, file=sys.stderr)
        return 2
    return opened(sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    sys.exit(main())
