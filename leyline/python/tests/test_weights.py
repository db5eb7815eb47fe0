"""Weights and draws against the vectors of the Go packages aggregate and detmath, bit for bit."""

import json
import math
import pathlib
import unittest

from esper_plane import draws, weights
from esper_plane.errors import WeightsError

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "leylinetest" / "testdata" / "weights.json").read_text(encoding="utf-8")
)


class Vectors(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreater(min(len(VECTORS[name]) for name in ("seeds", "orders", "weights", "refused")), 5)

    def test_seeds(self):
        for v in VECTORS["seeds"]:
            self.assertEqual(draws.step_seed(int(v["seed"]), v["lineage"], v["step"]), int(v["want"]), v)

    def test_orders(self):
        for v in VECTORS["orders"]:
            self.assertEqual(draws.orders(v["tasks"], int(v["seed"])), v["want"], (v["tasks"], v["seed"]))

    def test_weights(self):
        for v in VECTORS["weights"]:
            with self.subTest(v["name"]):
                rule = weights.Rule(v["method"], v["mean"], [float(w) for w in v["declared"]])
                got = weights.combine(rule, [float(x) for x in v["gram"]], v["tasks"], int(v["seed"]))
                self.assertEqual([w.hex() for w in got], [float(w).hex() for w in v["want"]])

    def test_refused(self):
        for v in VECTORS["refused"]:
            with self.subTest(v["name"]), self.assertRaises(WeightsError):
                weights.validate(v["gram"], v["tasks"])


class Refused(unittest.TestCase):
    def test_numbers_that_are_none(self):
        for bad in (math.nan, math.inf, -math.inf):
            with self.assertRaisesRegex(WeightsError, r"gram\[0\]\[1\]"):
                weights.validate([1.0, bad, bad, 1.0], 2)
            self.assertFalse(weights.finite([1.0], [bad]))
            self.assertFalse(weights.finite([bad], [1.0]))

    def test_methods_that_need_the_plane(self):
        for method in ("gradvac", "state_weighted", "mgda", "unspecified", ""):
            with self.assertRaisesRegex(WeightsError, "aggregation"):
                weights.combine(weights.Rule(method), [1.0], 1, 1)

    def test_orders(self):
        for bad in ([], [[1]], [[0], [0]], [[1], [1]], [[1, 1], [0]], [[2], [0]]):
            with self.assertRaises(WeightsError):
                weights.pcgrad([1.0, 0.0, 0.0, 1.0], 2, bad, False)

    def test_declared(self):
        for bad in ([], [1.0], [0.0, 0.0], [1.0, -1.0], [math.nan, 1.0], [1e308, 1e308], [1.0, math.inf]):
            with self.assertRaises(WeightsError):
                weights.weighted(bad, 2)

    def test_no_bias(self):
        """A draw that would favour small numbers is thrown away."""
        rng = draws.PCG(1, 2)
        given = iter([0, 1 << 63])
        rng.uint64 = lambda: next(given)
        self.assertEqual(rng.below(3), 1)

    def test_below(self):
        with self.assertRaises(ValueError):
            draws.PCG(1, 2).below(0)


if __name__ == "__main__":
    unittest.main()
