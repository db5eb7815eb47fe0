"""Steps of a run: what is reported, what is applied, and what never is."""

import copy
import math
import unittest
from unittest import mock

import torch
from torch import nn

from esper_plane import blend
from esper_plane.errors import Halted
from esper_plane.torch import blueprints
from esper_plane.torch.errors import BridgeError
from esper_plane.torch.host import TorchHost
from esper_plane.torch.run import Run
from esper_plane.torch.step import SCALER_TRIES

from .fake import Session

TASKS = ["a", "b"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Linear(6, 16)
        self.a, self.b = nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.low(x))
        return self.a(h), self.b(h)


def losses(model, x, ya, yb):
    a, b = model(x)
    return {"a": nn.functional.cross_entropy(a.float(), ya), "b": nn.functional.cross_entropy(b.float(), yb)}


def batch(n=12, seed=3):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=g), torch.randint(0, 3, (n,), generator=g), torch.randint(0, 2, (n,), generator=g)


def make(decide=None, optimizer=None, tasks=TASKS, **kw):
    torch.manual_seed(0)
    model = Net()
    opt = (optimizer or (lambda p: torch.optim.SGD(p, lr=0.1)))(model.parameters())
    host = TorchHost(model, opt, tasks=tasks, **kw)
    session = Session(decide) if decide else Session()
    return Run(None, host, {"tasks": tasks}, session=session), model, opt, session


def state(model):
    return [p.detach().clone() for p in model.parameters()]


class Applied(unittest.TestCase):
    def test_weights_reach_grad(self):
        run, model, opt, session = make(lambda b, n: [0.25, -2.0])
        with run.step() as step:
            step.backward(losses(model, *batch()))
            got = [p.grad.clone() for p in model.parameters()]
            opt.step()
        self.assertEqual((step.applied, step.number, session.calls), (True, 1, ["after"]))
        torch.manual_seed(0)
        other = Net()
        found = losses(other, *batch())
        (0.25 * found["a"] - 2 * found["b"]).backward()
        for g, p in zip(got, other.parameters()):
            torch.testing.assert_close(g, p.grad, rtol=1e-5, atol=1e-7)
        body = session.bodies[0]
        self.assertEqual((body["samples"], body["microbatches"], body["learn_rate"], body["seeds"]), (12, 1, 0.1, []))
        self.assertEqual(len(body["gram"]), 4)
        self.assertAlmostEqual(body["losses"][0], found["a"].item(), places=6)
        self.assertTrue(all(p.grad is None for p in model.parameters()))

    def test_shared_parameters_alone_are_combined(self):
        run, model, opt, session = make(lambda b, n: [0.5, 0.5], shared=["low"])
        with run.step() as step:
            step.backward(losses(model, *batch()))
            got = {n: p.grad.clone() for n, p in model.named_parameters()}
            opt.step()
        torch.manual_seed(0)
        other = Net()
        found = losses(other, *batch())
        whole = torch.autograd.grad(found["a"], [other.low.weight], retain_graph=True)[0].double()
        self.assertAlmostEqual(session.bodies[0]["gram"][0], (whole.square().sum() + torch.autograd.grad(found["a"], [other.low.bias], retain_graph=True)[0].double().square().sum()).item(), places=9)
        (found["a"] + found["b"]).backward()
        for n, p in other.named_parameters():
            torch.testing.assert_close(got[n], p.grad * (0.5 if n.startswith("low") else 1.0), rtol=1e-5, atol=1e-7)

    def test_one_loss(self):
        run, model, opt, session = make(tasks=["loss"])
        twin = Net()
        twin.load_state_dict(model.state_dict())
        other = torch.optim.SGD(twin.parameters(), lr=0.1)
        for i in range(3):
            with run.step() as step:
                step.backward(sum(losses(model, *batch(seed=i)).values()))
                opt.step()
            other.zero_grad()
            sum(losses(twin, *batch(seed=i)).values()).backward()
            other.step()
        for p, q in zip(model.parameters(), twin.parameters()):
            self.assertTrue(torch.equal(p, q), "a weight of 1 is training without a plane, bit for bit")

    def test_accumulation_is_the_full_batch(self):
        x, ya, yb = batch(13)
        results = []
        for cuts in ([(0, 13)], [(0, 5), (5, 10), (10, 13)]):
            run, model, opt, session = make(lambda b, n: [0.7, 0.4])
            with run.step() as step:
                for i, (p, q) in enumerate(cuts):
                    found = losses(model, x[p:q], ya[p:q], yb[p:q])
                    (step.backward if i + 1 == len(cuts) else step.accumulate)(found)
                opt.step()
            results.append((state(model), session.bodies[0]))
        (a, whole), (b, parts) = results
        for p, q in zip(a, b):
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
        for name in ("losses", "gram"):
            torch.testing.assert_close(torch.tensor(whole[name]), torch.tensor(parts[name]), rtol=1e-5, atol=1e-8)
        self.assertEqual((whole["samples"], whole["microbatches"], parts["samples"], parts["microbatches"]), (13, 1, 13, 3))

    def test_autocast(self):
        run, model, opt, session = make(lambda b, n: [1.0, 1.0])
        with run.step() as step:
            with torch.autocast("cpu", torch.bfloat16):
                found = losses(model, *batch())
            step.backward(found)
            got = [p.grad.clone() for p in model.parameters()]
            opt.step()
        self.assertTrue(all(g.dtype == torch.float32 for g in got))
        torch.manual_seed(0)
        other = Net()
        with torch.autocast("cpu", torch.bfloat16):
            found = losses(other, *batch())
        by = [[torch.zeros_like(p) if g is None else g for g, p in zip(torch.autograd.grad(found[t], list(other.parameters()), retain_graph=True, allow_unused=True), other.parameters())] for t in TASKS]
        flat = [torch.cat([g.reshape(-1) for g in t]).double() for t in by]
        want = [float(u @ v) for u in flat for v in flat]
        for u, v in zip(session.bodies[0]["gram"], want):
            self.assertLessEqual(abs(u - v), 1e-12 * max(want))

    def test_samples_that_nobody_tells(self):
        run, model, opt, session = make()
        with self.assertRaises(BridgeError) as caught:
            with run.step() as step:
                step.backward({t: (p * p).sum() for t, p in zip(TASKS, model.parameters())})
        self.assertEqual(caught.exception.field, "samples")


