"""Seeds: blend vectors on tensors, isolation, what is measured, grafting."""

import dataclasses
import json
import math
import pathlib
import unittest

import torch
from torch import nn

from esper_plane import blend
from esper_plane.torch import blueprints, mixing, seeds
from esper_plane.torch.errors import BridgeError

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "leylinetest" / "testdata" / "blend.json").read_text(encoding="utf-8")
)


def plan(raw):
    gate = raw["gate"]
    return blend.Plan(
        mode=blend.Mode[raw["mode"]], total_steps=raw["total_steps"], temperature=float(raw["temperature"]),
        channels=tuple(map(float, raw["channels"])), channel_count=raw["channel_count"],
        gate=None if gate is None else blend.Gate(**{n: float(x) for n, x in gate.items()}),
        source=blend.Source[raw["source"]], logits=tuple(map(float, raw["logits"])),
    )


class Vectors(unittest.TestCase):
    def near(self, got, want, name):
        got = got.flatten().tolist()
        self.assertEqual(len(got), len(want), name)
        for a, b in zip(got, want):
            self.assertLessEqual(abs(a - b), 1e-12 * max(1.0, abs(b)), (name, got, want))

    def test_modes_with_gradients(self):
        seen = set()
        for case in VECTORS["cases"]:
            p, want, shape = plan(case["plan"]), case["want"], (case["rows"], case["features"])
            seen.add(p.mode)
            host = torch.tensor(case["host"], dtype=torch.float64).reshape(shape).requires_grad_()
            seed = torch.tensor(case["seed"], dtype=torch.float64).reshape(shape).requires_grad_()
            logits = [torch.tensor(list(map(float, c["values"])), dtype=torch.float64).reshape(-1, c["classes"]) for c in case["logits"]]
            with self.subTest(case["name"]):
                opened = mixing.open_mix(p, float(case["alpha"]), host, logits)
                out = mixing.mix(opened, p, host, seed, adds=False)
                self.near(out, want["output"], "output")
                up = torch.tensor(case["upstream"], dtype=torch.float64).reshape(shape)
                zero = torch.zeros_like(out)
                got = torch.autograd.grad(out, [seed, host], up, allow_unused=True)
                self.near(zero if got[0] is None else got[0], want["seed_gradient"], "seed gradient")
                self.near(zero if got[1] is None else got[1], want["host_gradient"], "host gradient")
                stats = dataclasses.asdict(opened.stats())
                for key, value in want["stats"].items():
                    self.assertLessEqual(abs(stats[key] - value), 1e-12, key)
        self.assertEqual(seen, set(blend.Mode) - {blend.Mode.UNSPECIFIED})

    def test_a_seed_that_adds_leaves_the_host_its_gradient(self):
        for mode in (blend.Mode.CONVEX, blend.Mode.RESIDUAL):
            host = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
            made = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
            p = blend.Plan(mode, 1, 1.0)
            out = mixing.mix(mixing.open_mix(p, 0.3, host), p, host, made, adds=True)
            torch.testing.assert_close(out, host + 0.3 * made)
            of_host, of_seed = torch.autograd.grad(out.sum(), [host, made])
            torch.testing.assert_close(of_host, torch.ones_like(host))
            torch.testing.assert_close(of_seed, torch.full_like(made, 0.3))

    def test_channels_of_images_and_sequences(self):
        p = blend.Plan(blend.Mode.CHANNEL, 1, 1.0, channels=(0.0, 0.5), channel_count=2)
        for shape, at in (((3, 2, 4, 4), 1), ((3, 5, 2), 2), ((3, 2), 1)):
            host, seed = torch.zeros(shape), torch.ones(shape)
            out = mixing.mix(mixing.open_mix(p, 1.0, host), p, host, seed, adds=False)
            self.assertEqual(out.select(at, 0).unique().tolist(), [0.0])
            self.assertEqual(out.select(at, 1).unique().tolist(), [0.5])
        with self.assertRaises(blend.BlendError):
            mixing.open_mix(p, 1.0, torch.zeros(3, 7))


