"""The bodies against the shared examples and the description of the protocol."""

import json
import pathlib
import re
import unittest

from esper_plane import forms
from esper_plane.client import REPORTS
from esper_plane.errors import Refused
from esper_plane.replies import NOT_NOW, refused, transient

from . import network, sessions
from .schema import FILE, Schemas

EXAMPLES = FILE.parent / "testdata" / "examples"
WHOLE = ("step", "step-seed", "epoch", "snapshot", "probe", "ack", "rollback", "fallback", "profiled", "close", "directives")


@unittest.skipUnless(EXAMPLES.is_dir(), "the examples of the protocol are not there")
class Examples(unittest.TestCase):
    def read(self, name):
        return forms.parse((EXAMPLES / name).read_bytes())

    def test_answers(self):
        for name in WHOLE:
            with self.subTest(name):
                doc = self.read(f"{name}.answer.json")
                got = forms.read(forms.ANSWER, doc)
                self.assertEqual(set(got), set(doc) | {"emergency"})
                self.assertEqual(str(got["seq"]), doc["seq"])
                for d in got["directives"]:
                    self.assertIsNotNone(d[d["kind"]])
        for name in ("open", "resume"):
            with self.subTest(name):
                doc = self.read(f"{name}.answer.json")
                got = forms.read(forms.OPENED, doc)
                self.assertEqual(set(doc) - set(got), set())

    def test_every_kind_of_directive(self):
        kinds = {d["kind"] for name in WHOLE for d in forms.read(forms.ANSWER, self.read(f"{name}.answer.json"))["directives"]}
        self.assertEqual(kinds, {"command", "restore", "halt", "rates", "rebuild"})

    def test_problems(self):
        found = sorted(EXAMPLES.glob("error*.problem.json"))
        self.assertTrue(found)
        for path in found:
            doc = forms.parse(path.read_bytes())
            e = refused(doc)
            self.assertEqual((e.kind, e.status, e.field, e.hint), (doc["kind"], doc["status"], doc.get("field", ""), doc.get("hint", "")))

    def test_what_passes(self):
        text = (FILE.parents[1] / "PROTOCOL.md").read_text(encoding="utf-8")
        (row,) = re.findall(r"(?m)^\| 503 \| (.*) \| come again", text)
        self.assertEqual(sorted(re.findall("`([a-z_]+)`", row)), sorted(NOT_NOW))
        for kind in NOT_NOW:
            self.assertTrue(transient(Refused(kind, "", "", 503, "not now")), kind)
        self.assertTrue(transient(Refused("timeout", "", "", 408, "the frame was not whole")))
        self.assertFalse(transient(Refused("disk_low", "", "", 503, "the disk is nearly full")))

    def test_requests_survive(self):
        for path in EXAMPLES.glob("*.request.json"):
            doc = json.loads(path.read_bytes())
            self.assertEqual(json.loads(forms.encode(doc)), doc, path.name)


@unittest.skipUnless(FILE.is_file(), "the description of the protocol is not there")
class Sent(sessions.Case):
    """Everything that a session sends is as the description says."""

    def test_all(self):
        kernel = pathlib.Path(self.places["kernels"], "k")
        kernel.write_bytes(b"k")
        digest = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"
        self.mind.opening["snapshot"] = True
        self.mind.seeds = [{"seed": "slot-1", "stage": "TRAINING", "alpha": 0.5, "paused": False}]
        s = self.session(seeds=["slot-1"])
        s.open()
        self.mind.next = [
            {"directives": [{"id": "30.0", "kind": "command", "within_ns": "0", "command": sessions.command("START_TRAINING", digest=digest)}]},
            {"directives": [{"id": "31.0", "kind": "rebuild", "within_ns": "0", "rebuild": {"step": "1"}}], "probes": ["slot-1"]},
            {"directives": [{"id": "32.0", "kind": "rates", "within_ns": "0", "rates": {"step": "1", "rates": [1.0, 2.0]}}], "snapshot": True},
            {"profile": "5"},
        ]
        self.train(s, 6)
        body, _ = self.net.report(1)
        seeds = [{**o, "grad_norm": 1.0, "host_norm": float("inf")} for o in s.observed()]
        s.step({**body, "losses": [float("nan"), 1.0], "seeds": seeds, "metrics": {"readings": [{"metric": "gpu_util_percent", "value": 1.0}]}})
        s.epoch(1, [1.0, 2.0], [0.5, 0.5], 8)
        s.fallback("runtime", "it raised", "slot-1")
        taken = [b for b in self.mind.snapshots.values()][-1]
        self.mind.next = [{"weights": [], "directives": self.mind.rollback(sessions.ref(taken), seq=90)}]

        def confirm(body):
            self.mind.incarnation, self.mind.step = 2, taken["step"]
            return {}

        self.mind.also["rollback"] = confirm
        self.train(s, 1)
        s.close()
        self.assertEqual(set(self.plane.kinds()), {"open", *REPORTS})
        schemas = Schemas()
        for kind, body in self.plane.records:
            path = "/v1/runs" if kind == "open" else "/v1/runs/{run}/" + REPORTS[kind]
            self.assertEqual(list(schemas.problems(schemas.body(path), body)), [], kind)

    def test_it_can_fail(self):
        schemas = Schemas()
        step = schemas.body("/v1/runs/{run}/steps")
        for bad in ({"step": -1}, {"step": "x"}, {"more": 1}, {"seeds": [{"sede": "a"}]}, {"losses": [None]}, {"incarnation": 2**32}):
            self.assertNotEqual(list(schemas.problems(step, bad)), [], bad)
        self.assertEqual(list(schemas.problems(schemas.body("/v1/runs"), {"protocol": 1, **network.plan(), "resume": False})), [])


if __name__ == "__main__":
    unittest.main()
