"""The script that unpacks PyTorch, as far as that needs no mirror and no network."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "tools" / "debian-torch.sh"


def run(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", str(SCRIPT), *map(str, args)], capture_output=True, text=True, env={**os.environ, **environment})


@unittest.skipUnless(shutil.which("md5sum"), "needs md5sum of GNU coreutils")
class TestDebianTorch(unittest.TestCase):
    def setUp(self) -> None:
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.tree = self.home / "tree"
        (self.tree / "usr").mkdir(parents=True)
        (self.tree / "usr" / "x").write_bytes(b"whole")
        (self.tree / ".sums").write_text(hashlib.md5(b"whole").hexdigest() + "  usr/x\n")

    def test_a_whole_tree(self) -> None:
        self.assertEqual(run("check", self.tree).returncode, 0)

    def test_a_tree_that_is_not(self) -> None:
        def changed() -> None:
            (self.tree / "usr" / "x").write_bytes(b"other")

        def gone() -> None:
            (self.tree / "usr" / "x").unlink()

        def unlisted() -> None:
            (self.tree / ".sums").write_text("")

        for damage in (changed, gone, unlisted):
            damage()
            with self.subTest(damage.__name__):
                self.assertNotEqual(run("check", self.tree).returncode, 0)

    def test_no_debian(self) -> None:
        tools = self.home / "bin"
        tools.mkdir()
        done = run("get", self.home / "new", "unstable", "python3-torch", PATH=str(tools))
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs apt-get", done.stderr)
        self.assertIn("TORCH_PYTHON", done.stderr)
        self.assertFalse((self.home / "new").exists())

    @unittest.skipUnless(shutil.which("apt-get") and shutil.which("dpkg-deb"), "needs apt-get and dpkg-deb")
    def test_no_keys(self) -> None:
        done = run("get", self.home / "new", "unstable", "python3-torch", KEYRING=str(self.home / "none.gpg"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("KEYRING", done.stderr)

    def test_usage(self) -> None:
        for args in ((), ("what",)):
            done = run(*args)
            self.assertEqual((done.returncode, done.stderr), (1, "debian-torch: want get, check or run\n"))


if __name__ == "__main__":
    unittest.main()
