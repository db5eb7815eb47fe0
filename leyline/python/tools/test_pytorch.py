"""Holds the Python package against a real PyTorch and a real plane.

    python3 test_pytorch.py [--repository DIR] [PART...]

It is what `make test-pytorch` runs, inside the unpacked Debian or with the machine's
own Python. Every part is a function of PARTS; without a name all but the extra ones run.
The first that fails ends it with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from served import Plane, esper


class Failed(Exception):
    """A part did not hold."""


@dataclass(frozen=True)
class Place:
    """Where things are."""

    repository: Path

    @property
    def package(self) -> Path:
        """The folder that holds esper_plane."""
        return self.repository / "leyline" / "python"

    @property
    def binary(self) -> Path:
        """The esper that was built for these tests."""
        return self.repository / "data" / "pytorch-esper"

    def environment(self) -> dict[str, str]:
        """That of a Python with the package at hand."""
        out = dict(os.environ, PYTHONPATH=str(self.package), ESPER_BINARY=str(self.binary))
        out.setdefault("PYTHONPYCACHEPREFIX", str(self.repository / "data" / "pycache"))  # nothing is left beside the sources
        out.setdefault("OMP_NUM_THREADS", "1")
        return out

    def python(self, *args: object, accept: tuple[int, ...] = (0,), limit_s: float = 1200, within: Path | None = None) -> str:
        """Runs this Python with the package at hand and returns what it prints.

        Raises Failed when it ends with a code that is not accepted, or not in time.
        """
        command = [sys.executable, *map(str, args)]
        try:
            done = subprocess.run(command, env=self.environment(), cwd=within or self.package, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit_s)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{' '.join(command)} is not done after {limit_s:.0f} s:\n{late.output or ''}") from None
        if done.returncode not in accept:
            raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-12000:]}")
        return done.stdout


def package(place: Place) -> str:
    """The package is imported without an installation, and torch only for the bridge."""
    place.python("-W", "error", "-c", "import sys, esper_plane; assert 'torch' not in sys.modules", within=Path("/"))
    # PyTorch itself warns on import, so only the package is held to silence.
    return place.python("-c", "import torch, esper_plane.torch; print('torch', torch.__version__)", within=Path("/")).strip()


def _suite(place: Place, folder: str) -> str:
    if not (place.package / folder).is_dir():
        raise Failed(f"there is no folder {folder} in {place.package}")
    said = place.python("-m", "unittest", "discover", "--start-directory", folder, "--top-level-directory", ".")
    ran = [line for line in said.splitlines() if line.startswith("Ran ")]
    if not ran or ran[-1].startswith("Ran 0 "):
        raise Failed(f"no test ran in {folder}:\n{said}")
    return f"{ran[-1]}; {said.strip().splitlines()[-1]}"


def client(place: Place) -> str:
    """The tests of the client, with this Python and the real plane."""
    return _suite(place, "tests")


def bridge(place: Place) -> str:
    """The tests of the PyTorch bridge."""
    return _suite(place, "tests_torch")


def _config(place: Place) -> tuple[str, str]:
    """The settings of the example, as its comment tells to start a plane."""
    return "--config", str(place.package / "examples" / "two_tasks.toml")


def _kernels(place: Place, into: Path) -> Path:
    """Makes the blueprints of the example with the tools that a user has."""
    kernel, directory = into / "residual.safetensors", into / "blueprints"
    place.python("examples/make_blueprint.py", kernel)
    esper(
        place.binary, "blueprint", "add", kernel, "--dir", directory, "--id", "residual-16",
        "--framework", "torch", "--layer", "trunk", "--risk", "0.2", "--description", "two layers beside the trunk",
    )  # fmt: skip
    esper(place.binary, "blueprint", "verify", directory)
    return directory


def _example(place: Place, plane: Plane, *args: object) -> dict[str, object]:
    """Runs the example beside a plane; its last line is what became of it."""
    said = place.python("examples/two_tasks.py", "--address", plane.address, "--json", *args)
    return json.loads(said.strip().splitlines()[-1])


def example(place: Place) -> str:
    """The example end to end: seeds grow, faults strike and are rolled back."""
    said = []
    with tempfile.TemporaryDirectory() as scratch:
        directory = _kernels(place, Path(scratch))
        for fault, reason in (("nan@300", "non_finite"), ("loss-spike@300", "diverged")):
            with Plane(place.binary, blueprints=directory, arguments=_config(place)) as plane:
                became = _example(place, plane, "--fault", fault, "--steps", 700)
                plane.stop()
                plane.check()
                causes = [e["cause"].lower() for e in plane.events("rollback.started")]
                outcomes = [e["outcome"] for e in plane.events("rollback.finished")]
                moved = {e["to"] for e in plane.events("seed.moved")}
                if causes != [reason] or outcomes != ["ok"]:
                    raise Failed(f"{fault}: rollbacks {causes} ended {outcomes}; want one of {reason} that ends ok")
                if not {"TRAINING", "BLENDING"} <= moved:
                    raise Failed(f"{fault}: no seed came to blend; stages were {sorted(moved)}")
                said.append(f"{fault}: {became}")
    return "\n   ".join(said)


def ahead(place: Place) -> str:
    """The example with answers up to eight steps late, through a fault and a rollback."""
    with tempfile.TemporaryDirectory() as scratch, Plane(place.binary, blueprints=_kernels(place, Path(scratch)), arguments=_config(place)) as plane:
        became = _example(place, plane, "--fault", "loss-spike@300", "--steps", 600, "--lag", 8)
        plane.stop()
        plane.check()
        if plane.events("weights.mismatched"):
            raise Failed(f"plane and trainer derive other weights: {plane.events('weights.mismatched')[:3]}")
        overtaken = len(plane.events("step.overtaken"))
    return f"{became}; {overtaken} steps overtaken"


def survives(place: Place) -> str:
    """The example goes on through the death of its plane, and its run through its own."""
    command = [sys.executable, str(place.package / "examples" / "two_tasks.py"), "--away", "wait", "--steps", "500", "--fault", "nan@400", "--json"]
    with tempfile.TemporaryDirectory() as scratch, Plane(place.binary, blueprints=_kernels(place, Path(scratch)), arguments=_config(place)) as plane:
        said = Path(scratch) / "said"
        with open(said, "wb") as out:
            trainer = subprocess.Popen([*command, "--address", plane.address], env=place.environment(), stdout=out, stderr=out)
            try:
                _reach(plane, trainer, said, 120)
                plane.kill()
                plane.start()
                _reach(plane, trainer, said, 240)
            finally:
                trainer.kill()
                trainer.wait()
        became = _example(place, plane, *command[2:-1])
        plane.stop()
        plane.check()
        boots, resumed, ended = (len(plane.events(k)) for k in ("plane.booted", "run.resumed", "run.ended"))
        if (boots, resumed, ended) != (2, 1, 1):
            raise Failed(f"the log holds {boots} starts of the plane, {resumed} resumes and {ended} ends; want 2, 1 and 1")
    return str(became)


def _reach(plane: Plane, trainer: subprocess.Popen[bytes], said: Path, step: int, limit_s: float = 120) -> None:
    """Waits until the plane has seen a step of the trainer."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from esper_plane.client import Client
    from esper_plane.errors import Refused

    until = time.monotonic() + limit_s
    with Client(plane.address, lane="http") as client:
        while time.monotonic() < until and trainer.poll() is None:
            try:
                if int(client.status("two-tasks")["step"]) >= step:
                    return
            except Refused:  # it is not opened yet
                pass
            time.sleep(0.1)
    raise Failed(f"the trainer did not come to step {step} (it ended with {trainer.poll()}):\n{said.read_text()[-4000:]}")


