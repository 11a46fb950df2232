"""GoogLeNet as PaddleClas trained it: convolutions without batch norm, a ReLU after each module.

Parameter names and shapes are PaddleClas's, so official weights load as they are. Its two
auxiliary classifiers help only while training on ImageNet; this network has none and takes their
weights in a file for what they are.

Source: Szegedy et al., Going Deeper with Convolutions, 2015, Table 1; PaddleClas 2.6.0 for names,
for pooling without padding, and for the missing activations: none in the stem, none inside a
module.
"""

from typing import NamedTuple

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.inception_blocks import (
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Spec,
)


class Widths(NamedTuple):
    """Channels of a module's convolutions: 1x1, 3x3, 5x5, after the pool; what reduces before."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pooled: int


MODULES = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}


def _module(name: str) -> Module:
    widths = MODULES[name]
    rows = (
        (Conv("_conv1", widths.one),),
        (Conv("_conv3r", widths.reduce_three), Conv("_conv3", widths.three, 3)),
        (Conv("_conv5r", widths.reduce_five), Conv("_conv5", widths.five, 5)),
        (MaxPool("_pool", stride=1, padding=1), Conv("_convprj", widths.pooled)),
    )
    return Module(f"_ince{name}", rows, act=True)


_LAYERS: tuple[Spec, ...] = (
    Conv("_conv", 64, 7, stride=2, padding=3),
    MaxPool("_pool"),
    Conv("_conv_1", 64),
    Conv("_conv_2", 192, 3),
    MaxPool("_pool_2"),
    *[_module(name) for name in ("3a", "3b")],
    MaxPool("_pool_3"),
    *[_module(name) for name in ("4a", "4b", "4c", "4d", "4e")],
    MaxPool("_pool_4"),
    *[_module(name) for name in ("5a", "5b")],
)


class GoogLeNet(InceptionNetwork):
    """GoogLeNet at any width.

    Args:
        scale: factor on every channel count.
        class_num: classes of the ImageNet classifier; 0 ends at the feature, 1024 values.
    """

    classifier = ("_fc_out.", "_conv_o1.", "_fc_o1.", "_out1.", "_conv_o2.", "_fc_o2.", "_out2.")
    smallest_side = 61

    def __init__(self, scale: PositiveFloat = 1.0, *, class_num: NonNegativeInt = 0) -> None:
        super().__init__()
        family = Family(scale, conv="_conv", norm=None)
        self._add_chain(_LAYERS, family, map_ends=("_ince3b", "_ince4e", "_ince5b"))
        self._ends_with_average(class_num, logits="_fc_out", dropout=0.4)
        if class_num:
            self.ignored_weights = self.classifier[1:]
