"""How long a trainer in Python waits for the answers to its steps.

Usage: steps.py ADDRESS [--steps N] [--warmup N] [--tasks K] [--lag L] [--ways http,framed,ahead]

Every way opens a run of its own and prints one line of JSON: the way, the number of
steps, and the distribution of what a step costs the trainer, in microseconds. ``http``
and ``framed`` wait for every answer; ``ahead`` sends steps over the lane before the
answers to the last L have come. The last line, ``client``, is what the client itself
takes of that: a report written and an answer read, without a wire.
"""

import argparse
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from esper_plane import forms  # noqa: E402  the path comes first
from esper_plane.client import Client  # noqa: E402


def quantiles(times):
    times = sorted(times)
    return {name: round(times[min(len(times) - 1, int(len(times) * q))], 1) for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}


def plan(run, tasks, lag):
    return {
        "run": run, "workload": "bench", "framework": "torch", "tasks": [f"t{i}" for i in range(tasks)], "seed": 1, "parameters": 1000,
        "steps": 10**8, "optimizer": "sgd", "away": "stop", "lag": lag,
        "posture": {
            "version": "2.8.0", "device": "cpu", "compile": "off", "inference": "on", "matmul": "highest", "tf32": "off", "weights_only": "on",
            "cudnn": {"benchmark": "off", "deterministic": "on", "tf32": "off"},
        },
    }


def body(run, answer, step, tasks):
    return {
        "run": run, "incarnation": answer["incarnation"], "step": step, "after": answer["cursor"], "seed": step, "samples": 64,
        "losses": [0.5] * tasks, "gram": [1.0 if i == j else 0.0 for i in range(tasks) for j in range(tasks)], "learn_rate": 0.1,
        "microbatches": 1, "forward_ns": 10**7, "previous_ns": 10**7,
    }


def steps(address, way, options):
    """The times of the steps of one way."""
    lag = options.lag if way == "ahead" else 0
    run = f"bench-{way}-{os.getpid()}"
    times = []
    with Client(address, lane="http" if way == "http" else "framed") as client:
        answer = client.open(plan(run, options.tasks, lag))
        for step in range(1, options.warmup + options.steps + 1):
            report = body(run, answer, step, options.tasks)
            began = time.perf_counter_ns()
            if lag:
                if client.outstanding() >= lag:
                    answer = client.receive_step(run)
                client.send_step(run, {**report, "applied": [1.0] * options.tasks})
            else:
                answer = client.report("step", run, report)
            times.append((time.perf_counter_ns() - began) / 1e3)
        while client.outstanding():
            answer = client.receive_step(run)
        client.report("close", run, {
            "run": run, "incarnation": answer["incarnation"], "after": answer["cursor"], "step": answer["step"], "outcome": "failed",
            "reason": "a benchmark is over",
        })
    return times[options.warmup:], answer


def own(answer, options):
    """What the client does of a step, without a wire."""
    report = body("bench", answer, 1, options.tasks)
    raw = json.dumps(answer).encode()
    times = []
    for _ in range(options.steps):
        began = time.perf_counter_ns()
        forms.encode(report)
        forms.read(forms.ANSWER, forms.parse(raw))
        times.append((time.perf_counter_ns() - began) / 1e3)
    return times


def main():
    parser = argparse.ArgumentParser(description="Measure the Python client of a plane.")
    parser.add_argument("address")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--lag", type=int, default=4)
    parser.add_argument("--ways", default="http,framed,ahead")
    options = parser.parse_args()
    answer = None
    for way in options.ways.split(","):
        times, answer = steps(options.address, way, options)
        print(json.dumps({"way": way, "steps": options.steps, "tasks": options.tasks, "us": quantiles(times)}), flush=True)
    if answer is not None:
        print(json.dumps({"way": "client", "steps": options.steps, "tasks": options.tasks, "us": quantiles(own(answer, options))}))


if __name__ == "__main__":
    main()
