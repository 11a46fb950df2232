"""MobileNetV2 at all its widths."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

NAMES = (
    "MobileNetV2",
    "MobileNetV2_x0_25",
    "MobileNetV2_x0_5",
    "MobileNetV2_x0_75",
    "MobileNetV2_x1_5",
    "MobileNetV2_x2_0",
)
# At the full gain a last bit of the input becomes the fourth digit of the tiny one's output.
_GAIN = 0.75
GOLDEN = ("TinyMobileNetV2", "TinyMobileNetV2 logits")


def compare(table: Comparison, arch: Any) -> None:
    """Compares every width, as logits and as the feature before the classifier."""
    from paddle import nn
    from paddle.utils import unique_name

    from toolkit.registry import BACKBONES

    builders = {name: getattr(arch.backbone, name) for name in NAMES}
    module = arch.backbone.model_zoo.mobilenet_v2
    builders["TinyMobileNetV2"] = lambda class_num: module.MobileNet(class_num, scale=0.125)
    for name, build in builders.items():
        # PaddleClas names these parameters itself, so only one such network fits in a process.
        with unique_name.guard():
            theirs = build(class_num=10)
        ours = BACKBONES.build(name, class_num=10)
        table.backbone(f"{name} logits", ours, theirs, gain=_GAIN)
        # This network is no TheseusLayer, so it cannot be stopped by a name.
        theirs.add_sublayer("out", nn.Identity())
        table.backbone(name, BACKBONES.build(name), theirs, gain=_GAIN)
