"""Inception v2, also called BN-Inception, as tf-slim has it.

Sublayers have the names of tf-slim's scopes, as in `inception_v1`.

Source: Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift, 2015, Figure 5; tf-slim's ``inception_v2`` for the first convolution,
which is separable, has a bias and no batch norm, and for padding.
"""

from dataclasses import dataclass

from paddle import nn
from paddle.nn.initializer import KaimingNormal

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.inception_blocks import (
    TF_SLIM_EPSILON,
    AvgPool,
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Spec,
    branches,
)


@dataclass(frozen=True)
class _SeparableConv:
    """Up to eight 7x7 kernels over each colour, then a 1x1 convolution with a bias, and ReLU."""

    name: str
    channels: int

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the unit and the channels of its output."""
        channels = family.width(self.channels)
        between = in_channels * max(1, min(channels // in_channels, 8))
        depthwise = nn.Conv2D(
            in_channels,
            between,
            7,
            stride=2,
            padding="SAME",
            groups=in_channels,
            weight_attr=KaimingNormal(),
            bias_attr=False,
        )
        pointwise = nn.Conv2D(between, channels, 1, weight_attr=KaimingNormal())
        layers = (("depthwise", depthwise), ("pointwise", pointwise), ("relu", nn.ReLU()))
        return nn.Sequential(*layers), channels


def _module(
    name: str, one: int, three: tuple[int, int], double: tuple[int, int], pool: Spec, pooled: int
) -> Module:
    """Returns a module that keeps the map's size; `double` stands for two 3x3 in a row."""
    rows = branches(
        (Conv("Conv2d_0a_1x1", one),),
        (Conv("Conv2d_0a_1x1", three[0]), Conv("Conv2d_0b_3x3", three[1], 3)),
        (
            Conv("Conv2d_0a_1x1", double[0]),
            Conv("Conv2d_0b_3x3", double[1], 3),
            Conv("Conv2d_0c_3x3", double[1], 3),
        ),
        (pool, Conv("Conv2d_0b_1x1", pooled)),
    )
    return Module(name, rows)


def _halving_module(name: str, three: tuple[int, int], double: tuple[int, int]) -> Module:
    """Returns a module whose outputs are half as large in each direction."""
    rows = branches(
        (Conv("Conv2d_0a_1x1", three[0]), Conv("Conv2d_1a_3x3", three[1], 3, stride=2)),
        (
            Conv("Conv2d_0a_1x1", double[0]),
            Conv("Conv2d_0b_3x3", double[1], 3),
            Conv("Conv2d_1a_3x3", double[1], 3, stride=2),
        ),
        (MaxPool("MaxPool_1a_3x3", padding="SAME"),),
    )
    return Module(name, rows)


_AVERAGE = AvgPool("AvgPool_0a_3x3")
_MAXIMUM = MaxPool("MaxPool_0a_3x3", stride=1, padding="SAME")
_LAYERS: tuple[Spec, ...] = (
    _SeparableConv("Conv2d_1a_7x7", 64),
    MaxPool("MaxPool_2a_3x3", padding="SAME"),
    Conv("Conv2d_2b_1x1", 64),
    Conv("Conv2d_2c_3x3", 192, 3),
    MaxPool("MaxPool_3a_3x3", padding="SAME"),
    _module("Mixed_3b", 64, (64, 64), (64, 96), _AVERAGE, 32),
    _module("Mixed_3c", 64, (64, 96), (64, 96), _AVERAGE, 64),
    _halving_module("Mixed_4a", (128, 160), (64, 96)),
    _module("Mixed_4b", 224, (64, 96), (96, 128), _AVERAGE, 128),
    _module("Mixed_4c", 192, (96, 128), (96, 128), _AVERAGE, 128),
    _module("Mixed_4d", 160, (128, 160), (128, 160), _AVERAGE, 96),
    _module("Mixed_4e", 96, (128, 192), (160, 192), _AVERAGE, 96),
    _halving_module("Mixed_5a", (128, 192), (192, 256)),
    _module("Mixed_5b", 352, (192, 320), (160, 224), _AVERAGE, 128),
    _module("Mixed_5c", 352, (192, 320), (192, 224), _MAXIMUM, 128),
)


class InceptionV2(InceptionNetwork):
    """Inception v2 at any width.

    Args:
        scale: factor on every channel count.
        class_num: classes of the classifier; 0 ends at the feature, 1024 values.
    """

    classifier = ("Logits.",)

    def __init__(self, scale: PositiveFloat = 1.0, *, class_num: NonNegativeInt = 0) -> None:
        super().__init__()
        family = Family(scale, epsilon=TF_SLIM_EPSILON)
        self._add_chain(_LAYERS, family, map_ends=("Mixed_3c", "Mixed_4e", "Mixed_5c"))
        self._ends_with_average(class_num, logits="Logits", dropout=0.2, mode="upscale_in_train")
