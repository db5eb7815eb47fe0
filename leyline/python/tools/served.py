"""A real plane for tests: `esper serve` as a process, and what its log says.

Standard library only; it runs under every Python from 3.10 on.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator, Optional, Sequence, Type

__all__ = ["Plane", "PlaneError", "esper"]

READY_S = 30.0  # within which a plane must be ready
DRAIN_S = 30.0  # within which it must end when told to


class PlaneError(Exception):
    """A plane did not do what a plane does."""


def esper(binary: Path, *args: object, accept: Sequence[int] = (0,)) -> str:
    """Runs a command of esper and returns what it prints.

    Raises PlaneError with all that it said when its exit code is not accepted.
    """
    done = subprocess.run([str(binary), *map(str, args)], capture_output=True, text=True)
    if done.returncode not in accept:
        shown = " ".join(map(str, args))
        raise PlaneError(f"esper {shown} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


class Plane:
    """`esper serve` with a data directory of its own, which goes when it is closed.

    with Plane(binary, settings={"tolaria.diverge_loss": 4}) as plane:
        esper_plane.open(plane.address, ...)
    """

    def __init__(
        self,
        binary: Path,
        *,
        settings: Optional[dict[str, object]] = None,
        blueprints: Optional[Path] = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self._binary = binary
        # Short: the path of a Unix socket has at most 107 bytes.
        self._home = Path(tempfile.mkdtemp(prefix="esper-"))
        self.data = self._home / "data"
        self.socket = self._home / "s"
        self.address = f"unix:{self.socket}"
        self._said = self._home / "stderr"
        command = [str(binary), "serve", "--data", str(self.data), "--socket", str(self.socket)]
        for key, value in (settings or {}).items():
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            command += ["--set", f"{key}={text}"]
        if blueprints is not None:
            command += ["--blueprints", str(blueprints)]
        self._command = [*command, *arguments]
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._before = 0  # bytes that earlier processes wrote to stderr

    def __enter__(self) -> Plane:
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            self.stop(checked=kind is None)
        except PlaneError as error:
            if kind is None:
                raise
            print(error)
        finally:
            if kind is not None:
                print(f"the plane said:\n{self.said()[-4000:]}")
            shutil.rmtree(self._home)

    def said(self) -> str:
        """What the plane wrote to stderr."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""

    def start(self) -> None:
        """Starts the process and waits until it lets trainers in."""
        with open(self._said, "ab") as said:
            self._before = said.tell()
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=said)
        until = time.monotonic() + READY_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                code = self._process.poll()
                state = "is not ready" if code is None else f"ended with {code}"
                raise PlaneError(f"esper serve {state}:\n{self.said()[-4000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kills the process without warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, checked: bool = True) -> None:
        """Tells the process to end and waits for it."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise PlaneError(f"esper serve did not end within {DRAIN_S:.0f} s:\n{self.said()[-4000:]}") from None
        if checked and code != 0:
            raise PlaneError(f"esper serve ended with {code}:\n{self.said()[-4000:]}")

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of the log, in their order."""
        for line in esper(self._binary, "log", "cat", "--json", self.data).splitlines():
            yield json.loads(line)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind, in their order."""
        return [e["value"] for r in self.records() for e in r.get("events", ()) if e["kind"] == kind]

    def inputs(self, kind: str) -> list[dict[str, Any]]:
        """The inputs of a kind, in their order."""
        return [r["input"]["value"] for r in self.records() if r.get("input", {}).get("kind") == kind]

    def check(self) -> None:
        """Holds the log against its chain, and every decision against the rules.

        The plane must have been stopped.
        """
        esper(self._binary, "log", "verify", self.data)
        esper(self._binary, "replay", self.data)

    def _ready(self) -> bool:
        """Whether the process that was started last has said so."""
        said = self._said.read_bytes()[self._before :]
        return any(line.startswith(b"ready:") for line in said.splitlines(keepends=True) if line.endswith(b"\n"))