class Host(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Linear(4, 6)
        self.act = nn.ReLU(inplace=True)  # changes in place what the layer returns
        self.high = nn.Linear(6, 3)

    def forward(self, x):
        return self.high(self.act(self.low(x)))


class Spy(nn.Module):
    adds = True

    def __init__(self, width=6):
        super().__init__()
        self.w = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        return self.w * x


def grafted(module=None, layer="low", **members):
    torch.manual_seed(0)
    host = Host()
    grafts = seeds.Grafts(host)
    seed = seeds.Seed("s1", "bp", layer, module or Spy())
    for k, v in members.items():
        setattr(seed, k, v)
    grafts.add(seed)
    return host, grafts, seed


class Isolation(unittest.TestCase):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))

    def test_training_changes_nothing_of_the_host(self):
        torch.manual_seed(0)
        plain = Host()
        want = plain(self.x)
        want.square().sum().backward()
        host, grafts, seed = grafted()
        got = host(self.x)
        self.assertTrue(torch.equal(got, want))
        got.square().sum().backward()
        for a, b in zip(plain.parameters(), (host.low.weight, host.low.bias, host.high.weight, host.high.bias)):
            self.assertTrue(torch.equal(a.grad, b.grad))
        self.assertIsNone(seed.module.w.grad)
        grafts.remove("s1")
        self.assertEqual(list(host.state_dict()), list(plain.state_dict()))

    def test_the_gradient_at_the_graft(self):
        """Taken before what is done in place behind the layer."""
        host, grafts, seed = grafted(stage="BLENDING", alpha=0.25)
        out = host(self.x)
        (trace,) = grafts.traces
        read, leaf = torch.autograd.grad(out.sum(), [trace.read, trace.leaf])
        with torch.no_grad():
            h = self.x @ host.low.weight.t() + host.low.bias
            mixed = h + 0.25 * 0.5 * h
            want = (mixed > 0) * host.high.weight.sum(0)
        torch.testing.assert_close(leaf, want)
        torch.testing.assert_close(read, want * 0.25 * 0.5)

    def test_a_leak_is_seen(self):
        host, grafts, seed = grafted(stage="BLENDING", alpha=0.5)
        host(self.x)
        self.assertEqual(grafts.traces[0].leak(list(host.parameters())[:4]).item(), 0.0)

        class Leaky(Spy):
            def forward(self, x):
                return super().forward(x) + host2.low.bias

        leaky = Leaky()
        host2, grafts2, _ = grafted(leaky, stage="BLENDING", alpha=0.5)
        host2(self.x)
        (trace,) = grafts2.traces
        self.assertGreater(trace.leak([host2.low.weight, host2.low.bias]).item(), 0)

    def test_training_goes_down_hill_and_no_farther(self):
        """Many steps on one batch bring the seed to its reach, in the direction that
        lowers the loss."""
        class Free(nn.Module):
            adds = True

            def __init__(self):
                super().__init__()
                self.y = nn.Parameter(torch.zeros(5, 6))

            def forward(self, x):
                return self.y + 0 * x

        host, grafts, seed = grafted(Free())
        for _ in range(400):
            grafts.begin()
            loss = host(self.x).square().sum()
            (trace,) = grafts.traces
            (up,) = torch.autograd.grad(loss, [trace.leaf])
            _, (grad, _) = trace.train(up)
            with torch.no_grad():
                seed.module.y -= grad * (seeds.REACH * trace.read.norm(dim=1) / up.norm(dim=1))[:, None] * 0.5
        y, h = seed.module.y.detach(), trace.read.detach()
        want = -seeds.REACH * (h.norm(dim=1) / up.norm(dim=1))[:, None] * up
        torch.testing.assert_close(y, want, rtol=1e-3, atol=1e-4)

    def test_a_host_layer_that_does_not_learn(self):
        host, grafts, seed = grafted()
        host.low.requires_grad_(False)
        loss = host(self.x).square().sum()
        (trace,) = grafts.traces
        (up,) = torch.autograd.grad(loss, [trace.leaf])
        self.assertGreater(up.abs().sum().item(), 0)

    def test_no_trace_without_gradients(self):
        host, grafts, _ = grafted(stage="BLENDING", alpha=0.5)
        with torch.inference_mode():
            host(self.x)
        with torch.no_grad():
            host(self.x)
        self.assertEqual(grafts.traces, [])

    def test_detached_branch(self):
        torch.manual_seed(0)
        host = Host()
        grafts = seeds.Grafts(host, "detached")
        seed = seeds.Seed("s1", "bp", "low", Spy())
        seed.stage, seed.alpha = "BLENDING", 0.5
        grafts.add(seed)
        host(self.x).sum().backward()
        self.assertIsNone(host.low.weight.grad)
        self.assertIsNotNone(seed.module.w.grad)


