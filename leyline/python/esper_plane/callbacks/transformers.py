"""A plane beside the Trainer of Hugging Face.

    from esper_plane.callbacks.transformers import EsperCallback

    trainer = Trainer(model, args, callbacks=[EsperCallback("unix:esper.sock", "bert")])

The Trainer tells its callbacks no loss, so this one reads it off what the model returns:
``loss`` of the outputs, as the models of the library have it. It needs one process, and
with fp16 a ``max_grad_norm`` above 0, as the gradients are unscaled only then. The norm
that the plane sees is that of the clipped gradient. See ``esper_plane.callbacks`` for
what it can do and what was not tried.
"""

from __future__ import annotations

from typing import Any, List, Optional

import esper_plane

from ..errors import Halted
from .watch import LoopError, Watch, whole_steps

try:
    from transformers import TrainerCallback
except ImportError:
    raise ImportError("esper_plane.callbacks.transformers needs the package transformers, which is not installed") from None

__all__ = ["EsperCallback"]


class EsperCallback(TrainerCallback):  # type: ignore[misc]
    """Tells a plane of every update and does what it says.

    ``accumulate`` says what the losses of the microbatches of one update are: the
    ``"mean"`` of them is the loss of the update, or, where the model divides by the
    number of tokens of the whole update, their ``"sum"``. ``options`` go to
    ``esper_plane.open``. After training ``halted`` says why the plane stopped it, if it
    did, and ``refused`` how many updates were not made.
    """

    def __init__(self, address: str, name: str, *, steps: Optional[int] = None, accumulate: str = "mean", **options: Any) -> None:
        super().__init__()
        if accumulate not in ("mean", "sum"):
            raise ValueError(f"accumulate {accumulate!r}: want mean or sum")
        self._watch = Watch(esper_plane.open, address, name, options)
        self._steps, self._mean = steps, accumulate == "mean"
        self._losses: List[Any] = []
        self._hook: Any = None

    @property
    def halted(self) -> Optional[Halted]:
        """Why the plane stopped training; None: it did not."""
        return self._watch.halted

    @property
    def refused(self) -> int:
        """Updates that the plane did not let be made."""
        return self._watch.refused

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Opens the run."""
        if args.world_size != 1:
            raise LoopError(f"there are {args.world_size} processes, and this callback is for one")
        if args.fp16 and not args.max_grad_norm:
            raise LoopError("with fp16 the gradients are unscaled only for clipping: set max_grad_norm, or use bf16")
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        scaler = getattr(optimizer, "scaler", None)  # of the wrapper of accelerate
        if args.fp16 and scaler is None:
            raise LoopError("with fp16 the optimizer must tell its GradScaler, as that of accelerate does; or use bf16")
        optimizer = getattr(optimizer, "optimizer", optimizer)
        steps = whole_steps(self._steps, state.max_steps)
        self._losses.clear()
        self._watch.begin(model, optimizer, kwargs.get("lr_scheduler"), steps, scaler)
        self._hook = model.register_forward_hook(self._hear)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Begins a step, with the first microbatch of an update."""
        if not self._watch.ready():
            control.should_training_stop = True
        return control

    def _hear(self, module: Any, given: Any, outputs: Any) -> None:
        """Keeps the loss of a microbatch, which is read once an update."""
        if not module.training:
            return
        loss = outputs.get("loss") if hasattr(outputs, "get") else getattr(outputs, "loss", None)
        if loss is None:
            raise LoopError("the model returns no loss: this callback cannot watch a Trainer that computes it elsewhere")
        self._losses.append(loss.detach())

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Reports the gradients, clipped by now."""
        model = kwargs["model"]
        losses, self._losses = self._losses, []
        if not losses:
            raise LoopError("an update without a forward pass before it")
        total = sum(float(x) for x in losses)
        samples = args.per_device_train_batch_size * len(losses)
        if not self._watch.before(total / len(losses) if self._mean else total, samples, len(losses)):
            self._withhold(model)
            control.should_training_stop = control.should_training_stop or self._watch.halted is not None
        return control

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ends the step. The scheduler has been stepped by now."""
        if not self._watch.after():
            control.should_training_stop = True
        return control

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Closes the run. A Trainer whose loop raises does not come here: the run then
        stays open and is resumed, or closed by the plane's operator."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        self._watch.end()

    @staticmethod
    def _withhold(model: Any) -> None:
        """Leaves the optimizer nothing to do, decay of weights and momentum included."""
        for parameter in model.parameters():
            parameter.grad = None
