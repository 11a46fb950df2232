"""Exports of EasyCV as PyTorch itself writes them, read here and run beside PyTorch.

    python -m benchmarks.conformance.easycv [--write-golden]

Makes a virtual environment with PyTorch under output/conformance. There a MoCo-like ResNet-50 (with
a neck) and a DeiT-S with random weights and statistics are saved with the keys of EasyCV's
`epoch_N_export.pt`, and run on two images. Here the files are read without PyTorch, and the
features compared; more than 1e-4 of the largest value is exit code 1.

With --write-golden it also stores tests/cards/golden/easycv_export.pt, a small file of all that a
tensor in such a file may be, and easycv_export.npz with the values that PyTorch says it has.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conformance.environments import REPOSITORY, python_of, run_inside

_WANTED = ("torch", "numpy")
_TOLERANCE = 1e-4
_FOLDER = REPOSITORY / "output/conformance/easycv_files"
_GOLDEN = REPOSITORY / "tests/cards/golden"
_BACKBONES = {"resnet50": "ResNet50", "deit_small": "DeiT_small_patch16_224"}


def main() -> int:
    """Writes with PyTorch, reads and compares here."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write-golden", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        return _write(golden=given.write_golden)
    arguments = ["--write-golden"] if given.write_golden else []
    python = python_of("easycv", _WANTED, constrained=False)
    code = run_inside(python, "benchmarks.conformance.easycv", arguments)
    return code or _compare()


def _write(*, golden: bool) -> int:
    """Runs in the environment with PyTorch."""
    import torch

    from benchmarks.conformance._torch_networks import DeiTSmall, ResNet50

    _FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    images = torch.randn(2, 3, 224, 224)
    for name, network in (("resnet50", ResNet50()), ("deit_small", DeiTSmall())):
        _stir(torch, network)
        network.eval()
        with torch.no_grad():
            features = network(images)
        _save(torch, _FOLDER / f"{name}.pt", network, features.shape[1])
        np.savez(_FOLDER / f"{name}.npz", images=images.numpy(), features=features.numpy())
    if golden:
        _write_golden(torch)
    return 0


def _stir(torch: Any, network: Any) -> None:
    """Gives batch norms statistics, and all biases and scales a value that matters."""
    for parameter in network.parameters():
        if parameter.ndim == 1:
            with torch.no_grad():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn_like(buffer) * 0.1)
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand_like(buffer) + 0.5)


def _save(torch: Any, file: Path, network: Any, width: int) -> None:
    """Saves as EasyCV exports: backbone, neck, a head that was never trained, and its config."""
    state = {f"backbone.{name}": value for name, value in network.state_dict().items()}
    neck = torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
    state |= {f"neck_0.mlp.{name}": value for name, value in neck.state_dict().items()}
    state["head.fc_cls.weight"] = torch.zeros(1000, 2048)
    content = {
        "state_dict": state,
        "meta": {"config": json.dumps({"model": {}})},
        "author": "EasyCV",
    }
    torch.save(content, file)


def _write_golden(torch: Any) -> None:
    values = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
    state = {
        "backbone.plain": values,
        "backbone.turned": values.t(),
        "backbone.part": values[1:3, ::2],
        "backbone.half": values.half(),
        "backbone.whole_numbers": torch.arange(5),
        "backbone.one": torch.tensor(3),
        "backbone.parameter": torch.nn.Parameter(values[0].clone()),
        "backbone.none": torch.empty(0, 3),
    }
    torch.save({"state_dict": state, "meta": {"config": "{}"}}, _GOLDEN / "easycv_export.pt")
    arrays = {name: value.detach().numpy() for name, value in state.items()}
    np.savez(_GOLDEN / "easycv_export.npz", **arrays)
    (_GOLDEN / "easycv_export.md").write_text(
        f"`easycv_export.pt` was written by PyTorch {torch.__version__}, and `easycv_export.npz` "
        "has the values by `Tensor.numpy()`.\nNothing of this toolkit made them:\n\n"
        "    python -m benchmarks.conformance.easycv --write-golden\n",
        encoding="utf-8",
    )


def _compare() -> int:
    """Reads the files without PyTorch, and prints how far the features are apart."""
    import paddle

    from toolkit.build.model import load_pretrained
    from toolkit.models.recognizer import Recognizer
    from toolkit.registry import BACKBONES

    failures = 0
    for name, own in _BACKBONES.items():
        network = Recognizer(BACKBONES.build(own))
        load_pretrained(network, _FOLDER / f"{name}.pt")
        network.eval()
        with np.load(_FOLDER / f"{name}.npz") as data, paddle.no_grad():
            theirs = data["features"]
            ours = network.embed(paddle.to_tensor(data["images"])).numpy()
        difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        failed = not difference <= _TOLERANCE
        failures += failed
        print(f"{own:<30} {list(theirs.shape)} {difference:.1e}{'  TOO LARGE' if failed else ''}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
