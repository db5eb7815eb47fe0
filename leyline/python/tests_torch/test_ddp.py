"""Two ranks of gloo are one rank with the whole batch."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import torch

HERE = os.path.dirname(os.path.abspath(__file__))

CHILD = r"""
import json, os, sys
import torch, torch.distributed as dist
from esper_plane.torch import blueprints
from esper_plane.torch.follow import Follower, Leader, Led
from esper_plane.torch.host import TorchHost
from esper_plane.torch.ranks import Alone, Ranks
from esper_plane.torch.run import Run
from tests_torch.fake import Session
from tests_torch.test_run import Net, TASKS, batch, losses, fixed
rank, size, place = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
wrapped = sys.argv[4] == "wrapped"
if size > 1:
    dist.init_process_group("gloo", init_method="file://" + place + "/sync", rank=rank, world_size=size)
torch.manual_seed(0)
model = Net()
outer = torch.nn.parallel.DistributedDataParallel(model) if wrapped and size > 1 else model
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
host = TorchHost(outer, opt, tasks=TASKS)
ranks = Alone() if size == 1 else Ranks(host.device)
fake = Session(lambda b, n: None if n == 3 and not b.get("seen") else [0.3, 1.7])
count = [0]
def decide(b, n):
    count[0] += 1
    return None if count[0] == 3 else [0.3, 1.7]
fake.decide = decide
session = fake
if size > 1:
    leader = Leader(host, ranks)
    session = Led(fake, leader) if rank == 0 else Follower(host, ranks)
carrier = leader if size > 1 else host
if rank == 0:  # as a session carries out commands before and behind steps
    before = fake.begin
    def begin():
        if count[0] == 1 and not host.slots():
            carrier.graft("s1", {"blueprint": "bp"}, blueprints.make("bp", "residual-mlp", fixed(), layer="low"))
            carrier.set_stage("s1", "TRAINING")
        if count[0] == 2:
            carrier.set_stage("s1", "BLENDING")
            carrier.set_alpha("s1", 0.5)
        if count[0] == 4:
            carrier.write_snapshot(place + "/snap")
        if count[0] == 5 and not getattr(fake, "back", False):
            fake.back = True
            with open(place + "/snap", "rb") as f:
                carrier.adopt(carrier.stage("", bytearray(f.read())))
            fake.step_count = 3
            try:
                carrier.graft("s2", {"blueprint": "bp"}, blueprints.make("bp", "residual-mlp", fixed(), layer="nowhere"))
            except Exception:
                fake.failed = True
        return before()
    fake.begin = begin
run = Run(None, host, {"tasks": TASKS}, ranks, session=session)
applied = []
x, ya, yb = batch(24)
cut = 24 if size == 1 else (0, 9, 24)[rank + 1] - (0, 9, 24)[rank]
at = 0 if size == 1 else (0, 9, 24)[rank]
for i in range(6):
    with run.step() as step:
        step.backward(losses(outer, x[at:at + cut], ya[at:at + cut], yb[at:at + cut]))
        opt.step()
    applied.append(bool(step.applied))
run.close()
out = {"applied": applied, "step_count": run.step_count, "slots": host.slots(), "weights": [p.detach().double().flatten().tolist() for p in host.named().values()]}
if rank == 0:
    out["bodies"], out["failed"] = fake.bodies, getattr(fake, "failed", False)
out["rng"] = torch.rand(1).item()
json.dump(out, open(f"{place}/{size}-{rank}.json", "w"))
"""


# A halt is heard by rank 0 alone. Afterwards the ranks go on with something of their own.
HALTED = r"""
import datetime, json, sys
import torch, torch.distributed as dist
from esper_plane.errors import Halted
from esper_plane.torch.follow import Follower, Leader, Led
from esper_plane.torch.host import TorchHost
from esper_plane.torch.ranks import Ranks
from esper_plane.torch.run import Run
from tests_torch.fake import Session
from tests_torch.test_run import Net, TASKS, batch, losses
rank, size, place = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dist.init_process_group("gloo", init_method="file://" + place + "/sync", rank=rank, world_size=size, timeout=datetime.timedelta(seconds=20))
torch.manual_seed(0)
model = Net()
host = TorchHost(model, torch.optim.SGD(model.parameters(), lr=0.1), tasks=TASKS)
ranks = Ranks(host.device)
def decide(b, n):
    if n == 2:
        raise Halted("operator", "as the test wants it")
    return [1.0, 1.0]
