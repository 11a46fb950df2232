"""Inception-ResNet v2.

Sublayers have the names of tf-slim's scopes, as in `inception_v1`. An image of 299 pixels gives
maps of 149, 147, 147, 73, 71, 35, 17 and 8 pixels a side.

Source: Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual Connections on
Learning, 2017, Figures 15 to 19; tf-slim's ``inception_resnet_v2`` for the stem (Inception v3's),
for widths, for the factors on the residuals and for the last block, which has no activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

from toolkit.config.types import NonNegativeInt, PositiveFloat, PositiveIntList
from toolkit.models.backbones.inception_blocks import (
    TF_SLIM_EPSILON,
    AvgPool,
    Branches,
    Chain,
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Row,
    Spec,
    branches,
)


class ResidualBranches(Branches):
    """Rows whose stacked outputs, through a 1x1 convolution and a factor, add to the input.

    Args:
        in_channels: channels of input and output.
        rows: what works side by side.
        family: of the convolutions.
        factor: on the residual.
        act: whether a ReLU follows.

    Source: Szegedy et al. 2017, Figures 16, 17 and 19; section 3.3 for the factor.
    """

    def __init__(
        self, in_channels: int, rows: Sequence[Row], family: Family, *, factor: float, act: bool
    ) -> None:
        super().__init__(in_channels, rows, family)
        self.factor = factor
        self.Conv2d_1x1 = nn.Conv2D(self.out_channels, in_channels, 1, weight_attr=KaimingNormal())
        self.out_channels = in_channels
        self.relu = nn.ReLU() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to the same shape."""
        residual = self.Conv2d_1x1(super().forward(x))
        result: Tensor = self.relu(x + self.factor * residual)
        return result


@dataclass(frozen=True)
class _Residual:
    name: str
    rows: tuple[Row, ...]
    factor: float
    act: bool = True

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the block and the channels, which stay."""
        block = ResidualBranches(in_channels, self.rows, family, factor=self.factor, act=self.act)
        return block, in_channels


def _repeat(name: str, block: str, rows: tuple[Row, ...], factor: float, times: int) -> Chain:
    blocks = [_Residual(f"{block}_{number}", rows, factor) for number in range(1, times + 1)]
    return Chain(name, tuple(blocks))


_STEM: tuple[Spec, ...] = (
    Conv("Conv2d_1a_3x3", 32, 3, stride=2, padding="VALID"),
    Conv("Conv2d_2a_3x3", 32, 3, padding="VALID"),
    Conv("Conv2d_2b_3x3", 64, 3),
    MaxPool("MaxPool_3a_3x3"),
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, 3, padding="VALID"),
    MaxPool("MaxPool_5a_3x3"),
)
_MIXED_5B = branches(
    (Conv("Conv2d_1x1", 96),),
    (Conv("Conv2d_0a_1x1", 48), Conv("Conv2d_0b_5x5", 64, 5)),
    (Conv("Conv2d_0a_1x1", 64), Conv("Conv2d_0b_3x3", 96, 3), Conv("Conv2d_0c_3x3", 96, 3)),
    (AvgPool("AvgPool_0a_3x3"), Conv("Conv2d_0b_1x1", 64)),
)
_BLOCK35 = branches(
    (Conv("Conv2d_1x1", 32),),
    (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 32, 3)),
    (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 48, 3), Conv("Conv2d_0c_3x3", 64, 3)),
)
_MIXED_6A = branches(
    (Conv("Conv2d_1a_3x3", 384, 3, stride=2, padding="VALID"),),
    (
        Conv("Conv2d_0a_1x1", 256),
        Conv("Conv2d_0b_3x3", 256, 3),
        Conv("Conv2d_1a_3x3", 384, 3, stride=2, padding="VALID"),
    ),
    (MaxPool("MaxPool_1a_3x3"),),
)
_BLOCK17 = branches(
    (Conv("Conv2d_1x1", 192),),
    (
        Conv("Conv2d_0a_1x1", 128),
        Conv("Conv2d_0b_1x7", 160, (1, 7)),
        Conv("Conv2d_0c_7x1", 192, (7, 1)),
    ),
)
_MIXED_7A = branches(
    (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 384, 3, stride=2, padding="VALID")),
    (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 288, 3, stride=2, padding="VALID")),
    (
        Conv("Conv2d_0a_1x1", 256),
        Conv("Conv2d_0b_3x3", 288, 3),
        Conv("Conv2d_1a_3x3", 320, 3, stride=2, padding="VALID"),
    ),
    (MaxPool("MaxPool_1a_3x3"),),
)
_BLOCK8 = branches(
    (Conv("Conv2d_1x1", 192),),
    (
        Conv("Conv2d_0a_1x1", 192),
        Conv("Conv2d_0b_1x3", 224, (1, 3)),
        Conv("Conv2d_0c_3x1", 256, (3, 1)),
    ),
)


class InceptionResNetV2(InceptionNetwork):
    """Inception-ResNet v2 at any width and depth.

    Args:
        scale: factor on every channel count.
        depths: residual blocks with factor on the three grids, three numbers; None means 10, 20
            and 9. One more block, without a factor, ends the last grid.
        class_num: classes of the classifier; 0 ends at the feature, 1536 values.

    Raises:
        ValueError: `depths` does not hold three numbers.
    """

    classifier = ("Logits.",)
    smallest_side = 75

    def __init__(
        self,
        scale: PositiveFloat = 1.0,
        *,
        depths: PositiveIntList | None = None,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        times = [10, 20, 9] if depths is None else depths
        if len(times) != 3:
            raise ValueError(f"depths needs 3 numbers, one a grid; got {len(times)}: {times}.")
        layers: tuple[Spec, ...] = (
            *_STEM,
            Module("Mixed_5b", _MIXED_5B),
            _repeat("Repeat", "block35", _BLOCK35, 0.17, times[0]),
            Module("Mixed_6a", _MIXED_6A),
            _repeat("Repeat_1", "block17", _BLOCK17, 0.10, times[1]),
            Module("Mixed_7a", _MIXED_7A),
            _repeat("Repeat_2", "block8", _BLOCK8, 0.20, times[2]),
            _Residual("Block8", _BLOCK8, 1.0, act=False),
            Conv("Conv2d_7b_1x1", 1536),
        )
        family = Family(scale, epsilon=TF_SLIM_EPSILON)
        self._add_chain(layers, family, map_ends=("Repeat", "Repeat_1", "Conv2d_7b_1x1"))
        self._ends_with_average(class_num, logits="Logits", dropout=0.2, mode="upscale_in_train")
