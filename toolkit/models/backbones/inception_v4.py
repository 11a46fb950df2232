"""Inception v4.

Parameter names and shapes are PaddleClas's, so official weights load as they are. An image of 299
pixels gives maps of 149, 147, 147, 73, 71, 35, 17 and 8 pixels a side.

Source: Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, 2017, Figures 3 to 9; PaddleClas 2.6.0 for names and for averages that leave the padding
out; tf-slim's ``inception_v4`` for its order of branches and of rows and columns (``slim``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import paddle
from paddle import Tensor, nn

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.blocks import DropoutMode
from toolkit.models.backbones.inception_blocks import (
    TF_SLIM_EPSILON,
    AvgPool,
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Row,
    Spec,
)


class Stack(nn.Layer):
    """Stacks maps by channel; a layer, so that a hook can read what the stem makes on its way."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps some [b, c_i, h, w] to [b, sum of c_i, h, w]."""
        return paddle.concat(maps, axis=1)


class Stem(nn.Layer):
    """Figure 3: three forks before the first module, whose layers all bear flat names.

    The outputs that tf-slim calls Mixed_3a, Mixed_4a and Mixed_5a come out of ``mixed_3a`` to
    ``mixed_5a``.

    Args:
        family: of the convolutions.
        slim: convolve rows before columns, as tf-slim does.
    """

    def __init__(self, family: Family, *, slim: bool) -> None:
        super().__init__()
        self.family = family
        channels = self._add(3, Conv("_conv_1", 32, 3, stride=2, padding="VALID"))
        channels = self._add(channels, Conv("_conv_2", 32, 3, padding="VALID"))
        channels = self._add(channels, Conv("_conv_3", 64, 3))
        self._pool = nn.MaxPool2D(3, 2)
        stacked = channels + self._add(channels, Conv("_conv2", 96, 3, stride=2, padding="VALID"))
        short = self._add(stacked, Conv("_conv1_1", 64), Conv("_conv1_2", 96, 3, padding="VALID"))
        row = (
            Conv("_conv2_1", 64),
            Conv("_conv2_2", 64, (7, 1)),
            Conv("_conv2_3", 64, (1, 7)),
            Conv("_conv2_4", 96, 3, padding="VALID"),
        )
        long = self._add(stacked, *(map(_turned, row) if slim else row))
        stacked = short + long
        last = self._add(stacked, Conv("_conv3", 192, 3, stride=2, padding="VALID"))
        self.out_channels = stacked + last
        self.mixed_3a, self.mixed_4a, self.mixed_5a = Stack(), Stack(), Stack()

    def _add(self, channels: int, *specs: Spec) -> int:
        for spec in specs:
            layer, channels = spec.build(channels, self.family)
            self.add_sublayer(spec.name, layer)
        return channels

    def forward(self, images: Tensor) -> Tensor:
        """Maps [b, 3, h, w] to [b, 384, about h / 8, about w / 8] at scale 1."""
        x = self._conv_3(self._conv_2(self._conv_1(images)))
        x = self.mixed_3a([self._pool(x), self._conv2(x)])
        short = self._conv1_2(self._conv1_1(x))
        long = self._conv2_4(self._conv2_3(self._conv2_2(self._conv2_1(x))))
        x = self.mixed_4a([short, long])
        result: Tensor = self.mixed_5a([self._conv3(x), self._pool(x)])
        return result


@dataclass(frozen=True)
class _StemSpec:
    name: str
    slim: bool

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:  # noqa: ARG002
        stem = Stem(family, slim=self.slim)
        return stem, stem.out_channels


