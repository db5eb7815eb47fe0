"""How bytes reach a plane: HTTP over a unix socket or TCP, with or without TLS."""

from __future__ import annotations

import dataclasses
import http.client
import os
import socket
import ssl
import struct
from typing import Dict, Optional, Tuple, Union
from urllib.parse import urlsplit

from .errors import Stranger

__all__ = ["TLS", "Address", "Connection", "connect"]

MAX_ANSWER = 16 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class TLS:
    """Whom to trust and who one is: files in PEM."""

    ca: str = ""  #: certificates that the plane's may be signed by; empty: the system's
    cert: str = ""  #: one's own, for a plane that asks for it
    key: str = ""  #: of ``cert``; empty: it is in the same file

    def context(self) -> ssl.SSLContext:
        """A context that demands a certificate for the plane's name."""
        context = ssl.create_default_context(cafile=self.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self.cert:
            context.load_cert_chain(self.cert, self.key or None)
        return context


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a plane listens."""

    text: str
    path: str = ""  #: of a unix socket; empty: none
    host: str = ""
    port: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``unix:PATH``, ``http://HOST:PORT`` or ``https://HOST:PORT``. Raises ValueError."""
        if text.startswith("unix:"):
            path = text[len("unix:") :]
            if not path:
                raise ValueError("address \"unix:\" names no socket; write unix:PATH")
            return cls(text, path=os.path.abspath(path))
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError(f"address {text!r} is none of unix:PATH, http://HOST:PORT and https://HOST:PORT")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(text, host=parts.hostname, port=port, secure=parts.scheme == "https")

    def local(self) -> bool:
        """Whether nothing of a conversation leaves the machine."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")


class Connection(http.client.HTTPConnection):
    """One connection of HTTP/1.1 that is kept open, over whatever the address says."""

    def __init__(self, address: Address, timeout: float, context: Optional[ssl.SSLContext]) -> None:
        super().__init__(address.host or "localhost", address.port or None, timeout=timeout)
        self._address, self._context = address, context

    def connect(self) -> None:
        """Open the connection. Raises OSError."""
        if self._address.path:
            self.sock = connect(self._address.path, self.timeout or 0)
            return
        super().connect()
        if self._context is not None:
            plain = self.sock
            try:
                self.sock = self._context.wrap_socket(plain, server_hostname=self._address.host)
            except BaseException:
                plain.close()
                self.sock = None
                raise

    def ask(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str], timeout: float) -> Tuple[int, str, bytes]:
        """Send a request and read the whole answer: status, media type, bytes.

        Raises OSError and http.client.HTTPException; then the connection is closed.
        """
        answer: Optional[http.client.HTTPResponse] = None
        try:
            if self.sock is None:
                self.timeout = timeout
                self.connect()
            self.sock.settimeout(timeout)
            self.request(method, path, body, headers)
            answer = self.getresponse()
            return answer.status, answer.headers.get_content_type(), _whole(answer)
        except BaseException:
            if answer is not None:
                answer.close()
            self.close()
            raise


def _whole(answer: http.client.HTTPResponse) -> bytes:
    """All that an answer holds. Raises HTTPException for one that is cut off or too long."""
    length = answer.length
    if length is None and not answer.chunked:  # http.client takes a header that was cut off for a whole one
        raise http.client.HTTPException("an answer without a length: its header is not whole")
    if length is not None and length > MAX_ANSWER:
        raise http.client.HTTPException(f"an answer of {length} bytes; at most {MAX_ANSWER} are read")
    data = answer.read(MAX_ANSWER + 1)
    if len(data) > MAX_ANSWER or not answer.isclosed() and answer.read(1):
        raise http.client.HTTPException(f"an answer of more than {MAX_ANSWER} bytes")
    if length is not None and len(data) < length:
        raise http.client.IncompleteRead(data, length - len(data))
    return data


def connect(path: str, timeout: Union[float, int]) -> socket.socket:
    """Connect to a unix socket. Raises OSError, and Stranger where another user listens."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout or None)
        sock.connect(path)
        _check_owner(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_owner(sock: socket.socket, path: str) -> None:
    """A plane decides what is trained: it is one's own, or root's. Root may use anybody's, as with files."""
    if not hasattr(socket, "SO_PEERCRED"):
        return
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if os.geteuid() not in (0, uid) and uid != 0:
        raise Stranger(f"uid {uid} listens at {path}, this is uid {os.geteuid()}; use the socket of a plane of your own")
