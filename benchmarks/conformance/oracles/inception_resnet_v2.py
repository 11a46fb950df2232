"""Inception-ResNet v2 against Keras's."""

import importlib
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.oracles._weights import units
from benchmarks.conformance.seeded import fill, seeded_images

PEER = ["keras>=3", "tensorflow>=2.20,<2.21"]
GOLDEN = ("TinyInceptionResNetV2", "TinyInceptionResNetV2 98 pixels")
# How many blocks of Keras's three kinds the tiny network has, but for the last of all.
TINY_DEPTHS = {"block35": 2, "block17": 2, "block8": 1}


def compare(table: Comparison) -> None:
    """Compares logits and feature, and a thin shallow network on even and odd maps."""
    from toolkit.registry import BACKBONES

    for line, classes in (("InceptionResNetV2 logits", 1000), ("InceptionResNetV2", 0)):
        ours = BACKBONES.build("InceptionResNetV2", class_num=classes)
        compare_network(table, line, ours, Builder(), side=299)
    tiny = "TinyInceptionResNetV2"
    for line, side in ((tiny, 107), (f"{tiny} 98 pixels", 98)):
        theirs = Builder(thinner=16, depths=TINY_DEPTHS)
        compare_network(table, line, BACKBONES.build(tiny), theirs, side=side)


class Builder:
    """Builds Keras's network, naming its convolutions in the order in which it makes them.

    Args:
        thinner: how many times fewer channels each convolution has.
        depths: how many blocks of each kind are built; None builds all.
    """

    def __init__(self, thinner: int = 1, depths: dict[str, int] | None = None) -> None:
        self.thinner = thinner
        self.depths = depths
        self.names: list[str] = []

    def build(self, side: int, class_num: int) -> Any:
        """Returns the network up to its average, or up to its logits."""
        module = importlib.import_module("keras.src.applications.inception_resnet_v2")
        conv, block = module.conv2d_bn, module.inception_resnet_block

        def named(x: Any, filters: int, *arguments: Any, **options: Any) -> Any:
            name = f"unit_{len(self.names)}"
            self.names.append(name)
            # The convolution at a block's end has as many channels as the block's input.
            width = filters if "use_bias" in options else filters // self.thinner
            return conv(x, width, *arguments, **(options | {"name": name}))

        def limited(x: Any, *arguments: Any, **options: Any) -> Any:
            kind, number = options["block_type"], options["block_idx"]
            last = "activation" in options
            if self.depths is not None and number > self.depths[kind] and not last:
                return x
            return block(x, *arguments, **options)

        patched = partial(mock.patch.object, module)
        with patched("conv2d_bn", named), patched("inception_resnet_block", limited):
            return module.InceptionResNetV2(
                include_top=bool(class_num),
                weights=None,
                input_shape=(side, side, 3),
                pooling="avg",
                classes=class_num or 1000,
                classifier_activation=None,
            )


def compare_network(table: Comparison, line: str, ours: Any, builder: Builder, side: int) -> None:
    """Prints one line: the shapes of all weights, and the output."""
    import paddle

    images = seeded_images(side=side)
    fill(ours)
    ours.eval()
    state = ours.state_dict()
    classifier = [state[name].numpy() for name in state if name.startswith("Logits.")]
    theirs = builder.build(side, classifier[1].size if classifier else 0)
    given = 0
    for name, unit in zip(builder.names, units(ours), strict=True):
        kernel = [unit.kernel] if unit.bias is None else [unit.kernel, unit.bias]
        # Keras refuses weights of another shape or number.
        theirs.get_layer(name).set_weights(kernel)
        given += len(kernel)
        if unit.norm is not None:
            theirs.get_layer(f"{name}_bn").set_weights(list(unit.norm))
            given += len(unit.norm)
    if classifier:
        theirs.layers[-1].set_weights(classifier)
        given += len(classifier)
    tensors = str(given) if given == len(theirs.weights) else "DIFFER"
    table.failures += given != len(theirs.weights)
    with paddle.no_grad():
        output = theirs.predict(images.transpose(0, 2, 3, 1), verbose=0)
        table.line(line, tensors, ours(paddle.to_tensor(images)), np.asarray(output))
