"""A plane that is started beside the script."""

import os
import pathlib
import signal
import stat
import tempfile
import threading
import time
import unittest
from unittest import mock

import esper_plane
from esper_plane import auto
from esper_plane.errors import PlaneNotFound

from . import network
from .plane import BINARY, WHY


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = os.path.join(self.folder, "d")

    def script(self, text):
        path = pathlib.Path(self.folder, "esper")
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)


class Finding(Case):
    def test_named(self):
        path = self.script("exit 0")
        with mock.patch.dict(os.environ, {auto.BINARY: path}):
            self.assertEqual(auto.find(), path)

    def test_named_wrongly(self):
        for bad in (os.path.join(self.folder, "none"), self.folder):
            with mock.patch.dict(os.environ, {auto.BINARY: bad}), self.assertRaisesRegex(PlaneNotFound, auto.BINARY):
                auto.find()

    def test_on_the_path_and_nowhere(self):
        path = self.script("exit 0")
        with mock.patch.dict(os.environ, {"PATH": self.folder}), mock.patch.object(auto, "_folder", lambda: "/"):
            os.environ.pop(auto.BINARY, None)
            self.assertEqual(auto.find(), path)
            os.environ["PATH"] = "/nowhere"
            with self.assertRaisesRegex(PlaneNotFound, "go build"):
                auto.find()

    @unittest.skipUnless(os.path.exists("/bin/sh"), "there is no shell to run a script with")
    def test_it_does_not_come_up(self):
        with mock.patch.dict(os.environ, {auto.BINARY: self.script('echo "so: $*" >&2; exit 2')}):
            with self.assertRaisesRegex(PlaneNotFound, "(?s)ended with 2: .*so: serve --data .*tolaria.diverge_mode=shadow"):
                auto.start(self.data)
        with mock.patch.dict(os.environ, {auto.BINARY: self.script("exec sleep 60")}):
            with self.assertRaisesRegex(PlaneNotFound, "does not answer"):
                auto.start(self.data, wait=0.3)
        self.assertEqual(os.stat(self.data + ".log").st_mode & 0o777, 0o600)

    def test_long_path(self):
        with self.assertRaisesRegex(PlaneNotFound, "short path"):
            auto.start(os.path.join(self.folder, "x" * 100))

    def test_options_of_auto(self):
        for more in ({"data": "d"}, {"serve": ["--json"]}):
            with self.assertRaises(ValueError):
                esper_plane.connect("unix:s", **more)


class Opening(Case):
    def test_hosts_that_are_none(self):
        for host, more in ((object(), {}), (network.Net(), {"optimizer": 1}), (network.Net(), {"compile": "default"})):
            with self.assertRaises(TypeError):
                esper_plane.open("unix:s", name="r", host=host, plan=network.plan(), **more)


@unittest.skipUnless(BINARY, WHY)
class Real(Case):
    def test_started_once_and_used_again(self):
        serve = ["--set", 'posture.frameworks=["python"]']
        self.addCleanup(self.end)
        for resumed in (False, True):
            net = network.Net()
            s = esper_plane.open("auto", name="run-1", host=net, plan=network.plan(), data=self.data, serve=serve)
            self.assertEqual(s.opened["resumed"], resumed)
            for _ in range(3):
                number = s.begin()
                body, grads = net.report(number)
                net.update(s.step(body).weights, grads)
                s.after_step()
            s.leave()
        log = pathlib.Path(self.data + ".log").read_text()
        self.assertEqual(log.count("ready: "), 1)

    def test_several_at_once(self):
        self.addCleanup(self.end)
        got = []
        threads = [threading.Thread(target=lambda: got.append(auto.start(self.data))) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(got, ["unix:" + os.path.join(self.data, "esper.sock")] * 4)
        self.assertEqual(pathlib.Path(self.data + ".log").read_text().count("ready: "), 1)

    def end(self):
        """End the plane that was started: its lock names its process."""
        pid = int(pathlib.Path(self.data, "LOCK").read_text())
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 30
        while os.path.exists(os.path.join(self.data, "esper.sock")) and time.monotonic() < until:
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
