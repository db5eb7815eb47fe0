"""Training beside a real plane: $ESPER_BINARY serve.

Two tasks learn from the same small images; a seed is grown behind the trunk.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import torch
from torch import nn

import esper_plane
from esper_plane.torch import Batches, blueprints

BINARY = os.environ.get("ESPER_BINARY", "")
# Variables that begin with ESPER_ are settings to a plane.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("ESPER_")}
HERE = pathlib.Path(__file__).resolve().parents[1]
TASKS = ["kind", "side"]
SEEDS = {
    "tamiyo.window_steps": 10, "tamiyo.warmup_steps": 20, "tamiyo.train_steps": 30, "kasmina.min_train_steps": 20,
    "kasmina.probe_every": 10, "kasmina.min_observe_steps": 10, "tolaria.snapshot_every": 20,
}

RANK = """
import json, sys, torch, torch.distributed as dist
from tests_torch.test_plane import Trainer
address, home, rank = sys.argv[1], sys.argv[2], int(sys.argv[3])
dist.init_process_group("gloo", init_method=f"file://{home}/sync", rank=rank, world_size=2)
t = Trainer(address, 200, seeds=["s1"])
torch.manual_seed(100 + rank)
with t.run:
    t.train(200, spoil=150)
out = {"weights": [p.tolist() for p in t.run.host.named().values()], "steps": t.run.step_count, "recoveries": len(t.run.recoveries),
       "seen": sorted(t.seen), "drawn": torch.rand(3).tolist()}
open(f"{home}/rank-{rank}", "w").write(json.dumps(out))
"""


class Plane:
    """A plane of one's own."""

    def __init__(self, settings=(), kernel=None):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ep-"))
        self.address = f"unix:{self.home}/s"
        self.command = [BINARY, "serve", "--data", f"{self.home}/data", "--socket", f"{self.home}/s"]
        for key, value in dict(settings).items():
            self.command += ["--set", f"{key}={value}"]
        if kernel is not None:
            (self.home / "k.safetensors").write_bytes(kernel)
            subprocess.run(
                [BINARY, "blueprint", "add", f"{self.home}/k.safetensors", "--dir", f"{self.home}/bp", "--id", "mlp-8",
                 "--framework", "torch", "--layer", "trunk", "--risk", "0.1", "--tier", "SAFE"], check=True, capture_output=True, env=ENVIRONMENT)
            self.command += ["--blueprints", f"{self.home}/bp"]

    def __enter__(self):
        self.start()
        return self

    def start(self):
        (self.home / "stderr").write_bytes(b"")
        with open(self.home / "stderr", "ab") as said:
            self.process = subprocess.Popen(self.command, stderr=said, env=ENVIRONMENT)
        until = time.monotonic() + 60
        while b"ready: " not in (self.home / "stderr").read_bytes():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError((self.home / "stderr").read_text()[-3000:])
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.home)

    def log(self):
        """Every record, with what it decided, once the plane has ended."""
        done = subprocess.run([BINARY, "log", "cat", f"{self.home}/data", "--json"], check=True, capture_output=True, text=True, env=ENVIRONMENT)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.05))
        self.kind, self.side = nn.Linear(16, 4), nn.Linear(16, 2)

    def forward(self, x):
        h = self.trunk(x)
        return {"kind": self.kind(h), "side": self.side(h)}


def data(n=256):
    g = torch.Generator().manual_seed(9)
    y = torch.randint(0, 4, (n,), generator=g)
    centres = torch.randn(4, 8, generator=g)
    return centres[y] + 1.2 * torch.randn(n, 8, generator=g), y, (y >= 2).long()


def losses(out, y, z):
    return {"kind": nn.functional.cross_entropy(out["kind"], y), "side": nn.functional.cross_entropy(out["side"], z)}


def kernel():
    torch.manual_seed(4)
    return blueprints.make("mlp-8", "residual-mlp", blueprints.ResidualMLP(16, 8), layer="trunk")


class Trainer:
    """A script that trains, as a user would write it."""

    def __init__(self, address, steps, lag=0, seeds=(), name="run-1", **kw):
        torch.manual_seed(1)
        self.steps = steps
        self.model = Net()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        x, y, z = data()
        self.held = data(128)
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y, z), 32, shuffle=True, generator=torch.Generator().manual_seed(2))
        self.batches = Batches(loader)
        self.told = []
        self.run = esper_plane.open(
            address, name=name, host=self.model, optimizer=self.optimizer, tasks=TASKS, steps=steps, seed=7, lag=lag,
            seeds=list(seeds), layers=["trunk"] if seeds else [], blueprints=["mlp-8"] if seeds else [],
            evaluate=self.judge, state={"batches": self.batches}, warn=self.told.append, **kw)
        self.digests, self.seen, self.withheld = {}, set(), 0

    def judge(self, model):
        x, y, z = self.held
        out = model(x)
        found = losses(out, y, z)
        hits = {"kind": (out["kind"].argmax(1) == y).double().mean().item(), "side": (out["side"].argmax(1) == z).double().mean().item()}
        return {"losses": {t: v.item() for t, v in found.items()}, "accuracies": hits, "samples": len(x)}

    def train(self, until, spoil=None):
        while self.run.step_count < until:
            for x, y, z in self.batches:
                if spoil is not None and self.run.step_count + 1 == spoil:
                    with torch.no_grad():
                        self.model.kind.weight[0, 0] = float("nan")
                    spoil = None
                with self.run.step() as step:
                    step.backward(losses(self.run.model(x), y, z))
                    self.optimizer.step()
                self.withheld += not step.applied
                self.seen.update(self.run.stages.values())
                self.digests.setdefault(self.run.step_count, []).append(self.run.host.digest())
                if self.run.step_count >= until:
                    return


