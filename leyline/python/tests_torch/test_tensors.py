"""safetensors files: exact round trips, and hostile files refused."""

import io
import json
import tracemalloc
import unittest

import torch

from esper_plane.torch import tensors
from esper_plane.torch.errors import FormatError


def file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def one(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


class RoundTrip(unittest.TestCase):
    def test_content_takes_no_more_than_it_holds(self):
        """What ranks send each other may be a whole snapshot."""
        for t in (torch.arange(1 << 18).to(torch.uint8), torch.arange(1 << 18).to(torch.uint8)[5:77], torch.empty(0, dtype=torch.uint8)):
            tracemalloc.start()
            got = tensors.content(t)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertEqual(got, bytes(t.tolist()))
            self.assertLess(peak, 2 * len(got) + (1 << 14))

    def test_every_type_bit_for_bit(self):
        torch.manual_seed(1)
        bits = torch.randint(0, 256, (3 * 5 * 8,), dtype=torch.uint8)
        original = {}
        for name, dtype in tensors.DTYPES.items():
            raw = bits % 2 if dtype is torch.bool else bits
            original[name] = raw.clone().view(dtype) if dtype is not torch.bool else raw.to(torch.bool)
        original["empty"] = torch.empty(0, 3)
        original["number"] = torch.tensor(float("nan"), dtype=torch.bfloat16)
        original["strided"] = torch.arange(12.0).reshape(3, 4).t()
        original["ümlaut"] = torch.tensor([1, 2], dtype=torch.int8)
        data = tensors.encode(original, {"k": "v", "state": '{"a":1}'})
        metadata, back = tensors.decode(data)
        self.assertEqual(metadata, {"k": "v", "state": '{"a":1}'})
        self.assertEqual(back.keys(), original.keys())
        for name, t in original.items():
            with self.subTest(name):
                self.assertEqual((back[name].dtype, back[name].shape), (t.dtype, t.shape))
                self.assertEqual(bytes(tensors._view(back[name])), bytes(tensors._view(t.contiguous())))
        out = io.BytesIO()
        self.assertEqual(tensors.write(out, original, {"k": "v", "state": '{"a":1}'}), len(data))
        self.assertEqual(out.getvalue(), data)

    def test_order_of_insertion_does_not_matter(self):
        a, b = torch.ones(2), torch.zeros(3, dtype=torch.float64)
        self.assertEqual(tensors.encode({"a": a, "b": b}, {}), tensors.encode({"b": b, "a": a}, {}))

    def test_nothing(self):
        self.assertEqual(tensors.decode(tensors.encode({}, {})), ({}, {}))

    def test_what_cannot_be_written(self):
        for name, rule, content, metadata in (
            ("complex", "dtype", {"x": torch.zeros(1, dtype=torch.complex64)}, {}),
            ("rank", "shape", {"x": torch.zeros([1] * 9)}, {}),
            ("reserved", "name", {"__metadata__": torch.zeros(1)}, {}),
            ("number as metadata", "metadata", {}, {"a": 1}),
            ("surrogate", "header", {"\ud800": torch.zeros(1)}, {}),
            ("header too long", "header", {}, {"a": "x" * tensors.MAX_HEADER}),
        ):
            with self.subTest(name), self.assertRaises(FormatError) as caught:
                tensors.encode(content, metadata)
            self.assertEqual(caught.exception.rule, rule)


class Hostile(unittest.TestCase):
    def test_refused(self):
        four = b"\0" * 4
        cases = [
            ("empty", "size", b""),
            ("seven bytes", "size", b"\2\0\0\0\0\0\0"),
            ("header of 0", "header", bytes(8)),
            ("header larger than the file", "header", (100).to_bytes(8, "little") + b"{}"),
            ("header of 2^63", "header", (1 << 63).to_bytes(8, "little") + b"{}"),
            ("header of 1 GiB", "header", (1 << 30).to_bytes(8, "little") + b"{}" * 10),
            ("a list", "header", file(b"[] ")),
            ("space before", "header", file(b" {}")),
            ("newline behind", "header", file(b"{}\n")),
            ("two documents", "header", file(b"{}{}")),
            ("not UTF-8", "header", file(b'{"\xff":1}')),
            ("NaN", "header", file(b'{"x":NaN}')),
            ("deep", "header", file(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
            ("repeated tensor", "header", file(b'{"x":%b,"x":%b}' % ((json.dumps(one()).encode(),) * 2), four)),
            ("repeated key", "header", file(b'{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four)),
            ("unknown key", "header", file({"x": one(more=1)}, four)),
            ("tensor that is no object", "header", file({"x": 1})),
            ("metadata that is no object", "metadata", file({"__metadata__": []})),
            ("metadata with a number", "metadata", file({"__metadata__": {"a": 1}})),
            ("dtype missing", "dtype", file({"x": {"shape": [1], "data_offsets": [0, 4]}}, four)),
            ("dtype unknown", "dtype", file({"x": one("F4")}, four)),
            ("dtype a list", "dtype", file({"x": one(["F32"])}, four)),
            ("shape missing", "shape", file({"x": {"dtype": "F32", "data_offsets": [0, 4]}}, four)),
            ("shape negative", "shape", file({"x": one(shape=(-1,))}, four)),
            ("shape of floats", "shape", file({"x": one(shape=(1.0,))}, four)),
            ("shape of bools", "shape", file({"x": one(shape=(True,))}, four)),
            ("shape of 9", "shape", file({"x": one(shape=(1,) * 9)}, four)),
            ("offsets of one", "data_offsets", file({"x": one(offsets=(0,))}, four)),
            ("offsets reversed", "data_offsets", file({"x": one(offsets=(4, 0))}, four)),
            ("size and shape differ", "data_offsets", file({"x": one(shape=(2,))}, four)),
            ("product that overflows", "data_offsets", file({"x": one(shape=(1 << 62, 1 << 62))}, four)),
            ("beyond the file", "data_offsets", file({"x": one()}, b"\0\0")),
            ("gap", "data_offsets", file({"x": one(), "y": one(offsets=(8, 12))}, b"\0" * 12)),
            ("overlap", "data_offsets", file({"x": one(), "y": one(offsets=(2, 6))}, b"\0" * 6)),
            ("same bytes twice", "data_offsets", file({"x": one(), "y": one()}, four)),
            ("data of nobody", "size", file({"x": one()}, b"\0" * 5)),
            ("a pickle", "header", b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x8c\x02os\x94."),
        ]
        for name, rule, data in cases:
            with self.subTest(name), self.assertRaises(FormatError) as caught:
                tensors.decode(data)
            self.assertEqual(caught.exception.rule, rule, caught.exception)


if __name__ == "__main__":
    unittest.main()
