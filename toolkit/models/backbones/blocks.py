"""Building blocks that several backbones share, with PaddleClas's parameter names.

The names of the sublayers (``conv``, ``bn``, ``conv1``, ``conv2``) are the names in official
weight files and must stay. Weight decay is not set here: which parameters decay is decided in one
place, by the optimizer.
"""

from typing import Literal

from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

# How dropped values are made up for: outside of training, as PaddleClas does, or in it.
DropoutMode = Literal["downscale_in_infer", "upscale_in_train"]
ACTIVATIONS: dict[str, type[nn.Layer]] = {
    "hardswish": nn.Hardswish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
}


# Paddle's default, said here because the fusion of a convolution with its batch norm needs it.
BATCH_NORM_EPSILON = 1e-5


def build_activation(name: str) -> nn.Layer:
    """Returns a new activation layer.

    Raises:
        ValueError: the name is not one of ACTIVATIONS.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {name!r}.")
    return ACTIVATIONS[name]()


def round_channels(channels: float, divisor: int = 8) -> int:
    """Rounds a scaled channel count to a multiple of `divisor`, never losing more than a tenth.

    Source: ``make_divisible`` of MobileNetV2's reference code, which every PP-LCNet width obeys.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class ConvBN(nn.Layer):
    """Convolution without bias, batch norm, and an activation unless it is None.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd side of the kernel, in pixels; padding keeps the size at stride 1.
        stride: step in pixels.
        groups: channel groups; equal to `in_channels` for a depthwise convolution.
        activation: a name of ACTIVATIONS, or None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str | None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=(kernel_size - 1) // 2,
            groups=groups,
            weight_attr=KaimingNormal(),
            bias_attr=False,
        )
        self.bn = nn.BatchNorm2D(out_channels, epsilon=BATCH_NORM_EPSILON)
        self.act = nn.Identity() if activation is None else build_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        result: Tensor = self.act(self.bn(self.conv(x)))
        return result


class SqueezeExcite(nn.Layer):
    """Weighs each channel by a gate computed from the means of all channels.

    Args:
        channels: channels of input and output.
        gate: the last activation, a layer with values in [0, 1].
        reduction: how many times narrower the hidden layer is.
        activation: of the hidden layer, a name of ACTIVATIONS.

    Source: Hu et al., Squeeze-and-Excitation Networks, 2018, equations 2 to 4.
    """

    def __init__(
        self, channels: int, gate: nn.Layer, reduction: int = 4, *, activation: str = "relu"
    ) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.conv1 = nn.Conv2D(channels, channels // reduction, 1)
        self.act = build_activation(activation)
        self.conv2 = nn.Conv2D(channels // reduction, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, channels, h, w] to the same shape."""
        squeezed = self.act(self.conv1(self.avg_pool(x)))
        result: Tensor = x * self.gate(self.conv2(squeezed))
        return result
