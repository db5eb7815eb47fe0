"""A small network in plain Python that learns two tasks, and is a host of esper.

It is a line through the rows of a table, for each of two columns: enough to have
gradients that disagree, a state to save and seeds that do something.
"""

import hashlib
import json
import math
import struct

FORMAT = "esper-test-net/1"


def rows(n=64):
    """Points in [-1,1]^2 and two targets that pull at the same weights."""
    out = []
    for i in range(n):
        x, y = math.sin(1.7 * i), math.cos(2.3 * i)
        out.append(((x, y, 1.0), (2 * x - y + 0.5, x + 3 * y - 0.5)))
    return out


def safetensors(tensors, meta):
    header, data = {"__metadata__": meta}, b""
    for name in sorted(tensors):
        raw = struct.pack(f"<{len(tensors[name])}d", *tensors[name])
        header[name] = {"dtype": "F64", "shape": [len(tensors[name])], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def tensors(raw):
    (n,) = struct.unpack_from("<Q", raw)
    header = json.loads(bytes(raw[8 : 8 + n]))
    meta = header.pop("__metadata__")
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = list(struct.unpack(f"<{(b - a) // 8}d", raw[8 + n + a : 8 + n + b]))
    return out, meta


class Net:
    """A host. ``calls`` is what it was asked for; ``broken`` names what it fails at."""

    def __init__(self, rate=0.1):
        self.rows, self.rate = rows(), rate
        self.state = {"weight": [0.1, -0.2, 0.0]}
        self.seeds = {}  # slot: [stage, alpha, paused]
        self.calls, self.broken = [], set()

    def _call(self, name, *args):
        self.calls.append((name, *args))
        if name in self.broken:
            raise RuntimeError(f"{name} is broken")

    # the trainer's part

    def gradients(self, step, batch=8):
        losses, grads = [0.0, 0.0], [[0.0] * 3, [0.0] * 3]
        for i in range(batch):
            x, ys = self.rows[(step * batch + i) % len(self.rows)]
            out = sum(a * b for a, b in zip(x, self.state["weight"]))
            for k, y in enumerate(ys):
                losses[k] += (out - y) ** 2 / batch
                for j in range(3):
                    grads[k][j] += 2 * (out - y) * x[j] / batch
        return losses, grads

    def report(self, step):
        losses, grads = self.gradients(step)
        gram = [sum(a * b for a, b in zip(g, h)) for g in grads for h in grads]
        gram[2] = gram[1]
        return {"losses": losses, "gram": gram, "samples": 8, "learn_rate": self.rate}, grads

    def update(self, weights, grads):
        for j in range(3):
            self.state["weight"][j] -= self.rate * sum(w * g[j] for w, g in zip(weights, grads))

    # the host's part

    def slots(self):
        return list(self.seeds)

    def graft(self, slot, command, kernel):
        self._call("graft", slot, bytes(kernel), command["blueprint"])
        self.seeds[slot] = ["", 0.0, False]

    def set_stage(self, slot, stage):
        self._call("set_stage", slot, stage)
        self.seeds[slot][0] = stage

    def set_blend(self, slot, plan):
        self._call("set_blend", slot, plan.mode.name)

    def set_alpha(self, slot, alpha):
        self._call("set_alpha", slot, alpha)
        self.seeds[slot][1] = alpha

    def set_paused(self, slot, paused):
        self._call("set_paused", slot, paused)
        self.seeds[slot][2] = paused

    def remove(self, slot):
        self._call("remove", slot)
        del self.seeds[slot]

    def seed_parameters(self, slot):
        return [{"name": f"seed.{slot}.w", "size": 3}]

    def write_snapshot(self, path):
        self._call("write_snapshot")
        with open(path, "wb") as f:
            f.write(self._save())

    def _save(self):
        return safetensors(self.state, {"format": FORMAT, "seeds": json.dumps(self.seeds), "rate": float(self.rate).hex()})

    def stage(self, path, data):
        self._call("stage", path)
        state, meta = tensors(data)
        return state, json.loads(meta["seeds"]), float.fromhex(meta["rate"])

    def adopt(self, staged):
        self._call("adopt")
        self.state, self.seeds, self.rate = staged

    def scale_rates(self, rates):
        self._call("scale_rates", dict(rates))
        self.rate = rates["net"]

    def rebuild_optimizer(self):
        self._call("rebuild_optimizer")
        state = {"groups": 1, "parameters": 3, "digest": "11" * 32}
        return state, state

    def digest(self):
        return hashlib.sha256(self._save()).hexdigest()

    def evaluate(self, without=None):
        self._call("evaluate", without)
        return {"losses": [0.5, 0.6], "accuracies": [0.5, 0.5], "samples": 8}


def plan(**changed):
    """What a run of the network is opened with."""
    out = {
        "run": "run-1", "workload": "lines", "framework": "python", "posture": {"version": "1", "device": "cpu", "compile": "off"},
        "tasks": ["a", "b"], "parameters": 3, "seed": 7, "steps": 100, "away": "stop", "lag": 0, "optimizer": "sgd",
        "groups": [{"name": "net", "rate": 0.1, "parameters": 3}], "host_parameters": [{"name": "weight", "size": 3}],
        "layers": ["out"], "seeds": [],
    }
    out.update(changed)
    return out
