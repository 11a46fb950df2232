"""Converts every network of the zoo to ONNX, and compares each engine with the network.

    python -m benchmarks.conformance.onnx [NAME ...]

Without NAME it takes all registered backbones, at full size and tiny; a NAME may have wildcards
(``ResNet*``). Each is exported with random weights at the size that it is made for, in a process of
its own that is ended after half an hour, so that neither memory nor one network stops the others. A
line a network: the lowest cosine of each engine's features with the network's, one by one and as a
batch, and the largest distance (1 - cosine) of two different pictures: where that is near 0, equal
features mean little. The exit code is 1 when a network cannot be converted, or a cosine is below
1 - 1e-5.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.conformance.seeded import fill
from toolkit.registry import BACKBONES

_SECONDS = 1800
_ENGINES = ("paddle", "onnxruntime", "openvino")
_TINY_SIDE = 64
# What the network is made for, where that is not 224 pixels.
_SIDES = {"InceptionV3": 299, "InceptionV4": 299, "InceptionResNetV2": 299, "SmallResNet": 96}
# Scores of attention at the full gain are so large that a softmax of them picks one token, and in
# a deep network whose branches add up a last bit of the input becomes a digit of the output.
_GAINS = {
    r"CLIP|TinyCLIP|ViT|TinyViT|DeiT|Swin|TinySwin": 0.5,
    r"ResNet|TinyResNet|MobileNet|TinyMobileNet|EfficientNet": 0.7,
    r"PPLCNetV2_large": 0.85,
}


def main() -> int:
    """Compares the networks that are named, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="networks; all of them when none is named")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(compare(arguments.inside)))
        return 0
    chosen = [
        name
        for name in BACKBONES.names()
        if not arguments.names or any(fnmatch(name, pattern) for pattern in arguments.names)
    ]
    engines = " ".join(f"{engine:>12}" for engine in _ENGINES)
    print(f"{'network':<42} {'side':>4} {'ONNX MB':>7} {engines} {'apart':>8} {'s':>5} {'GB':>5}")
    failures = [name for name in chosen if not _row(name)]
    print(f"{len(chosen)} networks, {len(failures)} not the same: {', '.join(failures) or 'none'}")
    return 1 if failures else 0


def _row(name: str) -> bool:
    """Runs one network in a process of its own, prints its line, and returns whether it passed."""
    started = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.conformance.onnx"]
    try:
        done = subprocess.run(
            [*command, "--inside", name],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        row = {"error": f"not done after {_SECONDS} s"}
    except (IndexError, ValueError):
        row = {"error": f"exit code {done.returncode}: {' '.join(done.stderr.split())[-300:]}"}
    if "error" in row:
        print(f"{name:<42} FAILED: {row['error']}", flush=True)
        return False
    engines = " ".join(f"{1 - row['cosines'][engine]:>12.1e}" for engine in _ENGINES)
    print(
        f"{name:<42} {row['side']:>4} {row['megabytes']:>7.1f} {engines} {row['apart']:>8.1e} "
        f"{time.monotonic() - started:>5.0f} {row['gigabytes']:>5.1f}",
        flush=True,
    )
    return True


def compare(name: str) -> dict[str, Any]:
    """Exports a network and returns what its line says."""
    from toolkit.errors import ToolkitError
    from toolkit.inference.agreement import check_images
    from toolkit.inference.engines.engine import open_engine
    from toolkit.inference.export import export_inference
    from toolkit.inference.preprocess import pipeline_of
    from toolkit.models.recognizer import Recognizer
    from toolkit.runtime import Device, cores_allowed

    network = Recognizer(BACKBONES.build(name))
    tiny_side = max(_TINY_SIDE, 2 * network.backbone.smallest_side)
    side = _SIDES.get(name, tiny_side if name.startswith("Tiny") else 224)
    steps: Sequence[dict[str, Any]] = [
        {"ResizeImage": {"size": side}},
        {"NormalizeImage": {}},
        {"ToCHWImage": {}},
    ]
    fill(network, next((gain for known, gain in _GAINS.items() if re.match(known, name)), 1.0))
    with TemporaryDirectory(dir=_workspace()) as temporary:
        folder = Path(temporary)
        try:
            report = export_inference(
                network,
                folder,
                model_name=name,
                image_size=(side, side),
                transform_ops=steps,
                onnx=True,
            )
        except ToolkitError as error:
            return {"error": str(error)}
        engine = open_engine("onnxruntime", folder, Device("cpu"), cores_allowed())
        features = engine.run(check_images((side, side), pipeline_of(steps)).pixels)
        cosines = features @ features.T
        return {
            "side": side,
            "megabytes": (folder / "features.onnx").stat().st_size / 1e6,
            "cosines": dict(report.cosines),
            "apart": 1 - float(cosines[~np.eye(len(cosines), dtype=bool)].min()),
            "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }


def _workspace() -> Path:
    folder = REPOSITORY / "output" / "conformance" / "onnx"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
