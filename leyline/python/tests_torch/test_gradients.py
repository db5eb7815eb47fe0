"""Gram, weights and accumulation against brute force in float64."""

import unittest

import torch
from torch import nn

from esper_plane.torch import gradients as g
from esper_plane.torch.errors import BridgeError


class Two(nn.Module):
    """A trunk, a head for each task, and a parameter that nobody touches."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 16)
        self.a = nn.Linear(16, 3)
        self.b = nn.Linear(16, 2)
        self.idle = nn.Parameter(torch.ones(4))

    def forward(self, x):
        h = torch.tanh(self.trunk(x))
        return self.a(h), self.b(h)


def losses(model, x, ya, yb):
    a, b = model(x)
    return [nn.functional.cross_entropy(a, ya), nn.functional.cross_entropy(b, yb)]


def batch(n=12, seed=3):
    gen = torch.Generator().manual_seed(seed)
    return (torch.randn(n, 6, generator=gen), torch.randint(0, 3, (n,), generator=gen), torch.randint(0, 2, (n,), generator=gen))


def brute(task_gradients, parameters):
    """Inner products by Python's exact sums."""
    import math
    flat = [g.flatten(t, parameters).double().tolist() for t in task_gradients]
    return [[math.fsum(x * y for x, y in zip(a, b)) for b in flat] for a in flat]


