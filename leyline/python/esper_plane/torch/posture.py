"""How torch is run here, as a run declares it when it is opened.

Nothing is guessed: every entry is read from torch or from the objects of the run.
This module works with releases that are older than the plane's baseline, so that the
plane can refuse them and the log can say so.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Optional

import torch



def switch(on: bool) -> str:
    """The name of a position of a switch."""
    return "on" if on else "off"


def collect(
    device: str,
    compile_mode: Optional[str] = None,
    optimizer: Any = None,
    loader: Any = None,
    amp: Optional[bool] = None,
) -> Dict[str, Any]:
    """The posture of a run on a device. ``compile_mode`` is None where nothing is
    compiled; ``optimizer`` and ``loader`` are looked at where they are given."""
    out: Dict[str, Any] = {
        "version": str(torch.__version__),
        "device": device,
        "compile": switch(compile_mode is not None),
        "inference": "on",  # TorchHost.evaluate has no other way
        "matmul": torch.get_float32_matmul_precision(),
        "tf32": switch(_tf32(torch.backends.cuda.matmul)),
        "cudnn": {
            "benchmark": switch(bool(torch.backends.cudnn.benchmark)),
            "deterministic": switch(bool(torch.backends.cudnn.deterministic)),
            "tf32": switch(_tf32(torch.backends.cudnn)),
        },
        "weights_only": switch(weights_only()),
    }
    if compile_mode is not None:
        out["compile_mode"] = compile_mode
    if amp is not None:
        out["amp"] = switch(amp)
    if optimizer is not None and optimizer.defaults.get("foreach") is not None:
        out["foreach"] = switch(bool(optimizer.defaults["foreach"]))
    if loader is not None:
        out["pin_memory"] = switch(bool(loader.pin_memory))
    return out


def _tf32(backend: Any) -> bool:
    """Whether TF32 is allowed. From 2.9 on there are two ways to say so, and torch
    raises when they have been mixed; then the newer one counts."""
    try:
        precision = getattr(backend, "fp32_precision", None)
    except AssertionError:  # how torch 1.13 says that it has none
        precision = None
    if precision in ("tf32", "ieee", "bf16"):
        return bool(precision == "tf32")
    try:
        return bool(backend.allow_tf32)
    except RuntimeError:
        return bool(precision == "tf32")


def weights_only() -> bool:
    """Whether torch.load refuses pickles unless it is told otherwise: by default from
    2.6 on, and as its two variables of the environment say. The bridge itself never
    calls it."""
    if os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "").lower() in ("1", "y", "yes", "true"):
        return False
    if os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "").lower() in ("1", "y", "yes", "true"):
        return True
    release = re.match(r"(\d+)\.(\d+)", str(torch.__version__))
    return release is not None and (int(release[1]), int(release[2])) >= (2, 6)
