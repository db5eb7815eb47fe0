"""The bridge between a plane and PyTorch.

``esper_plane.open`` with a ``torch.nn.Module`` as its host returns a ``Run``::

    run = esper_plane.open("unix:data/esper.sock", name="digits", host=model, optimizer=optimizer, tasks=["digit", "parity"])
    for batch in loader:
        with run.step() as step:
            digit, parity = model(batch.images)
            step.backward({"digit": loss_a(digit, batch), "parity": loss_b(parity, batch)})
            optimizer.step()

``step.backward`` takes the gradient of every task, reports their inner products, and
puts the combination that the plane decides into ``.grad``. Where the plane says that
nothing may be applied, the rest of the with-body is passed by.

What a user needs beside that: ``Batches`` (an order of data that is part of snapshots)
and ``blueprints`` (kernels of seeds, and who builds them). It works with the releases
of PyTorch that the plane's baseline allows; for older ones only ``posture`` does.
"""

from __future__ import annotations

from typing import Any

from .errors import BridgeError, FormatError

__all__ = ["BridgeError", "Batches", "FormatError", "Run", "Step", "TorchHost", "attach", "blueprints"]

_HOMES = {"Batches": "sampler", "Run": "run", "Step": "step", "TorchHost": "host", "attach": "opening"}


def __getattr__(name: str) -> Any:
    """What needs a newer PyTorch is imported when it is asked for."""
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