class Gram(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.model = Two()
        self.parameters = list(self.model.parameters())

    def near(self, got, want, tolerance=1e-13):
        for r, w in zip(got, want):
            for x, y in zip(r, w):
                self.assertLessEqual(abs(x - y), tolerance * max(1e-30, abs(want[0][0]), abs(want[1][1])))

    def test_brute_force(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        got = g.gram(by, self.parameters)
        self.near(got.tolist(), brute(by, self.parameters))
        self.assertEqual(got.tolist(), got.t().tolist())
        self.assertEqual(got.dtype, torch.float64)

    def test_chunks_do_not_matter(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        whole = g.gram(by, self.parameters).tolist()
        for chunk in (1, 3, 7, 64, 100):
            with self.subTest(chunk), Chunk(chunk):
                self.near(g.gram(by, self.parameters).tolist(), whole)

    def test_products_are_taken_in_float64(self):
        """In float32 the small one would vanish beside the large one."""
        p = [nn.Parameter(torch.zeros(2))]
        big = torch.tensor([2.0 ** 13, 1.0])
        got = g.gram([[big], [big]], p)
        self.assertEqual(got[0, 1].item(), 2.0 ** 26 + 1)

    def test_parameters_that_a_task_does_not_touch(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        names = [n for n, _ in self.model.named_parameters()]
        for task, other in ((0, "b."), (1, "a.")):
            for name, grad in zip(names, by[task]):
                self.assertEqual(grad is None, name.startswith(other) or name == "idle", name)
        combined = dict(zip(names, g.combine(by, [1.0, 1.0])))
        self.assertIsNone(combined["idle"])
        for p in self.parameters:
            p.grad = None
        sum(losses(self.model, *batch())).backward()
        for name, p in self.model.named_parameters():
            self.assertEqual(p.grad is None, combined[name] is None)
            if p.grad is not None:
                torch.testing.assert_close(combined[name], p.grad, rtol=1e-5, atol=1e-7)

    def test_weights(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        kept = [[None if x is None else x.clone() for x in t] for t in by]
        weights = [0.75, -0.5]
        g.apply(self.parameters, g.combine(by, weights))
        for i, p in enumerate(self.parameters):
            there = [(w, t[i]) for w, t in zip(weights, kept) if t[i] is not None]
            if not there:
                self.assertIsNone(p.grad)
                continue
            want = sum(w * x.double() for w, x in there)
            torch.testing.assert_close(p.grad.double(), want, rtol=1e-6, atol=1e-8)
        with self.assertRaises(BridgeError):
            g.combine(by, [1.0])

    def test_weight_of_one_alone_changes_nothing(self):
        by, _ = g.task_gradients(losses(self.model, *batch())[:1], self.parameters)
        for a, b in zip(by[0], g.combine(by, [1.0])):
            self.assertTrue((a is None) == (b is None) and (a is None or torch.equal(a, b)))

    def test_numbers_that_are_none_come_through(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        by[1][1][0, 0] = float("inf")
        got = g.gram(by, self.parameters)
        self.assertTrue(torch.isfinite(got[0, 0]))
        self.assertFalse(torch.isfinite(got[0, 1]))
        self.assertFalse(torch.isfinite(got[1, 1]))

    def test_norm_of_the_sum(self):
        by, _ = g.task_gradients(losses(self.model, *batch()), self.parameters)
        total = g.flatten(g.combine([[None if x is None else x.clone() for x in t] for t in by], [1.0, 1.0]), self.parameters)
        self.assertAlmostEqual(g.norm_of_sum(g.gram(by, self.parameters).tolist()), total.double().norm().item(), places=6)
        self.assertNotEqual(g.norm_of_sum([[float("nan")]]), g.norm_of_sum([[float("nan")]]))


class Chunk:
    def __init__(self, n):
        self.n = n

    def __enter__(self):
        self.old, g.CHUNK = g.CHUNK, self.n

    def __exit__(self, *_):
        g.CHUNK = self.old


class Accumulation(unittest.TestCase):
    def test_microbatches_equal_the_full_batch(self):
        """Also where the last microbatch is smaller."""
        torch.manual_seed(0)
        model = Two().double()
        parameters = list(model.parameters())
        x, ya, yb = batch(13)
        x = x.double()
        full, _ = g.task_gradients(losses(model, x, ya, yb), parameters)
        mean, seen = [[], []], 0
        for at in range(0, 13, 5):
            part = losses(model, x[at:at + 5], ya[at:at + 5], yb[at:at + 5])
            n = len(x[at:at + 5])
            by, _ = g.task_gradients(part, parameters)
            mean = [g.add_mean(m, b, seen, n) for m, b in zip(mean, by)]
            seen += n
        for f, m in zip(full, mean):
            for a, b in zip(f, m):
                self.assertEqual(a is None, b is None)
                if a is not None:
                    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


    def test_a_parameter_that_only_some_microbatches_touch(self):
        one = torch.ones(2)
        self.assertTrue(torch.equal(g.add_mean([one.clone()], [None], 1, 3)[0], one / 4))
        self.assertTrue(torch.equal(g.add_mean([None], [one.clone()], 1, 3)[0], 3 * one / 4))
        self.assertIsNone(g.add_mean([None], [None], 1, 3)[0])


class Refused(unittest.TestCase):
    def test_manifest(self):
        """O-T-1: nothing is converted, nothing is moved."""
        f32 = torch.zeros(2, 3)
        good = g.manifest([("a", f32), ("b", f32[0])])
        self.assertEqual(good[0], {"name": "a", "dtype": "float32", "device": "cpu", "shape": [2, 3]})
        for name, field, tensors in (
            ("none", "manifest", []),
            ("dtypes", "manifest[1]", [("a", f32), ("b", f32.double())]),
            ("devices", "manifest[1]", [("a", f32), ("b", torch.zeros(2, device="meta"))]),
            ("integers", "manifest[0]", [("a", torch.zeros(1, dtype=torch.int64))]),
        ):
            with self.subTest(name), self.assertRaises(BridgeError) as caught:
                g.manifest(tensors)
            self.assertEqual((caught.exception.kind, caught.exception.field), ("gradient_set", field))

    def test_flatten_and_back(self):
        ps = [torch.zeros(2, 3), torch.zeros(()), torch.zeros(0), torch.zeros(4)]
        flat = g.flatten([torch.arange(6.0).reshape(2, 3), torch.tensor(7.0), torch.zeros(0), None], ps)
        self.assertEqual(flat.tolist(), [0, 1, 2, 3, 4, 5, 7, 0, 0, 0, 0])
        back = g.unflatten(flat, ps)
        self.assertEqual([list(b.shape) for b in back], [[2, 3], [], [0], [4]])
        self.assertTrue(torch.equal(g.flatten(back, ps), flat))
        with self.assertRaises(BridgeError):
            g.unflatten(flat[1:], ps)

    def test_losses(self):
        w = torch.ones(2, requires_grad=True)
        good = w.sum()
        self.assertEqual(len(g.check_losses({"b": good, "a": good[None]}, ["a", "b"])), 2)
        for name, field, given in (
            ("missing", "losses", {"a": good}),
            ("other", "losses", {"a": good, "c": good}),
            ("more", "losses", {"a": good, "b": good, "c": good}),
            ("vector", "losses.b", {"a": good, "b": w}),
            ("number", "losses.b", {"a": good, "b": 1.0}),
            ("detached", "losses.b", {"a": good, "b": good.detach()}),
        ):
            with self.subTest(name), self.assertRaises(BridgeError) as caught:
                g.check_losses(given, ["a", "b"])
            self.assertEqual(caught.exception.field, field)


class Optimizers(unittest.TestCase):
    def test_without_gradients_nothing_changes(self):
        """What the bridge relies on when a step must not be applied: momentum, moments
        and weight decay touch no parameter whose gradient is None."""
        for make in (
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
            lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1),
            lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
            lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True),
            lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5),
            lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1),
        ):
            torch.manual_seed(0)
            model = Two()
            ps = list(model.parameters())
            opt = make(ps)
            with self.subTest(type(opt).__name__):
                sum(losses(model, *batch())).backward()
                opt.step()
                before = [p.detach().clone() for p in ps]
                state = [{k: v.clone() for k, v in s.items() if torch.is_tensor(v)} for s in opt.state.values()]
                g.clear(ps)
                opt.step()
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(before, ps)))
                for a, b in zip(state, opt.state.values()):
                    for k in a:
                        self.assertTrue(torch.equal(a[k], b[k]), k)


if __name__ == "__main__":
    unittest.main()
