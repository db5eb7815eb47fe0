"""Reports steps to a plane and prints how long each answer took, in microseconds.

Arguments: the directory of esper_plane, the address, the run, the way (framed or http).
Every line of stdin is a number of steps; the answer is one line of times.
"""

import sys
import time

sys.path.insert(0, sys.argv[1])
from esper_plane.client import Client  # noqa: E402  the path comes first

client = Client(sys.argv[2], lane=sys.argv[4])
run = sys.argv[3]
answer = client.open({
    "run": run, "workload": "bench", "framework": "go-gonum", "posture": {"version": "1", "device": "cpu", "compile": "off"},
    "tasks": ["a", "b", "c", "d"], "seed": "1", "parameters": "1000", "steps": "100000000", "optimizer": "sgd", "away": "stop",
})
step, cursor, incarnation = 0, answer["cursor"], answer["incarnation"]
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        step += 1
        body = {
            "run": run, "incarnation": incarnation, "step": str(step), "losses": [0.5, 0.25, 0.5, 0.25],
            "gram": [1.0, -0.1, 0.2, 0.0, -0.1, 1.0, 0.1, 0.3, 0.2, 0.1, 1.0, -0.2, 0.0, 0.3, -0.2, 1.0],
            "seed": str(step), "samples": 64, "microbatches": 1, "learn_rate": 0.1, "forward_ns": "10000000",
            "previous_ns": "10000000", "after": str(cursor),
        }
        began = time.perf_counter_ns()
        answer = client.report("step", run, body)
        times.append((time.perf_counter_ns() - began) / 1000)
        cursor = answer["cursor"]
    print(" ".join(f"{t:.1f}" for t in times), flush=True)
