"""A session whose plane is a function."""

import dataclasses


@dataclasses.dataclass
class Decision:
    step: int
    weights: object
    restored: bool = False
    again: bool = False


class Session:
    """Keeps what it was told; ``decide(body, number)`` gives the weights or None."""

    def __init__(self, decide=lambda body, number: [1.0] * len(body["losses"])):
        self.decide = decide
        self.step_count = 0
        self.bodies, self.calls = [], []

    def open(self, resume=None):
        self.calls.append("open")

    def begin(self):
        return self.step_count + 1

    def step(self, body):
        self.bodies.append(body)
        weights = self.decide(body, self.step_count + 1)
        if weights is not None:
            self.step_count += 1
        return Decision(self.step_count, weights, restored=weights is None)

    def after_step(self):
        self.calls.append("after")

    def epoch(self, *figures):
        self.calls.append(("epoch", *figures))

    def fallback(self, stage, reason, seed=""):
        self.calls.append(("fallback", stage))

    def close(self, outcome="ok", reason=""):
        self.calls.append(("close", outcome, reason))

    def leave(self):
        self.calls.append("leave")
