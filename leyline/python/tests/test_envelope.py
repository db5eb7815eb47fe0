"""Signatures and signed commands against vectors that Go has judged."""

import copy
import json
import pathlib
import unittest

from esper_plane import ed25519, envelope, payload
from esper_plane.errors import EnvelopeError

VECTORS = json.loads(
    (pathlib.Path(__file__).parents[2] / "leylinetest" / "testdata" / "envelopes.json").read_text(encoding="utf-8")
)


class Signatures(unittest.TestCase):
    def judge(self, verify):
        good = 0
        for v in VECTORS["signatures"]:
            with self.subTest(v["name"]):
                got = verify(*(bytes.fromhex(v[name]) for name in ("public", "message", "signature")))
                self.assertEqual(got, v["good"])
            good += v["good"]
        self.assertTrue(10 < good < len(VECTORS["signatures"]) - 10)

    def test_in_python_alone(self):
        self.judge(ed25519.verify_slowly)

    @unittest.skipIf(ed25519._PublicKey is None, "package cryptography is not installed")
    def test_by_the_package(self):
        self.judge(ed25519.verify)


def keys(v):
    import base64

    return envelope.Keys([{"key": v["key"], "public": base64.b64encode(bytes.fromhex(v["public"])).decode(), "issuer": v["issuer"]}])


class Commands(unittest.TestCase):
    def test_decoded(self):
        for v in VECTORS["commands"]:
            with self.subTest(v["name"]):
                c = keys(v).command(v["envelope"], v["origin"], v["run"])
                seed = c.seed or {"blend": {"gate": {}}}
                got = {
                    **{k: seed.get(k) for k in ("operation", "seed", "blueprint", "mesh", "parameters")},
                    **{k: seed["blend"].get(k) for k in ("mode", "source", "logits", "total_steps")},
                    "tau": seed["blend"]["gate"].get("tau"), "kind": c.kind, "pause_seed": c.pause.get("seed"),
                }
                self.assertEqual({k: got[k] for k in v["want"]}, v["want"])
                self.assertEqual((c.id, c.sequence), ("cmd-1", 1 << 40))

    def refused(self, kind, change, v=None, **audience):
        v = v or VECTORS["commands"][0]
        doc = copy.deepcopy(v["envelope"])
        change(doc)
        with self.assertRaises(EnvelopeError) as caught:
            keys(v).command(doc, audience.get("origin", v["origin"]), audience.get("run", v["run"]))
        self.assertEqual(caught.exception.kind, kind)

    def test_refused(self):
        other = VECTORS["commands"][1]["envelope"]["signatures"][0]["sig"]
        for kind, change in [
            ("malformed", lambda d: d.update(extra=1)),
            ("malformed", lambda d: d.pop("payload")),
            ("malformed", lambda d: d.update(payload="!")),
            ("malformed", lambda d: d.update(payload=7)),
            ("malformed", lambda d: d.update(signatures=[])),
            ("malformed", lambda d: d["signatures"].append(d["signatures"][0])),
            ("malformed", lambda d: d["signatures"][0].update(more=1)),
            ("malformed", lambda d: d.update(payloadType="application/vnd.esper.key.v1+msgpack")),
            ("missing_signature", lambda d: d["signatures"][0].update(sig="")),
            ("unknown_key", lambda d: d["signatures"][0].update(keyid="0" * 32)),
            ("invalid_signature", lambda d: d["signatures"][0].update(sig=other)),
        ]:
            with self.subTest(kind):
                self.refused(kind, change)
        self.refused("wrong_audience", lambda d: None, run="run-2")
        self.refused("wrong_audience", lambda d: None, origin="esper/other")
        self.refused("mismatch", lambda d: None, {**VECTORS["commands"][0], "issuer": "somebody"})
        with self.assertRaises(EnvelopeError):
            keys({**VECTORS["commands"][0], "key": "0" * 32})

    def test_malformed(self):
        for v in VECTORS["malformed"]:
            with self.subTest(v["name"]), self.assertRaises(EnvelopeError) as caught:
                payload.decode(bytes.fromhex(v["payload"]))
            self.assertEqual(caught.exception.kind, "malformed")

    def test_depth(self):
        self.assertEqual(payload.unpack(b"\x91" * 8 + b"\x00"), [[[[[[[[0]]]]]]]])
        with self.assertRaises(EnvelopeError):
            payload.unpack(b"\x91" * 9 + b"\x00")

    def test_every_cut_and_every_bit(self):
        """Whatever is done to a payload, it is read or refused, never anything else."""
        import base64

        raw = base64.b64decode(VECTORS["commands"][0]["envelope"]["payload"])
        refused = 0
        for i in range(len(raw)):
            with self.assertRaises(EnvelopeError):
                payload.decode(raw[:i])
            for bit in range(8):
                bad = bytearray(raw)
                bad[i] ^= 1 << bit
                try:
                    payload.decode(bytes(bad))
                except EnvelopeError:
                    refused += 1
        self.assertGreater(refused, len(raw))


if __name__ == "__main__":
    unittest.main()
