"""Snapshots: everything that training goes on from, bit for bit."""

import hashlib
import json
import math
import os
import random
import tempfile
import unittest

import torch
from torch import nn

from esper_plane import blend
from esper_plane.torch import blueprints, optim, pack, tensors
from esper_plane.torch.errors import BridgeError, FormatError
from esper_plane.torch.host import TorchHost
from esper_plane.torch.sampler import Batches


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Linear(6, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.3)
        self.high = nn.Linear(16, 3)
        self.register_buffer("aside", torch.zeros(2), persistent=False)

    def forward(self, x):
        self.aside.add_(1)
        return self.high(self.drop(torch.relu(self.norm(self.low(x)))))


class Data(torch.utils.data.Dataset):
    """Rows with noise from the random state, as an augmentation would have it."""

    def __init__(self, n=37):
        gen = torch.Generator().manual_seed(5)
        self.x = torch.randn(n, 6, generator=gen)
        self.y = torch.randint(0, 3, (n,), generator=gen)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i] + 0.01 * torch.randn(6) + 0.01 * random.random(), self.y[i]


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.01),
    "adamw foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "adam fused": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "adam amsgrad tensor lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), amsgrad=True, capturable=False, foreach=False),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, momentum=0.5, centered=True),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.01),
}


class Trainer:
    def __init__(self, make=OPTIMIZERS["adam"], generator=True, accumulate=1):
        torch.manual_seed(11)
        random.seed(11)
        self.model = Net()
        self.optimizer = make(self.model.parameters())
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(self.optimizer, 7)
        gen = torch.Generator().manual_seed(3) if generator else None
        self.batches = Batches(torch.utils.data.DataLoader(Data(), 8, shuffle=True, generator=gen), accumulate)
        self.host = TorchHost(self.model, self.optimizer, tasks=["a"], scheduler=self.scheduler, state={"batches": self.batches})
        self.seen = []
        self.source = None

    def next(self):
        while True:
            if self.source is None:
                self.source = iter(self.batches)
            got = next(self.source, None)
            if got is not None:
                return got
            self.source = None

    def train(self, steps):
        for _ in range(steps):
            x, y = self.next()
            self.seen.append(x.sum().item())
            self.host.grafts.begin()
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()
            self.scheduler.step()


def snapshot(host):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "s.safetensors")
        host.write_snapshot(path)
        with open(path, "rb") as f:
            return bytearray(f.read())


class BitForBit(unittest.TestCase):
    def test_go_back_and_train_again(self):
        for name, make in OPTIMIZERS.items():
            for generator in (True, False):
                with self.subTest(name, generator=generator):
                    t = Trainer(make, generator)
                    t.train(20)
                    data, at20 = snapshot(t.host), t.host.digest()
                    self.assertEqual(at20, hashlib.sha256(data).hexdigest())
                    t.seen.clear()
                    t.train(20)
                    at40, first = t.host.digest(), list(t.seen)
                    self.assertNotEqual(at20, at40)
                    t.host.adopt(t.host.stage("", data))
                    data[:] = bytes(len(data))  # the memory is the session's again
                    self.assertEqual(t.host.digest(), at20)
                    t.seen.clear()
                    t.train(20)
                    self.assertEqual(t.seen, first, "the same rows in the same order, with the same noise")
                    self.assertEqual(t.host.digest(), at40)

    def test_in_another_process(self):
        """A fresh trainer that reads the file goes on as the old one does."""
        t = Trainer()
        t.train(20)
        data = snapshot(t.host)
        t.train(13)
        other = Trainer()
        random.random(), torch.rand(3)
        other.host.adopt(other.host.stage("", data))
        other.train(13)
        self.assertEqual(other.host.digest(), t.host.digest())

    def test_at_every_place_of_an_epoch(self):
        t = Trainer()
        for _ in range(11):
            t.train(1)
            data = snapshot(t.host)
            t.seen.clear()
            t.train(3)
            want, digest = list(t.seen), t.host.digest()
            t.host.adopt(t.host.stage("", data))
            t.seen.clear()
            t.train(3)
            self.assertEqual((t.seen, t.host.digest()), (want, digest))
            t.host.adopt(t.host.stage("", data))

    def test_staging_touches_nothing(self):
        t = Trainer()
        t.train(5)
        data = snapshot(t.host)
        t.train(5)
        before = t.host.digest()
        t.host.stage("", data)
        self.assertEqual(t.host.digest(), before)

    def test_every_part_counts(self):
        """The digest covers each of them."""
        def weights(t): t.model.low.weight.data[0, 0] += 1
        def buffer(t): t.model.norm.running_mean[0] += 1
        def aside(t): t.model.aside[0] += 1
        def moment(t): t.optimizer.state[t.model.low.weight]["exp_avg"][0, 0] += 1
        def count(t): t.optimizer.state[t.model.low.weight]["step"] += 1
        def rate(t): t.optimizer.param_groups[0]["lr"] *= 2
        def schedule(t): t.scheduler.last_epoch += 1
        def torchs(t): torch.rand(1)
        def pythons(t): random.random()
        def order(t): t.batches.taken += 1

        for change in (weights, buffer, aside, moment, count, rate, schedule, torchs, pythons, order):
            t = Trainer()
            t.train(3)
            before = t.host.digest()
            change(t)
            self.assertNotEqual(t.host.digest(), before, change.__name__)

    def test_scaler(self):
        torch.manual_seed(0)
        model = nn.Linear(2, 1)
        opt = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
        host = TorchHost(model, opt, tasks=["a"], scaler=scaler)
        scaler.scale(model(torch.ones(1, 2)).sum()).backward()
        scaler.step(opt)
        scaler.update()
        data = snapshot(host)
        self.assertEqual(scaler.get_scale(), 8.0)
        scaler.update(2.0)
        host.adopt(host.stage("", data))
        self.assertEqual(scaler.get_scale(), 8.0)


