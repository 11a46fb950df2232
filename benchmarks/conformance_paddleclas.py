"""Compares the toolkit's networks with PaddleClas 2.6.0, number by number.

    python benchmarks/conformance_paddleclas.py [--environment DIR] [--write-golden]

Makes a virtual environment of its own in DIR (default: output/conformance_paddleclas), installs
PaddlePaddle and PaddleClas without PaddleClas's pins, gives both sides the same weights and
images, and prints one line per comparison: how many tensors of the state were compared by name
and shape, and the largest difference of the outputs relative to the largest output. It exits
with 1 when a name or a shape differs or a difference exceeds the tolerance.

With --write-golden it also stores PaddleClas's outputs in tests/models/golden, where the tests
compare with them and need no PaddleClas. Weights and images are not stored: `seeded_values` makes
them again from their names.
"""

import argparse
import importlib
import importlib.util
import math
import os
import subprocess
import sys
import venv
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = REPOSITORY / "tests" / "models" / "golden" / "paddleclas_outputs.npz"
TOLERANCE = 1e-5
IMAGE_SIDE = 64
SCALES = ("0_25", "0_35", "0_5", "0_75", "1_0", "1_5", "2_0", "2_5")
# What ppcls.arch imports; PaddleClas's own list also pins versions that current Pythons refuse.
MODULES = ["opencv-python-headless", "pyyaml", "requests", "scikit-learn", "six", "tqdm"]
# What toolkit.models imports besides Paddle.
TOOLKIT_MODULES = ["annotated-types"]
# The lines of the table whose outputs the tests keep.
GOLDEN_NAMES = (
    "PPLCNet_x0_25",
    "PPLCNetV2_base_ShiTu",
    "PPLCNetV2_base_ShiTu fused",
    "ArcMargin training",
    "ArcMargin gradient",
    "ArcMargin easy training",
    "ArcMargin evaluation",
)
GOLDEN_NOTE = """\
# Where paddleclas_outputs.npz comes from

Outputs of PaddleClas 2.6.0 (the wheel on PyPI, `ppcls.arch`) on paddlepaddle {paddle}, CPU,
float32. Nothing of this toolkit computed them. Made by

    python benchmarks/conformance_paddleclas.py --write-golden

with weights and inputs from `seeded_values` in that script: a function of each tensor's name and
shape. Networks are stopped at `flatten`, in evaluation mode, on `seeded_images()` [2, 3, 64, 64];
PPLCNetV2_base_ShiTu has `class_expand` 512. ArcMargin has 16 features, 10 classes, margin 0.2,
scale 30. The arrays:

{names}
"""


def seeded_values(name: str, shape: tuple[int, ...]) -> Array:
    """Returns the values of one tensor, a function of its name and shape alone.

    Uniform values from PCG64 seeded with the CRC-32 of the name: variances and batch norm's gains
    in [0.5, 1.5], means and biases in [-0.2, 0.2], kernels of fan-in f in +-sqrt(8 / f), images
    in [-2, 2]. With these kernels an image's influence reaches the end of every network, and a
    wrong activation in a gate changes the features by a few percent or more.
    """
    uniform = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).random(shape)
    if name.endswith("_variance") or (name.endswith(".weight") and len(shape) == 1):
        values = 0.5 + uniform
    elif len(shape) == 1:
        values = 0.4 * uniform - 0.2
    elif name.endswith("images"):
        values = 4.0 * uniform - 2.0
    else:
        fan_in = shape[0] if len(shape) == 2 else math.prod(shape[1:])
        values = math.sqrt(8.0 / fan_in) * (2.0 * uniform - 1.0)
    return values.astype(np.float32)


def seeded_images(batch: int = 2) -> Array:
    """Returns the images [batch, 3, 64, 64] on which the networks are compared."""
    return seeded_values("images", (batch, 3, IMAGE_SIDE, IMAGE_SIDE))


def fill(layer: Any) -> None:
    """Gives every tensor in a Paddle layer's state its seeded values."""
    for name, tensor in layer.state_dict().items():
        tensor.set_value(seeded_values(name, tuple(tensor.shape)))