class Failures(unittest.TestCase):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))

    def failed(self, module, **members):
        host, grafts, seed = grafted(module, stage="BLENDING", alpha=0.5, **members)
        torch.manual_seed(0)
        self.assertTrue(torch.equal(host(self.x), Host()(self.x)), "the host goes on without it")
        self.assertEqual(grafts.traces, [])
        return seed.failure, seed.why

    def test_a_module_that_raises(self):
        class Raises(Spy):
            def forward(self, x):
                raise RuntimeError("no such thing")

        what, why = self.failed(Raises())
        self.assertEqual(what, "forward")
        self.assertIn("no such thing", why)

    def test_an_output_that_is_not_finite(self):
        spy = Spy()
        spy.w.data[2] = math.inf
        self.assertEqual(self.failed(spy)[0], "forward")

    def test_an_output_of_another_shape(self):
        class Cuts(Spy):
            def forward(self, x):
                return x[:, :2]

        self.assertEqual(self.failed(Cuts())[0], "forward")

    def test_channels_that_are_not_the_hosts(self):
        p = blend.Plan(blend.Mode.CHANNEL, 1, 1.0, channels=(0.5,), channel_count=1)
        self.assertEqual(self.failed(Spy(), plan=p)[0], "blend")

    def test_a_gate_without_logits(self):
        p = blend.Plan(blend.Mode.CONFIDENCE, 1, 1.0, gate=blend.Gate(), source=blend.Source.SEED)
        self.assertEqual(self.failed(Spy(), plan=p)[0], "logits")

    def test_a_mad_host_is_not_held_against_it(self):
        host, grafts, seed = grafted(stage="BLENDING", alpha=0.5)
        host(self.x * math.nan)
        self.assertEqual(seed.failure, "none")

    def test_confidence_by_its_own_classification(self):
        class Sure(Spy):
            def classify(self, output):
                return [output[:, :3] * 10]

        p = blend.Plan(blend.Mode.CONFIDENCE, 1, 1.0, gate=blend.Gate(4.0, 0.1, 0.1, 0.9), source=blend.Source.SEED)
        host, grafts, seed = grafted(Sure(), stage="BLENDING", alpha=0.6, plan=p)
        host(self.x)
        self.assertEqual(seed.failure, "none")
        self.assertEqual(seed.stats.source, blend.Source.SEED)
        self.assertGreater(seed.stats.gate_mean, 0)