class WithSeeds(unittest.TestCase):
    def grafted(self):
        t = Trainer()
        t.train(4)
        t.host.graft("s.1", {"blueprint": "bp"}, kernel())
        return t

    def test_optimizer_follows(self):
        t = self.grafted()
        seed = t.host.grafts.get("s.1")
        group = t.optimizer.param_groups[0]["params"]
        own = {id(p) for p in seed.module.parameters()}
        self.assertEqual(len(t.optimizer.param_groups), 1)
        self.assertEqual(len([p for p in group if id(p) in own]), 4)
        t.host.set_stage("s.1", "BLENDING")
        t.host.set_alpha("s.1", 0.5)
        t.train(2)
        self.assertEqual(len([p for p in t.optimizer.state if id(p) in own]), 4)
        t.host.remove("s.1")
        self.assertEqual([p for p in group if id(p) in own], [])
        self.assertEqual([p for p in t.optimizer.state if id(p) in own], [])
        t.train(1)

    def test_seeds_come_and_go_with_a_state(self):
        t = self.grafted()
        t.host.set_stage("s.1", "BLENDING")
        t.host.set_blend("s.1", blend.Plan(blend.Mode.CONVEX, 10, 2.0))
        t.host.set_alpha("s.1", 0.5)
        t.train(4)
        with_seed, digest = snapshot(t.host), t.host.digest()
        t.train(3)
        later = t.host.digest()
        t.host.remove("s.1")
        without = snapshot(t.host)
        t.train(2)
        t.host.adopt(t.host.stage("", with_seed))
        self.assertEqual(t.host.digest(), digest)
        self.assertEqual(t.host.grafts.get("s.1").plan.mode, blend.Mode.CONVEX)
        t.train(3)
        self.assertEqual(t.host.digest(), later)
        t.host.adopt(t.host.stage("", without))
        self.assertEqual(t.host.slots(), [])
        self.assertEqual(len(t.optimizer.param_groups[0]["params"]), 6)

    def test_refused_grafts_change_nothing(self):
        t = self.grafted()
        before = t.host.digest()
        for slot, command, data in (
            ("s.2", {"blueprint": "other"}, kernel()),
            ("s.2", {"blueprint": "bp"}, kernel()[:-3]),
            ("s.2", {"blueprint": "bp"}, kernel(layer="nowhere")),
            ("s.2", {"blueprint": "bp"}, kernel(layer="")),
            ("s.2", {"blueprint": "bp", "seed": {"mesh": ["high"]}}, kernel()),
            ("s.2", {"blueprint": "bp"}, kernel(dtype=torch.float64)),
            ("s.1", {"blueprint": "bp"}, kernel()),
        ):
            with self.assertRaises(BridgeError):
                t.host.graft(slot, command, data)
            self.assertEqual(t.host.digest(), before)
        t.host.graft("s.2", {"blueprint": "bp", "seed": {"mesh": ["low"]}}, kernel(layer=""))
        self.assertEqual([p["name"] for p in t.host.seed_parameters("s.2")], [f"seed.s.2.{n}" for n in ("inner.bias", "inner.weight", "outer.bias", "outer.weight")])

    def test_evaluate(self):
        t = self.grafted()
        t.host.set_stage("s.1", "BLENDING")
        t.host.set_alpha("s.1", 1.0)
        x = Data().x
        modes = []

        def judge(model):
            modes.append((model.training, torch.is_inference_mode_enabled(), t.host.grafts.get("s.1").module.training))
            torch.rand(5), random.random()
            out = model(x)
            return {"losses": {"a": out.square().mean()}, "accuracies": [0.5], "samples": len(x)}

        t.host._evaluate = judge
        t.model.drop.eval()
        t.model.aside.zero_()
        before = t.host.digest()
        whole = t.host.evaluate()
        t.model.aside.zero_()
        without = t.host.evaluate("s.1")
        t.model.aside.zero_()
        self.assertEqual(t.host.digest(), before)
        self.assertEqual(modes[0][:2], (False, True))
        self.assertEqual((t.model.training, t.model.drop.training), (True, False))
        self.assertNotEqual(whole["losses"], without["losses"])
        self.assertEqual(whole["failed"], [])
        self.assertIsNone(t.host.grafts.without)


