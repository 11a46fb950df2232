"""PP-LCNet: a small network of depthwise separable convolutions, made for CPUs.

The backbone ends where a recognition model takes its feature: after the last convolution, its
activation and dropout. Parameter names and shapes are PaddleClas's, so official weights load as
they are.

Source: Cui et al., PP-LCNet: A Lightweight CPU Convolutional Neural Network, arXiv 2109.15099,
Table 1; PaddleClas 2.6.0 for names, initial values and the dropout mode.
"""

from itertools import accumulate
from operator import mul
from typing import Literal

from paddle import Tensor, nn

from toolkit.config.types import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveIntList,
)
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import ConvBN, SqueezeExcite, build_activation, round_channels

# One tuple per block: kernel side, channels in and out at scale 1, squeeze-and-excite.
# Only the first block of a stage has a stride.
_Block = tuple[int, int, int, bool]
_STAGES: dict[str, tuple[_Block, ...]] = {
    "blocks2": ((3, 16, 32, False),),
    "blocks3": ((3, 32, 64, False), (3, 64, 64, False)),
    "blocks4": ((3, 64, 128, False), (3, 128, 128, False)),
    "blocks5": ((3, 128, 256, False), *[(5, 256, 256, False)] * 5),
    "blocks6": ((5, 256, 512, True), (5, 512, 512, True)),
}


class DepthwiseSeparable(nn.Layer):
    """A depthwise convolution, an optional channel gate, and a 1x1 convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        stride: int,
        squeeze_excite: bool,
        act: str,
    ) -> None:
        super().__init__()
        self.dw_conv = ConvBN(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            groups=in_channels,
            activation=act,
        )
        if squeeze_excite:
            self.se = SqueezeExcite(in_channels, nn.Hardsigmoid())
        self.squeeze_excite = squeeze_excite
        self.pw_conv = ConvBN(in_channels, out_channels, 1, activation=act)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        x = self.dw_conv(x)
        if self.squeeze_excite:
            x = self.se(x)
        result: Tensor = self.pw_conv(x)
        return result


class PPLCNet(Backbone):
    """PP-LCNet at any width.

    Args:
        scale: factor on every channel count; the results are rounded to multiples of 8.
        class_expand: length of the feature when `use_last_conv` is on.
        dropout_prob: share of the feature's values dropped in training.
        use_last_conv: False stops at global pooling; the feature is then as long as the last
            stage is wide.
        act: activation after every convolution.
        stride_list: strides of the first convolution and of the first block of ``blocks3`` to
            ``blocks6``, five numbers; None means 2 everywhere (a map 32 times smaller).
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
        tanh: end with a hyperbolic tangent, for embeddings that are to be reduced to their signs.
            The embedding is then the classifier's output, so `class_num` is its length (0: the
            tangent of the feature itself).

    Raises:
        ValueError: `stride_list` does not hold five numbers, or `act` is unknown.
    """

    classifier = ("fc.",)

    def __init__(  # noqa: PLR0913 - one argument for each option of the network
        self,
        scale: PositiveFloat,
        *,
        class_expand: PositiveInt = 1280,
        dropout_prob: Fraction = 0.2,
        use_last_conv: bool = True,
        act: Literal["hardswish", "relu", "relu6"] = "hardswish",
        stride_list: PositiveIntList | None = None,
        class_num: NonNegativeInt = 0,
        tanh: bool = False,
    ) -> None:
        super().__init__()
        strides = [2, 2, 2, 2, 2] if stride_list is None else stride_list
        if len(strides) != 5:
            raise ValueError(
                "stride_list needs 5 numbers (first convolution, blocks3, blocks4, blocks5, "
                f"blocks6); got {len(strides)}: {strides}."
            )
        self.conv1 = ConvBN(3, round_channels(16 * scale), 3, stride=strides[0], activation=act)
        for (name, blocks), stride in zip(_STAGES.items(), [1, *strides[1:]], strict=True):
            self.add_sublayer(name, _build_stage(blocks, scale, stride, act))
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        width = round_channels(512 * scale)
        self.use_last_conv = use_last_conv
        if use_last_conv:
            self.last_conv = nn.Conv2D(width, class_expand, 1, bias_attr=False)
            self.act = build_activation(act)
            # Paddle's default rescales while training; official weights were trained without
            # that, so every feature must be multiplied by 1 - dropout_prob when not training.
            self.dropout = nn.Dropout(dropout_prob, mode="downscale_in_infer")
        self.flatten = nn.Flatten()
        end = class_expand if use_last_conv else width
        last: nn.Layer = nn.Linear(end, class_num) if class_num else nn.Identity()
        self.fc = _TanhOf(last) if tanh else last
        widths = [blocks[-1][2] for blocks in _STAGES.values()]
        self.map_channels = tuple(round_channels(channels * scale) for channels in widths)
        self.map_strides = tuple(accumulate(strides, mul))
        self._ends_with(end, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the outputs of ``blocks2`` to ``blocks6``."""
        x, maps = self.conv1(images), []
        for name in _STAGES:
            x = getattr(self, name)(x)
            maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map, widens it, and drops some of it in training."""
        x = self.avg_pool(last)
        if self.use_last_conv:
            x = self.dropout(self.act(self.last_conv(x)))
        result: Tensor = self.fc(self.flatten(x))
        return result


class _TanhOf(nn.Layer):
    """A layer followed by a hyperbolic tangent, under the name that official files give it."""

    def __init__(self, origin_layer: nn.Layer) -> None:
        super().__init__()
        self.origin_layer = origin_layer
        self.tanh = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.tanh(self.origin_layer(x))
        return result


def _build_stage(
    blocks: tuple[_Block, ...], scale: float, first_stride: int, act: str
) -> nn.Sequential:
    layers = [
        DepthwiseSeparable(
            round_channels(channels_in * scale),
            round_channels(channels_out * scale),
            kernel_size=kernel_size,
            stride=first_stride if number == 0 else 1,
            squeeze_excite=squeeze_excite,
            act=act,
        )
        for number, (kernel_size, channels_in, channels_out, squeeze_excite) in enumerate(blocks)
    ]
    return nn.Sequential(*layers)
