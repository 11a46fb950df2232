"""A small ResNet of dense 3x3 convolutions, for small datasets trained from scratch.

With few images and no pretrained weights, depthwise networks hardly learn to generalise, while a
handful of dense convolutions does, within minutes on a laptop's CPU.

Source: He et al., Deep Residual Learning for Image Recognition, 2016: the basic block of Figure
5 (left) and projection shortcuts (option B).
"""

from itertools import accumulate
from operator import mul

from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import PositiveInt, PositiveIntList
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import ConvBN


class BasicBlock(nn.Layer):
    """Two dense 3x3 convolutions around a shortcut, which is 1x1 when the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, out_channels, 3, stride=stride, activation="relu")
        self.conv2 = ConvBN(out_channels, out_channels, 3, activation=None)
        changes = stride != 1 or in_channels != out_channels
        self.shortcut = (
            ConvBN(in_channels, out_channels, 1, stride=stride, activation=None)
            if changes
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        return functional.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class SmallResNet(Backbone):
    """A stem, some stages of basic blocks, and global average pooling.

    The time a step takes is nearly all in the first stages: halve `widths` or raise
    `stem_stride` when it is too slow.

    Args:
        widths: channels of each stage; the stem has as many as the first stage, and the feature
            is as long as the last is wide.
        stem_stride: stride of the first 3x3 convolution.
        stage_strides: stride of the first block of each stage, one number per stage.
        blocks_per_stage: residual blocks in each stage.

    Raises:
        ValueError: `widths` and `stage_strides` have different lengths.
    """

    def __init__(
        self,
        # Literal lists: the configuration reads defaults from this text. Nothing writes to them.
        widths: PositiveIntList = [32, 64, 128, 256],  # noqa: B006
        stem_stride: PositiveInt = 2,
        stage_strides: PositiveIntList = [1, 2, 2, 2],  # noqa: B006
        blocks_per_stage: PositiveInt = 1,
    ) -> None:
        super().__init__()
        if len(widths) != len(stage_strides):
            raise ValueError(
                f"widths and stage_strides need one number per stage each; got {len(widths)} "
                f"({widths}) and {len(stage_strides)} ({stage_strides})."
            )
        self.stem = ConvBN(3, widths[0], 3, stride=stem_stride, activation="relu")
        stages = []
        channels = widths[0]
        for width, stride in zip(widths, stage_strides, strict=True):
            first = BasicBlock(channels, width, stride)
            rest = [BasicBlock(width, width, 1) for _ in range(blocks_per_stage - 1)]
            stages.append(nn.Sequential(first, *rest))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.map_channels = tuple(widths)
        self.map_strides = tuple(accumulate(stage_strides, mul, initial=stem_stride))[1:]
        self._ends_with(channels, class_num=0)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the output of every stage."""
        x, maps = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map."""
        feature: Tensor = self.flatten(self.pool(last))
        return feature
