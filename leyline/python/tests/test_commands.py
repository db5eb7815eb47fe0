"""Commands about seeds, orders about the optimizer, and whose signature they need."""

import base64
import hashlib
import json
import pathlib
import time
import unittest

from esper_plane import envelope
from esper_plane.errors import Refused

from . import fake
from .sessions import BLEND, Case, command, ref

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "leylinetest" / "testdata" / "envelopes.json").read_text(encoding="utf-8")
)


class CommandCase(Case):
    """One seed, and what is asked of it."""

    def setUp(self):
        super().setUp()
        self.kernel = b"a kernel"
        pathlib.Path(self.places["kernels"], "k").write_bytes(self.kernel)
        self.digest = hashlib.sha256(self.kernel).hexdigest()
        self.count = 20

    def give(self, s, c, stage, alpha=0.0, paused=False):
        """A step whose answer has a command, and what the trainer says of it."""
        self.count += 1
        self.mind.next = [{"directives": [{"id": f"{self.count}.0", "kind": "command", "within_ns": "0", "command": c}]}]
        self.mind.also["ack"] = lambda body: self.view(stage, alpha, paused) or {}
        self.train(s, 1)
        return self.sent("ack")[-1]

    def view(self, stage, alpha=0.0, paused=False):
        self.mind.seeds = [{"seed": "slot-1", "stage": stage, "alpha": alpha, "paused": paused}]


