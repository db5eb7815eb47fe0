"""A real plane in a process of its own, for tests: the program that ESPER_BINARY names."""

import collections
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from esper_plane.client import Client
from esper_plane.errors import EsperError

BINARY = os.environ.get("ESPER_BINARY", "")
WHY = "ESPER_BINARY names no program esper: nothing is tested against a real plane"


def forget(data):
    """Remove what a plane that has ended keeps in memory: its fast snapshots."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ESPER_")}
    out = subprocess.run([BINARY, "log", "cat", "--json", "--to", "1", data], capture_output=True, env=clean)
    if out.returncode == 0:
        shutil.rmtree(os.path.join("/dev/shm", json.loads(out.stdout)["content"]["name"]), ignore_errors=True)


class Process:
    """``esper serve`` on a data directory; it can be killed and started again."""

    def __init__(self, *arguments):
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.mkdtemp(prefix="esper-py-", dir=memory)
        self.data = os.path.join(self.folder, "d")
        self.socket = os.path.join(self.data, "esper.sock")
        self.address = "unix:" + self.socket
        self._arguments = ["--set", 'posture.frameworks=["python","go-gonum"]', *arguments]
        self.process = None
        self.start()

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ESPER_")}
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--data", self.data, *self._arguments], stdout=subprocess.DEVNULL, stderr=log, env=environment,
            )
        until = time.monotonic() + 60
        while True:
            with Client(self.address, timeout=5, lane="http", tries=1) as client:
                try:
                    client.protocol()
                    return
                except EsperError:
                    if self.process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError(self.said()) from None
            time.sleep(0.02)

    def said(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as f:
            return f.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def close(self):
        self.stop()
        forget(self.data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def inputs(self):
        """The inputs in the log, as (kind, members), in order."""
        out = subprocess.run([BINARY, "log", "cat", "--json", self.data], capture_output=True, check=True, env=self._clean())
        records = [json.loads(line) for line in out.stdout.splitlines()]
        return [(r["input"]["kind"], r["input"]["value"]) for r in records if "input" in r]

    @staticmethod
    def _clean():
        return {k: v for k, v in os.environ.items() if not k.startswith("ESPER_")}

    def count(self):
        return collections.Counter(kind for kind, _ in self.inputs())

    def verify(self):
        subprocess.run([BINARY, "log", "verify", self.data], capture_output=True, check=True, env=self._clean())

    def has_lane(self):
        return os.path.exists(self.socket + ".fast")
