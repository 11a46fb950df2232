"""PP-LCNet V2: parallel depthwise convolutions in training, a single one when deployed.

Parameter names and shapes are PaddleClas's, so official weights load as they are.

Source: PaddleClas 2.6.0 (``pp_lcnet_v2.py``, ``pp_lcnetv2_variant.py``); for the fusion of
branches: Ding et al., RepVGG, 2021, section 3.3.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import (
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveIntList,
)
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import (
    BATCH_NORM_EPSILON,
    ConvBN,
    SqueezeExcite,
    build_activation,
    round_channels,
)

# Channels at scale 1: of the two parts of the stem, and before and after each stage.
_STEM_CHANNELS = (32, 64)
_STAGE_CHANNELS = (64, 128, 256, 512, 1024)


class RepDepthwiseSeparable(nn.Layer):
    """A depthwise convolution, plain or of parallel branches, and one or two 1x1 convolutions.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: step of the depthwise convolution.
        kernel_size: side of the depthwise kernel; with `parallel`, of the largest one.
        parallel: sum depthwise convolutions of every odd side down to 1 (down to 3 with a
            stride), to be fused into one by `re_parameterize`.
        squeeze_excite: gate the channels after the depthwise convolution, and let two 1x1
            convolutions with half the channels between them follow, instead of one.
        shortcut: add the input to the output.
        act: activation; a plain depthwise convolution keeps its ReLU, as in PaddleClas.
    """

    def __init__(  # noqa: PLR0913 - one argument for each choice of a block
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        kernel_size: int = 3,
        parallel: bool = False,
        squeeze_excite: bool = False,
        shortcut: bool = False,
        act: str = "relu",
    ) -> None:
        super().__init__()
        self.parallel, self.squeeze_excite, self.shortcut = parallel, squeeze_excite, shortcut
        self.fused = False
        self.dw_conv: nn.Layer
        if parallel:
            self._add_branches(in_channels, kernel_size, stride)
        else:
            self.dw_conv = _depthwise(in_channels, kernel_size, stride, activation="relu")
        self.act = build_activation(act)
        if squeeze_excite:
            # PaddleClas calls this layer "hardsigmoid" and runs a sigmoid; the weights were
            # trained with what runs.
            self.se = SqueezeExcite(in_channels, nn.Sigmoid(), activation=act)
            self.pw_conv_1 = ConvBN(in_channels, out_channels // 2, 1, activation=act)
            self.pw_conv_2 = ConvBN(out_channels // 2, out_channels, 1, activation=act)
        else:
            self.pw_conv = ConvBN(in_channels, out_channels, 1, activation=act)

    def _add_branches(self, channels: int, kernel_size: int, stride: int) -> None:
        smallest = 1 if stride == 1 else 3
        self.dw_conv_list = nn.LayerList(
            [
                _depthwise(channels, side, stride, activation=None)
                for side in range(kernel_size, smallest - 1, -2)
            ]
        )
        # The fused form. Official files hold it beside the branches, so the state has it from the
        # start; until re_parameterize fills it, nothing reads it and nothing trains it.
        self.dw_conv = nn.Conv2D(
            channels,
            channels,
            kernel_size,
            stride=stride,
            padding=(kernel_size - 1) // 2,
            groups=channels,
        )
        for parameter in self.dw_conv.parameters():
            parameter.stop_gradient = True

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        y = self._filter(x)
        y = self.pw_conv_2(self.pw_conv_1(self.se(y))) if self.squeeze_excite else self.pw_conv(y)
        result: Tensor = x + y if self.shortcut else y
        return result

    def _filter(self, x: Tensor) -> Tensor:
        """Runs the depthwise part in whichever of its three forms this block has."""
        if not self.parallel:
            y = self.dw_conv(x)
        elif not self.fused:
            y = self.act(paddle.add_n([branch(x) for branch in self.dw_conv_list]))
        elif not self.training:
            y = self.act(self.dw_conv(x))
        else:
            raise RuntimeError(
                "A re-parameterised network cannot be trained: its branches are fused. Fuse a "
                "copy of it, or build it anew and load its weights."
            )
        result: Tensor = y
        return result

    def re_parameterize(self) -> None:
        """Fuses the branches and their batch norms into one convolution; the output stays."""
        if not self.parallel:
            return
        side = self.dw_conv.weight.shape[-1]
        kernels, biases = zip(*(_fold(branch, side) for branch in self.dw_conv_list), strict=True)
        self.dw_conv.weight.set_value(sum(kernels))
        self.dw_conv.bias.set_value(sum(biases))
        self.fused = True


def _depthwise(channels: int, kernel_size: int, stride: int, activation: str | None) -> ConvBN:
    return ConvBN(
        channels, channels, kernel_size, stride=stride, groups=channels, activation=activation
    )


@paddle.no_grad()
def _fold(branch: nn.Layer, side: int) -> tuple[Tensor, Tensor]:
    """Returns kernel [c, 1, side, side] and bias [c] that do what convolution plus BN do.

    RepVGG, equation 3: w' = w * gamma / std and b' = beta - mean * gamma / std.
    """
    norm = branch.bn.state_dict()
    gain = norm["weight"] / paddle.sqrt(norm["_variance"] + BATCH_NORM_EPSILON)
    kernel = branch.conv.weight * gain.reshape([-1, 1, 1, 1])
    margin = (side - kernel.shape[-1]) // 2
    return functional.pad(kernel, [margin] * 4), norm["bias"] - norm["_mean"] * gain


class PPLCNetV2(Backbone):
    """PP-LCNet V2 of any size, in its classification form or in the one made for PP-ShiTu.

    Args:
        scale: factor on every channel count; the results are rounded to multiples of 8.
        depths: blocks of each of the four stages.
        class_expand: length of the feature when `use_last_conv` is on.
        dropout_prob: share of the feature's values dropped in training.
        use_last_conv: False stops at global pooling; the feature is then as long as the last
            stage is wide, 1024 at scale 1.
        act: activation of all but the plain depthwise convolutions, which keep their ReLU.
        retrieval: the PP-ShiTu form: the last stage keeps its resolution (a 14 x 14 map of a
            224 x 224 image), and the last convolution has a bias and no activation after it.
            PP-ShiTu itself sets `class_expand` to 512; ImageNet weights then fill neither the last
            convolution nor the 1x1 branch that the last stage's first block gains with stride 1.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.

    Raises:
        ValueError: `depths` does not hold four numbers, or `act` is unknown.
    """

    classifier = ("fc.",)

    def __init__(  # noqa: PLR0913 - one argument for each option of the network
        self,
        *,
        scale: PositiveFloat = 1.0,
        # A literal list: the configuration reads defaults from this text. Nothing writes to it.
        depths: PositiveIntList = [2, 2, 6, 2],  # noqa: B006
        class_expand: PositiveInt = 1280,
        dropout_prob: Fraction = 0.2,
        use_last_conv: bool = True,
        act: Literal["relu", "hardswish", "relu6"] = "relu",
        retrieval: bool = False,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        if len(depths) != 4:
            raise ValueError(f"depths needs 4 numbers, one per stage; got {len(depths)}: {depths}.")
        stem = [round_channels(channels * scale) for channels in _STEM_CHANNELS]
        widths = [round_channels(channels * scale) for channels in _STAGE_CHANNELS]
        self.stem = nn.Sequential(
            ConvBN(3, stem[0], 3, stride=2, activation=act),
            RepDepthwiseSeparable(stem[0], stem[1], act=act),
        )
        strides = (2, 2, 2, 1 if retrieval else 2)
        self.stages = nn.LayerList(
            [
                _build_stage(number, widths[number : number + 2], depth, stride, act)
                for number, (depth, stride) in enumerate(zip(depths, strides, strict=True))
            ]
        )
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        width = widths[-1]
        self.use_last_conv = use_last_conv
        if use_last_conv:
            bias = None if retrieval else False
            self.last_conv = nn.Conv2D(width, class_expand, 1, bias_attr=bias)
            self.act = nn.Identity() if retrieval else build_activation(act)
            # Paddle's default rescales while training; official weights were trained without
            # that, so every feature must be multiplied by 1 - dropout_prob when not training.
            self.dropout = nn.Dropout(dropout_prob, mode="downscale_in_infer")
        self.flatten = nn.Flatten()
        end = class_expand if use_last_conv else width
        self.fc = nn.Linear(end, class_num) if class_num else nn.Identity()
        self.map_channels = tuple(widths[1:])
        self.map_strides = tuple(accumulate(strides, mul, initial=2))[1:]
        self._ends_with(end, class_num)
        if retrieval:
            branch = "stages.3.0.dw_conv_list.2."
            self.own_weights = (branch, "last_conv.weight", "last_conv.bias")

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the outputs of the four stages."""
        x, maps = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map, widens it, and drops some of it in training."""
        x = self.avg_pool(last)
        if self.use_last_conv:
            x = self.dropout(self.act(self.last_conv(x)))
        result: Tensor = self.fc(self.flatten(x))
        return result

    def re_parameterize(self) -> None:
        """Fuses every block's branches in place, for deployment; the output stays the same.

        The branches stay in the state (an export leaves out what nothing reads). A fused network
        cannot be trained any more.
        """
        for layer in self.sublayers():
            if isinstance(layer, RepDepthwiseSeparable):
                layer.re_parameterize()


def _build_stage(
    number: int, channels: Sequence[int], depth: int, first_stride: int, act: str
) -> nn.Sequential:
    """Builds stage 0 to 3: wider kernels and parallel branches from stage 2 on."""
    channels_in, channels_out = channels
    late = number >= 2
    blocks = [
        RepDepthwiseSeparable(
            channels_in if first else channels_out,
            channels_out,
            stride=first_stride if first else 1,
            kernel_size=5 if late else 3,
            parallel=late,
            squeeze_excite=number == 2,
            shortcut=number == 3 and not first,
            act=act,
        )
        for first in (block == 0 for block in range(depth))
    ]
    return nn.Sequential(*blocks)
