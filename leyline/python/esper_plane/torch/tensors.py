"""safetensors files: the only form in which the bridge writes or reads tensors.

The rules are those of the plane's own reader, so that a file has one meaning: a
little-endian length, a JSON header, the numbers. No key is repeated or unknown,
metadata maps text to text, sizes agree with types and shapes, and the byte ranges
cover the data from its first byte to the last without gap or overlap. A broken rule
is a FormatError that names it. Nothing is ever unpickled.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any, BinaryIO, Dict, List, Mapping, NamedTuple, Tuple, Union

import torch

from .errors import FormatError

MAX_HEADER = 8 << 20  # bytes of the JSON header
MAX_RANK = 8  # dimensions of a tensor
METADATA = "__metadata__"

_NAMES = (
    ("F64", "float64"), ("F32", "float32"), ("F16", "float16"), ("BF16", "bfloat16"),
    ("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"),
    ("I64", "int64"), ("I32", "int32"), ("I16", "int16"), ("I8", "int8"),
    ("U64", "uint64"), ("U32", "uint32"), ("U16", "uint16"), ("U8", "uint8"), ("BOOL", "bool"),
)
# Older releases of torch lack some of the types; such a file is refused there.
DTYPES: Dict[str, torch.dtype] = {name: getattr(torch, attr) for name, attr in _NAMES if hasattr(torch, attr)}
_OF = {dtype: name for name, dtype in DTYPES.items()}

Buffer = Union[bytes, bytearray, memoryview]


class Entry(NamedTuple):
    """What a header says of one tensor."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    begin: int
    end: int


