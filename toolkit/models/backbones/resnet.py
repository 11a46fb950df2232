"""ResNet and ResNet-vd: residual networks of basic or bottleneck blocks.

Parameter names and shapes are PaddleClas's, so official weights load as they are: all blocks of
all stages stand in one row, ``blocks.0`` to ``blocks.15`` in ResNet50.

Source: He et al., Deep Residual Learning for Image Recognition, 2016, Table 1 and Figure 5, with
the stride on the 3x3 convolution; for vd: He et al., Bag of Tricks for Image Classification with
Convolutional Neural Networks, 2019, Figure 2 (b to d); PaddleClas 2.6.0 for names, and for the
projection in the first block of every stage, changed in shape or not; tf-slim's ``resnet_v1`` for
strides in the last block of a stage (``slim``).
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal

from paddle import Tensor, nn

from toolkit.config.types import NonNegativeInt, PositiveIntList
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import ConvBN


@dataclass(frozen=True)
class _Size:
    """Blocks in each stage; channels of the stem and inside the first stage; kind of the blocks."""

    depths: tuple[int, int, int, int]
    width: int = 64
    bottleneck: bool = True

    @property
    def outputs(self) -> tuple[int, ...]:
        """Channels of each stage's output."""
        expansion = 4 if self.bottleneck else 1
        return tuple(self.width * expansion * 2**stage for stage in range(len(self.depths)))


_SIZES = {
    "18": _Size((2, 2, 2, 2), bottleneck=False),
    "34": _Size((3, 4, 6, 3), bottleneck=False),
    "50": _Size((3, 4, 6, 3)),
    "101": _Size((3, 4, 23, 3)),
    "152": _Size((3, 8, 36, 3)),
    "smallest": _Size((2, 1, 1, 1), width=8),
}


class PooledConvBN(ConvBN):
    """A 1x1 projection that averages 2x2 squares instead of skipping three pixels of four."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 1, activation=None)
        self.avg_pool = nn.AvgPool2D(2, stride=stride, padding="SAME", ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        return super().forward(self.avg_pool(x))


class ResidualBlock(nn.Layer):
    """Two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1, around a shortcut.

    Args:
        in_channels: channels of the input.
        width: channels inside; a bottleneck's output has four times as many.
        stride: step of the first 3x3 convolution.
        bottleneck: which of the two forms.
        short: the shortcut.
    """

    def __init__(
        self, in_channels: int, width: int, stride: int, *, bottleneck: bool, short: nn.Layer
    ) -> None:
        super().__init__()
        sides = (1, 3, 1) if bottleneck else (3, 3)
        widths = (in_channels, width, width, 4 * width)[: len(sides) + 1]
        self.last = len(sides) - 1
        for number, (side, (before, after)) in enumerate(zip(sides, pairwise(widths), strict=True)):
            conv = ConvBN(
                before,
                after,
                side,
                stride=stride if number == sides.index(3) else 1,
                activation=None if number == self.last else "relu",
            )
            self.add_sublayer(f"conv{number}", conv)
        self.short = short
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        y = x
        for number in range(self.last + 1):
            y = getattr(self, f"conv{number}")(y)
        result: Tensor = self.relu(y + self.short(x))
        return result


class ResNet(Backbone):
    """ResNet of any depth.

    Args:
        size: number of layers in the paper; ``smallest`` is a toy for tests.
        form: ``vd`` has a stem of three 3x3 convolutions, and shortcuts that average before they
            project. ``slim`` computes as tf-slim's network does, which TensorFlow's weights were
            trained in: a stage's last block has the stride of the next stage, and the pooling
            after the stem pads on one side.
        stem_act: activation in the stem; the ReID recipes have none (null).
        max_pool: False leaves the pooling after the stem out; the first stage takes its stride.
        stride_list: strides of the stem, of the pooling after it, and of the second to the fourth
            stage, five numbers; None means 2 everywhere. A last 1 keeps the last map twice as
            large.
        pooling: whether the feature is the last map's average or its maximum.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.

    Raises:
        ValueError: `stride_list` does not hold five numbers.
    """

    classifier = ("fc.",)

    def __init__(
        self,
        size: Literal["18", "34", "50", "101", "152", "smallest"],
        *,
        form: Literal["plain", "vd", "slim"] = "plain",
        stem_act: Literal["relu"] | None = "relu",
        max_pool: bool = True,
        stride_list: PositiveIntList | None = None,
        pooling: Literal["avg", "max"] = "avg",
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        measures = _SIZES[size]
        strides = [2, 2, 2, 2, 2] if stride_list is None else stride_list
        if len(strides) != 5:
            raise ValueError(
                "stride_list needs 5 numbers (stem, pooling, second to fourth stage); got "
                f"{len(strides)}: {strides}."
            )
        self.stem = _build_stem(measures.width, strides[0], vd=form == "vd", act=stem_act)
        pool = nn.MaxPool2D(3, strides[1], padding="SAME" if form == "slim" else 1)
        self.max_pool = pool if max_pool else nn.Identity()
        in_stages = [1 if max_pool else strides[1], *strides[2:]]
        if form == "slim":
            # Every stage ends with the stride of the one behind it; nothing is behind the last.
            strides = [strides[0], strides[1] * strides[2], *strides[3:], 1]
            in_stages = [in_stages[0] * in_stages[1], *in_stages[2:], 1]
        self.blocks = nn.Sequential(*_build_blocks(measures, in_stages, form))
        self.avg_pool = nn.AdaptiveAvgPool2D(1) if pooling == "avg" else nn.AdaptiveMaxPool2D(1)
        self.flatten = nn.Flatten()
        self.stage_ends = tuple(end - 1 for end in accumulate(measures.depths))
        self.map_channels = measures.outputs
        self.map_strides = tuple(accumulate(strides, mul))[1:]
        end = self.map_channels[-1]
        self.fc = nn.Linear(end, class_num) if class_num else nn.Identity()
        self._ends_with(end, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the output of every stage."""
        x, maps = self.max_pool(self.stem(images)), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.stage_ends:
                maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Pools the last map."""
        feature: Tensor = self.fc(self.flatten(self.avg_pool(last)))
        return feature


def _build_stem(width: int, stride: int, *, vd: bool, act: str | None) -> nn.Sequential:
    if not vd:
        return nn.Sequential(ConvBN(3, width, 7, stride=stride, activation=act))
    return nn.Sequential(
        ConvBN(3, width // 2, 3, stride=stride, activation=act),
        ConvBN(width // 2, width // 2, 3, activation=act),
        ConvBN(width // 2, width, 3, activation=act),
    )


def _build_blocks(size: _Size, strides: list[int], form: str) -> list[ResidualBlock]:
    blocks = []
    channels = size.width
    for stage, (depth, outputs) in enumerate(zip(size.depths, size.outputs, strict=True)):
        for number in range(depth):
            strided = number == (depth - 1 if form == "slim" else 0)
            stride = strides[stage] if strided else 1
            if number:
                short: nn.Layer = nn.MaxPool2D(1, stride) if stride > 1 else nn.Identity()
            elif form == "vd" and stage:
                short = PooledConvBN(channels, outputs, stride)
            else:
                short = ConvBN(channels, outputs, 1, stride=stride, activation=None)
            inside = size.width * 2**stage
            block = ResidualBlock(channels, inside, stride, bottleneck=size.bottleneck, short=short)
            blocks.append(block)
            channels = outputs
    return blocks
