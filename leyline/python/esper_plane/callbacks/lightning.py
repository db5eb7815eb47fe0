"""A plane beside the Trainer of Lightning.

    from esper_plane.callbacks.lightning import EsperCallback

    trainer = Trainer(max_steps=10_000, callbacks=[EsperCallback("unix:esper.sock", "digits")])

It needs automatic optimization, one optimizer and one process. See
``esper_plane.callbacks`` for what it can do and what was not tried.
"""

from __future__ import annotations

from typing import Any, List, Optional

import esper_plane

from ..errors import Halted
from .watch import LoopError, Watch, whole_steps

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    try:
        from pytorch_lightning.callbacks import Callback
    except ImportError:
        raise ImportError("esper_plane.callbacks.lightning needs the package lightning or pytorch_lightning, which is not installed") from None

__all__ = ["EsperCallback"]


class EsperCallback(Callback):  # type: ignore[misc]
    """Tells a plane of every update and does what it says.

    ``steps`` is the planned number of updates, where the trainer cannot tell;
    ``samples`` how many samples an update has, 0 where nobody says; ``options`` go to
    ``esper_plane.open``. After training ``halted`` says why the plane stopped it, if it
    did, and ``refused`` how many updates were not made.
    """

    def __init__(self, address: str, name: str, *, steps: Optional[int] = None, samples: int = 0, **options: Any) -> None:
        super().__init__()
        self._watch = Watch(esper_plane.open, address, name, options)
        self._steps, self._samples = steps, samples
        self._losses: List[Any] = []

    @property
    def halted(self) -> Optional[Halted]:
        """Why the plane stopped training; None: it did not."""
        return self._watch.halted

    @property
    def refused(self) -> int:
        """Updates that the plane did not let be made."""
        return self._watch.refused

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Opens the run."""
        if trainer.world_size != 1:
            raise LoopError(f"the trainer has {trainer.world_size} processes, and this callback is for one")
        if not pl_module.automatic_optimization:
            raise LoopError("the module optimizes by hand: call esper_plane.open there instead")
        if len(trainer.optimizers) != 1:
            raise LoopError(f"the module has {len(trainer.optimizers)} optimizers, and this callback is for one")
        schedulers = [c.scheduler for c in trainer.lr_scheduler_configs]
        if len(schedulers) > 1:
            raise LoopError(f"the module has {len(schedulers)} schedulers, and this callback is for one at most")
        self._losses.clear()
        steps = whole_steps(self._steps, trainer.estimated_stepping_batches)
        self._watch.begin(pl_module, trainer.optimizers[0], schedulers[0] if schedulers else None, steps, getattr(trainer.precision_plugin, "scaler", None))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> Optional[int]:
        """Begins a step, with the first microbatch of an update."""
        if self._watch.ready():
            return None
        trainer.should_stop = True
        return -1  # the rest of the epoch is left out

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        """Keeps the loss of a microbatch. It is read once an update, not here: reading
        it waits for the device."""
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Reports the gradients, which Lightning has unscaled and not yet clipped."""
        losses, count = self._losses, len(self._losses)
        self._losses = []
        if count == 0:
            raise LoopError("an update without a backward pass before it")
        # Lightning divides each loss by the planned number of microbatches, also where
        # the last group of an epoch has fewer, and multiplies it by the scale of AMP.
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        scale = 1.0 if scaler is None else float(scaler.get_scale())
        loss = sum(float(x) for x in losses) * trainer.accumulate_grad_batches / count / scale
        if not self._watch.before(loss, self._samples, count):
            self._withhold(pl_module)
            trainer.should_stop = trainer.should_stop or self._watch.halted is not None

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ends the step. The schedulers have been stepped by now."""
        if not self._watch.after():
            trainer.should_stop = True

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Closes the run."""
        self._watch.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Closes the run as failed."""
        self._watch.end(exception)

    @staticmethod
    def _withhold(module: Any) -> None:
        """Leaves the optimizer nothing to do, decay of weights and momentum included."""
        for parameter in module.parameters():
            parameter.grad = None
