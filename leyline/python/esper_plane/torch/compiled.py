"""torch.compile with its failures told.

A call that fails compiled is made again without compilation. Where that succeeds the
compiled code was at fault: it is given up and the fallback reported. Where it fails
too, or where the device has failed, the error is the caller's. A change of the
network (a seed that comes or goes) begins anew with compiled code.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import torch
from torch import nn

from . import device, rng


class Compiled:
    """A module that is called compiled. Everything but a call is the module's own.
    ``look`` is shown the arguments of every call."""

    def __init__(self, module: nn.Module, mode: str, look: Callable[[Any, Any], None] = lambda args, kwargs: None) -> None:
        self._module, self._mode, self._look = module, mode, look
        self._fallbacks: List[Tuple[str, str]] = []
        self._compiled: Optional[Any] = None
        self._warm = False
        _allow_several_backward_passes()
        self.recompile()

    def recompile(self) -> None:
        """Forget the compiled code; the next call compiles."""
        torch._dynamo.reset()
        self._compiled, self._warm = torch.compile(self._module, mode=self._mode), False

    def take_fallbacks(self) -> List[Tuple[str, str]]:
        """The fallbacks since the last call: stage and reason of each."""
        out, self._fallbacks = self._fallbacks, []
        return out

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._look(args, kwargs)
        if self._compiled is None:
            return self._module(*args, **kwargs)
        drawn = None if self._warm else rng.save(torch.device("cpu"))
        try:
            out = self._compiled(*args, **kwargs)
        except Exception as e:
            if isinstance(e, device.ERRORS):
                raise
            return self._again(e, drawn, args, kwargs)
        self._warm = True
        return out

    def _again(self, error: Exception, drawn: Any, args: Any, kwargs: Any) -> Any:
        if drawn is not None:
            rng.load(drawn, torch.device("cpu"))
        try:
            out = self._module(*args, **kwargs)
        except Exception:
            raise error from None
        self._fallbacks.append((_stage(error, self._warm), f"{type(error).__name__}: {error}"))
        self._compiled = None
        return out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _stage(error: Exception, warm: bool) -> str:
    name, home = type(error).__name__, type(error).__module__
    if "RecompileLimit" in name:
        return "recompile_limit"
    if home.startswith(("torch._dynamo", "torch._inductor", "torch._functorch")):
        return "compile"
    return "runtime" if warm else "warmup"


def _allow_several_backward_passes() -> None:
    """Compiled code may not give its buffers away: each task goes back through it. And
    a limit on recompiling is to raise, not to pass in silence."""
    import torch._functorch.config

    torch._functorch.config.donated_buffer = False
    if hasattr(torch._dynamo.config, "fail_on_recompile_limit_hit"):
        torch._dynamo.config.fail_on_recompile_limit_hit = True