def one_loss(place: Place) -> str:
    """The two-line use: one loss, no seeds, and rules that only watch."""
    with Plane(place.binary, arguments=("--config", str(place.package / "examples" / "shadow.toml"))) as plane:
        said = place.python("examples/one_loss.py", "--address", plane.address)
        plane.stop()
        plane.check()
        if plane.events("rollback.started"):
            raise Failed("a plane in shadow mode rolled back")
        return said.strip().splitlines()[-1]


def baseline(place: Place) -> str:
    """PyTorch 1.13 is refused by default, and runs where the configuration says so."""
    said = place.python("tools/old_torch.py", "version").strip()
    with Plane(place.binary) as plane:
        refused = place.python("tools/old_torch.py", "open", plane.address, "refused").strip()
        refusals = [v["refusal"] for v in plane.events("dependency.violated")]
        if [r["field"] for r in refusals] != ["posture.version"] or plane.events("run.started"):
            raise Failed(f"the log holds {refusals} and runs {plane.events('run.started')}")
        plane.stop()
        plane.check()
    lowered = {"posture.torch_min": "1.13.0a0", "posture.weights_only": "any"}  # it has no weights_only by default
    with Plane(place.binary, settings=lowered) as plane:
        place.python("tools/old_torch.py", "open", plane.address, "accepted")
        versions = [r["posture"]["version"] for r in plane.inputs("run.opened")]
        least = [c["config"]["posture"]["torch_min"] for c in plane.events("config.adopted")]
        started = len(plane.events("run.started"))
        if [v[:4] for v in versions] != ["1.13"] or started != 1 or least[-1:] != ["1.13.0a0"]:
            raise Failed(f"the log holds {started} runs of {versions}, and posture.torch_min {least}")
        plane.stop()
        plane.check()
    return f"{said}: {refused}; runs where the configuration says {lowered}"


def overhead(place: Place) -> str:
    """What the plane costs in a step of the example. Extra: it takes minutes."""
    return place.python("bench/overhead.py", "--esper", place.binary).strip()


PARTS: dict[str, Callable[[Place], str]] = {
    "package": package, "client": client, "bridge": bridge, "example": example, "one_loss": one_loss,
    "survives": survives, "ahead": ahead, "baseline": baseline, "overhead": overhead,
}  # fmt: skip

#: Not without being named: baseline wants a PyTorch that is too old.
EXTRA = {"baseline", "overhead"}


def main() -> int:
    """Runs the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repository", type=Path, default=Path(__file__).resolve().parents[3])
    given = parser.parse_args()
    for name in given.parts:
        if name not in PARTS:
            parser.error(f"unknown part {name!r}; want one of {', '.join(PARTS)}")
    place = Place(given.repository.resolve())
    for name in given.parts or [p for p in PARTS if p not in EXTRA]:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            print(f"   {PARTS[name](place)}")
        except Exception as error:  # of whatever kind: it is told, and it ends the tests
            print(f"{type(error).__name__}: {error}\n== {name} FAILED after {time.monotonic() - began:.0f} s", flush=True)
            return 1
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
