"""What is declared of torch is what torch says."""

import os
import unittest
from unittest import mock

import torch

from esper_plane.torch import posture


class Posture(unittest.TestCase):
    def test_defaults(self):
        p = posture.collect("cpu")
        self.assertEqual((p["version"], p["device"], p["compile"], p["inference"]), (str(torch.__version__), "cpu", "off", "on"))
        for absent in ("compile_mode", "amp", "foreach", "pin_memory"):
            self.assertNotIn(absent, p, "nothing is told of what was not looked at")

    def test_switches(self):
        for name in ("benchmark", "deterministic"):
            before = getattr(torch.backends.cudnn, name)
            for on in (True, False):
                setattr(torch.backends.cudnn, name, on)
                self.assertEqual(posture.collect("cpu")["cudnn"][name], posture.switch(on))
            setattr(torch.backends.cudnn, name, before)
        now = torch.get_float32_matmul_precision()
        try:
            torch.set_float32_matmul_precision("medium")
            self.assertEqual(posture.collect("cpu")["matmul"], "medium")
        finally:
            torch.set_float32_matmul_precision(now)

    def test_tf32_by_either_way(self):
        class Old:
            allow_tf32 = True

        class New:
            fp32_precision = "tf32"

            @property
            def allow_tf32(self):
                raise RuntimeError("mixed")

        class Exact(New):
            fp32_precision = "ieee"

        self.assertEqual([posture._tf32(x()) for x in (Old, New, Exact)], [True, True, False])

    def test_compile_and_objects(self):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, foreach=True)
        loader = torch.utils.data.DataLoader([1], pin_memory=True)
        p = posture.collect("cuda:0", "max-autotune", optimizer, loader, amp=False)
        self.assertEqual((p["compile"], p["compile_mode"], p["foreach"], p["pin_memory"], p["amp"]), ("on", "max-autotune", "on", "on", "off"))

    def test_weights_only(self):
        with mock.patch.dict(os.environ, clear=True):
            self.assertTrue(posture.weights_only())
            os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
            self.assertFalse(posture.weights_only())
        with mock.patch.dict(os.environ, clear=True), mock.patch.object(torch, "__version__", "1.13.1"):
            self.assertFalse(posture.weights_only())
            os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
            self.assertTrue(posture.weights_only())

    def test_no_pickle_is_ever_read(self):
        """No module of the bridge names torch.load, torch.save or pickle."""
        import pathlib

        import esper_plane.torch as bridge

        for path in pathlib.Path(bridge.__file__).parent.glob("*.py"):
            text = path.read_text(encoding="utf-8").replace("calls torch.load", "").replace("Whether torch.load", "").replace("calls it", "")
            for word in ("torch.load(", "torch.save(", "import pickle", "_object_list", "all_gather_object"):
                self.assertNotIn(word, text, path.name)


if __name__ == "__main__":
    unittest.main()
