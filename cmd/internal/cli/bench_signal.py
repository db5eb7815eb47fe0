"""The reader in Python of `esper bench signal`: FOLDER-OF-THE-PACKAGE FILE.

It says what bench_signal_child.go says, and ends with its stdin.
"""

import os
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])

from esper_plane.signal import Reader  # noqa: E402


def leave():
    sys.stdin.buffer.read()
    os._exit(0)


def poll(raised, up):
    polls = 1
    while raised() != up:
        polls += 1
    return polls


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


threading.Thread(target=leave, daemon=True).start()
reader = Reader(sys.argv[2])
print("ready", flush=True)
while True:
    begun = now()
    polls = poll(reader.raised, True)
    at = now()
    print(at, polls, at - begun, flush=True)
    poll(reader.raised, False)
    print("clear", flush=True)
