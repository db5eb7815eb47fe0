"""What the bridge refuses, and the one exception that ends a step early."""

from __future__ import annotations

from ..errors import EsperError


class BridgeError(EsperError, ValueError):
    """Something that the bridge does not take.

    ``kind`` says what sort of thing is wrong, ``field`` names it, ``hint`` says what
    to do. Nothing is put in the place of what is missing.
    """

    def __init__(self, kind: str, field: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{kind}: {field} {reason}" + (f"; {hint}" if hint else ""))
        self.kind, self.field, self.reason, self.hint = kind, field, reason, hint


class FormatError(BridgeError):
    """A safetensors file that breaks a rule of the format. ``tensor`` is empty for
    the file as a whole."""

    def __init__(self, tensor: str, field: str, reason: str) -> None:
        where = f"tensor {tensor!r}: {field}" if tensor else field
        super().__init__("malformed_tensors", where, reason)
        self.tensor, self.rule = tensor, field


class StepSkipped(BaseException):
    """Leaves the body of ``with run.step()`` when nothing may be applied.

    It is no Exception, so that an ``except Exception`` in a training loop does not
    swallow it: what would follow it there is the step of the optimizer. ``step`` is the
    one whose body is left; another, around or inside it, lets it pass.
    """

    def __init__(self, step: object) -> None:
        super().__init__()
        self.step = step