def encode(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file of these tensors. Equal tensors and metadata give equal bytes.

    Raises FormatError for a name or text that is not UTF-8, a type that the format
    has not, more than MAX_RANK dimensions, or a header above MAX_HEADER.
    """
    header, order = _plan(tensors, metadata)
    return b"".join([header] + [bytes(_view(t)) for _, t in order])


def write(out: BinaryIO, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> int:
    """Write the same bytes as ``encode`` tensor by tensor, and return how many."""
    header, order = _plan(tensors, metadata)
    total = out.write(header)
    for _, tensor in order:
        total += out.write(_view(tensor))
    return total


def content(tensor: torch.Tensor) -> bytes:
    """The numbers of a tensor as bytes, in the memory that they take and no more."""
    return bytes(_view(tensor.detach().to("cpu").contiguous()))


def decode(data: Buffer) -> Tuple[Dict[str, str], Dict[str, torch.Tensor]]:
    """Metadata and tensors of a whole file. Every tensor owns its memory."""
    metadata, entries, start = describe(data)
    view = memoryview(data)
    return metadata, {e.name: _tensor(view[start + e.begin:start + e.end], e) for e in entries}


def describe(data: Buffer) -> Tuple[Dict[str, str], List[Entry], int]:
    """Hold a whole file against the rules: metadata, entries in the order of their
    bytes, and where the numbers begin. The numbers are not looked at."""
    header, start = _split(data)
    raw = _parse(header)
    metadata = _metadata(raw.pop(METADATA, {}))
    entries = sorted((_entry(name, e) for name, e in raw.items()), key=lambda e: (e.begin, e.end))
    _check_ranges(entries, len(data) - start)
    return metadata, entries, start


def _plan(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Tuple[bytes, List[Tuple[str, torch.Tensor]]]:
    # Wide types first, so that every tensor begins where its type may lie.
    order = sorted(tensors.items(), key=lambda kv: (-kv[1].element_size(), kv[0]))
    header: Dict[str, Any] = {METADATA: _texts(metadata)} if metadata else {}
    at, plain = 0, []
    for name, tensor in order:
        if name == METADATA or not isinstance(name, str):
            raise FormatError(str(name), "name", "is reserved, or no text")
        if tensor.dtype not in _OF:
            raise FormatError(name, "dtype", f"{tensor.dtype} is not in the format")
        if tensor.dim() > MAX_RANK:
            raise FormatError(name, "shape", f"has {tensor.dim()} dimensions, at most {MAX_RANK} are allowed")
        flat = tensor.detach().to("cpu").contiguous()
        size = flat.numel() * flat.element_size()
        header[name] = {"dtype": _OF[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
        plain.append((name, flat))
    return _header(header), plain


def _header(header: Dict[str, Any]) -> bytes:
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")
    except UnicodeEncodeError as e:
        raise FormatError("", "header", f"is not UTF-8: {e.reason}") from e
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise FormatError("", "header", f"length {len(text)} is above {MAX_HEADER}")
    return len(text).to_bytes(8, "little") + text


def _texts(metadata: Mapping[str, str]) -> Dict[str, str]:
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise FormatError("", "metadata", f"entry {key!r} is no text")
    return dict(metadata)


def _view(tensor: torch.Tensor) -> memoryview:
    """The bytes of a contiguous tensor in the memory of the host, without a copy."""
    if sys.byteorder != "little":
        raise FormatError("", "size", "cannot be written on a machine that is not little-endian")
    size = tensor.numel() * tensor.element_size()
    if size == 0:
        return memoryview(b"")
    owner = (ctypes.c_ubyte * size).from_address(tensor.data_ptr())
    owner._keep = tensor  # type: ignore[attr-defined]  # the memory stays while the view does
    return memoryview(owner).cast("B")


def _tensor(data: memoryview, entry: Entry) -> torch.Tensor:
    dtype = DTYPES[entry.dtype]
    out = torch.empty(entry.shape, dtype=dtype)
    if len(data):
        ctypes.memmove(out.data_ptr(), bytes(data), len(data))
    return out


def _split(data: Buffer) -> Tuple[bytes, int]:
    if len(data) < 8:
        raise FormatError("", "size", f"{len(data)} bytes are too few for a header length")
    n = int.from_bytes(bytes(data[:8]), "little")
    if not 2 <= n <= MAX_HEADER:
        raise FormatError("", "header", f"length {n} is not within 2 and {MAX_HEADER}")
    if n > len(data) - 8:
        raise FormatError("", "header", f"length {n} is larger than the {len(data) - 8} bytes that follow")
    return bytes(data[8:8 + n]), 8 + n


def _parse(header: bytes) -> Dict[str, Any]:
    if header[:1] != b"{" or not header.rstrip(b" ").endswith(b"}"):
        raise FormatError("", "header", "does not begin with '{' and end with '}' and spaces")

    def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise FormatError("", "header", "repeats a key")
        return out

    def constant(text: str) -> Any:
        raise FormatError("", "header", f"holds {text}")

    try:
        raw = json.loads(header.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except FormatError:
        raise
    except (ValueError, RecursionError) as e:
        raise FormatError("", "header", f"is not JSON in UTF-8: {e}") from e
    return raw  # an object: it begins with '{'


def _metadata(raw: Any) -> Dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(v, str) for v in raw.values()):
        raise FormatError("", "metadata", "must be an object of texts")
    return raw


def _entry(name: str, raw: Any) -> Entry:
    if not isinstance(raw, dict):
        raise FormatError(name, "header", "must be an object")
    for key in raw:
        if key not in ("dtype", "shape", "data_offsets"):
            raise FormatError(name, "header", f"unknown key {key!r}")
    for key in ("dtype", "shape", "data_offsets"):
        if key not in raw:
            raise FormatError(name, key, "is missing")
    if not isinstance(raw["dtype"], str) or raw["dtype"] not in DTYPES:
        raise FormatError(name, "dtype", f"{raw['dtype']!r} is not known")
    shape = _ints(name, "shape", raw["shape"], MAX_RANK)
    offsets = _ints(name, "data_offsets", raw["data_offsets"], 2)
    if len(offsets) != 2:
        raise FormatError(name, "data_offsets", "must be two numbers")
    entry = Entry(name, raw["dtype"], shape, offsets[0], offsets[1])
    _check_size(entry)
    return entry


def _check_size(e: Entry) -> None:
    count = 1
    for d in e.shape:
        count *= d
    width = torch.empty((), dtype=DTYPES[e.dtype]).element_size()
    if e.end - e.begin != count * width:
        raise FormatError(e.name, "data_offsets", f"[{e.begin} {e.end}] does not hold {count} elements of {width} bytes")


def _ints(tensor: str, field: str, raw: Any, limit: int) -> Tuple[int, ...]:
    if not isinstance(raw, list) or len(raw) > limit:
        raise FormatError(tensor, field, f"must be an array of at most {limit} integers")
    for v in raw:
        if type(v) is not int or not 0 <= v < 1 << 63:
            raise FormatError(tensor, field, f"{v!r} is not an integer within range")
    return tuple(raw)


def _check_ranges(entries: List[Entry], size: int) -> None:
    at = 0
    for e in entries:
        if e.begin > at:
            raise FormatError(e.name, "data_offsets", f"leaves a gap of {e.begin - at} bytes before it")
        if e.begin < at:
            raise FormatError(e.name, "data_offsets", f"overlaps the tensor before it by {at - e.begin} bytes")
        if e.end > size:
            raise FormatError(e.name, "data_offsets", f"ends at {e.end}, after the data of {size} bytes")
        at = e.end
    if at != size:
        raise FormatError("", "size", f"{size - at} bytes of data belong to no tensor")