class Grafting(unittest.TestCase):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))

    def test_two_in_order(self):
        """Two seeds scaling 2 and 3: input 1 becomes 6; after culling the first, 3."""
        class Times(nn.Module):
            adds = False

            def __init__(self, n):
                super().__init__()
                self.n = nn.Parameter(torch.tensor(float(n)))

            def forward(self, x):
                return x * self.n

        host = nn.Sequential(nn.Identity())
        grafts = seeds.Grafts(host)
        for slot, n in (("a", 2), ("b.c", 3)):
            s = seeds.Seed(slot, "bp", "0", Times(n))
            s.stage, s.alpha, s.plan = "BLENDING", 1.0, blend.Plan(blend.Mode.CONVEX, 1, 1.0)
            grafts.add(s)
        one = torch.ones(1, 1)
        self.assertEqual(host(one).item(), 6.0)
        grafts.without = "a"
        self.assertEqual(host(one).item(), 3.0)
        grafts.without = None
        grafts.seeds["b.c"].paused = True
        self.assertEqual(host(one).item(), 2.0)
        grafts.seeds["b.c"].paused = False
        grafts.remove("a")
        self.assertEqual(host(one).item(), 3.0)
        grafts.remove("b.c")
        self.assertEqual(host(one).item(), 1.0)

    def test_refused(self):
        host, grafts, _ = grafted()
        for call, kind in (
            (lambda: grafts.add(seeds.Seed("s1", "bp", "low", Spy())), "slot_taken"),
            (lambda: grafts.add(seeds.Seed("s2", "bp", "nowhere", Spy())), "unknown_layer"),
            (lambda: grafts.remove("s9"), "unknown_seed"),
            (lambda: seeds.Grafts(host), "duplicate"),
            (lambda: seeds.Grafts(Host(), "sometimes"), "invalid_field"),
        ):
            with self.assertRaises(BridgeError) as caught:
                call()
            self.assertEqual(caught.exception.kind, kind)


class Kernels(unittest.TestCase):
    def test_builtins(self):
        torch.manual_seed(1)
        for builder, module, x in (
            ("residual-mlp", blueprints.ResidualMLP(6, 9), torch.randn(2, 6)),
            ("residual-conv", blueprints.ResidualConv(3, 5), torch.randn(2, 3, 8, 8)),
        ):
            data = blueprints.make("bp-1", builder, module, layer="low")
            self.assertEqual(data, blueprints.make("bp-1", builder, module, layer="low"))
            kernel = blueprints.read(data)
            self.assertEqual((kernel.blueprint, kernel.builder, kernel.layer), ("bp-1", builder, "low"))
            self.assertTrue(torch.equal(blueprints.build(kernel, nn.Identity())(x), module(x)))

    def test_refused(self):
        good = blueprints.ResidualMLP(6, 9)
        sick = blueprints.ResidualMLP(6, 9)
        sick.inner.weight.data[0, 0] = math.nan
        idle = blueprints.ResidualMLP(6, 9)
        for p in idle.parameters():
            p.data.zero_()
        wide = blueprints.ResidualMLP(6, 9)
        wide.outer.bias = nn.Parameter(torch.zeros(7))
        for name, field, kernel in (
            ("builder", "builder", lambda: blueprints.make("b", "nobody", good)),
            ("nan", "inner.weight", lambda: blueprints.make("b", "residual-mlp", sick)),
            ("zero", "tensors", lambda: blueprints.make("b", "residual-mlp", idle)),
            ("shape", "outer.bias", lambda: blueprints.make("b", "residual-mlp", wide)),
            ("option", "depth", lambda: blueprints.make("b", "residual-mlp", good, depth="3")),
            ("dtype", "inner.bias", lambda: blueprints.make("b", "residual-mlp", mixed())),
            ("missing", "inner.bias", lambda: blueprints.make("b", "residual-mlp", nn.ModuleDict({"inner": nn.Linear(6, 9, bias=False), "outer": nn.Linear(9, 6)}))),
            ("more", "third.bias", lambda: blueprints.make("b", "residual-mlp", nn.ModuleDict({"inner": nn.Linear(6, 9), "outer": nn.Linear(9, 6), "third": nn.Linear(1, 1)}))),
        ):
            with self.subTest(name), self.assertRaises(BridgeError) as caught:
                blueprints.build(blueprints.read(kernel()), nn.Identity())
            self.assertEqual(caught.exception.field, field)
        with self.assertRaises(BridgeError):
            blueprints.register("residual-mlp", lambda k, layer: good)


def mixed():
    m = blueprints.ResidualMLP(6, 9)
    m.inner.bias = nn.Parameter(torch.zeros(9, dtype=torch.float64))
    return m


if __name__ == "__main__":
    unittest.main()
