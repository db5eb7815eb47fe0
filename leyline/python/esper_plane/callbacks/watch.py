"""What both callbacks do: one update of a foreign loop is one step of a run."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ..errors import EsperError, Halted

__all__ = ["LoopError", "Watch", "whole_steps"]

TASK = "loss"  # the one task of such a run


class LoopError(EsperError):
    """A loop that a callback cannot watch, or that calls it in another order."""


def whole_steps(wanted: Optional[int], planned: float) -> int:
    """The planned length of a run: what the user says, else what the loop says.

    Raises LoopError when neither is a whole number above 0.
    """
    steps = planned if wanted is None else wanted
    if steps != steps or steps in (float("inf"), float("-inf")) or steps < 1 or int(steps) != steps:
        raise LoopError(f"the loop does not say how many updates it will make ({steps}); give the callback steps=...")
    return int(steps)


class Watch:
    """A run of a plane with one loss, whose gradients a foreign loop computes.

    ``before`` comes after the gradients and before the update, ``after`` behind the
    update and whatever the loop does to its learning rates.
    """

    def __init__(self, opener: Callable[..., Any], address: str, name: str, options: Dict[str, Any]) -> None:
        self._open, self._address, self._name, self._options = opener, address, name, options
        self._run: Any = None
        self._step: Any = None
        self.halted: Optional[Halted] = None  #: why the plane has stopped the run
        self.refused = 0  #: updates that were not made

    def begin(self, model: Any, optimizer: Any, scheduler: Any, steps: int) -> None:
        """Opens the run."""
        if self._run is not None:
            raise LoopError("training begins while a run is open")
        self.halted, self.refused = None, 0
        self._run = self._open(
            self._address, name=self._name, host=model, optimizer=optimizer, scheduler=scheduler,
            tasks=[TASK], steps=steps, **self._options,
        )  # fmt: skip

    def before(self, loss: float, samples: int, microbatches: int) -> bool:
        """Reports the gradients that the parameters hold now.

        False: the plane does not let them be applied, and they are gone, so that the
        optimizer finds nothing to do. A run that was halted lets nothing be applied.
        """
        if self._run is None:
            raise LoopError("an update comes before training has begun")
        if self._step is not None:
            raise LoopError("an update begins before the one before it is over")
        try:
            step = self._run.step()
            step.__enter__()
            self._step = step
            applied = bool(step.observe({TASK: loss}, samples=samples, microbatches=microbatches))
        except Halted as halt:
            self._drop(halt)
            return False
        if not applied:
            self.refused += 1
        return applied

    def after(self) -> bool:
        """Ends the step: snapshots and rollbacks happen here.

        False: the plane has stopped the run. Without a step under way it does nothing.
        """
        if self._step is None:
            return self.halted is None
        step, self._step = self._step, None
        try:
            step.__exit__(None, None, None)
        except Halted as halt:
            self._drop(halt)
        return self.halted is None

    def end(self, failure: Optional[BaseException] = None) -> None:
        """Closes the run. It may be called twice."""
        step, self._step = self._step, None
        if step is not None and failure is not None:
            step.__exit__(type(failure), failure, failure.__traceback__)
        run, self._run = self._run, None
        if run is None:
            return
        if failure is None:
            run.close()
        else:
            run.close(outcome="FAILED", reason=f"{type(failure).__name__}: {failure}")

    @property
    def watching(self) -> bool:
        """Whether a run is open and goes on."""
        return self._run is not None and self.halted is None

    def _drop(self, halt: Halted) -> None:
        """The plane has ended the run, so there is nothing to close."""
        self.halted, self._step, self._run = halt, None, None