class Comparison:
    """Collects the table's lines and the outputs to store."""

    def __init__(self) -> None:
        self.failures = 0
        self.golden: dict[str, Array] = {}

    def states(self, ours: Any, theirs: Any, ignored: tuple[str, ...] = ()) -> str:
        """Returns how many tensors of two states agree in name and shape."""
        left = {name: tuple(value.shape) for name, value in ours.state_dict().items()}
        right = {
            name: tuple(value.shape)
            for name, value in theirs.state_dict().items()
            if not name.startswith(ignored or ("\0",))
        }
        if left == right:
            return str(len(left))
        self.failures += 1
        return f"DIFFER: {sorted(set(left.items()) ^ set(right.items()))[:3]}"

    def line(self, name: str, tensors: str, ours: Any, theirs: Any) -> None:
        """Prints one line and keeps PaddleClas's output under the line's name."""
        left, right = np.asarray(ours.numpy()), np.asarray(theirs.numpy())
        difference = float(np.abs(left - right).max() / np.abs(right).max())
        failed = not difference <= TOLERANCE
        self.failures += failed
        self.golden[name] = right
        print(f"{name:<44} | {tensors:>7} | {difference:.1e}{'  TOO LARGE' if failed else ''}")


def compare_backbone(table: Comparison, name: str, reference: Any, **options: Any) -> None:
    """Compares one backbone with PaddleClas's, stopped at ``flatten``, and its fused form."""
    import paddle

    from toolkit.registry import BACKBONES

    theirs = getattr(reference, name)(**options)
    ours = BACKBONES.build(name, **options)
    tensors = table.states(ours, theirs, ours.ignored_weights)
    theirs.stop_after("flatten")
    images = paddle.to_tensor(seeded_images())
    for network in (ours, theirs):
        fill(network)
        network.eval()
    table.line(name, tensors, ours(images), theirs(images))
    if hasattr(ours, "re_parameterize"):
        ours.re_parameterize()
        for layer in theirs.sublayers():
            if hasattr(layer, "re_parameterize"):
                layer.re_parameterize()
        table.line(f"{name} fused", tensors, ours(images), theirs(images))


def compare_arc_margin(table: Comparison, reference: Any) -> None:
    """Compares the margin head's logits, and the gradient of its weights, in training."""
    import paddle

    from toolkit.models.heads import ArcMargin

    features = paddle.to_tensor(seeded_values("features", (12, 16)))
    # One feature points along a class, one away from it: both ends of the margin's formula.
    direction = paddle.to_tensor(seeded_values("weight", (16, 10))).T
    features = paddle.concat([features, direction[:1], -direction[1:2]])
    labels = paddle.to_tensor([*range(10), 0, 1, 0, 1])
    for easy in (False, True):
        ours = ArcMargin(16, 10, margin=0.2, scale=30.0, easy_margin=easy)
        theirs = reference.ArcMargin(16, 10, margin=0.2, scale=30.0, easy_margin=easy)
        tensors = table.states(ours, theirs)
        fill(ours)
        fill(theirs)
        name = f"ArcMargin{' easy' if easy else ''}"
        left, right = ours(features, labels), theirs(features, labels.unsqueeze(1))
        table.line(f"{name} training", tensors, left, right)
        for logits in (left, right):
            paddle.nn.functional.cross_entropy(logits, labels).backward()
        table.line(f"{name} gradient", tensors, ours.weight.grad, theirs.weight.grad)
    ours.eval()
    theirs.eval()
    table.line("ArcMargin evaluation", tensors, ours(features), theirs(features))


def compare_recognizers(table: Comparison, reference: Any) -> None:
    """Compares the whole networks of PP-ShiTu V1 and V2 as their configurations build them."""
    from toolkit.models import heads, necks
    from toolkit.models.backbones.pplcnet import PPLCNet
    from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
    from toolkit.models.recognizer import Recognizer

    stop = {"name": "flatten"}
    # Dropout draws at random, so the network that is compared in training has none.
    theirs = reference.RecModel(
        Backbone={"name": "PPLCNet_x2_5", "dropout_prob": 0.0},
        BackboneStopLayer=stop,
        Neck={"name": "FC", "embedding_size": 1280, "class_num": 512},
        Head={
            "name": "ArcMargin",
            "embedding_size": 512,
            "class_num": 10,
            "margin": 0.2,
            "scale": 30,
        },
    )
    ours = Recognizer(
        PPLCNet(2.5, dropout_prob=0.0), necks.FC(1280, 512), heads.ArcMargin(512, 10, 0.2, 30.0)
    )
    _compare_network(table, "PP-ShiTu V1", ours, theirs)

    theirs = reference.RecModel(
        Backbone={"name": "PPLCNetV2_base_ShiTu", "class_expand": 512},
        BackboneStopLayer=stop,
        Neck={"name": "BNNeck", "num_features": 512},
        Head={"name": "FC", "embedding_size": 512, "class_num": 10, "bias_attr": False},
    )
    ours = Recognizer(
        PPLCNetV2(class_expand=512, retrieval=True),
        necks.BNNeck(512),
        heads.FC(512, 10, bias=False),
    )
    _compare_network(table, "PP-ShiTu V2", ours, theirs)