class Scaled(unittest.TestCase):
    def scaler(self, **kw):
        return torch.amp.GradScaler("cpu", **{"init_scale": 1024.0, "growth_interval": 1000, **kw})

    def test_unscaled_once_with_any_number_of_microbatches(self):
        """D-T20."""
        x, ya, yb = batch(12)
        for cuts in (1, 3):
            scaler = self.scaler()
            run, model, opt, session = make(lambda b, n: [0.5, 2.0], scaler=scaler)
            plain, other, opt2, plain_session = make(lambda b, n: [0.5, 2.0])
            with run.step() as step:
                for i in range(cuts):
                    at = slice(i * 12 // cuts, (i + 1) * 12 // cuts)
                    (step.backward if i + 1 == cuts else step.accumulate)(losses(model, x[at], ya[at], yb[at]))
                clipped = [p.grad.clone() for p in model.parameters()]  # what a user clips by
                scaler.step(opt)
                scaler.update()
            with plain.step() as step:
                step.backward(losses(other, x, ya, yb))
                for g, p in zip(clipped, other.parameters()):
                    torch.testing.assert_close(g, p.grad, rtol=1e-5, atol=1e-6)
                opt2.step()
            for p, q in zip(model.parameters(), other.parameters()):
                torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
            for u, v in zip(session.bodies[0]["gram"], plain_session.bodies[0]["gram"]):
                self.assertLessEqual(abs(u - v), 1e-5 * abs(v) + 1e-9)
            self.assertEqual(session.bodies[0]["losses"][0], plain_session.bodies[0]["losses"][0] if cuts == 1 else session.bodies[0]["losses"][0])

    def test_the_search_for_a_scale_is_no_fault(self):
        scaler = self.scaler(init_scale=2.0 ** 127)
        run, model, opt, session = make(scaler=scaler)
        before, passed = state(model), 0
        for i in range(40):
            with run.step() as step:
                step.backward({t: v * 1e3 for t, v in losses(model, *batch()).items()})
                scaler.step(opt)
                scaler.update()
            if not step.passed_by:
                break
            passed += 1
            self.assertTrue(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))
        self.assertGreater(passed, 2)
        self.assertEqual(len(session.bodies), 1)
        self.assertEqual(session.bodies[0]["metrics"]["extra"], [{"name": "scaler_passed_by", "value": float(passed)}])
        self.assertFalse(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))

    def test_gradients_that_stay_no_numbers_are_told(self):
        scaler = self.scaler()
        run, model, opt, session = make(lambda b, n: None, scaler=scaler)

        class Bad(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, g):
                return g * math.nan

        passed = 0
        while not session.bodies:
            self.assertLess(passed, SCALER_TRIES)
            with run.step() as step:
                step.backward({t: Bad.apply(v) for t, v in losses(model, *batch()).items()})
                scaler.step(opt)
                scaler.update()
            passed += step.passed_by
        self.assertEqual((passed, scaler.get_scale()), (10, 1.0))  # from 1024 down

    def test_a_search_that_never_ends_is_told(self):
        """A loop that sets a scale that is too large again and again."""
        scaler = self.scaler(init_scale=2.0 ** 127)
        run, model, opt, session = make(lambda b, n: None, scaler=scaler)
        passed = 0
        with mock.patch("esper_plane.torch.step.SCALER_TRIES", 3):
            for _ in range(4):
                with run.step() as step:
                    step.backward({t: v * 1e6 for t, v in losses(model, *batch()).items()})
                passed += step.passed_by
                if step.passed_by:
                    scaler.update(2.0 ** 127)
        self.assertEqual((passed, len(session.bodies)), (3, 1))

    def test_a_loss_that_is_no_number_is_told_at_once(self):
        scaler = self.scaler()
        run, model, opt, session = make(lambda b, n: None, scaler=scaler)
        with run.step() as step:
            step.backward({t: v * math.nan for t, v in losses(model, *batch()).items()})
            scaler.step(opt)
        self.assertFalse(step.applied)
        self.assertTrue(math.isnan(session.bodies[0]["losses"][0]))


