"""VGG: plain stacks of 3x3 convolutions, then two wide linear layers.

The feature is what the field calls fc7: the second linear layer's output after its activation.
Parameter names and shapes are PaddleClas's, so official weights load as they are.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
2015, Table 1 (A, B, D, E); PaddleClas 2.6.0 for names, convolutions without bias, and the dropout
mode; tf-slim's ``vgg`` for convolutions with one (``slim``).
"""

from dataclasses import dataclass
from typing import Literal

from paddle import Tensor, nn

from toolkit.config.types import Fraction, NonNegativeInt
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import DropoutMode
from toolkit.models.backbones.fixed_map import FixedMap

_WIDENING = (1, 2, 4, 8, 8)


@dataclass(frozen=True)
class _Size:
    """Convolutions a block, channels of the first, length of fc6 and fc7, side of the last map."""

    depths: tuple[int, int, int, int, int]
    width: int = 64
    hidden: int = 4096
    map_side: int = 7


_SIZES = {
    "11": _Size((1, 1, 2, 2, 2)),
    "13": _Size((2, 2, 2, 2, 2)),
    "16": _Size((2, 2, 3, 3, 3)),
    "19": _Size((2, 2, 4, 4, 4)),
    "smallest": _Size((1, 2, 2, 1, 1), width=8, hidden=64, map_side=2),
}


class ConvBlock(nn.Layer):
    """Convolutions with activations, then a maximum over 2x2 squares."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, *, bias: bool) -> None:
        super().__init__()
        self.depth = depth
        for number in range(1, depth + 1):
            before = in_channels if number == 1 else out_channels
            conv = nn.Conv2D(before, out_channels, 3, padding=1, bias_attr=None if bias else False)
            self.add_sublayer(f"conv{number}", conv)
            self.add_sublayer(f"relu{number}", nn.ReLU())
        self.max_pool = nn.MaxPool2D(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / 2, w / 2]."""
        for number in range(1, self.depth + 1):
            x = getattr(self, f"relu{number}")(getattr(self, f"conv{number}")(x))
        result: Tensor = self.max_pool(x)
        return result


class VGG(Backbone):
    """VGG of any depth.

    Args:
        size: number of layers in the paper; ``smallest`` is a toy for tests.
        any_size: let images of other sizes than 224 x 224 pass, by averaging the last map to fit
            the linear layers.
        dropout_prob: share of each linear layer's output dropped in training.
        slim: compute as tf-slim's network does, which TensorFlow's weights were trained in.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
    """

    classifier = ("fc3.",)

    def __init__(
        self,
        size: Literal["11", "13", "16", "19", "smallest"],
        *,
        any_size: bool = False,
        dropout_prob: Fraction = 0.5,
        slim: bool = False,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        measures = _SIZES[size]
        self.map_channels = tuple(measures.width * factor for factor in _WIDENING)
        self.map_strides = (2, 4, 8, 16, 32)
        channels = 3
        for number, (width, depth) in enumerate(
            zip(self.map_channels, measures.depths, strict=True), start=1
        ):
            self.add_sublayer(f"conv_block_{number}", ConvBlock(channels, width, depth, bias=slim))
            channels = width
        side, hidden = measures.map_side, measures.hidden
        self.flatten = FixedMap(side, side * self.map_strides[-1], any_size=any_size)
        self.fc1 = nn.Linear(channels * side * side, hidden)
        self.relu1 = nn.ReLU()
        # Paddle's default rescales while training, as TensorFlow does; Paddle's official weights
        # were trained without that.
        mode: DropoutMode = "upscale_in_train" if slim else "downscale_in_infer"
        self.drop = nn.Dropout(dropout_prob, mode=mode)
        self.fc2 = nn.Linear(hidden, hidden)
        self.relu2 = nn.ReLU()
        if class_num:
            self.fc3 = nn.Linear(hidden, class_num)
        self.class_num = class_num
        self._ends_with(hidden, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the output of every block."""
        x, maps = images, []
        for number in range(1, len(_WIDENING) + 1):
            x = getattr(self, f"conv_block_{number}")(x)
            maps.append(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Runs the linear layers on the last map.

        Raises:
            ConfigError: the map comes from images of another size, and `any_size` is off.
        """
        x = self.drop(self.relu1(self.fc1(self.flatten(last))))
        x = self.relu2(self.fc2(x))
        result: Tensor = self.fc3(self.drop(x)) if self.class_num else x
        return result
