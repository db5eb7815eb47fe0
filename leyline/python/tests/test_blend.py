"""The blend modes against the vectors that the Go package is held to."""

import dataclasses
import json
import math
import pathlib
import unittest

from esper_plane import blend

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "leylinetest" / "testdata" / "blend.json").read_text(encoding="utf-8")
)
TOLERANCE = 1e-12


def number(x):
    return float(x)  # "NaN" and "Infinity" are text


def code(enum, x):
    return enum[x] if isinstance(x, str) else x


def plan(raw):
    gate = raw["gate"]
    return blend.Plan(
        mode=code(blend.Mode, raw["mode"]),
        total_steps=raw["total_steps"],
        temperature=number(raw["temperature"]),
        channels=tuple(map(number, raw["channels"])),
        channel_count=raw["channel_count"],
        gate=None if gate is None else blend.Gate(**{name: number(x) for name, x in gate.items()}),
        source=code(blend.Source, raw["source"]),
        logits=tuple(map(number, raw["logits"])),
    )


def mix(case):
    logits = [blend.Logits(c["classes"], [number(x) for x in c["values"]]) for c in case["logits"]]
    return blend.Mix(plan(case["plan"]), number(case["alpha"]), case["rows"], case["features"], logits)


class Vectors(unittest.TestCase):
    def near(self, got, want):
        self.assertEqual(len(got), len(want))
        for g, w in zip(got, want):
            self.assertLessEqual(abs(g - w), TOLERANCE * max(1.0, abs(w)), (got, want))

    def test_cases(self):
        self.assertGreater(len(VECTORS["cases"]), 20)
        for case in VECTORS["cases"]:
            with self.subTest(case["name"]):
                m, want = mix(case), case["want"]
                self.near(m.output(case["host"], case["seed"]), want["output"])
                self.near(m.seed_gradient(case["upstream"]), want["seed_gradient"])
                self.near(m.host_gradient(case["upstream"]), want["host_gradient"])
                stats = dataclasses.asdict(m.stats())
                self.assertEqual(stats.pop("mode").name, case["plan"]["mode"])
                self.assertEqual(stats.pop("source").name, case["plan"]["source"])
                self.assertEqual(stats.keys(), want["stats"].keys())
                self.near(list(stats.values()), [want["stats"][name] for name in stats])

    def test_schedule(self):
        for step in VECTORS["schedule"]:
            self.near([blend.alpha(step["step"], step["total"], step["temperature"])], [step["alpha"]])
        self.assertEqual(blend.alpha(3, 0, 2.0), 1.0)
        self.assertEqual([blend.alpha(s, 20, math.nan) for s in (9, 10, 11)], [0.0, 0.5, 1.0])

    def test_refused(self):
        self.assertGreater(len(VECTORS["refused"]), 40)
        for case in VECTORS["refused"]:
            with self.subTest(case["name"]):
                with self.assertRaises(blend.BlendError) as caught:
                    mix(case)
                self.assertEqual((caught.exception.kind, caught.exception.field), (case["kind"], case["field"]))
                if case["of"] == "plan":
                    with self.assertRaises(blend.BlendError):
                        plan(case["plan"]).validate()
                else:
                    plan(case["plan"]).validate()


class Mixes(unittest.TestCase):
    def test_ends(self):
        """A share of 0 is the host and one of 1 the seed, whatever the other has made."""
        convex = blend.Plan(blend.Mode.CONVEX, 1, 1.0)
        for name, alpha, host, seed in [("host", 0.0, 1.5, math.nan), ("seed", 1.0, math.inf, 1.5)]:
            with self.subTest(name):
                self.assertEqual(blend.Mix(convex, alpha, 1, 1).output([host], [seed]), [1.5])

    def test_batches_of_another_size(self):
        m = blend.Mix(blend.Plan(blend.Mode.RESIDUAL, 1, 1.0), 0.5, 2, 2)
        for call in (lambda: m.output([1.0] * 4, [1.0] * 3), lambda: m.seed_gradient([1.0]), lambda: m.host_gradient([1.0])):
            with self.assertRaises(blend.BlendError):
                call()

    def test_gate_is_needed(self):
        with self.assertRaises(blend.BlendError) as caught:
            blend.Plan(blend.Mode.CONFIDENCE, 1, 1.0, source=blend.Source.SEED).validate()
        self.assertEqual(caught.exception.field, "gate")


if __name__ == "__main__":
    unittest.main()