class Commands(CommandCase):
    def test_a_life(self):
        s = self.session(seeds=["slot-1"])
        self.view("DORMANT")
        s.open()
        self.assertEqual(self.give(s, command("GERMINATE"), "GERMINATED")["outcome"], "ok")
        self.assertEqual(self.net.seeds, {})
        ack = self.give(s, command("START_TRAINING", digest=self.digest), "TRAINING")
        self.assertEqual((ack["outcome"], ack["parameters"]), ("ok", [{"name": "seed.slot-1.w", "size": 3}]))
        self.assertIn(("graft", "slot-1", self.kernel, "bp"), self.net.calls)
        self.assertEqual(s.observed(), [{"seed": "slot-1", "stage": "TRAINING", "alpha": 0.0}])
        self.give(s, command("START_GRAFTING", blend=BLEND), "BLENDING", 0.25)
        self.assertIn(("set_blend", "slot-1", "RESIDUAL"), self.net.calls)
        self.assertEqual(self.net.seeds["slot-1"], ["BLENDING", 0.25, False])
        self.give(s, {"id": "p", "kind": "PAUSE", "pause": {"scope": "seed", "seed": "slot-1"}}, "BLENDING", 0.25, True)
        self.assertEqual((self.net.seeds["slot-1"][2], s.observed()), (True, []))
        for op, stage in (("STABILIZE", "SHADOWING"), ("EVALUATE", "PROBATIONARY"), ("FOSSILIZE", "FOSSILIZED")):
            self.give(s, command(op), stage, 1.0)
            self.assertEqual(self.net.seeds["slot-1"], [stage, 1.0, False])
        self.give(s, command("CANCEL"), "TERMINATED", 1.0)
        self.assertEqual((list(self.net.seeds), s.observed()), (["slot-1"], []), "one that was kept stays, and is told of no more")
        self.assertEqual({b["outcome"] for b in self.sent("ack")}, {"ok"})

    def test_culled(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        self.give(s, command("START_TRAINING", digest=self.digest), "TRAINING")
        self.give(s, command("CULL"), "CULLED")
        self.assertEqual((self.net.seeds, s.stages), ({}, {}))

    def test_gone_without_a_word(self):
        """The plane gives a seed up by itself: the next answer's view is enough."""
        s = self.session(seeds=["slot-1"])
        s.open()
        self.give(s, command("START_TRAINING", digest=self.digest), "TRAINING")
        self.view("CULLED")
        self.train(s, 1)
        self.assertEqual(self.net.seeds, {})

    def test_failures_are_told(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        for c, want in [
            (command("START_TRAINING", digest="1" * 64), "kernel_digest_mismatch"),
            (command("START_TRAINING", kernel="none", digest=self.digest), "kernel_missing"),
            (command("START_TRAINING", kernel="../signal", digest=self.digest), "kernel_missing"),
            (command("START_TRAINING", kernel="/etc/hostname", digest=self.digest), "kernel_missing"),
            (command("START_GRAFTING"), "blend"),
            (command("START_GRAFTING", blend={**BLEND, "mode": "ODD"}), "mode"),
        ]:
            ack = self.give(s, c, "GERMINATED")
            self.assertEqual(ack["outcome"], "failed")
            self.assertIn(want, ack["reason"])
        self.net.broken.add("graft")
        self.assertIn("broken", self.give(s, command("START_TRAINING", digest=self.digest), "GERMINATED")["reason"])
        self.assertEqual(self.net.seeds, {})

    def test_heard_once(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        d = {"id": "30.0", "kind": "command", "within_ns": "0", "command": command("GERMINATE")}
        self.mind.next = [{"directives": [d]}, {"directives": [d]}]
        self.train(s, 2)
        self.assertEqual(len(self.sent("ack")), 1)

    def test_answer_that_nobody_waits_for(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        self.plane.faults.extend([None, lambda k, b: fake.problem("unknown_command", 404) if k == "ack" else None])
        self.mind.next = [{"directives": [{"id": "30.0", "kind": "command", "within_ns": "0", "command": command("GERMINATE")}]}]
        self.train(s, 2)

    def test_overtaken_step(self):
        """An operator has culled a seed that a report still tells of."""
        s = self.session(seeds=["slot-1"])
        s.open()
        self.give(s, command("START_TRAINING", digest=self.digest), "TRAINING")
        self.view("CULLED")
        self.mind.also["step"] = lambda body: fake.problem("unknown_seed", 404, "seeds[0].seed")
        self.mind.directives = [[{"id": "40.0", "kind": "command", "within_ns": "0", "command": command("CULL")}]]
        (d,) = self.train(s, 1)
        self.assertEqual((d.again, d.apply, self.net.seeds), (True, False, {}))
        (d,) = self.train(s, 1)
        self.assertEqual((d.step, d.apply), (2, True))

    def test_acknowledgements_are_not_lost(self):
        """What a refused report carried goes with the next one."""
        s = self.session()
        s.open()
        self.mind.next = [{"directives": [{"id": "30.0", "kind": "rates", "within_ns": "0", "rates": {"step": "1", "rates": [0.01]}}]}]
        self.train(s, 1)
        self.mind.also["step"] = lambda body: fake.problem("unknown_seed", 404, "seeds[0].seed")
        self.mind.directives = [[]]
        self.train(s, 2)
        self.assertEqual([a["order"] for a in self.sent("step")[-1]["acks"]], ["30.0"])

    def test_a_restore_makes_the_rest_void(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        self.mind.next = [{"snapshot": True}]
        self.train(s, 1)
        (taken,) = self.mind.snapshots.values()
        self.mind.next = [{"directives": [
            {"id": f"{n}.0", "kind": "command", "within_ns": "0", "command": {**command("GERMINATE"), "id": f"cmd-{n}"}} for n in (30, 31)
        ]}]
        self.mind.also["ack"] = lambda body: {"directives": self.mind.rollback(ref(taken), seq=60)}
        self.train(s, 1)
        self.assertEqual([b["command"] for b in self.sent("ack")], ["cmd-30"])

        def confirm(body):
            self.mind.incarnation, self.mind.step = 2, 1
            return {}

        self.mind.also["rollback"] = confirm
        s.close()
        self.assertEqual((self.plane.kinds()[-2:], self.sent("close")[0]["step"]), (["rollback", "close"], 1))

    def test_refused_step_with_nothing_to_hear(self):
        s = self.session()
        s.open()
        self.mind.also["step"] = lambda body: fake.problem("unknown_seed", 404, "seeds[0].seed")
        began = time.monotonic()
        with self.assertRaises(Refused):
            self.train(s, 1)
        self.assertLess(time.monotonic() - began, 5)

    def test_probes(self):
        s = self.session(seeds=["slot-1"])
        s.open()
        self.give(s, command("START_TRAINING", digest=self.digest), "BLENDING", 0.5)
        self.mind.next = [{"probes": ["slot-1", "slot-2"]}]
        self.train(s, 1)
        (p,) = self.sent("probe")
        self.assertEqual((p["seed"], p["alpha"], p["step"], p["samples"]), ("slot-1", 0.5, 2, 8))
        self.assertIn(("evaluate", "slot-1"), self.net.calls)

    def test_orders(self):
        s = self.session()
        s.open()
        self.mind.next = [
            {"directives": [{"id": "30.0", "kind": "rates", "within_ns": "0", "rates": {"step": "1", "rates": [0.01]}}]},
            {"directives": [{"id": "31.0", "kind": "rebuild", "within_ns": "0", "rebuild": {"step": "1"}}]},
            {"directives": [{"id": "32.0", "kind": "rates", "within_ns": "0", "rates": {"step": "1", "rates": [0.01, 0.02]}}]},
        ]
        self.train(s, 4)
        self.assertEqual(self.net.rate, 0.01)
        acks = [a for b in self.sent("step") for a in b["acks"]]
        self.assertEqual([(a["order"], a["kind"], a["outcome"]) for a in acks], [("30.0", "rates", "ok"), ("31.0", "rebuild", "ok"), ("32.0", "rates", "failed")])
        self.assertEqual(acks[1]["after"]["groups"], 1)


class Signed(CommandCase):
    """Commands are carried out only as they are signed."""

    def signed_session(self):
        v = VECTORS["commands"][0]
        self.mind.opening.update(origin=v["origin"], keys=[{"key": v["key"], "public": base64.b64encode(bytes.fromhex(v["public"])).decode(), "issuer": v["issuer"]}])
        s = Case.session(self, verify=True, seeds=["slot-1"])
        self.view("TRAINING")
        s.open()
        self.net.seeds["slot-1"] = ["TRAINING", 0.0, False]
        return s

    def test_verified(self):
        s = self.signed_session()
        v = VECTORS["commands"][0]
        c = {**command("START_GRAFTING", blend={**BLEND, "mode": "CONVEX"}), "id": "cmd-1", "envelope": v["envelope"]}
        self.assertEqual(self.give(s, c, "BLENDING")["outcome"], "ok")
        self.assertIn(("set_blend", "slot-1", "CONFIDENCE"), self.net.calls, "what is signed counts, not what is told")

    def test_replayed(self):
        """A plane that hands an old command over again, as a new directive."""
        s = self.signed_session()
        c = {**command("START_GRAFTING", blend=BLEND), "id": "cmd-1", "envelope": VECTORS["commands"][0]["envelope"]}
        self.assertEqual(self.give(s, c, "BLENDING")["outcome"], "ok")
        calls = self.net.calls.count(("set_blend", "slot-1", "CONFIDENCE"))
        ack = self.give(s, c, "BLENDING")
        self.assertEqual((ack["outcome"], self.net.calls.count(("set_blend", "slot-1", "CONFIDENCE"))), ("failed", calls))
        self.assertIn("replayed", ack["reason"])

    def test_enrolled_since(self):
        s = self.signed_session()
        s._keys = envelope.Keys(())
        v = VECTORS["commands"][0]
        c = {**command("START_GRAFTING", blend=BLEND), "id": "cmd-1", "envelope": v["envelope"]}
        self.assertIn("unknown_key", self.give(s, c, "TRAINING")["reason"])
        self.mind.key = {"key": v["key"], "public": base64.b64encode(bytes(32)).decode(), "issuer": v["issuer"]}
        self.assertIn("malformed", self.give(s, c, "TRAINING")["reason"])
        self.mind.key["public"] = base64.b64encode(bytes.fromhex(v["public"])).decode()
        self.assertEqual(self.give(s, c, "BLENDING")["outcome"], "ok")

    def test_not_signed(self):
        s = self.signed_session()
        v = VECTORS["commands"][0]
        for change, want in [
            ({}, "missing_signature"),
            ({"envelope": VECTORS["commands"][1]["envelope"]}, "mismatch"),
            ({"envelope": v["envelope"], "id": "cmd-2"}, "mismatch"),
            ({"envelope": v["envelope"], "seed": {"operation": "CULL", "seed": "slot-1"}}, "mismatch"),
            ({"envelope": v["envelope"], "seed": {"operation": "START_GRAFTING", "seed": "slot-2"}}, "mismatch"),
            ({"envelope": {**v["envelope"], "payload": "AAAA"}}, "invalid_signature"),
        ]:
            before = dict(self.net.seeds)
            ack = self.give(s, {**command("START_GRAFTING", blend=BLEND), "id": "cmd-1", **change}, "TRAINING")
            self.assertEqual(ack["outcome"], "failed")
            self.assertIn(want, ack["reason"])
            self.assertEqual(self.net.seeds, before)
        self.assertEqual(len(self.warned), 6)


if __name__ == "__main__":
    unittest.main()
