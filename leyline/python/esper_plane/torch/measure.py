"""What a step is reported with: gradients and losses, held on the device until one
transfer brings the figures over."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch

from . import gradients
from .gradients import Gradient, Part
from .host import TorchHost
from .ranks import Alone, Ranks
from .seeds import Seed, Trace, TRAINING



FAILURES = ("none", "forward", "blend", "logits")


@dataclasses.dataclass
class _Boundary:
    """Sums over the passes of a step at the place of a seed, on the device."""

    figures: torch.Tensor  # [dot, |host|^2, |seed|^2, leak^2, loss], float64
    own: Gradient = dataclasses.field(default_factory=list)  # of a seed in TRAINING


class Gathered:
    """The gradients of a step, microbatch by microbatch."""

    def __init__(self, host: TorchHost, tasks: Sequence[str], ranks: "Ranks | Alone") -> None:
        self.host, self.tasks, self.ranks = host, tasks, ranks
        self.parts: List[Part] = host.parts()
        self.apart = host.apart()
        self.parameters = [p for part in (*self.parts, self.apart) for p in part.parameters]
        self.by_task: List[Gradient] = [[None] * len(self.parameters) for _ in tasks]
        self.losses: Optional[torch.Tensor] = None  # means, on the device
        self.samples, self.microbatches = 0, 0
        self.boundaries: Dict[str, _Boundary] = {}

    def add(self, losses: Mapping[str, torch.Tensor], samples: int, scale: float) -> None:
        """One microbatch: a backward pass for each task, of the scaled losses."""
        ordered = gradients.check_losses(losses, self.tasks)
        traces = [t for t in self.host.grafts.traces if t.seed.failure == "none"]
        self.host.grafts.traces = []
        for t in traces:
            self._leak(t)
        leaves = [t.leaf for t in traces]
        reads = [t.read for t in traces if t.seed.stage != TRAINING]
        scaled = [x if scale == 1 else x * scale for x in ordered]
        by, at = gradients.task_gradients(scaled, self.parameters, [*leaves, *reads])
        self.by_task = [gradients.add_mean(m, g, self.samples, samples) for m, g in zip(self.by_task, by)]
        self._boundary(traces, [_sum(column) for column in zip(*at)], samples, scale)
        self._take_losses(torch.stack([x.detach().double() for x in ordered]), samples)

    def observe(self, losses: Mapping[str, Any], samples: int, microbatches: int) -> None:
        """The gradients of one task that somebody else has computed into .grad."""
        values = [float(losses[t]) for t in self.tasks]
        self.by_task = [[None if p.grad is None else p.grad.detach() for p in self.parameters]]
        self._take_losses(torch.tensor(values, dtype=torch.float64, device=self.host.device), samples)
        self.microbatches = microbatches

    def _take_losses(self, new: torch.Tensor, samples: int) -> None:
        if self.losses is None:
            self.losses = new
        else:
            total = self.samples + samples
            self.losses = self.losses * (self.samples / total) + new * (samples / total)
        self.samples += samples
        self.microbatches += 1

    def _leak(self, t: Trace) -> None:
        host = [p for n, p in self.host.module.named_parameters() if p.requires_grad]
        self._of(t.seed).figures[3] += t.leak(host)

    def _of(self, seed: Seed) -> _Boundary:
        if seed.slot not in self.boundaries:
            self.boundaries[seed.slot] = _Boundary(torch.zeros(5, dtype=torch.float64, device=self.host.device))
        return self.boundaries[seed.slot]

    def _boundary(self, traces: Sequence[Trace], found: List[Optional[torch.Tensor]], samples: int, scale: float) -> None:
        reads = iter(found[len(traces):])
        for t, up in zip(traces, found):
            b = self._of(t.seed)
            if t.seed.stage == TRAINING:
                back = self._train(b, t, up, samples, scale)
            else:
                back = next(reads)
            if up is not None and back is not None:
                a, c = up.detach().double(), back.detach().double()
                b.figures[:3] += samples ** 2 * torch.stack([(a * c).sum(), a.square().sum(), c.square().sum()])

    def _train(self, b: _Boundary, t: Trace, up: Optional[torch.Tensor], samples: int, scale: float) -> Optional[torch.Tensor]:
        if up is None:
            return None
        loss, found = t.train(up)
        own, back = found[:-1], found[-1]
        if hasattr(t.seed.module, "auxiliary"):
            own = [None if g is None else g * scale for g in own]  # as all gradients of the step
        else:
            loss = loss / scale
        b.own = gradients.add_mean(b.own or [None] * len(own), own, self.samples, samples)
        b.figures[4] += samples * loss.detach().double()
        return back

    # when all microbatches are there

    def reduce(self) -> None:
        """The means over all ranks: losses, every task's gradient, what was measured of
        the seeds. One rank alone has them already."""
        if isinstance(self.ranks, Alone):
            return
        assert self.losses is not None
        total = self.ranks.samples(self.samples)
        part = self.samples / total
        self._agree()
        for seed in self.host.grafts.seeds.values():
            self.ranks.sum_([self._of(seed).figures])
        self.losses = self.losses * part
        self.ranks.sum_([self.losses])
        self.by_task = [self.ranks.mean(g, self.parameters, part) for g in self.by_task]
        for slot, seed in self.host.grafts.seeds.items():
            if seed.stage == TRAINING and not seed.paused:
                own = self._of(seed).own or [None] * len(seed.learning())
                self._of(seed).own = self.ranks.mean(own, seed.learning(), part)
        self.samples = total

    def _agree(self) -> None:
        """A seed that has failed on one rank has failed."""
        there = list(self.host.grafts.seeds.values())
        for seed, code in zip(there, self.ranks.worst([FAILURES.index(s.failure) for s in there])):
            if code and seed.failure == "none":
                seed.failure, seed.why = FAILURES[code], "it has failed on another rank"

    def figures(self, scale: float) -> "Figures":
        """Everything that the plane is told, in one transfer from the device."""
        assert self.losses is not None
        rows, at = [], 0
        for part in self.parts:
            n = len(part.parameters)
            rows.append(gradients.gram([g[at:at + n] for g in self.by_task], self.parameters[at:at + n]).flatten())
            at += n
        tails = [_square_norms(b.own) for b in self.boundaries.values()]
        sides = [b.figures for b in self.boundaries.values()]
        flat = torch.cat([self.losses, *rows, *sides, *[t for t in tails if t.numel()]]).tolist()
        return _split(self, flat, scale, [t.numel() for t in tails])

    def combined(self, weights: Sequence[float]) -> Gradient:
        """The gradient of every parameter of host and blending seeds."""
        shared = sum(len(p.parameters) for p in self.parts)
        out = gradients.combine([g[:shared] for g in self.by_task], weights)
        return out + gradients.combine([g[shared:] for g in self.by_task], [1.0] * len(weights))


@dataclasses.dataclass
class Figures:
    """A step in numbers. The gradients' are those of the unscaled losses."""

    losses: List[float]
    gram: List[float]  # k*k
    host_norm: float  # of the sum of the tasks' gradients
    seed_norms: Dict[str, float]
    sides: Dict[str, List[float]]  # cosine, leak, loss