def kernel(layer="low", dtype=torch.float32):
    rng = torch.get_rng_state()
    torch.manual_seed(8)
    module = blueprints.ResidualMLP(16, 5).to(dtype)
    torch.set_rng_state(rng)
    return blueprints.make("bp", "residual-mlp", module, layer=layer)


class Refused(unittest.TestCase):
    def test_files(self):
        t = Trainer()
        t.train(2)
        good = snapshot(t.host)
        metadata, content = tensors.decode(good)

        def without(name):
            return tensors.encode({k: v for k, v in content.items() if k != name}, metadata)

        def told(**changes):
            return tensors.encode(content, {k: v for k, v in {**metadata, **changes}.items() if v is not None})

        before = t.host.digest()
        for name, data, error in (
            ("cut", good[:-1], FormatError),
            ("pickle", b"\x80\x04K\x01.", FormatError),
            ("another file", tensors.encode({}, {"format": "esper-workload-net/3"}), BridgeError),
            ("no weight", without("model.low.weight"), BridgeError),
            ("no moment", without("optimizer.state.model.low.weight.exp_avg"), BridgeError),
            ("another shape", tensors.encode({**content, "model.low.weight": torch.zeros(2)}, metadata), BridgeError),
            ("another type", tensors.encode({**content, "model.low.weight": torch.zeros(16, 6).double()}, metadata), BridgeError),
            ("more", tensors.encode({**content, "model.x": torch.zeros(2)}, metadata), BridgeError),
            ("no schedule", told(scheduler=None), BridgeError),
            ("a scaler", told(scaler="{}"), BridgeError),
            ("no JSON", told(rng="{"), BridgeError),
            ("other tags", told(rng='{"code":"x"}'), BridgeError),
            ("random state of another size", tensors.encode({**content, "rng.cpu": torch.zeros(3, dtype=torch.uint8)}, metadata), BridgeError),
            ("groups", told(optimizer=json.dumps({"dict": [["groups", []], ["state", {"dict": []}]]})), BridgeError),
            ("seeds", told(seeds='[{"dict":[]}]'), BridgeError),
        ):
            with self.subTest(name):
                with self.assertRaises(error):
                    t.host.stage("", bytearray(data))
                self.assertEqual(t.host.digest(), before)

    def test_hosts(self):
        class Extra(nn.Linear):
            def get_extra_state(self):
                return 1

        for model, kw in (
            (Extra(2, 2), {}),
            (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), {}),
            (nn.Linear(2, 2), {"shared": ["nowhere"]}),
            (nn.Linear(2, 2), {"host_branch": "never"}),
        ):
            with self.assertRaises(BridgeError):
                TorchHost(model, torch.optim.SGD(model.parameters(), lr=0.1), tasks=["a"], **kw)


