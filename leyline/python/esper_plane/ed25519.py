"""Verification of Ed25519 signatures (RFC 8032, section 5.1).

What is accepted is exactly what Go's crypto/ed25519 accepts, since the plane is judged
by that: the equation without the cofactor, S below the order of the group, R compared as
bytes, and for the public key every encoding of a point, the ones that are not canonical
included. Nothing here is secret, so nothing takes constant time.

Package ``cryptography`` is used where it is installed: it accepts the same signatures
(the tests hold both to one file of vectors) in a tenth of the time.
"""

from __future__ import annotations

import functools
import hashlib
from typing import List, Optional, Tuple

try:
    from cryptography.exceptions import InvalidSignature as _InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as _PublicKey
except ImportError:
    _PublicKey = None  # type: ignore[assignment,misc]

__all__ = ["verify", "verify_slowly"]

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # of -1

# A point is (X, Y, Z, T) with x = X/Z, y = Y/Z and xy = T/Z.
_Point = Tuple[int, int, int, int]

_NEUTRAL: _Point = (0, 1, 1, 0)
_WINDOW = 4  # bits of a scalar that are taken at a time


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes is one of the message by the key."""
    if _PublicKey is None:
        return verify_slowly(public, message, signature)
    if len(public) != 32 or len(signature) != 64:
        return False
    try:
        _PublicKey.from_public_bytes(public).verify(signature, message)
    except (_InvalidSignature, ValueError):
        return False
    return True


def verify_slowly(public: bytes, message: bytes, signature: bytes) -> bool:
    """The same in Python alone: some milliseconds."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _L:
        return False
    table = _table(public)
    if table is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    return _encode(_double_times(s, _base(), k, table)) == signature[:32]


def _add(a: _Point, b: _Point) -> _Point:
    """The sum (Hisil, Wong, Carter, Dawson 2008, for a curve with a = -1)."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(a: _Point) -> _Point:
    x, y, z, _ = a
    xx, yy = x * x % _P, y * y % _P
    h = xx + yy
    e, g = h - (x + y) * (x + y) % _P, xx - yy
    f = 2 * z * z % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiples(point: _Point) -> List[_Point]:
    """0 to 2^window - 1 times a point."""
    out = [_NEUTRAL]
    for _ in range((1 << _WINDOW) - 1):
        out.append(_add(out[-1], point))
    return out


def _double_times(a: int, p: List[_Point], b: int, q: List[_Point]) -> _Point:
    """a*P + b*Q, from the top digit down (Straus)."""
    out, mask = _NEUTRAL, (1 << _WINDOW) - 1
    for shift in range(256 - _WINDOW, -1, -_WINDOW):
        if out is not _NEUTRAL:
            for _ in range(_WINDOW):
                out = _double(out)
        for digit, table in ((a >> shift & mask, p), (b >> shift & mask, q)):
            if digit:
                out = _add(out, table[digit])
    return out


def _decode(raw: bytes) -> Optional[_Point]:
    """The point of an encoding, also of one that is not the canonical one."""
    y = int.from_bytes(raw, "little")
    negative, y = y >> 255, (y & (1 << 255) - 1) % _P
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P != u:
        x = x * _ROOT % _P
        if v * x * x % _P != u:
            return None
    if x & 1 != negative:
        x = -x % _P
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=64)
def _table(public: bytes) -> Optional[List[_Point]]:
    """The multiples of the negative of a key's point; None if it is no point."""
    point = _decode(public)
    if point is None:
        return None
    x, y, z, t = point
    return _multiples((-x % _P, y, z, -t % _P))


@functools.lru_cache(maxsize=1)
def _base() -> List[_Point]:
    point = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return _multiples(point)