def _split(g: Gathered, flat: List[float], scale: float, tails: List[int]) -> Figures:
    k = len(g.tasks)
    losses, at = flat[:k], k
    total, norms = [0.0] * (k * k), []
    for _ in g.parts:
        part = [v / scale / scale for v in flat[at:at + k * k]]
        total = [a + b for a, b in zip(total, part)]
        norms.append(gradients.norm_of_sum([part[i * k:(i + 1) * k] for i in range(k)]))
        at += k * k
    sides: Dict[str, List[float]] = {}
    for slot in g.boundaries:
        dot, host, seed, leak, loss = flat[at:at + 5]
        at += 5
        sides[slot] = [_cosine(dot, host, seed), _root(leak), loss / g.samples if g.samples else 0.0]
    seed_norms = {part.name: n for part, n in zip(g.parts[1:], norms[1:])}
    for slot, n in zip(g.boundaries, tails):
        if n:
            seed_norms[slot] = _root(sum(flat[at:at + n])) / scale
        at += n
    return Figures(losses, total, norms[0], seed_norms, sides)


def _cosine(dot: float, host: float, seed: float) -> float:
    if host == 0 or seed == 0:
        return 0.0
    c = dot / math.sqrt(host) / math.sqrt(seed) if host == host and seed == seed else math.nan
    return c if c != c else max(-1.0, min(1.0, c))


def _root(v: float) -> float:
    return v if v != v else math.sqrt(max(v, 0.0))


def _sum(column: Tuple[Optional[torch.Tensor], ...]) -> Optional[torch.Tensor]:
    out: Optional[torch.Tensor] = None
    for t in column:
        if t is not None:
            out = t if out is None else out + t
    return out


def _square_norms(own: Gradient) -> torch.Tensor:
    there = [g.double().square().sum() for g in own if g is not None]
    return torch.stack(there) if there else torch.zeros(0, dtype=torch.float64)


def seed_reports(host: TorchHost, figures: Figures) -> List[Dict[str, Any]]:
    """What the plane wants to know of every seed, in the order of grafting."""
    out = []
    for s in host.reported():
        cosine, leak, loss = figures.sides.get(s.slot, [0.0, 0.0, 0.0])
        entry: Dict[str, Any] = {
            "seed": s.slot, "stage": s.stage, "alpha": s.alpha, "grad_norm": figures.seed_norms.get(s.slot, 0.0),
            "host_norm": figures.host_norm, "cosine": cosine, "leak": leak, "loss": loss,
            "parameters": sum(p.numel() for p in s.module.parameters()),
        }
        if s.failure != "none":
            entry.update(failure=s.failure, why=s.why or s.failure, grad_norm=0.0, cosine=0.0, leak=0.0, loss=0.0)
        elif s.stats is not None:
            stats = dataclasses.asdict(s.stats)
            entry["blend"] = {**stats, "mode": s.stats.mode.name, "source": s.stats.source.name}
            if s.stats.source.value == 0:
                del entry["blend"]["source"]
        out.append(entry)
    return out