class Pack(unittest.TestCase):
    def test_round_trip(self):
        value = {
            "a": [1, -(1 << 60), True, None, "x"], 3: (0.1, math.inf, -0.0), "t": {"u": torch.arange(3)}, "b": b"\0\xff", "e": ((), [], {}),
        }
        into = {}
        text = pack.pack(value, "p", into)
        back = pack.unpack(text, into)
        self.assertTrue(torch.equal(back["t"].pop("u"), value["t"].pop("u")))
        self.assertEqual(repr(back), repr(value))
        self.assertTrue(math.isnan(pack.unpack(pack.pack(math.nan, "p", {}), {})))

    def test_refused(self):
        deep = []
        for _ in range(50):
            deep = [deep]
        for value in (lambda: 0, {1, 2}, object(), deep, {"a": {"b": torch.nn.Linear(1, 1)}}):
            with self.assertRaises(BridgeError):
                pack.pack(value, "p", {})
        for text in ("{", "1.5", '{"tensor":"x"}', '{"dict":[1]}', '{"a":1,"b":2}', '{"eval":"1"}', '{"bytes":"*"}', "[" * 1000 + "]" * 1000):
            with self.assertRaises(BridgeError):
                pack.unpack(text, {})


class Optimizer(unittest.TestCase):
    def test_rebuild(self):
        t = Trainer()
        t.train(3)
        digest, moment = t.host.digest(), t.optimizer.state[t.model.low.weight]["exp_avg"]
        before, after = t.host.rebuild_optimizer()
        self.assertEqual(before, after)
        self.assertEqual((before["groups"], before["parameters"]), (1, sum(p.numel() for p in t.model.parameters())))
        self.assertIsNot(t.optimizer.state[t.model.low.weight]["exp_avg"], moment)
        self.assertEqual(t.host.digest(), digest)
        t.train(2)

    def test_rates(self):
        model = nn.Linear(2, 2)
        opt = torch.optim.SGD([{"params": [model.weight], "name": "w"}, {"params": [model.bias], "lr": torch.tensor(0.5)}], lr=0.1)
        self.assertEqual([(g["name"], round(g["rate"], 6), g["parameters"]) for g in optim.groups(opt)], [("w", 0.1, 4), ("group-1", 0.5, 2)])
        optim.set_rates(opt, {"w": 0.2, "group-1": 0.25})
        self.assertEqual([float(g["lr"]) for g in opt.param_groups], [0.2, 0.25])
        for wrong in ({"w": 1.0}, {"w": 1.0, "x": 1.0}):
            with self.assertRaises(BridgeError):
                optim.set_rates(opt, wrong)
        self.assertEqual([float(g["lr"]) for g in opt.param_groups], [0.2, 0.25])

    def test_a_parameter_of_nobody(self):
        model, other = nn.Linear(2, 2), nn.Linear(2, 2)
        host = TorchHost(model, torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1), tasks=["a"])
        with self.assertRaises(BridgeError):
            host.digest()


class Order(unittest.TestCase):
    def test_a_group_that_is_not_full_is_a_group(self):
        """D-T27: 3 batches with an accumulation of 2 are 2 steps."""
        loader = torch.utils.data.DataLoader(torch.arange(12), 4)
        groups = list(Batches(loader, 2))
        self.assertEqual([[b.tolist() for b in g] for g in groups], [[[0, 1, 2, 3], [4, 5, 6, 7]], [[8, 9, 10, 11]]])

    def test_epochs(self):
        batches = Batches(torch.utils.data.DataLoader(torch.arange(6), 2, shuffle=True, generator=torch.Generator().manual_seed(1)))
        first, second = [b.tolist() for b in batches], [b.tolist() for b in batches]
        self.assertEqual((len(first), len(second), batches.epoch), (3, 3, 2))
        self.assertNotEqual(first, second)

    def test_back_into_the_epoch_before(self):
        batches = Batches(torch.utils.data.DataLoader(torch.arange(6), 2, shuffle=True, generator=torch.Generator().manual_seed(1)))
        seen, place, gone_back = [], None, False
        for _ in batches:
            if place is None:
                place = batches.state_dict()
        for b in batches:
            seen.append((batches.epoch, b.tolist()))
            if len(seen) == 2 and not gone_back:
                batches.load_state_dict(place)
                gone_back = True
        self.assertEqual([e for e, _ in seen], [1, 1, 0, 0, 1, 1, 1])
        self.assertEqual(seen[:2], seen[4:6])

    def test_another_accumulation_is_refused(self):
        loader = torch.utils.data.DataLoader(torch.arange(6), 2)
        with self.assertRaises(BridgeError):
            Batches(loader, 2).load_state_dict(Batches(loader).state_dict())


if __name__ == "__main__":
    unittest.main()
