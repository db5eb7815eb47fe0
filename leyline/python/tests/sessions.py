"""What the tests of sessions share: a plane that decides what a test wants decided."""

import os
import tempfile
import time
import unittest

from esper_plane import weights
from esper_plane.client import Client
from esper_plane.session import Session

from . import fake, network


class Mind:
    """Decides as a plane would, in so far as a test needs it.

    ``next`` is merged into the next answers, one by one; ``also`` into that of a kind.
    """

    def __init__(self, places, **opening):
        self.places, self.opening = places, opening
        self.seq, self.step, self.incarnation = 10, 0, 1
        self.next, self.also, self.directives = [], {}, []
        self.seeds = []
        self.snapshots = {}
        self.ahead = self.rolling = False  # the trainer runs ahead; a rollback is under way

    def __call__(self, kind, body):
        if kind == "status":
            return {"run": "run-1", "status": "open", "emergency": self.emergency}
        if kind == "directives":
            return self.polled()
        if kind == "key":
            return self.key
        self.seq += 1
        extra = self.also.pop(kind, {})
        if callable(extra):
            extra = extra(body)
        if isinstance(extra, tuple):
            return extra
        if kind == "open":
            return self.whole(fake.opened(self.places, **{**self.opening, **extra}))
        if kind == "snapshot":
            self.snapshots[body["snapshot"], body["tier"]] = body
        if kind == "step" and self.rolling:
            return self.whole(fake.answer(overtaken=True))
        if kind == "rollback":
            self.rolling = False
        if kind == "step":
            if body.get("applied") == []:
                extra = self.unfit
            elif self.next:
                extra = {**self.next.pop(0), **extra}
            self.step = body["step"] if extra.get("weights", True) else self.step
            self.rolling = self.ahead and not extra.get("weights", True)
            w = weights.mean(2)
            return self.whole(fake.answer(**{"weights": w, **extra}))
        return self.whole(fake.answer(**extra))

    emergency = "L1_NOTICE"
    key = fake.problem("unknown_key", 404)  # what is said of a key that was not told at the opening
    unfit = {}  # the answer to a step that was not applied

    def polled(self):
        if not self.directives:
            time.sleep(0.01)
            return 204, {}
        self.seq += 1
        return self.whole(fake.answer(directives=self.directives.pop(0)))

    def whole(self, doc):
        doc["seq"] = doc["cursor"] = str(self.seq)
        doc["step"], doc["incarnation"] = str(self.step), self.incarnation
        doc["seeds"] = self.seeds
        return doc

    def rollback(self, ref, seq=None, within=10**10, effect=0):
        """The order to restore a snapshot."""
        return [{
            "id": f"{seq or self.seq + 1}.{effect}", "kind": "restore", "deadline": "2026-01-01T00:00:00Z", "within_ns": str(within),
            "restore": {"rollback": "rb-1", "from": ref, "cause": "non_finite", "fault": str(self.step + 1), "reached": str(self.step)},
        }]


def ref(taken):
    return {name: taken[name] if name != "bytes" else str(taken[name]) for name in ("snapshot", "tier", "file", "bytes", "digest")} | {
        "step": str(taken["step"])
    }


class Case(unittest.TestCase):
    lane = "http"
    lag = 0

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.places = {name: os.path.join(self.folder, name) for name in ("snapshots", "fast", "kernels", "traces")}
        self.places["signal"] = os.path.join(self.folder, "signal")
        os.mkdir(self.places["kernels"])
        self.page(bytes(64))
        self.mind = Mind(self.places)
        self.plane = fake.Plane(self.folder, lambda k, b: self.mind(k, b))
        self.addCleanup(self.plane.close)
        self.net = network.Net()
        self.warned = []

    def page(self, raw):
        with open(self.places["signal"], "r+b" if os.path.exists(self.places["signal"]) else "wb") as f:
            f.write(raw)

    def session(self, verify=False, **changed):
        client = Client(self.plane.address, timeout=5, lane=self.lane)
        s = Session(client, self.net, network.plan(lag=self.lag, **changed), verify=verify, warn=self.warned.append)
        self.addCleanup(s.leave)
        return s

    def train(self, s, steps):
        """Attempts so many steps; what was decided of each."""
        out = []
        for _ in range(steps):
            number = s.begin()
            body, grads = self.net.report(number)
            d = s.step(body)
            if d.weights is not None:
                self.net.update(d.weights, grads)
                s.after_step()
            out.append(d)
        return out

    def sent(self, kind):
        return [b for k, b in self.plane.records if k == kind]


def command(operation, kernel="k", digest="", **more):
    return {
        "id": "cmd-" + operation, "kind": "SEED", "blueprint": "bp", "kernel": kernel, "kernel_digest": digest or "0" * 64,
        "seed": {"operation": operation, "seed": "slot-1", **more},
    }


BLEND = {"mode": "RESIDUAL", "total_steps": 20, "temperature": 2}