session = Led(Session(decide), Leader(host, ranks)) if rank == 0 else Follower(host, ranks)
warned, raised = [], ""
try:
    with Run(None, host, {"tasks": TASKS}, ranks, session=session, warn=warned.append) as run:
        for i in range(3):
            with run.step() as step:
                step.backward(losses(model, *batch()))
                host.optimizer.step()
except Exception as e:
    raised = f"{type(e).__name__}: {getattr(e, 'reason', '')}"
own = torch.tensor([rank + 1])
dist.all_reduce(own)
json.dump({"raised": raised, "warned": warned, "sum": own.item()}, open(f"{place}/{size}-{rank}.json", "w"))
"""


def launch(size, place, wrapped="plain", script=CHILD):
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(r), str(size), place, wrapped], env=env, cwd=os.path.dirname(HERE), stderr=subprocess.PIPE)
        for r in range(size)
    ]
    for c in children:
        _, err = c.communicate(timeout=240)
        if c.returncode:
            raise AssertionError(err.decode()[-3000:])
    out = []
    for r in range(size):
        with open(f"{place}/{size}-{r}.json") as f:
            out.append(json.load(f))
    return out


@unittest.skipUnless(torch.distributed.is_available() and torch.distributed.is_gloo_available(), "this torch has no gloo")
class TwoRanks(unittest.TestCase):
    def near(self, a, b):
        torch.testing.assert_close(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), rtol=2e-5, atol=1e-6)

    maxDiff = 2000

    def test_equal_the_whole_batch(self):
        """Losses, Gram, what is measured of a seed, and every parameter behind a refused
        step, a graft, a snapshot and a restore; shards of 9 and 15 rows."""
        for wrapped in ("plain", "wrapped"):
            with self.subTest(wrapped), tempfile.TemporaryDirectory() as d:
                (whole,), (first, second) = launch(1, d), launch(2, d, wrapped)
                self.assertEqual(first["applied"], [True, True, False, True, True, True])
                self.assertEqual(second["applied"], first["applied"])
                self.assertEqual(whole["applied"], first["applied"])
                self.assertEqual((first["slots"], second["slots"], first["failed"]), (["s1"], ["s1"], True))
                self.assertEqual((first["step_count"], second["step_count"]), (4, 4))
                self.assertEqual(first["weights"], second["weights"], "the ranks are the same, bit for bit")
                for a, b in zip(whole["weights"], first["weights"]):
                    self.near(a, b)
                self.assertEqual(len(whole["bodies"]), len(first["bodies"]))
                for a, b in zip(whole["bodies"], first["bodies"]):
                    self.near(a["losses"], b["losses"])
                    self.near(a["gram"], b["gram"])
                    self.assertEqual((a["samples"], b["samples"]), (24, 24))
                    self.assertGreater(b["barrier_ns"], 0)
                    for s, t in zip(a["seeds"], b["seeds"]):
                        for name in ("cosine", "host_norm", "grad_norm", "leak", "loss"):
                            self.near(s[name], t[name])

    def test_a_halt_ends_all_ranks(self):
        """No rank waits for a word of rank 0 that does not come."""
        with tempfile.TemporaryDirectory() as d:
            for found in launch(2, d, script=HALTED):
                self.assertEqual(found, {"raised": "Halted: operator", "warned": [], "sum": 3})


if __name__ == "__main__":
    unittest.main()