def _compare_network(table: Comparison, name: str, ours: Any, theirs: Any) -> None:
    import paddle

    images = paddle.to_tensor(seeded_images(batch=4))
    labels = paddle.to_tensor([0, 3, 5, 9])
    tensors = table.states(ours, theirs)
    for network in (ours, theirs):
        fill(network)
        network.eval()
    left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
    for key in ("features", "logits"):
        table.line(f"{name} {key}", tensors, left[key], right[key])
    if name.endswith("V1"):
        ours.train()
        theirs.train()
        left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
        table.line(f"{name} training logits", tensors, left["logits"], right["logits"])


def compare_all(*, write_golden: bool) -> int:
    """Runs every comparison in this process, which needs both sides to be importable."""
    import paddle

    # Importing paddleclas itself would start its whole deployment side; the networks are in its
    # inner package, which the wheel expects to find under the name ppcls.
    wheel = importlib.util.find_spec("paddleclas")
    if wheel is None or not wheel.submodule_search_locations:
        raise SystemExit("paddleclas is not installed here; run without --inside.")
    sys.path.insert(0, wheel.submodule_search_locations[0])
    arch = importlib.import_module("ppcls.arch")
    # Without this some of its networks crash while they are built.
    importlib.import_module("ppcls.utils.logger").init_logger()
    paddle.seed(0)
    table = Comparison()
    print(f"PaddleClas 2.6.0 and the toolkit on paddle {paddle.version.full_version}, CPU")
    print(f"{'name':<44} | tensors | max relative difference")
    for scale in SCALES:
        compare_backbone(table, f"PPLCNet_x{scale}", arch.backbone)
    compare_backbone(table, "PPLCNetV2_base", arch.backbone)
    compare_backbone(table, "PPLCNetV2_base_ShiTu", arch.backbone, class_expand=512)
    compare_arc_margin(table, arch.gears)
    compare_recognizers(table, arch)
    if write_golden:
        store(table.golden, paddle.version.full_version)
    return 1 if table.failures else 0


def store(outputs: Mapping[str, Array], paddle_version: str) -> None:
    """Writes PaddleClas's outputs for the tests, and where they come from."""
    kept = {name: outputs[name] for name in GOLDEN_NAMES}
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(GOLDEN, allow_pickle=False, **kept)
    GOLDEN.with_suffix(".md").write_text(
        GOLDEN_NOTE.format(paddle=paddle_version, names="\n".join(f"- `{n}`" for n in kept)),
        encoding="utf-8",
    )
    print(f"wrote {GOLDEN.relative_to(REPOSITORY)}")


def python_of(environment: Path) -> Path:
    """Returns the interpreter of a virtual environment, made and filled when it is not there."""
    folder = "Scripts" if os.name == "nt" else "bin"
    python = environment / folder / ("python.exe" if os.name == "nt" else "python")
    finished = environment / "installed"
    if finished.exists():
        return python
    venv.create(environment, with_pip=True)
    constraints = str(REPOSITORY / "constraints.txt")
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", constraints]
    subprocess.run([*install, "paddlepaddle>=3.0,<4", *MODULES, *TOOLKIT_MODULES], check=True)
    subprocess.run([*install, "--no-deps", "paddleclas==2.6.0"], check=True)
    finished.touch()
    return python


def main() -> int:
    """Makes the environment and runs the comparison in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--environment", type=Path, help="folder of the virtual environment")
    parser.add_argument("--write-golden", action="store_true", help="store outputs for the tests")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return compare_all(write_golden=arguments.write_golden)
    default = REPOSITORY / "output" / "conformance_paddleclas"
    python = python_of(arguments.environment or default)
    command = [str(python), "-W", "ignore", __file__, "--inside"]
    command += ["--write-golden"] if arguments.write_golden else []
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