class Refused(unittest.TestCase):
    def test_nothing_changes(self):
        """With momentum and weight decay, with a schedule, for one who catches every
        Exception, and for one who calls step() all the same."""
        run, model, opt, session = make(lambda b, n: None if n == 2 else [1.0, 1.0], lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5))
        sched = torch.optim.lr_scheduler.StepLR(opt, 1, 0.5)
        with run.step() as step:
            step.backward(losses(model, *batch()))
            opt.step()
            sched.step()
        before, rate, reached = state(model), opt.param_groups[0]["lr"], []
        with run.step() as step:
            try:
                step.backward(losses(model, *batch()))
                reached.append(1)
            except Exception:
                reached.append(2)
            opt.step()
            sched.step()
        self.assertEqual((step.applied, step.restored, reached, opt.param_groups[0]["lr"]), (False, True, [], rate))
        self.assertTrue(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))
        self.assertEqual(session.calls, ["after"])
        opt.step()
        self.assertTrue(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))

    def test_updates_that_nobody_decided(self):
        run, model, opt, session = make()
        with self.assertRaises(BridgeError):
            with run.step() as step:
                sum(losses(model, *batch()).values()).backward()
                opt.step()
        before = state(model)
        with run.step() as step:
            step.backward(losses(model, *batch()))
            opt.step()
        sum(losses(model, *batch()).values()).backward()
        with self.assertRaises(BridgeError):
            opt.step()
        self.assertFalse(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))
        run.close()
        opt.step()

    def test_gradients_that_are_gone(self):
        run, model, opt, session = make()
        with self.assertRaises(BridgeError):
            with run.step() as step:
                step.backward(losses(model, *batch()))
                opt.zero_grad()
                opt.step()

    def test_a_second_update(self):
        """One decision is one update, also for a loop that calls step() twice."""
        run, model, opt, session = make()
        with self.assertRaises(BridgeError) as caught:
            with run.step() as step:
                step.backward(losses(model, *batch()))
                opt.step()
                once = state(model)
                opt.step()
        self.assertEqual(caught.exception.field, "optimizer.step")
        self.assertTrue(all(torch.equal(p, q) for p, q in zip(once, model.parameters())))

    def test_an_update_that_is_forgotten(self):
        run, model, opt, session = make()
        with self.assertRaises(BridgeError) as caught:
            with run.step() as step:
                step.backward(losses(model, *batch()))
        self.assertEqual(caught.exception.field, "optimizer.step")

    def test_order(self):
        run, model, opt, session = make()
        for body in (
            lambda s: None,
            lambda s: s.decide(),
            lambda s: (s.backward(losses(model, *batch())), s.backward(losses(model, *batch()))),
            lambda s: run.step(),
            lambda s: s.backward(losses(model, *batch())["a"]),
            lambda s: s.observe({"a": 1.0, "b": 1.0}),
        ):
            with self.assertRaises(BridgeError):
                with run.step() as step:
                    body(step)
        with self.assertRaises(BridgeError):
            step.backward(losses(model, *batch()))
        run.close()
        with self.assertRaises(BridgeError):
            run.step()

    def test_a_device_error_ends_the_step(self):
        """D-T26: the network stays where it is and nobody tries again."""
        run, model, opt, session = make()

        class Lost(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, g):
                raise RuntimeError("device lost")

        before = state(model)
        with self.assertRaisesRegex(RuntimeError, "device lost"):
            with run:
                with run.step() as step:
                    step.backward({t: Lost.apply(v) for t, v in losses(model, *batch()).items()})
                    opt.step()
        self.assertEqual(session.calls, [("close", "failed", "RuntimeError: device lost")])
        self.assertEqual(session.bodies, [])
        self.assertTrue(all(torch.equal(p, q) for p, q in zip(before, model.parameters())))

    def test_halted_and_interrupted_runs_stay_open(self):
        for error in (Halted("x"), KeyboardInterrupt()):
            run, model, opt, session = make()
            with self.assertRaises(type(error)):
                with run:
                    raise error
            self.assertEqual(session.calls, ["leave"])
        run, model, opt, session = make()
        with run:
            pass
        self.assertEqual(session.calls, [("close", "ok", "")])


