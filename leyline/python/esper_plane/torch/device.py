"""What torch raises where the device has failed, and not what ran on it."""

from __future__ import annotations

import torch

__all__ = ["ERRORS"]

#: A step in which one of these is raised ends; nobody tries again, or goes on without.
ERRORS = tuple(t for t in (getattr(torch, "AcceleratorError", None), getattr(torch, "OutOfMemoryError", None)) if t is not None)
