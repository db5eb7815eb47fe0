"""What a trainer in Python needs to run beside the control plane esper.

A plane is a process (``esper serve``); a trainer opens a run of it and asks before every
update. In PyTorch::

    import esper_plane

    run = esper_plane.open("unix:data/esper.sock", name="digits", host=model, optimizer=optimizer, tasks=["digit", "parity"])
    for batch in loader:
        with run.step() as step:
            digit, parity = model(batch.images)
            step.backward({"digit": loss_a(digit, batch), "parity": loss_b(parity, batch)})
            optimizer.step()

With one loss, no seeds and no plane yet it is two lines::

    run = esper_plane.open("auto", name="mine", host=model, optimizer=optimizer)
    with run.step() as step: step.backward(loss_of(model, batch)); optimizer.step()

The forward pass is inside the with-body: where a step begins, the network may be taken
back. What that gives: losses and gradients that are not finite are never applied, training
goes back to the last snapshot that proved good, and a halt ends it. The rules that judge a
loss by those before it (``tolaria.diverge_mode``, ``tolaria.collapse_mode``) are in
shadow mode at first in a plane that is started so: the log says what they would have
done. ``shadow=False`` lets them act, as they do in a plane that you start yourself.

Another framework implements ``esper_plane.host.Host`` and drives an
``esper_plane.session.Session``. Nothing here needs a package that is not in the standard
library; ``esper_plane.torch`` needs PyTorch and is imported only for a host of it.
"""

from __future__ import annotations

import ssl
import sys
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from .client import Client
from .errors import (
    EnvelopeError,
    EsperError,
    Halted,
    HostError,
    PlaneAway,
    PlaneNotFound,
    ProtocolError,
    Refused,
    SnapshotError,
    Stranger,
    WeightsError,
)
from .host import Host
from .session import Decision, Session
from .transport import TLS

__all__ = [
    "TLS",
    "Client",
    "Decision",
    "EnvelopeError",
    "EsperError",
    "Halted",
    "Host",
    "HostError",
    "PlaneAway",
    "PlaneNotFound",
    "ProtocolError",
    "Refused",
    "Session",
    "SnapshotError",
    "Stranger",
    "WeightsError",
    "connect",
    "open",
]

__version__ = "0.1.0.dev0"


def connect(
    address: str, *, data: Optional[str] = None, serve: Sequence[str] = (), shadow: bool = True, token: Optional[str] = None,
    tls: Union[TLS, ssl.SSLContext, None] = None, timeout: float = 30.0, lane: str = "auto",
) -> Client:
    """A client of the plane at an address: unix:PATH, http://HOST:PORT, https://HOST:PORT or auto.

    ``auto`` starts a plane on the data directory ``data`` if none serves it; ``serve``
    are further arguments of ``esper serve``; ``shadow``: see ``auto.SHADOWED``. Raises ValueError and PlaneNotFound.
    """
    if address == "auto":
        from . import auto

        address = auto.start(data, serve, shadow)
    elif data is not None or serve:
        raise ValueError(f"data and serve are for the address auto; {address} is a plane that somebody else starts")
    return Client(address, token=token, tls=tls, timeout=timeout, lane=lane)


def open(  # noqa: A001: it opens a run
    address: str, *, name: str, host: Any, optimizer: Any = None, tasks: Optional[Sequence[str]] = None,
    plan: Optional[Mapping[str, Any]] = None, data: Optional[str] = None, serve: Sequence[str] = (),
    shadow: bool = True, token: Optional[str] = None, tls: Union[TLS, ssl.SSLContext, None] = None, timeout: float = 30.0, lane: str = "auto",
    lag: int = 0, away: str = "stop", away_seconds: int = 0, resume: Optional[bool] = None, verify: bool = True,
    warn: Callable[[str], None] = lambda text: print("esper: " + text, file=sys.stderr), **options: Any,
) -> Any:
    """Open a run, or resume it, and bring the network to where it starts.

    A ``host`` of PyTorch gives an ``esper_plane.torch.Run``; ``options`` are then those
    of ``esper_plane.torch.attach``. Any other host is an ``esper_plane.host.Host`` and
    gives a Session that is open; ``plan`` then holds what the run is opened with, and
    ``optimizer`` and ``options`` are refused.

    ``tasks``: one name for each loss; None: one loss. ``lag``: steps that the trainer may
    be ahead of the plane's answers, 0 to 64. ``away``: what to do when the plane cannot
    be reached, ``stop`` or ``wait``, at most ``away_seconds`` or, with 0, for ever.
    ``resume``: True where the plane must know the run, False where it must not, None:
    it is resumed where it is known. ``verify``: commands need a good signature.
    """
    mode = {"lag": lag, "away": away, "away_seconds": away_seconds}
    client = connect(address, data=data, serve=serve, shadow=shadow, token=token, tls=tls, timeout=timeout, lane=lane)
    try:
        if _of_torch(host):
            from . import torch as bridge

            return bridge.attach(
                client, name=name, host=host, optimizer=optimizer, tasks=tasks, plan={**mode, **(plan or {})}, resume=resume,
                verify=verify, warn=warn, **options,
            )
        if optimizer is not None or options:
            raise TypeError(f"optimizer and {sorted(options)} are for a host of PyTorch; this one is a {type(host).__name__}")
        if not isinstance(host, Host):
            raise TypeError(f"{type(host).__name__} is neither a torch.nn.Module nor an esper_plane.host.Host")
        whole = {**mode, **(plan or {}), "run": name}
        if tasks is not None:
            whole["tasks"] = list(tasks)
        session = Session(client, host, whole, verify=verify, warn=warn)
        session.open(resume)
        return session
    except BaseException:
        client.close()
        raise


def _of_torch(host: Any) -> bool:
    """Whether a host is a torch.nn.Module, without importing torch to find out."""
    return any(c.__module__ == "torch.nn.modules.module" and c.__name__ == "Module" for c in type(host).__mro__)