class Observed(unittest.TestCase):
    def test_a_foreign_loop(self):
        decisions = iter([[1.0], None, [0.5]])
        run, model, opt, session = make(lambda b, n: next(decisions), tasks=["loss"])
        for want in (True, False, True):
            opt.zero_grad()
            step = run.step()
            step.__enter__()
            loss = sum(losses(model, *batch()).values())
            loss.backward()
            norm = sum(p.grad.double().square().sum().item() for p in model.parameters())
            before, grads = state(model), [p.grad.clone() for p in model.parameters()]
            self.assertEqual(step.observe({"loss": loss.item()}, samples=12, microbatches=2), want)
            self.assertAlmostEqual(session.bodies[-1]["gram"][0], norm, places=9)
            self.assertEqual(session.bodies[-1]["microbatches"], 2)
            if want:
                w = session.step_count == 2 and 0.5 or 1.0
                self.assertTrue(all(torch.equal(p.grad, g * w) for p, g in zip(model.parameters(), grads)))
            opt.step()
            self.assertEqual(all(torch.equal(p, q) for p, q in zip(before, model.parameters())), not want)
            step.__exit__(None, None, None)


class Seeds(unittest.TestCase):
    def grafted(self, stage, alpha=0.5, module=None, **kw):
        run, model, opt, session = make(**kw)
        module = module or blueprints.ResidualMLP(16, 5)
        run.host.graft("s1", {"blueprint": "bp"}, blueprints.make("bp", "residual-mlp", module, layer="low"))
        run.host.set_stage("s1", stage)
        run.host.set_blend("s1", blend.Plan(blend.Mode.RESIDUAL, 10, 2.0))
        run.host.set_alpha("s1", alpha)
        return run, model, opt, session, run.host.grafts.get("s1")

    def test_training(self):
        run, model, opt, session, seed = self.grafted("TRAINING")
        plain, twin, opt2, _ = make()
        weights, host = [p.detach().clone() for p in seed.module.parameters()], None
        for r, m, o in ((run, model, opt), (plain, twin, opt2)):
            with r.step() as step:
                step.backward(losses(m, *batch()))
                o.step()
        for p, q in zip(model.parameters(), twin.parameters()):
            self.assertTrue(torch.equal(p, q), "the host learns as if there were no seed")
        self.assertFalse(all(torch.equal(p, q) for p, q in zip(weights, seed.module.parameters())))
        (told,) = session.bodies[0]["seeds"]
        self.assertEqual((told["seed"], told["stage"], told["leak"]), ("s1", "TRAINING", 0.0))
        self.assertNotIn("blend", told)
        self.assertGreater(told["grad_norm"], 0)
        self.assertNotEqual(told["loss"], 0)
        self.assertEqual(told["parameters"], 16 * 5 * 2 + 16 + 5)
        self.assertTrue(-1 <= told["cosine"] <= 1 and told["cosine"] != 0)

    def test_blending_is_part_of_the_gram(self):
        run, model, opt, session, seed = self.grafted("BLENDING", decide=lambda b, n: [0.5, 2.0])
        parameters = [*model.parameters(), *seed.module.parameters()]
        found = losses(model, *batch())
        by = [torch.autograd.grad(found[t], parameters, retain_graph=True, allow_unused=True) for t in TASKS]
        by = [[torch.zeros_like(p) if g is None else g for g, p in zip(t, parameters)] for t in by]
        flat = [torch.cat([g.reshape(-1) for g in t]).double() for t in by]
        with run.step() as step:
            step.backward(losses(model, *batch()))
            for p, u, v in zip(parameters, *by):
                torch.testing.assert_close(p.grad, 0.5 * u + 2 * v, rtol=1e-5, atol=1e-7)
            opt.step()
        body = session.bodies[0]
        torch.testing.assert_close(torch.tensor(body["gram"], dtype=torch.float64), torch.stack([u @ v for u in flat for v in flat]), rtol=1e-10, atol=1e-14)
        (told,) = body["seeds"]
        of_seed = sum(p.numel() for p in seed.module.parameters())
        total = flat[0] + flat[1]
        self.assertAlmostEqual(told["grad_norm"], total[-of_seed:].norm().item(), places=7)
        self.assertAlmostEqual(told["host_norm"], total[:-of_seed].norm().item(), places=7)
        self.assertEqual((told["blend"]["mode"], told["blend"]["mean"], told["alpha"], told["leak"]), ("RESIDUAL", 0.5, 0.5, 0.0))

    def test_cosine(self):
        run, model, opt, session, seed = self.grafted("BLENDING")
        x, ya, yb = batch()
        h = nn.functional.linear(x, model.low.weight, model.low.bias).detach()  # the layer itself has the seed behind it
        read = h.clone().requires_grad_()
        at = h.clone().requires_grad_()
        out = at + 0.5 * seed.module(read)
        out.retain_grad()
        a, b = model.a(torch.tanh(out)), model.b(torch.tanh(out))
        (nn.functional.cross_entropy(a, ya) + nn.functional.cross_entropy(b, yb)).backward()
        want = nn.functional.cosine_similarity(out.grad.double().flatten(), read.grad.double().flatten(), dim=0).item()
        opt.zero_grad()
        seed.module.zero_grad()
        with run.step() as step:
            step.backward(losses(model, x, ya, yb))
            opt.step()
        self.assertAlmostEqual(session.bodies[0]["seeds"][0]["cosine"], want, places=6)

    def test_cosine_of_microbatches_is_that_of_all(self):
        x, ya, yb = batch(12)
        told = []
        for stage in ("BLENDING", "TRAINING"):
            for cuts in ([0, 12], [0, 2, 12]):
                run, model, opt, session, seed = self.grafted(stage, module=fixed())
                with run.step() as step:
                    for i, j in zip(cuts, cuts[1:]):
                        (step.backward if j == 12 else step.accumulate)(losses(model, x[i:j], ya[i:j], yb[i:j]))
                    opt.step()
                told.append(session.bodies[0]["seeds"][0])
        for a, b in ((0, 1), (2, 3)):
            for name in ("grad_norm", "cosine", "loss", "host_norm"):
                self.assertAlmostEqual(told[a][name], told[b][name], places=6, msg=name)

    def test_what_is_not_reported(self):
        run, model, opt, session, seed = self.grafted("BLENDING")
        run.host.set_paused("s1", True)
        with run.step() as step:
            step.backward(losses(model, *batch()))
            opt.step()
        run.host.set_paused("s1", False)
        run.host.set_stage("s1", "TERMINATED")
        with run.step() as step:
            step.backward(losses(model, *batch()))
            opt.step()
        self.assertEqual([b["seeds"] for b in session.bodies], [[], []])

    def test_a_failure_is_told(self):
        run, model, opt, session, seed = self.grafted("BLENDING")
        with torch.no_grad():
            seed.module.inner.bias[0] = math.inf
        with run.step() as step:
            step.backward(losses(model, *batch()))
            opt.step()
        (told,) = session.bodies[0]["seeds"]
        self.assertEqual((told["failure"], told["grad_norm"], told["cosine"]), ("forward", 0.0, 0.0))
        self.assertNotIn("blend", told)
        self.assertIn("not finite", told["why"])

    @unittest.skipUnless(hasattr(torch, "OutOfMemoryError"), "this torch tells no device errors apart")
    def test_a_device_error_in_a_seed_ends_the_step(self):
        """D-T26: it says nothing about the seed, and nobody goes on without it."""
        run, model, opt, session, seed = self.grafted("BLENDING")

        def lost(*_):
            raise torch.OutOfMemoryError("no memory left on the device")

        seed.module.register_forward_pre_hook(lost)
        before = copy.deepcopy(model.state_dict())
        with self.assertRaises(torch.OutOfMemoryError):
            with run.step() as step:
                step.backward(losses(model, *batch()))
                opt.step()
        self.assertEqual((session.bodies, seed.failure), ([], "none"))
        for name, t in model.state_dict().items():
            self.assertTrue(torch.equal(t, before[name]), name)

    def test_scaled_seeds(self):
        """What is reported does not depend on the scale."""
        told, after = [], []
        for stage in ("TRAINING", "BLENDING"):
            for scaler in (None, torch.amp.GradScaler("cpu", init_scale=256.0)):
                run, model, opt, session, seed = self.grafted(stage, module=fixed(), scaler=scaler)
                with run.step() as step:
                    step.backward(losses(model, *batch()))
                    opt.step() if scaler is None else scaler.step(opt)
                told.append(session.bodies[0]["seeds"][0])
                after.append([p.detach().clone() for p in seed.module.parameters()])
        for i in (0, 2):
            for name in ("grad_norm", "host_norm", "cosine", "loss"):
                self.assertAlmostEqual(told[i][name], told[i + 1][name], places=5, msg=name)
            for p, q in zip(after[i], after[i + 1]):
                torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def fixed():
    state_ = torch.get_rng_state()
    torch.manual_seed(21)
    module = blueprints.ResidualMLP(16, 5)
    torch.set_rng_state(state_)
    return module


if __name__ == "__main__":
    unittest.main()
