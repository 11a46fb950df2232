"""AlexNet."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.families.vgg import compare_linears
from benchmarks.conformance.thin import thinned

GOLDEN = ("TinyAlexNet", "TinyAlexNet logits")


def compare(table: Comparison, arch: Any) -> None:
    """Compares it and a thin one, as logits and as fc7."""
    from paddle.utils import unique_name

    from toolkit.registry import BACKBONES

    theirs = arch.backbone.AlexNet(class_num=10)
    compare_linears(table, "AlexNet", BACKBONES, theirs, layer="_fc7", side=224)
    module = arch.backbone.model_zoo.alexnet
    # Maps of 3x3 with an eighth of the channels, and hidden layers of 64 instead of 4096.
    lengths = {256 * 6 * 6: 32 * 3 * 3, 4096: 64}
    # PaddleClas names these parameters itself, so only one such network fits in a process.
    with thinned(module, 8, lengths), unique_name.guard():
        theirs = module.AlexNet(class_num=10)
    compare_linears(table, "TinyAlexNet", BACKBONES, theirs, layer="_fc7", side=128)
