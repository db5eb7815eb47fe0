"""State dicts as tensors and one JSON document.

Optimizers, schedulers and samplers keep their state in nested dicts, lists and tuples
of numbers, texts and tensors. ``pack`` takes the tensors out and writes the rest as
JSON in which every type is told apart, so that ``unpack`` gives back what was there.
Anything else (a function, an object of a class) is refused: it could only be pickled.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Dict, Mapping

import torch

from .errors import BridgeError

MAX_DEPTH = 32


def pack(value: Any, prefix: str, tensors: Dict[str, torch.Tensor]) -> str:
    """The JSON of a value; its tensors go into ``tensors`` under names that begin
    with the prefix. Raises BridgeError that names what cannot be kept."""
    return json.dumps(_pack(value, prefix, tensors, 0), ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


def unpack(text: str, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The value that ``pack`` was given. Tensors are those of the mapping itself.
    Raises BridgeError for a document that ``pack`` does not write."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise BridgeError("malformed_state", "document", f"is no JSON: {e}") from e
    return _unpack(raw, tensors, 0)


def _pack(value: Any, at: str, tensors: Dict[str, torch.Tensor], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BridgeError("unsupported_state", at, f"is nested deeper than {MAX_DEPTH}")
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if abs(value) < 1 << 53 else {"int": str(value)}
    if type(value) is float:
        return {"float": value.hex() if math.isfinite(value) else repr(value)}
    if type(value) is bytes:
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, torch.Tensor):
        tensors[at] = value
        return {"tensor": at}
    if type(value) in (list, tuple):
        items = [_pack(v, f"{at}.{i}", tensors, depth + 1) for i, v in enumerate(value)]
        return items if type(value) is list else {"tuple": items}
    if isinstance(value, dict):
        pairs = [[_pack(k, at, tensors, depth + 1), _pack(v, f"{at}.{k}", tensors, depth + 1)] for k, v in value.items()]
        return {"dict": pairs}
    raise BridgeError("unsupported_state", at, f"is a {type(value).__name__}", "keep numbers, texts, tensors, lists and dicts only; nothing is pickled")


def _unpack(raw: Any, tensors: Mapping[str, torch.Tensor], depth: int) -> Any:
    if depth > MAX_DEPTH + 1:
        raise BridgeError("malformed_state", "document", f"is nested deeper than {MAX_DEPTH}")
    if raw is None or isinstance(raw, (bool, int, str)):
        return raw
    if isinstance(raw, list):
        return [_unpack(v, tensors, depth + 1) for v in raw]
    if isinstance(raw, dict) and len(raw) == 1:
        (kind, body), = raw.items()
        return _unpack_tagged(kind, body, tensors, depth)
    raise BridgeError("malformed_state", "document", "holds what pack does not write")


def _unpack_tagged(kind: str, body: Any, tensors: Mapping[str, torch.Tensor], depth: int) -> Any:
    try:
        if kind == "float":
            return float.fromhex(body)  # also "inf" and "nan"
        if kind == "int":
            return int(body)
        if kind == "bytes":
            return base64.b64decode(body, validate=True)
        if kind == "tensor":
            return tensors[body]
        if kind == "tuple":
            return tuple(_unpack(v, tensors, depth + 1) for v in body)
        if kind == "dict":
            return {_unpack(k, tensors, depth + 1): _unpack(v, tensors, depth + 1) for k, v in body}
    except (TypeError, ValueError, KeyError) as e:
        if isinstance(e, BridgeError):
            raise
        raise BridgeError("malformed_state", kind, f"cannot be read: {type(e).__name__}: {e}") from e
    raise BridgeError("malformed_state", "document", f"holds {kind!r}, which pack does not write")
