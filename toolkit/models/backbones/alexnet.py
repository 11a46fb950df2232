"""AlexNet: five convolutions, then two wide linear layers.

The feature is what the field calls fc7: the second linear layer's output after its activation.
The layers that convolve and pool are those of `paddle.vision`. Its whole network is not: it ends
at the classifier or before the linear layers, and its widths are fixed. Parameter names and shapes
are PaddleClas's, so official weights load as they are.

Source: Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014 (the form
with one column); PaddleClas 2.6.0 for names, initial values and the dropout mode; tf-slim's
``alexnet_v2`` for wider convolutions without zeros around the image (``slim``).
"""

import math
from dataclasses import dataclass
from typing import Literal

from paddle import Tensor, nn
from paddle.nn.initializer import Uniform
from paddle.vision.models.alexnet import ConvPoolLayer

from toolkit.config.types import Fraction, NonNegativeInt
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import DropoutMode
from toolkit.models.backbones.fixed_map import FixedMap


@dataclass(frozen=True)
class _Size:
    """Channels of the five convolutions, length of fc6 and fc7, sides of last map and image.

    Also the zeros around the image.
    """

    widths: tuple[int, int, int, int, int]
    hidden: int
    map_side: int
    image_side: int
    padding: int = 2


_SIZES = {
    "full": _Size((64, 192, 384, 256, 256), hidden=4096, map_side=6, image_side=224),
    "smallest": _Size((8, 24, 48, 32, 32), hidden=64, map_side=3, image_side=128),
}
_SLIM_SIZES = {
    "full": _Size((64, 192, 384, 384, 256), hidden=4096, map_side=5, image_side=224, padding=0),
    "smallest": _Size((8, 24, 48, 48, 32), hidden=64, map_side=2, image_side=128, padding=0),
}


class AlexNet(Backbone):
    """AlexNet.

    Args:
        size: ``full``, or ``smallest``, a toy for tests.
        any_size: let images of other sizes than 224 x 224 pass, by averaging the last map to fit
            the linear layers.
        dropout_prob: share of each linear layer's input dropped in training.
        slim: compute as tf-slim's network does, which TensorFlow's weights were trained in.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
    """

    classifier = ("_fc8.",)
    smallest_side = 63

    def __init__(
        self,
        size: Literal["full", "smallest"],
        *,
        any_size: bool = False,
        dropout_prob: Fraction = 0.5,
        slim: bool = False,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        measures = (_SLIM_SIZES if slim else _SIZES)[size]
        first, second, third, fourth, fifth = measures.widths
        self._conv1 = ConvPoolLayer(
            3, first, 11, 4, measures.padding, _bound(3 * 11 * 11), act="relu"
        )
        self._conv2 = ConvPoolLayer(first, second, 5, 1, 2, _bound(first * 5 * 5), act="relu")
        self._conv3 = _conv(second, third)
        self.relu3 = nn.ReLU()
        self._conv4 = _conv(third, fourth)
        self.relu4 = nn.ReLU()
        self._conv5 = ConvPoolLayer(fourth, fifth, 3, 1, 1, _bound(fourth * 3 * 3), act="relu")
        self.flatten = FixedMap(measures.map_side, measures.image_side, any_size=any_size)
        inputs, hidden = fifth * measures.map_side**2, measures.hidden
        # Paddle's default rescales while training, as TensorFlow does; Paddle's official weights
        # were trained without that.
        mode: DropoutMode = "upscale_in_train" if slim else "downscale_in_infer"
        self._drop1 = nn.Dropout(dropout_prob, mode=mode)
        self._fc6 = _linear(inputs, hidden)
        self.relu6 = nn.ReLU()
        self._drop2 = nn.Dropout(dropout_prob, mode=mode)
        self._fc7 = _linear(hidden, hidden)
        self.relu7 = nn.ReLU()
        self._fc8 = _linear(hidden, class_num) if class_num else nn.Identity()
        self.map_channels = (first, second, fifth)
        self.map_strides = (8, 16, 32)
        self._ends_with(hidden, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the three pooled outputs."""
        self._require_side(images)
        first = self._conv1(images)
        second = self._conv2(first)
        third = self.relu3(self._conv3(second))
        return [first, second, self._conv5(self.relu4(self._conv4(third)))]

    def feature(self, last: Tensor) -> Tensor:
        """Runs the linear layers on the last map.

        Raises:
            ConfigError: the map comes from images of another size, and `any_size` is off.
        """
        x = self.relu6(self._fc6(self._drop1(self.flatten(last))))
        x = self.relu7(self._fc7(self._drop2(x)))
        feature: Tensor = self._fc8(x)
        return feature


def _bound(fan_in: int) -> float:
    return 1.0 / math.sqrt(fan_in)


def _conv(in_channels: int, out_channels: int) -> nn.Conv2D:
    uniform = Uniform(-_bound(in_channels * 3 * 3), _bound(in_channels * 3 * 3))
    return nn.Conv2D(
        in_channels, out_channels, 3, padding=1, weight_attr=uniform, bias_attr=uniform
    )


def _linear(in_features: int, out_features: int) -> nn.Linear:
    uniform = Uniform(-_bound(in_features), _bound(in_features))
    return nn.Linear(in_features, out_features, weight_attr=uniform, bias_attr=uniform)
