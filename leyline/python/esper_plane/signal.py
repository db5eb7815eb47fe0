"""The emergency signal: whether a trainer must stop, for the price of one load.

A plane publishes the level and the reason of an emergency in a file of 64 bytes
that is mapped into memory: ``signal`` in its data directory. A trainer on the same
machine, run by the same user, asks before every step::

    from esper_plane.signal import Reader

    with Reader("data/signal") as emergency:
        for batch in batches:
            if emergency.raised():
                print(emergency.load().reason)
                break
            step(batch)

The layout of the file and the rules for reading it are in the comment of the Go
package leyline/signal. In short: the first of its eight words holds a sequence
that is odd while the others are being written, so a reader loads that word, then
the others, then that word again, and starts over unless the sequence was even and
the word has not changed.

What this module relies on:

* Reading one element of a ``memoryview`` of format ``Q`` is one load of an aligned
  word. CPython copies the eight bytes with a ``memcpy`` of constant size, which
  compilers for x86-64 and arm64 turn into one load. A slice may be torn at any
  byte, so no slice of the page is ever taken.
* Taking and giving back a lock orders memory (POSIX, "Memory Synchronization"), so
  doing so twice keeps the loads before and after it apart. CPython's locks are
  semaphores of POSIX, or built on sequentially consistent atomics. Neither the
  interpreter nor its global lock promises any order, and arm64 reorders loads.

Nothing is relied on for ``raised``: it reads one byte.
"""

from __future__ import annotations

import enum
import mmap
import os
import stat
import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Optional, Type, Union

__all__ = [
    "HalfWrittenError",
    "Level",
    "LevelError",
    "MalformedError",
    "Reader",
    "Signal",
    "SignalError",
    "SignalFileError",
    "VersionError",
]

SIZE = 64  # bytes of the file
MAX_REASON = 48  # bytes of a reason
VERSION = 1  # of the layout

_WORDS = SIZE // 8
_HEAD = 2  # words before the reason
_FLAG = 4  # where the flag is, in bytes
_SEQUENCE = 0xFFFFFFFF  # in the first word
_LATEST_MS = (2**63 - 1) // 1_000_000  # whose nanoseconds fit in 63 bits

# How often a page is read before it counts as half-written: a writer needs less
# than a microsecond, and a few milliseconds if it loses its turn in between.
_HURRIED = 100
_PATIENT = 100
_PATIENCE_S = 0.0001  # before every patient try, at least


class SignalError(Exception):
    """Why the signal cannot be read.

    Whoever sees a raised flag and cannot read the page should stop as for a halt.
    """


class SignalFileError(SignalError):
    """What is there is no regular file of 64 bytes."""


class HalfWrittenError(SignalError):
    """The page was being written for longer than a writer needs.

    A writer died there, or the machine is so busy that it got no turn. The next
    publication, or trying again, mends it.
    """


class VersionError(SignalError):
    """The page has a layout that this module does not know."""


class LevelError(SignalError):
    """The level is none of ``Level``."""


class MalformedError(SignalError):
    """The page is not one that a writer publishes."""


class Level(enum.IntEnum):
    """How grave an emergency is. From L2 on the flag is raised."""

    UNSPECIFIED = 0  # nothing was ever published
    L1_NOTICE = 1  # nothing is wrong
    L2_ELEVATED = 2
    L3_CONSERVATIVE = 3
    L4_HALT = 4


@dataclass(frozen=True)
class Signal:
    """What is published."""

    level: Level = Level.UNSPECIFIED
    flag: bool = False  #: the level is above L1
    reason: str = ""  #: at most 48 bytes of UTF-8; none at L1
    at_ms: int = 0  #: when: milliseconds of CLOCK_MONOTONIC, as time.monotonic_ns() // 10**6
    #: How long ago that was. Below zero when the machine was started anew since,
    #: and without meaning then even if it is not.
    age_ms: int = 0


class Reader:
    """Sees the emergency signal of another process.

    Its methods, but for ``close``, may be called by several threads at a time.
    After ``close`` they raise ``ValueError``, as those of a file do. The mapping
    stays that of the file that was opened. Cutting that file short ends the
    process with SIGBUS; no plane does that.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Maps the signal file at path, which must be there.

        Raises OSError when it cannot be opened or is a symbolic link, and
        SignalFileError when it is no regular file of 64 bytes.
        """
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise SignalFileError(f"{os.fspath(path)} is no regular file")
            if info.st_size != SIZE:
                raise SignalFileError(f"{os.fspath(path)} has {info.st_size} bytes; want {SIZE}")
            self._mapping = mmap.mmap(fd, SIZE, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        self._bytes = memoryview(self._mapping)
        self._words = self._bytes.cast("Q")
        self._lock = threading.Lock()

    def raised(self) -> bool:
        """Whether the level is above L1. It reads one byte.

        Unlike ``load`` it also says so of a halt that is being written, or whose
        writer died before it was done.
        """
        return self._bytes[_FLAG] != 0

    def load(self) -> Signal:
        """Returns what is published.

        While a writer is at work it tries again, for about 20 ms on an idle
        machine; then it raises HalfWrittenError. It also raises VersionError,
        LevelError and MalformedError.
        """
        signal = decode(self._settled())
        if signal.level is Level.UNSPECIFIED:
            return signal
        age = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000 - signal.at_ms
        return Signal(signal.level, signal.flag, signal.reason, signal.at_ms, age)

    def close(self) -> None:
        """Unmaps the file. It may be called twice."""
        self._words.release()
        self._bytes.release()
        self._mapping.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _settled(self) -> bytes:
        """Copies the page between two publications."""
        for attempt in range(_HURRIED + _PATIENT):
            if attempt >= _HURRIED:
                time.sleep(_PATIENCE_S)
            words = self._words
            first = words[0]
            self._order_loads()
            rest = [words[i] for i in range(1, _WORDS)]
            self._order_loads()
            page = b"".join(w.to_bytes(8, sys.byteorder) for w in [first, *rest])
            if page[0] & 1 == 0 and words[0] == first:
                return page
        raise HalfWrittenError("the emergency signal is half-written")

    def _order_loads(self) -> None:
        """Keeps the loads before it before the loads after it.

        Giving the lock back waits for the former, and taking it again holds up the
        latter.
        """
        with self._lock:
            pass
        with self._lock:
            pass


def decode(page: bytes) -> Signal:
    """Reads a copy of the page, without its age.

    It accepts only what a writer lays out, and a page of zeros.
    """
    if len(page) != SIZE:
        raise MalformedError(f"a page of {len(page)} bytes; want {SIZE}")
    if not any(page):
        return Signal()
    flag, level, length, version = page[4], page[5], page[6], page[7]
    if version != VERSION:
        raise VersionError(f"version {version} of the emergency signal; want {VERSION}")
    if not Level.L1_NOTICE <= level <= Level.L4_HALT:
        raise LevelError(f"emergency level {level}; want 1 to 4")
    at_ms = int.from_bytes(page[8:16], "little")
    if at_ms > _LATEST_MS:
        raise MalformedError(f"a time of {at_ms} ms")
    raised = level > Level.L1_NOTICE
    text = page[8 * _HEAD :]
    if flag != raised or length > (MAX_REASON if raised else 0) or any(text[length:]):
        raise MalformedError(f"level {level}, flag {flag}, a reason of {length} bytes in {text!r}")
    try:
        reason = text[:length].decode("utf-8")
    except UnicodeDecodeError as e:
        raise MalformedError(f"the reason is no UTF-8: {text[:length]!r}") from e
    return Signal(Level(level), raised, reason, at_ms)
