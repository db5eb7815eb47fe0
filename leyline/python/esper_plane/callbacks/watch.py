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

    ``ready`` comes before the first forward pass of an update, ``before`` between the
    gradients and the update, ``after`` behind the update and whatever the loop does to
    its learning rates.
    """

    def __init__(self, opener: Callable[..., Any], address: str, name: str, options: Dict[str, Any]) -> None:
        self._open, self._address, self._name, self._options = opener, address, name, options
        self._run: Any = None
        self._step: Any = None
        self._decided = False  # the plane has been asked about the step under way
        self.halted: Optional[Halted] = None  #: why the plane has stopped the run
        self.refused = 0  #: updates that were not made

    def begin(self, model: Any, optimizer: Any, scheduler: Any, steps: int, scaler: Any = None) -> None:
        """Opens the run. ``scaler``: the GradScaler of the loop, None where it has none."""
        if self._run is not None:
            raise LoopError("training begins while a run is open")
        self.halted, self.refused = None, 0
        self._run = self._open(
            self._address, name=self._name, host=model, optimizer=optimizer, scheduler=scheduler, scaler=scaler,
            tasks=[TASK], steps=steps, **self._options,
        )  # fmt: skip

    def ready(self) -> bool:
        """Begins a step, unless one is under way: here a halt is heard, and a network
        that must go back to a snapshot does. False: the plane has stopped the run.
        """
        if self.halted is not None:
            return False
        if self._run is None:
            raise LoopError("a step comes before training has begun")
        if self._step is None:
            step = self._run.step()
            try:
                step.__enter__()
            except Halted as halt:
                self._drop(halt)
                return False
            self._step, self._decided = step, False
        return True

    def before(self, loss: float, samples: int, microbatches: int) -> bool:
        """Reports the gradients that the parameters hold now.

        False: the plane does not let them be applied, and they are gone, so that the
        optimizer finds nothing to do. A run that was halted lets nothing be applied.
        What a GradScaler that looks for its scale passes by is the loop's own affair.
        """
        if self.halted is not None:
            return False
        if self._step is None:
            raise LoopError("an update comes before its step has begun")
        try:
            applied = bool(self._step.observe({TASK: loss}, samples=samples, microbatches=microbatches))
        except Halted as halt:
            self._drop(halt)
            return False
        self._decided = True
        if self._step.passed_by:
            return True
        if not applied:
            self.refused += 1
        return applied

    def after(self) -> bool:
        """Ends the step: snapshots and rollbacks happen here.

        False: the plane has stopped the run. Before the update of a step, as behind a
        microbatch that is not its last, it does nothing.
        """
        if self._step is None or not self._decided:
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
        if step is not None:  # it is given up: nothing was decided, or nobody will go on
            error = failure or LoopError("training ended inside a step")
            step.__exit__(type(error), error, error.__traceback__)
        run, self._run = self._run, None
        if run is None:
            return
        if failure is None:
            run.close()
        else:
            run.close(outcome="FAILED", reason=f"{type(failure).__name__}: {failure}")

    def _drop(self, halt: Halted) -> None:
        """The plane has ended the run: it is let go of, not closed."""
        run, self._run = self._run, None
        self.halted, self._step = halt, None
        run.leave()
