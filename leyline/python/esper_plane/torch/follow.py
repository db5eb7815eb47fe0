"""The session of rank 0 and those that follow it."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence

import torch

from .. import blend
from ..errors import Halted
from . import pack, rng, state, tensors
from .errors import BridgeError
from .host import TorchHost
from .ranks import Ranks


class Leader:
    """A host for the session of rank 0, whose calls all ranks carry out."""

    def __init__(self, host: TorchHost, ranks: Ranks) -> None:
        self._host, self._ranks = host, ranks

    def _all(self, name: str, *args: Any, data: bytes = b"") -> Any:
        self._ranks.send({"call": name, "args": [_plain(a) for a in args]}, data)
        return _do(self._host, self._ranks, name, args, data)

    def slots(self) -> List[str]:
        """As TorchHost."""
        return self._host.slots()

    def graft(self, slot: str, command: Mapping[str, Any], kernel: bytes) -> None:
        """As TorchHost. Where one rank fails none keeps the seed."""
        small = {"blueprint": command["blueprint"], "seed": {"mesh": (command.get("seed") or {}).get("mesh") or []}}
        try:
            self._all("graft", slot, small, data=kernel)
        except Exception:
            self._all("discard", slot)
            raise

    def set_stage(self, slot: str, stage: str) -> None:
        """As TorchHost."""
        self._all("set_stage", slot, stage)

    def set_blend(self, slot: str, plan: blend.Plan) -> None:
        """As TorchHost."""
        self._all("set_blend", slot, plan)

    def set_alpha(self, slot: str, alpha: float) -> None:
        """As TorchHost. What stays as it is is not sent."""
        if self._host.grafts.get(slot).alpha != alpha:
            self._all("set_alpha", slot, alpha)

    def set_paused(self, slot: str, paused: bool) -> None:
        """As TorchHost."""
        if self._host.grafts.get(slot).paused != paused:
            self._all("set_paused", slot, paused)

    def remove(self, slot: str) -> None:
        """As TorchHost."""
        self._all("remove", slot)

    def seed_parameters(self, slot: str) -> List[Dict[str, Any]]:
        """As TorchHost."""
        return self._host.seed_parameters(slot)

    def write_snapshot(self, path: str) -> None:
        """The state of rank 0, and of every other rank what is its own."""
        self._ranks.send({"call": "own", "args": []})
        content, metadata = state.gather(self._host)
        for rank, own in enumerate(_gather(self._host, self._ranks)):
            content[f"rank.{rank}"] = torch.frombuffer(bytearray(own), dtype=torch.uint8)
        with open(path, "wb") as out:
            tensors.write(out, content, metadata)

    def stage(self, path: str, data: Any) -> object:
        """Every rank stages the same bytes."""
        return self._all("stage", data=bytes(data))

    def adopt(self, staged: object) -> None:
        """Every rank adopts what it has staged."""
        self._all("adopt", staged)

    def scale_rates(self, rates: Mapping[str, float]) -> None:
        """As TorchHost."""
        self._all("scale_rates", dict(rates))

    def rebuild_optimizer(self) -> Any:
        """As TorchHost."""
        return self._all("rebuild_optimizer")

    def digest(self) -> str:
        """That of rank 0."""
        return self._host.digest()

    def evaluate(self, without: Optional[str] = None) -> Optional[Dict[str, Any]]:
        """Rank 0 judges; the others wait."""
        return self._host.evaluate(without)

    # what the run of rank 0 adds

    def finish(self, message: Mapping[str, Any]) -> None:
        """End what the others wait for."""
        self._ranks.send({"done": dict(message)})


@dataclasses.dataclass(frozen=True)
class Decision:
    """As that of a session."""

    step: int
    weights: Optional[List[float]]
    restored: bool = False
    again: bool = False


class Follower:
    """A session of any other rank: it does what rank 0 sends until that is done."""

    def __init__(self, host: TorchHost, ranks: Ranks) -> None:
        self._host, self._ranks = host, ranks
        self.step_count = 0
        self.recoveries: List[Dict[str, Any]] = []

    def _follow(self) -> Dict[str, Any]:
        while True:
            message, data = self._ranks.receive()
            if "done" in message:
                done = message["done"]
                self.step_count = int(done.get("step_count", self.step_count))
                if done.get("halted"):
                    raise Halted(*done["halted"])
                if done.get("error"):
                    raise BridgeError("rank_0", "run", f"ended: {done['error']}")
                return done
            try:
                _do(self._host, self._ranks, message["call"], [_rich(a) for a in message["args"]], data)
            except Exception:  # noqa: BLE001: rank 0 knows, and decides
                continue

    def open(self, resume: Optional[bool] = None) -> None:
        """Follow the opening."""
        self._follow()

    def begin(self) -> int:
        """Follow what comes before a step."""
        return int(self._follow()["number"])

    def step(self, body: Mapping[str, Any]) -> Decision:
        """Hear what was decided."""
        d = self._follow()
        return Decision(d["number"], d["weights"], d["restored"], d["again"])

    def after_step(self) -> None:
        """Follow what comes behind a step."""
        self._follow()

    def epoch(self, epoch: int, losses: Sequence[float], accuracies: Sequence[float], samples: int) -> None:
        """Follow an evaluation; the figures of rank 0 count."""
        self._follow()

    def fallback(self, stage: str, reason: str, seed: str = "") -> None:
        """Only rank 0 reports."""

    def close(self, outcome: str = "ok", reason: str = "") -> None:
        """Follow the closing."""
        self._follow()

    def leave(self) -> None:
        """Nothing is open here."""


class Led:
    """The session of rank 0, which lets the others go on when a call is over."""

    def __init__(self, session: Any, leader: Leader) -> None:
        self._session, self._leader = session, leader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _run(self, call: Any, tell: Any = None) -> Any:
        try:
            out = call()
        except Halted as e:  # the run is left as it is, by every rank
            self._leader.finish({"halted": [e.reason, e.detail]})
            raise
        except BaseException as e:
            self._leader.finish({"error": f"{type(e).__name__}: {e}"})
            raise
        self._leader.finish({"step_count": self._session.step_count, **(tell(out) if tell else {})})
        return out

    def open(self, resume: Optional[bool] = None) -> Any:
        """As Session."""
        return self._run(lambda: self._session.open(resume))

    def begin(self) -> int:
        """As Session."""
        return int(self._run(self._session.begin, lambda n: {"number": n}))

    def step(self, body: Mapping[str, Any]) -> Any:
        """As Session."""
        return self._run(
            lambda: self._session.step(body),
            lambda d: {"number": d.step, "weights": d.weights, "restored": d.restored, "again": d.again},
        )

    def after_step(self) -> None:
        """As Session."""
        self._run(self._session.after_step)

    def epoch(self, *args: Any) -> None:
        """As Session."""
        self._run(lambda: self._session.epoch(*args))

    def close(self, outcome: str = "ok", reason: str = "") -> Any:
        """As Session."""
        return self._run(lambda: self._session.close(outcome, reason))


def _do(host: TorchHost, ranks: Ranks, name: str, args: Sequence[Any], data: bytes) -> Any:
    """Do what was asked, and raise on every rank where one has failed."""
    problem, out, error = "", None, None
    if name == "own":
        _gather(host, ranks)
        return None
    try:
        out = _call(host, ranks, name, args, data)
    except Exception as e:  # noqa: BLE001: all ranks have to hear of it
        problem, error = f"{type(e).__name__}: {e}", e
    worst = ranks.agree(problem)
    if error is not None:
        raise error
    if worst:
        raise BridgeError("rank_failed", name, worst)
    return out


def _call(host: TorchHost, ranks: Ranks, name: str, args: Sequence[Any], data: bytes) -> Any:
    if name == "graft":
        return host.graft(args[0], args[1], data)
    if name == "discard":
        return host.remove(args[0]) if args[0] in host.slots() else None
    if name == "stage":
        host.staged = state.stage(host, data)
        return host.staged
    if name == "adopt":
        return _adopt(host, ranks)
    if name in ("set_stage", "set_blend", "set_alpha", "set_paused", "remove", "scale_rates", "rebuild_optimizer"):
        return getattr(host, name)(*args)
    raise BridgeError("unknown_call", "message", f"asks for {name!r}")


def _adopt(host: TorchHost, ranks: Ranks) -> None:
    staged, host.staged = host.staged, None
    if staged is None:
        raise BridgeError("out_of_order", "adopt", "comes before stage")
    host.adopt(staged)
    own = staged.ranks.get(f"rank.{ranks.rank}")
    if own is not None:
        metadata, content = tensors.decode(tensors.content(own))
        rng.load(pack.unpack(metadata["rng"], content), host.device, host.generators)
        for name, thing in host.extras().items():
            if name in metadata:
                thing.load_state_dict(pack.unpack(metadata[name], content))


def _gather(host: TorchHost, ranks: Ranks) -> List[bytes]:
    """What every rank has of its own: random states and the places of samplers."""
    content: Dict[str, Any] = {}
    metadata = {"rng": pack.pack(rng.save(host.device, host.generators), "rng", content)}
    for name, thing in host.extras().items():
        if name.startswith("extra."):
            metadata[name] = pack.pack(thing.state_dict(), name, content)
    return ranks.gather(tensors.encode(content, metadata))


def _plain(value: Any) -> Any:
    if isinstance(value, blend.Plan):
        return {"blend": {**dataclasses.asdict(value), "mode": value.mode.name, "source": value.source.name}}
    return None if isinstance(value, state.Staged) else value


def _rich(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"blend"}:
        return state.plan_of(value["blend"])
    return value
