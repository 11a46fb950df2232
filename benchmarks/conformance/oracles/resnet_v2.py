"""ResNet v2 against Keras's."""

import importlib
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.seeded import Array, fill, seeded_images

PEER = ["keras>=3", "tensorflow>=2.20,<2.21"]
GOLDEN = ("TinyResNet_v2", "TinyResNet_v2 logits", "TinyResNet_v2, odd maps")
LAYERS = ("50", "101", "152")
TINY_DEPTHS = (2, 3, 2)
# Residuals add up in deep networks: smaller kernels keep 152 layers from growing a billionfold.
GAIN = 0.7
# Of one block: ours, Keras's.
PARTS = {
    "bn0": "preact_bn",
    "short": "0_conv",
    "conv0": "1_conv",
    "bn1": "1_bn",
    "conv1": "2_conv",
    "bn2": "2_bn",
    "conv2": "3_conv",
}


def compare(table: Comparison) -> None:
    """Compares every depth, as logits and as the feature, and a thin shallow network."""
    from toolkit.registry import BACKBONES

    # Paddle crashes when TensorFlow, which Keras imports, was there before it.
    importlib.import_module("paddle")
    module = importlib.import_module("keras.src.applications.resnet_v2")
    for layers in LAYERS:
        build = getattr(module, f"ResNet{layers}V2")
        for line, classes in ((f"ResNet{layers}_v2 logits", 10), (f"ResNet{layers}_v2", 0)):
            ours = BACKBONES.build(f"ResNet{layers}_v2", class_num=classes)
            compare_network(table, line, ours, build(**_options(classes, 64)), gain=GAIN)
    for line, classes, side in zip(GOLDEN, (0, 10, 0), (64, 64, 75), strict=True):
        ours = BACKBONES.build("TinyResNet_v2", class_num=classes)
        compare_network(table, line, ours, build_tiny(classes, side))


def build_tiny(classes: int, side: int) -> Any:
    """Builds Keras's network with three stages and an eighth of the channels."""
    module = importlib.import_module("keras.src.applications.resnet")
    conv = module.layers.Conv2D

    def thin(filters: int, *arguments: Any, **options: Any) -> Any:
        return conv(filters // 8, *arguments, **options)

    def stages(x: Any) -> Any:
        for number, depth in enumerate(TINY_DEPTHS):
            stride = 1 if number == len(TINY_DEPTHS) - 1 else 2
            build = module.stack_residual_blocks_v2
            x = build(x, 64 * 2**number, depth, stride1=stride, name=f"conv{number + 2}")
        return x

    with mock.patch.object(module.layers, "Conv2D", thin):
        return module.ResNet(stages, preact=True, use_bias=True, **_options(classes, side))


def _options(classes: int, side: int) -> dict[str, Any]:
    return {
        "include_top": bool(classes),
        "weights": None,
        "input_shape": (side, side, 3),
        "pooling": "avg",
        "classes": classes or 1000,
        "classifier_activation": None,
    }


def compare_network(
    table: Comparison, line: str, ours: Any, theirs: Any, *, gain: float = 1.0
) -> None:
    """Prints one line: names and shapes of all weights, and the output."""
    import paddle

    fill(ours, gain)
    ours.eval()
    given = 0
    for name, arrays in by_layer(ours).items():
        # Keras refuses weights of another shape or number.
        theirs.get_layer(name).set_weights(arrays)
        given += len(arrays)
    same = given == len(theirs.weights)
    table.failures += not same
    images = seeded_images(side=theirs.input_shape[1])
    with paddle.no_grad():
        output = theirs(images.transpose(0, 2, 3, 1), training=False)
        tensors = str(given) if same else "DIFFER"
        table.line(line, tensors, ours(paddle.to_tensor(images)), np.asarray(output))


def by_layer(network: Any) -> dict[str, list[Array]]:
    """Returns our weights under the names of Keras's layers, in its layouts and orders."""
    names = {"conv1": "conv1_conv", "bn": "post_bn", "fc": "predictions"}
    stage, block = 1, 0
    for number, layer in enumerate(network.blocks):
        # A stage's first block is the one that projects.
        stage, block = (stage + 1, 1) if layer.project else (stage, block + 1)
        for part, theirs in PARTS.items():
            names[f"blocks.{number}.{part}"] = f"conv{stage}_block{block}_{theirs}"
    layers: dict[str, list[Array]] = {}
    for key, value in network.state_dict().items():
        array = value.numpy()
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        layers.setdefault(names[key.rpartition(".")[0]], []).append(array)
    return layers