_POOL = AvgPool("_pool")
_HALVED = MaxPool("_pool")
_A: tuple[Row, ...] = (
    (_POOL, Conv("_conv1", 96)),
    (Conv("_conv2", 96),),
    (Conv("_conv3_1", 64), Conv("_conv3_2", 96, 3)),
    (Conv("_conv4_1", 64), Conv("_conv4_2", 96, 3), Conv("_conv4_3", 96, 3)),
)
_REDUCTION_A: tuple[Row, ...] = (
    (_HALVED,),
    (Conv("_conv2", 384, 3, stride=2, padding="VALID"),),
    (
        Conv("_conv3_1", 192),
        Conv("_conv3_2", 224, 3),
        Conv("_conv3_3", 256, 3, stride=2, padding="VALID"),
    ),
)
_B: tuple[Row, ...] = (
    (_POOL, Conv("_conv1", 128)),
    (Conv("_conv2", 384),),
    (Conv("_conv3_1", 192), Conv("_conv3_2", 224, (1, 7)), Conv("_conv3_3", 256, (7, 1))),
    (
        Conv("_conv4_1", 192),
        Conv("_conv4_2", 192, (1, 7)),
        Conv("_conv4_3", 224, (7, 1)),
        Conv("_conv4_4", 224, (1, 7)),
        Conv("_conv4_5", 256, (7, 1)),
    ),
)
_REDUCTION_B: tuple[Row, ...] = (
    (_HALVED,),
    (Conv("_conv2_1", 192), Conv("_conv2_2", 192, 3, stride=2, padding="VALID")),
    (
        Conv("_conv3_1", 256),
        Conv("_conv3_2", 256, (1, 7)),
        Conv("_conv3_3", 320, (7, 1)),
        Conv("_conv3_4", 320, 3, stride=2, padding="VALID"),
    ),
)
_C: tuple[Row, ...] = (
    (_POOL, Conv("_conv1", 256)),
    (Conv("_conv2", 256),),
    (
        Conv("_conv3_0", 384),
        (Conv("_conv3_1", 256, (1, 3)), Conv("_conv3_2", 256, (3, 1))),
    ),
    (
        Conv("_conv4_0", 384),
        Conv("_conv4_00", 448, (1, 3)),
        Conv("_conv4_000", 512, (3, 1)),
        (Conv("_conv4_1", 256, (1, 3)), Conv("_conv4_2", 256, (3, 1))),
    ),
)
_MODULES = (
    *[(f"_inceptionA_{number}", _A) for number in range(1, 5)],
    ("_reductionA", _REDUCTION_A),
    *[(f"_inceptionB_{number}", _B) for number in range(1, 8)],
    ("_reductionB", _REDUCTION_B),
    *[(f"_inceptionC_{number}", _C) for number in range(1, 4)],
)


def _turned(step: Spec) -> Spec:
    """Returns a convolution of rows as one of columns, the other way round, and others as is."""
    if isinstance(step, Conv) and isinstance(step.kernel, tuple):
        return replace(step, kernel=step.kernel[::-1])
    return step


def _turned_row(row: Row) -> Row:
    """Returns a row with its convolutions turned, but for a pair at its end."""
    return tuple(step if isinstance(step, tuple) else _turned(step) for step in row)


def _as_slim(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Returns a module's rows as tf-slim has them: the pool last, the longest row turned."""
    pool, *others = rows
    return *others[:2], *(_turned_row(row) for row in others[2:]), pool


class InceptionV4(InceptionNetwork):
    """Inception v4 at any width.

    Args:
        scale: factor on every channel count.
        slim: compute as tf-slim's network does, which TensorFlow's weights were trained in.
        class_num: classes of the ImageNet classifier; 0 ends at the feature, 1536 values.
    """

    classifier = ("out.",)
    smallest_side = 75

    def __init__(
        self, scale: PositiveFloat = 1.0, *, slim: bool = False, class_num: NonNegativeInt = 0
    ) -> None:
        super().__init__()
        epsilon = TF_SLIM_EPSILON if slim else Family.epsilon
        family = Family(scale, conv="_conv", norm="_batch_norm", epsilon=epsilon)
        layers: list[Spec] = [_StemSpec("_inception_stem", slim)]
        layers += [Module(name, _as_slim(rows) if slim else rows) for name, rows in _MODULES]
        ends = ("_inceptionA_4", "_inceptionB_7", "_inceptionC_3")
        self._add_chain(layers, family, map_ends=ends)
        mode: DropoutMode = "upscale_in_train" if slim else "downscale_in_infer"
        self._ends_with_average(class_num, logits="out", dropout=0.2, mode=mode)