@unittest.skipUnless(BINARY, "ESPER_BINARY names no program")
class BesideAPlane(unittest.TestCase):
    def lane(self, plane, lag):
        if lag and not (plane.home / "s.fast").exists():
            self.skipTest("this plane has no framed lane")

    def test_a_fault_is_taken_back(self):
        for lag in (0, 4):
            with self.subTest(lag=lag), Plane({"tolaria.snapshot_every": 10}) as plane:
                self.lane(plane, lag)
                t = Trainer(plane.address, 60, lag)
                with t.run:
                    t.train(60, spoil=37)
                self.assertEqual(len(t.run.recoveries), 1)
                back = t.run.recoveries[0]["to_step"]
                self.assertIn(back, range(20, 37))  # with a lag a snapshot is taken some steps later
                self.assertGreaterEqual(t.withheld, 1)
                # The state after the restore is that of the snapshot: each step that was
                # trained again came to the same weights as before.
                again = [n for n in range(back + 1, 37 - lag) if len(t.digests.get(n, ())) > 1]
                self.assertTrue(again or lag)
                for n in again:
                    self.assertEqual(len(set(t.digests[n])), 1, n)
                plane.stop()
                kinds = [e["kind"] for r in plane.log() for e in r.get("events", [])]
                self.assertIn("rollback.finished", kinds)
                self.assertNotIn("weights.mismatched", kinds)

    @unittest.skipUnless(torch.distributed.is_available() and torch.distributed.is_gloo_available(), "this torch has no gloo")
    def test_two_ranks(self):
        """One of them speaks with the plane; a seed grows and a fault is taken back on
        both, with dropout of their own."""
        with Plane(SEEDS, kernel()) as plane:
            children = [
                subprocess.Popen([sys.executable, "-c", RANK, plane.address, str(plane.home), str(r)], stderr=subprocess.PIPE, cwd=HERE)
                for r in range(2)
            ]
            for c in children:
                _, err = c.communicate(timeout=280)
                self.assertEqual(c.returncode, 0, err.decode()[-3000:])
            first, second = [json.loads((plane.home / f"rank-{r}").read_text()) for r in range(2)]
            plane.stop()
            opened = next(r["input"]["value"] for r in plane.log() if r.get("input", {}).get("kind") == "run.opened")
        self.assertEqual(first["weights"], second["weights"])
        self.assertEqual((first["steps"], second["steps"], first["recoveries"]), (200, 200, 1))
        self.assertEqual(first["seen"], second["seen"])
        self.assertIn("BLENDING", first["seen"])
        self.assertNotEqual(first["drawn"], second["drawn"])
        self.assertEqual(opened["ranks"], 2)

    def test_one_loss(self):
        with Plane() as plane:
            model = nn.Linear(8, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            x = data()[0]
            with esper_plane.open(plane.address, name="one", host=model, optimizer=optimizer) as run:
                for _ in range(10):
                    with run.step() as step:
                        step.backward(model(x).square().mean())
                        optimizer.step()
            self.assertEqual(run.step_count, 10)

    def test_resumed_where_it_stood(self):
        """Killed in the midst, the plane too, and started again: the same end as
        without."""
        ends = []
        for broken in (False, True):
            with Plane({"tolaria.snapshot_every": 10}) as plane:
                t = Trainer(plane.address, 40)
                if broken:
                    t.train(27)
                    t.run.leave()
                    plane.process.kill()
                    plane.process.wait()
                    plane.start()
                    t = Trainer(plane.address, 40)
                    self.assertEqual(t.run.step_count, 20)
                with t.run:
                    t.train(40)
                    ends.append(t.run.host.digest())
        self.assertEqual(ends[0], ends[1])

    def test_a_seed_grows(self):
        for lag in (0, 3):
            with self.subTest(lag=lag), Plane(SEEDS, kernel()) as plane:
                self.lane(plane, lag)
                t = Trainer(plane.address, 400, lag, seeds=["s1"])
                with t.run:
                    t.train(400, spoil=170)
                plane.stop()
                records = plane.log()
                events = [e for r in records for e in r.get("events", [])]
                kinds = {e["kind"] for e in events}
                self.assertTrue({"TRAINING", "BLENDING"} <= t.seen, (t.seen, t.told))
                self.assertNotIn("weights.mismatched", kinds)
                settled = [e["value"] for e in events if e["kind"] == "command.settled"]
                self.assertGreater(len(settled), 2)
                self.assertEqual([s for s in settled if s["outcome"] != "ok"], [])
                leaks = [s["leak"] for r in records if r.get("input", {}).get("kind") == "step.observed" for s in r["input"]["value"]["seeds"]]
                self.assertGreater(len(leaks), 50)
                self.assertEqual(set(leaks), {0})


if __name__ == "__main__":
    unittest.main()
