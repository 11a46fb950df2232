"""MobileNetV2: inverted residuals with linear bottlenecks, made for phones.

Parameter names and shapes are PaddleClas's, so official weights load as they are.

Source: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018, Table 2 and
Figure 4 (d); PaddleClas 2.6.0 for names, for widths that are cut to whole numbers instead of
rounded to eights, and for an expansion in the first block too, although its factor is 1.
"""

from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import BATCH_NORM_EPSILON

# Per group of blocks: expansion, channels at scale 1, number of blocks, stride of the first.
_GROUPS = {
    "conv2": (1, 16, 1, 1),
    "conv3": (6, 24, 2, 2),
    "conv4": (6, 32, 3, 2),
    "conv5": (6, 64, 4, 2),
    "conv6": (6, 96, 3, 1),
    "conv7": (6, 160, 3, 2),
    "conv8": (6, 320, 1, 1),
}
# The last group of each resolution.
_MAPS = ("conv2", "conv3", "conv4", "conv6", "conv8")
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280


class ConvNorm(nn.Layer):
    """Convolution without bias, batch norm, and ReLU6 unless the layer is linear."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self._conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            weight_attr=KaimingNormal(),
            bias_attr=False,
        )
        self._batch_norm = nn.BatchNorm2D(out_channels, epsilon=BATCH_NORM_EPSILON)
        self.act = nn.Identity() if linear else nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        result: Tensor = self.act(self._batch_norm(self._conv(x)))
        return result


class InvertedResidual(nn.Layer):
    """Widens, filters each channel alone, and narrows again without an activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        expansion: how many times wider it is inside.
        stride: step of the depthwise convolution.
        shortcut: add the input to the output.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, stride: int, *, shortcut: bool
    ) -> None:
        super().__init__()
        inside = in_channels * expansion
        self._expand_conv = ConvNorm(in_channels, inside, 1)
        self._bottleneck_conv = ConvNorm(inside, inside, 3, stride=stride, groups=inside)
        self._linear_conv = ConvNorm(inside, out_channels, 1, linear=True)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        y: Tensor = self._linear_conv(self._bottleneck_conv(self._expand_conv(x)))
        return x + y if self.shortcut else y


class BlockGroup(nn.Layer):
    """Blocks of one width; those after the first have a shortcut.

    The first block is ``_first_block`` and the others are ``conv3_2``, ``conv3_3``: PaddleClas's
    names, with the group's own name repeated.
    """

    def __init__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        *,
        expansion: int,
        depth: int,
        stride: int,
    ) -> None:
        super().__init__()
        self._first_block = InvertedResidual(
            in_channels, out_channels, expansion, stride, shortcut=False
        )
        self._others = [f"{name}_{number}" for number in range(2, depth + 1)]
        for other in self._others:
            block = InvertedResidual(out_channels, out_channels, expansion, 1, shortcut=True)
            self.add_sublayer(other, block)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        x = self._first_block(x)
        for other in self._others:
            x = getattr(self, other)(x)
        return x


class MobileNetV2(Backbone):
    """MobileNetV2 at any width.

    Args:
        scale: factor on the channel counts; the last convolution never gets fewer than 1280.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
    """

    classifier = ("out.",)

    def __init__(self, scale: PositiveFloat = 1.0, *, class_num: NonNegativeInt = 0) -> None:
        super().__init__()
        channels = int(_STEM_CHANNELS * scale)
        self.conv1 = ConvNorm(3, channels, 3, stride=2)
        for name, (expansion, width, depth, stride) in _GROUPS.items():
            group = BlockGroup(
                name,
                channels,
                int(width * scale),
                expansion=expansion,
                depth=depth,
                stride=stride,
            )
            self.add_sublayer(name, group)
            channels = int(width * scale)
        end = int(_LAST_CHANNELS * max(scale, 1.0))
        self.conv9 = ConvNorm(channels, end, 1)
        self.pool2d_avg = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.out = nn.Linear(end, class_num) if class_num else nn.Identity()
        self.map_channels = tuple(int(_GROUPS[name][1] * scale) for name in _MAPS)
        self.map_strides = (2, 4, 8, 16, 32)
        self._ends_with(end, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the last output of each resolution, from half the image's to a 32nd."""
        x, maps = self.conv1(images), []
        for name in _GROUPS:
            x = getattr(self, name)(x)
            if name in _MAPS:
                maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Widens the last map and averages it."""
        feature: Tensor = self.out(self.flatten(self.pool2d_avg(self.conv9(last))))
        return feature
