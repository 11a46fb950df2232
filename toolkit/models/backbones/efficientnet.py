"""EfficientNet B0 to B7: one network of inverted residuals, scaled in width, depth and image size.

Parameter names and shapes are PaddleClas's, so official weights load as they are. A block's name
there ends with a dot, and the first block of a stage has another prefix than those after it:
``_ef._blocks.1..``, ``_ef.block.2..``.

Source: Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
Table 1, and section 5 for drop connect; the coefficients of B1 to B7 from the authors' code;
PaddleClas 2.6.0 for names and for zero padding that follows from the image size of the paper, not
from the image at hand.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

from toolkit.config.types import Fraction, NonNegativeInt
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import round_channels

# Per stage of B0: blocks, kernel side, stride of the first block, expansion, channels out.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# The last stage of each resolution.
_MAP_STAGES = (0, 1, 2, 4, 6)
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280
_SQUEEZE = 0.25
_MOMENTUM = 0.99
_EPSILON = 1e-3


@dataclass(frozen=True)
class _Size:
    """Factors on channels and on blocks a stage, side of the images in pixels, dropout."""

    width: float
    depth: float
    side: int
    dropout: float

    def channels(self, channels: int) -> int:
        return round_channels(channels * self.width)


_SIZES = {
    "b0": _Size(1.0, 1.0, 224, 0.2),
    "b1": _Size(1.0, 1.1, 240, 0.2),
    "b2": _Size(1.1, 1.2, 260, 0.3),
    "b3": _Size(1.2, 1.4, 300, 0.3),
    "b4": _Size(1.4, 1.8, 380, 0.4),
    "b5": _Size(1.6, 2.2, 456, 0.4),
    "b6": _Size(1.8, 2.6, 528, 0.5),
    "b7": _Size(2.0, 3.1, 600, 0.5),
    "smallest": _Size(0.25, 0.4, 224, 0.2),
}


@dataclass(frozen=True)
class _Block:
    """One block: its stage, whether it starts it, its measures, and the side of its input."""

    stage: int
    first: bool
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    expansion: int
    side: int


class SqueezeExcite(nn.Layer):
    """Weighs each channel by a gate computed from the means of all channels.

    Source: Hu et al., Squeeze-and-Excitation Networks, 2018, equations 2 to 4, with Swish.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self._pool = nn.AdaptiveAvgPool2D(1)
        self._conv1 = nn.Sequential(("_conv", nn.Conv2D(channels, hidden, 1)), ("act", nn.Swish()))
        self._conv2 = nn.Sequential(
            ("_conv", nn.Conv2D(hidden, channels, 1)), ("act", nn.Sigmoid())
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, channels, h, w] to the same shape."""
        result: Tensor = x * self._conv2(self._conv1(self._pool(x)))
        return result


class MBConv(nn.Layer):
    """Widens, filters each channel alone, weighs the channels, and narrows again.

    Args:
        block: its measures.
        drop_connect: how often a sample's block is left out in training, where there is a
            shortcut.
    """

    def __init__(self, block: _Block, drop_connect: float) -> None:
        super().__init__()
        inside = block.in_channels * block.expansion
        expand = _conv_norm(block.in_channels, inside, 1, act=nn.Swish())
        self._ecn = _wrapped(expand) if block.expansion > 1 else nn.Identity()
        depthwise = _conv_norm(
            inside,
            inside,
            block.kernel_size,
            stride=block.stride,
            groups=inside,
            side=block.side,
            act=nn.Swish(),
        )
        self._dcn = _wrapped(depthwise)
        self._se = SqueezeExcite(inside, max(1, int(block.in_channels * _SQUEEZE)))
        self._pcn = _wrapped(_conv_norm(inside, block.out_channels, 1, act=nn.Identity()))
        # PaddleClas, unlike the authors, never gives a stage's first block one.
        self.shortcut = not block.first
        # One decision a sample: the mask has the length of the first axis.
        self.drop_connect = nn.Dropout(drop_connect, axis=0)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        y: Tensor = self._pcn(self._se(self._dcn(self._ecn(x))))
        return x + self.drop_connect(y) if self.shortcut else y


class EfficientNet(Backbone):
    """EfficientNet of any size.

    Args:
        size: B0 to B7; ``smallest`` is a toy for tests.
        dropout_prob: share of the feature's values dropped in training; None means the paper's,
            0.2 for B0 to 0.5 for B7.
        drop_connect_rate: how often the last block is left out in training; earlier ones are less
            often, the first never.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
    """

    classifier = ("_fc.",)

    def __init__(
        self,
        size: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "smallest"],
        *,
        dropout_prob: Fraction | None = None,
        drop_connect_rate: Fraction = 0.2,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        measures = _SIZES[size]
        stem = _conv_norm(
            3, measures.channels(_STEM_CHANNELS), 3, stride=2, side=measures.side, act=nn.Swish()
        )
        blocks = list(_blocks(measures))
        layers: list[tuple[str, nn.Layer]] = [("_conv_stem", _wrapped(stem))]
        for number, block in enumerate(blocks):
            name = f"{'_blocks' if block.first else 'block'}.{number}."
            layers.append((name, MBConv(block, drop_connect_rate * number / len(blocks))))
        self._ef = nn.Sequential(*layers)
        last_of_stage = {block.stage: number for number, block in enumerate(blocks)}
        ends = [last_of_stage[stage] for stage in _MAP_STAGES]
        end = measures.channels(_LAST_CHANNELS)
        self._conv = _conv_norm(blocks[-1].out_channels, end, 1, act=nn.Swish())
        self._pool = nn.AdaptiveAvgPool2D(1)
        self._drop = nn.Dropout(measures.dropout if dropout_prob is None else dropout_prob)
        self.flatten = nn.Flatten()
        self._fc = nn.Linear(end, class_num) if class_num else nn.Identity()
        self.map_channels = tuple(blocks[number].out_channels for number in ends)
        self.map_strides = (2, 4, 8, 16, 32)
        self.map_ends = [number + 1 for number in ends]  # the stem comes before the blocks
        self._ends_with(end, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the last output of each resolution, from half the image's to a 32nd."""
        x, maps = images, []
        for number, layer in enumerate(self._ef):
            x = layer(x)
            if number in self.map_ends:
                maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Widens the last map, averages it, and drops some of it in training."""
        pooled = self.flatten(self._pool(self._conv(last)))
        feature: Tensor = self._fc(self._drop(pooled))
        return feature


def _blocks(size: _Size) -> Iterator[_Block]:
    """Lists the blocks of all stages, scaled."""
    channels, side = size.channels(_STEM_CHANNELS), math.ceil(size.side / 2)
    for stage, (depth, kernel_size, stride, expansion, width) in enumerate(_STAGES):
        for number in range(math.ceil(depth * size.depth)):
            first = number == 0
            yield _Block(
                stage=stage,
                first=first,
                in_channels=channels,
                out_channels=size.channels(width),
                kernel_size=kernel_size,
                stride=stride if first else 1,
                expansion=expansion,
                side=side,
            )
            channels = size.channels(width)
        side = math.ceil(side / stride)


def _wrapped(layer: nn.Layer) -> nn.Sequential:
    """Returns a layer one level deeper in the names."""
    return nn.Sequential(("_conv", layer))


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    act: nn.Layer,
    stride: int = 1,
    groups: int = 1,
    side: int = 1,
) -> nn.Sequential:
    """Builds convolution without bias, batch norm and activation, for inputs of a certain side."""
    conv = nn.Conv2D(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=zero_padding(kernel_size, stride, side) * 2,
        groups=groups,
        weight_attr=KaimingNormal(),
        bias_attr=False,
    )
    norm = nn.BatchNorm2D(out_channels, momentum=_MOMENTUM, epsilon=_EPSILON)
    return nn.Sequential(("_conv", _wrapped(conv)), ("_bn", norm), ("act", act))


def zero_padding(kernel_size: int, stride: int, side: int) -> list[int]:
    """Returns how many zeros stand before and after each row of an input of that side.

    As few as make the output `side / stride` long, rounded up; an odd one goes after the row. Then
    PaddleClas pads `stride` more after it, which an input of another side may need.
    """
    missing = max(kernel_size - (side % stride or stride), 0)
    before = missing // 2
    return [before, before if missing % 2 == 0 else before + stride]
