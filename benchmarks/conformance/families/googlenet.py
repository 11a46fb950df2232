"""GoogLeNet to the feature and to the main classifier's logits."""

from collections.abc import Callable
from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.thin import thinned

GOLDEN = ("TinyGoogLeNet", "TinyGoogLeNet 97 pixels logits")
# Ours has no auxiliary classifiers; PaddleClas's answers for them too.
LAYERS = ("pool_o", "conv_o", "fc_o", "drop_o", "out")
AUXILIARY = tuple(f"_{layer}{number}" for number in (1, 2) for layer in LAYERS)
CLASSIFIER = ("_drop", "_fc_out")


def compare(table: Comparison, arch: Any) -> None:
    """Compares GoogLeNet, and one an eighth as wide that maps more sizes of images."""
    from toolkit.registry import BACKBONES

    build = arch.backbone.GoogLeNet
    ours = BACKBONES.build("GoogLeNet", class_num=1000)
    table.backbone("GoogLeNet logits", ours, main_output(built_again(build)), side=224)
    theirs = main_output(without(built_again(build), *AUXILIARY, *CLASSIFIER))
    table.backbone("GoogLeNet", BACKBONES.build("GoogLeNet"), theirs, side=224)

    with thinned(arch.backbone.model_zoo.googlenet, 8, {1024: 128, 1152: 144}):
        whole, cut = (main_output(built_again(build, class_num=10)) for _ in range(2))
    theirs = without(cut, *AUXILIARY, *CLASSIFIER)
    table.backbone("TinyGoogLeNet", BACKBONES.build("TinyGoogLeNet"), theirs)
    ours = BACKBONES.build("TinyGoogLeNet", class_num=10)
    theirs = without(whole, *AUXILIARY)
    table.backbone("TinyGoogLeNet 97 pixels logits", ours, theirs, side=97)


def built_again(build: Callable[..., Any], **options: Any) -> Any:
    """Builds a network of which Paddle allows one, since PaddleClas names its parameters."""
    from paddle.utils import unique_name

    with unique_name.guard():
        return build(**options)


def without(network: Any, *names: str) -> Any:
    """Lets what comes into some layers pass as it is."""
    from paddle import nn

    for name in names:
        setattr(network, name, nn.Identity())
    return network


def main_output(network: Any) -> Any:
    """Drops the answers of the auxiliary classifiers."""
    network.register_forward_post_hook(lambda _layer, _inputs, outputs: outputs[0])
    return network
