"""The Python side of python_test.go and hammer_test.go: reader.py ROLE [FILE].

levels  prints the names of the levels in the order of their codes
follow  prints what is published, once for every line of stdin
hammer  checks all that it sees against the two publications of hammer_test.go
"""

import json
import sys

from esper_plane.signal import HalfWrittenError, Level, Reader

PAIRS = {(Level.L2_ELEVATED, True, "a" * 48), (Level.L4_HALT, True, "é" * 24)}
ENOUGH = 100  # loads of each


def say(text):
    print(text, flush=True)


def follow(reader):
    for _ in sys.stdin:
        s = reader.load()
        say(json.dumps({
            "level": s.level.name, "flag": s.flag, "reason": s.reason,
            "at_ms": s.at_ms, "age_ms": s.age_ms, "raised": reader.raised(),
        }))


def hammer(reader):
    seen = dict.fromkeys(Level, 0)
    half = last = 0
    say("ready")
    told = False
    while True:
        try:
            s = reader.load()
        except HalfWrittenError:
            half += 1
            continue
        seen[s.level] += 1
        if s.at_ms < last:
            sys.exit(f"published at {s.at_ms} after {last}")
        last = s.at_ms
        if s.level == Level.L3_CONSERVATIVE:
            say(f"{seen[Level.L2_ELEVATED]} {seen[Level.L4_HALT]} {half}")
            return
        if s.level != Level.UNSPECIFIED and (s.level, s.flag, s.reason) not in PAIRS:
            sys.exit(f"a mixture: {s}")
        if not told and min(seen[Level.L2_ELEVATED], seen[Level.L4_HALT]) >= ENOUGH:
            told = True
            say("enough")


if sys.argv[1] == "levels":
    say(" ".join(level.name for level in Level))
else:
    with Reader(sys.argv[2]) as r:
        {"follow": follow, "hammer": hammer}[sys.argv[1]](r)
