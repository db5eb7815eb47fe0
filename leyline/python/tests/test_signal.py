"""The reader of the emergency signal against pages that are written down here.

The Go tests in leyline/signal let a Go writer and this reader meet.
"""

import ast
import os
import pathlib
import struct
import tempfile
import threading
import time
import unittest

from esper_plane import signal


def page(sequence=2, flag=1, level=4, length=None, version=1, at_ms=1, reason=b"storage failed"):
    length = len(reason) if length is None else length
    return struct.pack("<IBBBBQ48s", sequence, flag, level, length, version, at_ms, reason)


class Decode(unittest.TestCase):
    def test_good(self):
        got = signal.decode(page(at_ms=77))
        self.assertEqual(got, signal.Signal(signal.Level.L4_HALT, True, "storage failed", 77, 0))
        full = "é" * 24
        self.assertEqual(signal.decode(page(level=2, reason=full.encode())).reason, full)
        calm = signal.decode(page(flag=0, level=1, reason=b""))
        self.assertEqual((calm.level, calm.flag), (signal.Level.L1_NOTICE, False))

    def test_never_published(self):
        self.assertEqual(signal.decode(bytes(64)), signal.Signal())

    def test_refused(self):
        for name, bad, want in [
            ("short", page()[:63], signal.MalformedError),
            ("long", page() + b"\0", signal.MalformedError),
            ("version 0", page(version=0), signal.VersionError),
            ("version 2", page(version=2), signal.VersionError),
            ("zeros with a sequence", struct.pack("<I60x", 2), signal.VersionError),
            ("level 0", page(level=0), signal.LevelError),
            ("level 5", page(level=5), signal.LevelError),
            ("flag down", page(flag=0), signal.MalformedError),
            ("flag 2", page(flag=2), signal.MalformedError),
            ("flag up at L1", page(level=1, reason=b""), signal.MalformedError),
            ("reason at L1", page(flag=0, level=1), signal.MalformedError),
            ("length 49", page(length=49), signal.MalformedError),
            ("bytes after the end", page(length=5), signal.MalformedError),
            ("no UTF-8", page(reason=b"\xff"), signal.MalformedError),
            ("half a rune", page(reason="é".encode(), length=1), signal.MalformedError),
            ("a time beyond all", page(at_ms=2**64 - 1), signal.MalformedError),
        ]:
            with self.subTest(name), self.assertRaises(want) as caught:
                signal.decode(bad)
            self.assertIsInstance(caught.exception, signal.SignalError)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, content, name="signal"):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def reader(self, path):
        r = signal.Reader(path)
        self.addCleanup(r.close)
        return r

    def test_load(self):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000
        r = self.reader(self.file(page(at_ms=now)))
        s = r.load()
        self.assertTrue(r.raised())
        self.assertEqual((s.level, s.reason, s.at_ms), (signal.Level.L4_HALT, "storage failed", now))
        self.assertTrue(0 <= s.age_ms < 60_000, s)

    def test_sees_changes(self):
        path = self.file(bytes(64))
        r = self.reader(str(path))
        self.assertEqual((r.raised(), r.load()), (False, signal.Signal()))
        with open(path, "r+b") as f:
            f.write(page())
        self.assertEqual((r.raised(), r.load().reason), (True, "storage failed"))

    def test_earlier_boot(self):
        self.assertLess(self.reader(self.file(page(at_ms=2**43))).load().age_ms, 0)

    def test_half_written(self):
        r = self.reader(self.file(page(sequence=3)))
        self.assertTrue(r.raised())
        with self.assertRaises(signal.HalfWrittenError):
            r.load()

    def test_waits_for_a_writer(self):
        path = self.file(page(sequence=3))
        r = self.reader(path)

        def finish():
            with open(path, "r+b") as f:
                f.write(page(sequence=4))

        timer = threading.Timer(0.002, finish)
        timer.start()
        while True:  # a busy machine may start the timer late
            try:
                self.assertEqual(r.load().reason, "storage failed")
                break
            except signal.HalfWrittenError:
                pass
        timer.join()

    def test_changed_underneath(self):
        """A publication between the two looks at the sequence is noticed."""
        path = self.file(page(reason=b"old"))
        r = self.reader(path)
        order, calls = r._order_loads, []

        def interrupt():
            order()
            calls.append(1)
            if len(calls) == 2:  # after the reason, before the second look
                with open(path, "r+b") as f:
                    f.write(page(sequence=4, reason=b"new"))

        r._order_loads = interrupt
        self.assertEqual(r.load().reason, "new")
        self.assertEqual(len(calls), 4)

    def test_files_that_are_none(self):
        os.mkfifo(self.folder / "fifo")
        for path in [
            self.file(bytes(63), "short"),
            self.file(bytes(65), "long"),
            self.file(b"", "empty"),
            self.folder,
            self.folder / "fifo",
        ]:
            with self.subTest(path.name), self.assertRaises(signal.SignalFileError):
                signal.Reader(path)
        os.symlink(self.file(page()), self.folder / "link")
        for name in ["link", "missing"]:
            with self.subTest(name), self.assertRaises(OSError):
                signal.Reader(self.folder / name)

    def test_close(self):
        with signal.Reader(self.file(page())) as r:
            pass
        r.close()
        for method in [r.raised, r.load]:
            with self.assertRaises(ValueError):
                method()

    def test_leaves_no_descriptor(self):
        path = self.file(b"")
        before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else None
        for _ in range(50):
            with self.assertRaises(signal.SignalFileError):
                signal.Reader(path)
        if before is not None:
            self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class Source(unittest.TestCase):
    def test_grammar_of_oldest_python(self):
        for path in pathlib.Path(signal.__file__).parent.rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))


if __name__ == "__main__":
    unittest.main()
