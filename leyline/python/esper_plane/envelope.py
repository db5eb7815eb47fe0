"""Who has signed a command, and whether it is the one that the plane hands over.

An envelope is that of DSSE: what is signed is the pre-authentication encoding of the
payload's type and bytes: the operation, the seed, the blueprint of a germination, the plan
of a blend. What is not in them is the plane's word: which keys may sign, and the kernel of
a command that begins training, which the plane has verified.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from typing import Any, Dict, Iterable, Mapping, Tuple

from . import ed25519, payload
from .errors import EnvelopeError

__all__ = ["COMMAND", "Envelope", "Keys", "key_id", "pae"]

COMMAND = "application/vnd.esper.command.v1+msgpack"


def pae(payload_type: str, body: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def key_id(public: bytes) -> str:
    """The id of a public key."""
    return hashlib.sha256(b"esper key v0\x00" + public).digest()[:16].hex()


@dataclasses.dataclass(frozen=True)
class Envelope:
    """Signed bytes, and whose signature it says it is."""

    payload_type: str
    payload: bytes
    key: str
    signature: bytes

    @classmethod
    def parse(cls, doc: Any) -> Envelope:
        """Read the JSON form. Raises EnvelopeError of the kind ``malformed``."""
        if not isinstance(doc, dict) or set(doc) != {"payloadType", "payload", "signatures"}:
            raise EnvelopeError("malformed", "the envelope is no DSSE document")
        signatures = doc["signatures"]
        if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
            raise EnvelopeError("malformed", "the envelope has not exactly one signature")
        if set(signatures[0]) - {"keyid", "sig"}:
            raise EnvelopeError("malformed", "the signature has members that it should not have")
        return cls(
            _text(doc["payloadType"]), _base64(doc["payload"]), _text(signatures[0].get("keyid", "")),
            _base64(signatures[0].get("sig", "")),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise EnvelopeError("malformed", f"the envelope has a {type(value).__name__} for a text")
    return value


def _base64(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as e:
        raise EnvelopeError("malformed", f"the envelope holds what is not base64: {e}") from e


class Keys:
    """The keys whose commands a trainer carries out, with whom each speaks for."""

    def __init__(self, enrolled: Iterable[Mapping[str, str]]) -> None:
        """Take the ``keys`` of an OpenAnswer. Raises EnvelopeError for one that is none."""
        self._known: Dict[str, Tuple[bytes, str]] = {}
        for k in enrolled:
            self.learn(k)

    def learn(self, k: Mapping[str, str]) -> None:
        """Add a key that was enrolled since. Raises EnvelopeError for one that is none."""
        public = _base64(k["public"])
        if len(public) != 32 or key_id(public) != k["key"]:
            raise EnvelopeError("malformed", f"key {k['key']!r} is not the id of its public half")
        self._known[k["key"]] = (public, k["issuer"])

    def missing(self, doc: Any) -> str:
        """The key that an envelope says it is signed with, if it is not known; else empty."""
        key = Envelope.parse(doc).key
        return "" if key in self._known else key

    def command(self, doc: Any, origin: str, run: str) -> payload.Command:
        """The command that an envelope holds, if it is signed and for this run."""
        env = Envelope.parse(doc)
        if env.payload_type != COMMAND:
            raise EnvelopeError("malformed", f"the envelope holds {env.payload_type!r}; want {COMMAND!r}")
        if not env.signature:
            raise EnvelopeError("missing_signature", "the envelope has no signature")
        if env.key not in self._known:
            raise EnvelopeError("unknown_key", f"the plane has not enrolled key {env.key[:40]!r}")
        public, issuer = self._known[env.key]
        if not ed25519.verify(public, pae(env.payload_type, env.payload), env.signature):
            raise EnvelopeError("invalid_signature", f"the signature is not one of key {env.key}")
        command = payload.decode(env.payload)
        if command.issuer != issuer:
            raise EnvelopeError("mismatch", f"key {env.key} speaks for {issuer!r}, the command says {command.issuer!r}")
        if (command.origin, command.run) != (origin, run):
            raise EnvelopeError(
                "wrong_audience", f"the command is for run {command.run!r} of {command.origin!r}, this is {run!r} of {origin!r}"
            )
        return command
