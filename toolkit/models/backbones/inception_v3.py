"""Inception v3.

Parameter names and shapes are PaddleClas's, so official weights load as they are. An image of 299
pixels gives maps of 149, 147, 147, 73, 71, 35, 17 and 8 pixels a side.

Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016, Table 1
and Figures 5 to 7 and 10; PaddleClas 2.6.0 for names, widths, and averages that count the padding;
tf-slim's ``inception_v3`` for averages that do not, and a larger epsilon (``slim``).
"""

from collections.abc import Iterator

from paddle import nn

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.blocks import DropoutMode
from toolkit.models.backbones.inception_blocks import (
    TF_SLIM_EPSILON,
    AvgPool,
    Chain,
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Row,
    Spec,
)

_STEM: tuple[Spec, ...] = (
    Conv("conv_1a_3x3", 32, 3, stride=2, padding="VALID"),
    Conv("conv_2a_3x3", 32, 3, padding="VALID"),
    Conv("conv_2b_3x3", 64, 3),
    MaxPool("max_pool_3a_3x3"),
    Conv("conv_3b_1x1", 80),
    Conv("conv_4a_3x3", 192, 3, padding="VALID"),
    MaxPool("max_pool_5a_3x3"),
)


def _pooled(channels: int) -> Row:
    return (AvgPool("branch_pool"), Conv("branch_pool_conv", channels))


def _a(pooled: int) -> tuple[Row, ...]:
    """Figure 5: a 5x5 convolution, and another one split into two 3x3."""
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, 5)),
        (
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, 3),
            Conv("branch3x3dbl_3", 96, 3),
        ),
        _pooled(pooled),
    )


def _c(inside: int) -> tuple[Row, ...]:
    """Figure 6 with n = 7: 7x7 convolutions split into rows and columns."""
    return (
        (Conv("branch1x1", 192),),
        (
            Conv("branch7x7_1", inside),
            Conv("branch7x7_2", inside, (1, 7)),
            Conv("branch7x7_3", 192, (7, 1)),
        ),
        (
            Conv("branch7x7dbl_1", inside),
            Conv("branch7x7dbl_2", inside, (7, 1)),
            Conv("branch7x7dbl_3", inside, (1, 7)),
            Conv("branch7x7dbl_4", inside, (7, 1)),
            Conv("branch7x7dbl_5", 192, (1, 7)),
        ),
        _pooled(192),
    )


# Figure 10: halve the map without losing what a pool alone would throw away.
_B: tuple[Row, ...] = (
    (Conv("branch3x3", 384, 3, stride=2, padding="VALID"),),
    (
        Conv("branch3x3dbl_1", 64),
        Conv("branch3x3dbl_2", 96, 3),
        Conv("branch3x3dbl_3", 96, 3, stride=2, padding="VALID"),
    ),
    (MaxPool("branch_pool"),),
)
_D: tuple[Row, ...] = (
    (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, 3, stride=2, padding="VALID")),
    (
        Conv("branch7x7x3_1", 192),
        Conv("branch7x7x3_2", 192, (1, 7)),
        Conv("branch7x7x3_3", 192, (7, 1)),
        Conv("branch7x7x3_4", 192, 3, stride=2, padding="VALID"),
    ),
    (MaxPool("branch_pool"),),
)
# Figure 7: wide, on the smallest maps.
_E: tuple[Row, ...] = (
    (Conv("branch1x1", 320),),
    (
        Conv("branch3x3_1", 384),
        (Conv("branch3x3_2a", 384, (1, 3)), Conv("branch3x3_2b", 384, (3, 1))),
    ),
    (
        Conv("branch3x3dbl_1", 448),
        Conv("branch3x3dbl_2", 384, 3),
        (Conv("branch3x3dbl_3a", 384, (1, 3)), Conv("branch3x3dbl_3b", 384, (3, 1))),
    ),
    _pooled(192),
)
# In the order of tf-slim's Mixed_5b to Mixed_7c.
_BLOCKS = (_a(32), _a(64), _a(64), _B, _c(128), _c(160), _c(160), _c(192), _D, _E, _E)
_LAYERS: tuple[Spec, ...] = (
    Chain("inception_stem", _STEM),
    Chain(
        "inception_block_list",
        tuple(Module(str(number), rows) for number, rows in enumerate(_BLOCKS)),
    ),
)


class InceptionV3(InceptionNetwork):
    """Inception v3 at any width.

    Args:
        scale: factor on every channel count.
        slim: compute as tf-slim's network does, which TensorFlow's weights were trained in.
        class_num: classes of the ImageNet classifier; 0 ends at the feature, 2048 values.
    """

    classifier = ("fc.",)
    smallest_side = 75

    def __init__(
        self, scale: PositiveFloat = 1.0, *, slim: bool = False, class_num: NonNegativeInt = 0
    ) -> None:
        super().__init__()
        family = (
            Family(scale, epsilon=TF_SLIM_EPSILON) if slim else Family(scale, counts_padding=True)
        )
        self._add_chain(_LAYERS, family, map_ends=("2", "7", "10"))
        blocks = dict(self.inception_block_list.named_children())
        self.map_channels = tuple(blocks[name].out_channels for name in self.map_ends)
        mode: DropoutMode = "upscale_in_train" if slim else "downscale_in_infer"
        self._ends_with_average(class_num, logits="fc", dropout=0.2, mode=mode)

    def _steps(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yields the stem, and each block of the list."""
        yield "inception_stem", self.inception_stem
        yield from self.inception_block_list.named_children()
