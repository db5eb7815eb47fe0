"""The framed lane: the same bodies as over HTTP, for steps of few milliseconds.

A frame is its length, four bytes little-endian, and what it holds. The first one of
each side says hello. A request is one byte that says which report it is, and its body;
an answer is its status, two bytes little-endian, and its body. Answers come in the order
of the requests.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Tuple

from . import forms
from .errors import ProtocolError
from .replies import refused
from .transport import connect

__all__ = ["OPS", "Lane"]

MAX_FRAME = 4 << 20  # bytes of what a frame holds
MEDIA = "application/json"

#: The reports of the lane, by their codes.
OPS = {
    "step": 1, "epoch": 2, "snapshot": 3, "probe": 4, "ack": 5, "rollback": 6, "fallback": 7, "profile": 8, "close": 9,
}


class Lane:
    """A connection for the reports of one run. Any failure leaves it of no use."""

    def __init__(self, path: str, run: str, timeout: float) -> None:
        """Connect and say hello. Raises OSError, Refused and ProtocolError."""
        self.run = run
        self._sock: socket.socket = connect(path, timeout)
        self._buffer = b""
        try:
            self._send(forms.encode({"protocol": 1, "run": run, "media": MEDIA}))
            hello = forms.parse(self._frame())
            if "kind" in hello:
                raise refused(hello)
            if hello.get("run") != run or forms.u32(hello.get("protocol"), "protocol") != 1:
                raise ProtocolError("run", f"of the hello is {hello.get('run')!r}; want {run!r} under protocol 1")
        except BaseException:
            self.close()
            raise

    def send(self, kind: str, body: bytes, timeout: float) -> None:
        """Send a report. Its answer is for ``receive``. Raises OSError, and ValueError for one that is too large."""
        if len(body) + 1 > MAX_FRAME:
            raise ValueError(f"a report of {len(body)} bytes; a frame holds at most {MAX_FRAME}")
        self._sock.settimeout(timeout)
        self._send(bytes((OPS[kind],)) + body)

    def receive(self, timeout: float) -> Tuple[int, bytes]:
        """The status and the body of the next answer. Raises OSError and ProtocolError."""
        self._sock.settimeout(timeout)
        frame = self._frame()
        if len(frame) < 3:
            raise ProtocolError("", f"is a frame of {len(frame)} bytes; want a status and a body")
        return struct.unpack_from("<H", frame)[0], frame[2:]

    def ready(self) -> bool:
        """Whether something has arrived, were it the end of the connection."""
        return bool(self._buffer) or bool(select.select([self._sock], [], [], 0)[0])

    def close(self) -> None:
        """Close the connection. It may be called twice."""
        self._sock.close()

    def _send(self, payload: bytes) -> None:
        self._sock.sendall(struct.pack("<I", len(payload)) + payload)

    def _frame(self) -> bytes:
        (length,) = struct.unpack("<I", self._read(4))
        if not 1 <= length <= MAX_FRAME:
            raise ProtocolError("", f"announces a frame of {length} bytes; want 1 to {MAX_FRAME}")
        return self._read(length)

    def _read(self, n: int) -> bytes:
        while len(self._buffer) < n:
            part = self._sock.recv(max(65536, n - len(self._buffer)))
            if not part:
                raise ConnectionResetError("the plane has closed the lane")
            self._buffer += part
        out, self._buffer = self._buffer[:n], self._buffer[n:]
        return out
