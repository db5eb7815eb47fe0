"""``open("auto")``: a plane of one's own, started beside the script.

The program is found, never fetched. The plane ends by itself when no run is open and
nobody has been connected for some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from typing import List, Optional, Sequence

from .client import Client
from .errors import EsperError, PlaneNotFound

__all__ = ["BINARY", "find", "start"]

BINARY = "ESPER_BINARY"  #: the variable that names the program
DATA = "esper-data"  #: the data directory, beside the script, where none is named
SOCKET = "esper.sock"  # of a plane, in its data directory
IDLE_EXIT = "10m"

#: The rules that judge a loss by those before it. A plane that is started here with
#: ``shadow`` records what they would have done, and does not do it. Losses and gradients
#: that are not finite are rolled back in every mode.
SHADOWED = ("tolaria.diverge_mode", "tolaria.collapse_mode")

_MAX_SOCKET = 107 - len(".fast")  # bytes of a path that a unix socket may have
_TAIL = 2000  # bytes of what the plane said that an error repeats


def find() -> str:
    """The path of the program ``esper``. Raises PlaneNotFound.

    That is what the variable ESPER_BINARY names; else ``esper`` in the folder of the
    script; else on PATH.
    """
    named = os.environ.get(BINARY)
    if named:
        if not os.path.isfile(named) or not os.access(named, os.X_OK):
            raise PlaneNotFound(f"{BINARY} is {named!r}, where no program is; let it name the program esper")
        return os.path.abspath(named)
    beside = os.path.join(_folder(), "esper")
    if os.path.isfile(beside) and os.access(beside, os.X_OK):
        return beside
    found = shutil.which("esper")
    if found is None:
        raise PlaneNotFound(
            f"there is no program esper in {_folder()} and none on PATH; build it with `go build ./cmd/esper` and let "
            f"{BINARY} name it, or start `esper serve` yourself and open unix:PATH"
        )
    return found


def _folder() -> str:
    """The folder of the script that runs, or the working directory."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(script)) if script else os.getcwd()


def start(data: Optional[str] = None, arguments: Sequence[str] = (), shadow: bool = True, wait: float = 60.0) -> str:
    """The address of a plane on a data directory, which is started if none serves it.

    ``data``: the directory; None: ``esper-data`` beside the script. ``arguments`` are
    added to ``esper serve``, behind those of ``shadow`` (see SHADOWED). A plane that
    serves the directory already stays as it was started. What the plane says goes into a file, the directory's name
    with ``.log``. Raises PlaneNotFound when it is not up after ``wait`` seconds.
    """
    directory = os.path.abspath(data or os.path.join(_folder(), DATA))
    path = os.path.join(directory, SOCKET)
    if len(os.fsencode(path)) > _MAX_SOCKET:
        raise PlaneNotFound(f"{path} is longer than the {_MAX_SOCKET} bytes of a unix socket; choose a data directory with a short path")
    address = "unix:" + path
    if _answers(address):
        return address
    log = directory + ".log"
    command = [find(), "serve", "--data", directory, "--idle-exit", IDLE_EXIT, *(_shadowed() if shadow else ()), *arguments]
    process = _spawn(command, log)
    until = time.monotonic() + wait
    while not _answers(address):
        code = process.poll()
        if code is not None and not _another(directory):
            raise PlaneNotFound(f"{' '.join(command)} ended with {code}: {_tail(log)}")
        if time.monotonic() >= until:
            if code is None:
                process.terminate()
            raise PlaneNotFound(f"{' '.join(command)} does not answer after {wait:g} s: {_tail(log)}")
        time.sleep(0.05)
    if process.poll() is None and _owner(directory) != process.pid:
        process.terminate()  # another one was quicker, and answers
    return address


def _shadowed() -> List[str]:
    return [word for key in SHADOWED for word in ("--set", key + "=shadow")]


def _owner(directory: str) -> int:
    """The process that the lock of a data directory names; 0: none."""
    try:
        with open(os.path.join(directory, "LOCK"), encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        return 0


def _another(directory: str) -> bool:
    """Whether another plane was quicker: the owner of the directory lives."""
    owner = _owner(directory)
    try:
        if owner > 0:
            os.kill(owner, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return owner > 0


def _spawn(command: List[str], log: str) -> "subprocess.Popen[bytes]":
    """Start a process that outlives this one, in a group of its own."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with open(fd, "ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out, start_new_session=True
        )
    threading.Thread(target=process.wait, name="esper serve", daemon=True).start()  # no zombie is left of it
    return process


def _answers(address: str) -> bool:
    """Whether a plane is there and ready."""
    if not os.path.exists(address[len("unix:") :]):
        return False
    with Client(address, timeout=5, lane="http", tries=1) as client:
        try:
            client.protocol()
        except EsperError:
            return False
    return True


def _tail(log: str) -> str:
    with open(log, "rb") as f:
        f.seek(max(0, os.path.getsize(log) - _TAIL))
        return f.read().decode("utf-8", "replace").strip() or "it said nothing"
