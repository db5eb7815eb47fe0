"""Files of snapshots: written so that they survive a power cut, read back as registered.

The plane reads every file again that is reported, and holds its header against the
rules of safetensors. A file that is being written has the suffix ``.tmp``; the plane
sweeps what a crash leaves of those.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import time
from typing import Any, Callable, Mapping, Optional

from .errors import SnapshotError

__all__ = ["Deadline", "Written", "copy", "fetch", "write"]

CHUNK = 1 << 20  # bytes between two looks at the clock
_TEMPORARY = ".tmp"


class Deadline(Exception):
    """The time that an order left is over."""


@dataclasses.dataclass(frozen=True)
class Written:
    """A file as it lies in its directory."""

    path: str
    bytes: int
    digest: str  #: SHA-256 in hex


def write(directory: str, file: str, fill: Callable[[str], None]) -> Written:
    """Let ``fill`` write a file, make it durable and give it its name.

    When this returns the file is there as a whole, and stays. Raises SnapshotError, and
    what ``fill`` raises; then there is no such file.
    """
    if not directory:
        raise SnapshotError(
            "the plane names no directory for snapshots (places.snapshots): a trainer has to run on the plane's machine"
        )
    temporary, path = os.path.join(directory, file + _TEMPORARY), os.path.join(directory, file)
    try:
        make(directory)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
    except OSError as e:
        raise SnapshotError(f"cannot write snapshot {path}: {e}") from e
    try:
        fill(temporary)
        written = _settle(temporary, path)
        _sync(directory)
        return written
    except OSError as e:
        raise SnapshotError(f"cannot write snapshot {path}: {e}") from e
    finally:
        _forget(temporary)


def copy(written: Written, directory: str) -> Written:
    """A second copy, in memory: nothing of it has to outlive the machine."""

    def fill(path: str) -> None:
        with open(written.path, "rb") as source, open(path, "wb") as to:
            while part := source.read(CHUNK):
                to.write(part)

    again = write(directory, os.path.basename(written.path), fill)
    if (again.bytes, again.digest) != (written.bytes, written.digest):
        os.remove(again.path)
        raise SnapshotError(f"{again.path} is not what {written.path} holds")
    return again


def _settle(temporary: str, path: str) -> Written:
    """Sync what was written, take its sums, and give it its name."""
    digest, size = hashlib.sha256(), 0
    with open(temporary, "rb+") as f:
        os.fsync(f.fileno())
        while part := f.read(CHUNK):
            digest.update(part)
            size += len(part)
    if size == 0:
        raise SnapshotError(f"the host has written nothing to {temporary}")
    os.rename(temporary, path)
    return Written(path, size, digest.hexdigest())


def _forget(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        pass


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make(directory: str) -> None:
    """Make a directory and those above it, so that their names survive a power cut."""
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(os.path.abspath(directory))
    make(parent)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return
    _sync(parent)


def fetch(
    directory: str, ref: Mapping[str, Any], by: Optional[float] = None, into: Optional[bytearray] = None
) -> bytearray:
    """Read a copy of a snapshot that the plane has registered.

    It has exactly the registered size and SHA-256: that is taken of every copy, also
    where a checksum would do. ``by`` is a time of time.monotonic(). ``into`` is used
    again where it has the size. Raises SnapshotError and Deadline.
    """
    name, path = f"snapshot {ref['snapshot']}", os.path.join(directory, ref["file"])
    if not directory:
        raise SnapshotError(f"{name} lies in the {ref['tier']} tier, for which the plane names no directory")
    if os.path.basename(ref["file"]) != ref["file"] or ref["file"] in ("", ".", ".."):
        raise SnapshotError(f"{name} has no file of its own: {ref['file']!r}")
    if not ref["digest"]:
        raise SnapshotError(f"{name} was registered without a digest")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise SnapshotError(f"{name} cannot be opened: {e}") from e
    with open(fd, "rb", buffering=0) as f:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise SnapshotError(f"{name}: {path} is no regular file")
        if info.st_size != ref["bytes"]:
            raise SnapshotError(f"{name} is a file of {info.st_size} bytes, registered was one of {ref['bytes']} bytes")
        data = into if into is not None and len(into) == info.st_size else bytearray(info.st_size)
        digest = _fill(f, data, by, name)
    if digest != ref["digest"]:
        raise SnapshotError(f"{name} hashes to {digest[:12]}, the plane registered {ref['digest'][:12]}")
    return data


def _fill(f: Any, data: bytearray, by: Optional[float], name: str) -> str:
    digest, at, view = hashlib.sha256(), 0, memoryview(data)
    while at < len(data):
        if by is not None and time.monotonic() >= by:
            raise Deadline(f"{name}: the time for it was over after {at} of {len(data)} bytes")
        n = f.readinto(view[at : at + CHUNK])
        if not n:
            raise SnapshotError(f"{name} ends after {at} of {len(data)} bytes")
        digest.update(view[at : at + n])
        at += n
    return digest.hexdigest()
