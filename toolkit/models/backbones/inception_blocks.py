"""What all Inception networks are made of: rows of convolutions side by side, told as tables.

A network is a table of specs. Each spec knows its name in weight files and builds one layer, given
the channels that come in; the channels that go out follow from the table. Every convolution, pool
and module is a layer of its own, so a forward hook can read each of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import KaimingNormal

from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.blocks import DropoutMode

# Added to variances in TensorFlow's networks; ten times Paddle's default.
TF_SLIM_EPSILON = 1e-3


@dataclass(frozen=True)
class Family:
    """What the convolutions of one network have in common.

    Attributes:
        scale: factor on all channels.
        conv: name of the convolution inside its unit, in weight files.
        norm: name of the batch norm, or None for neither batch norm nor activation.
        epsilon: added to the variance.
        counts_padding: averages divide by nine at the border too, not by the pixels inside.
    """

    scale: float = 1.0
    conv: str = "conv"
    norm: str | None = "bn"
    epsilon: float = 1e-5
    counts_padding: bool = False

    def width(self, channels: int) -> int:
        """Returns scaled channels, at least one."""
        return max(1, round(channels * self.scale))


class Spec(Protocol):
    """One line of a network's table."""

    @property
    def name(self) -> str:
        """Name of the layer in its parent."""

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns a new layer and the channels of its output."""


@dataclass(frozen=True)
class Conv:
    """A convolution without bias, batch norm and ReLU.

    Attributes:
        name: of the layer.
        channels: of the output, at scale 1.
        kernel: side in pixels, or (height, width).
        stride: step in pixels.
        padding: pixels of zeros on each side, or TensorFlow's rules: SAME divides the size by the
            stride, rounded up, with the odd pixel below and on the right; VALID pads nothing.
    """

    name: str
    channels: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    padding: int | Literal["SAME", "VALID"] = "SAME"

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the unit and the channels of its output."""
        channels = family.width(self.channels)
        conv = nn.Conv2D(
            in_channels,
            channels,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            weight_attr=KaimingNormal(),
            bias_attr=False,
        )
        if family.norm is None:
            return nn.Sequential((family.conv, conv)), channels
        norm = nn.BatchNorm2D(channels, epsilon=family.epsilon)
        return nn.Sequential(
            (family.conv, conv), (family.norm, norm), ("relu", nn.ReLU())
        ), channels


@dataclass(frozen=True)
class MaxPool:
    """The maximum of squares.

    Attributes:
        name: of the layer.
        kernel: side of the squares in pixels.
        stride: step in pixels.
        padding: as for `Conv`; what lies outside the image is no maximum.
    """

    name: str
    kernel: int = 3
    stride: int = 2
    padding: int | Literal["SAME", "VALID"] = "VALID"

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:  # noqa: ARG002
        """Returns the layer and the channels, which stay."""
        return nn.MaxPool2D(self.kernel, self.stride, padding=self.padding), in_channels


@dataclass(frozen=True)
class AvgPool:
    """The average of the 3x3 square around each pixel."""

    name: str

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the layer and the channels, which stay."""
        return nn.AvgPool2D(3, 1, padding=1, exclusive=not family.counts_padding), in_channels


@dataclass(frozen=True)
class Chain:
    """Layers one after the other."""

    name: str
    specs: tuple[Spec, ...]

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the layers in a row, each under its name, and the channels of the last."""
        layers = []
        for spec in self.specs:
            layer, in_channels = spec.build(in_channels, family)
            layers.append((spec.name, layer))
        return nn.Sequential(*layers), in_channels


# Specs one after the other; a pair at the end works side by side on the same input.
Row = tuple[Spec | tuple[Spec, Spec], ...]


@dataclass(frozen=True)
class Module:
    """Rows side by side on one input, their outputs stacked by channel.

    Attributes:
        name: of the layer.
        rows: what works side by side; all layers are direct children of the module.
        act: a ReLU follows the stacking, for families that have none after each convolution.
    """

    name: str
    rows: tuple[Row, ...]
    act: bool = False

    def build(self, in_channels: int, family: Family) -> tuple[nn.Layer, int]:
        """Returns the module and the sum of its rows' channels."""
        module = Branches(in_channels, self.rows, family, act=self.act)
        return module, module.out_channels


def branches(*rows: tuple[Spec, ...]) -> tuple[Row, ...]:
    """Returns rows that are children of their own, ``Branch_0`` and so on, as tf-slim has them."""
    return tuple((Chain(f"Branch_{number}", row),) for number, row in enumerate(rows))


class Branches(nn.Layer):
    """The layer behind `Module`.

    Args:
        in_channels: channels of the input.
        rows: what works side by side.
        family: of the convolutions.
        act: whether a ReLU follows.

    Source: Szegedy et al., Going Deeper with Convolutions, 2015, Figure 2.
    """

    def __init__(
        self, in_channels: int, rows: Sequence[Row], family: Family, *, act: bool = False
    ) -> None:
        super().__init__()
        self.out_channels = 0
        self.rows: list[tuple[list[str], list[str]]] = []
        for row in rows:
            *first, last = [step if isinstance(step, tuple) else (step,) for step in row]
            channels = in_channels
            for step in first:
                channels = self._add(step[0], channels, family)
            self.out_channels += sum(self._add(spec, channels, family) for spec in last)
            self.rows.append(([step[0].name for step in first], [spec.name for spec in last]))
        self.act = nn.ReLU() if act else nn.Identity()

    def _add(self, spec: Spec, channels: int, family: Family) -> int:
        layer, channels = spec.build(channels, family)
        self.add_sublayer(spec.name, layer)
        return channels

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h', w']."""
        outputs = []
        for names, ends in self.rows:
            y = x
            for name in names:
                y = getattr(self, name)(y)
            outputs += [getattr(self, end)(y) for end in ends]
        result: Tensor = self.act(paddle.concat(outputs, axis=1))
        return result


class InceptionNetwork(Backbone):
    """A chain of specs whose maps are the three grids of modules, and a global average."""

    map_strides = (8, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.chain: list[str] = []
        self.map_ends: tuple[str, ...] = ()

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the last module's output of every grid."""
        self._require_side(images)
        x, maps = images, []
        for name, layer in self._steps():
            x = layer(x)
            if name in self.map_ends:
                maps.append(x)
        return maps

    def _steps(self) -> Iterator[tuple[str, nn.Layer]]:
        """Yields name and layer of what the image passes through, in order."""
        return ((name, getattr(self, name)) for name in self.chain)

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map."""
        x = self.dropout(self.flatten(self.avg_pool(last)))
        feature: Tensor = getattr(self, self.logits)(x)
        return feature

    def _add_chain(self, specs: Sequence[Spec], family: Family, map_ends: tuple[str, ...]) -> None:
        """Builds the layers as direct children; each grid ends with one of `map_ends`."""
        channels, of_maps = 3, []
        for spec in specs:
            layer, channels = spec.build(channels, family)
            self.add_sublayer(spec.name, layer)
            self.chain.append(spec.name)
            if spec.name in map_ends:
                of_maps.append(channels)
        self.map_ends = map_ends
        self.map_channels = tuple(of_maps)

    def _ends_with_average(
        self,
        class_num: int,
        *,
        logits: str,
        dropout: float,
        mode: DropoutMode = "downscale_in_infer",
    ) -> None:
        """Adds what follows the last map.

        Args:
            class_num: classes, or 0: then the average is the feature and nothing is dropped.
            logits: name of the classifier in weight files.
            dropout: share of the average dropped in training, before the classifier.
            mode: how dropped values are made up for. PaddleClas multiplies by 1 - dropout when
                not training, and its weights were trained so; TensorFlow divides in training.
        """
        width = self.map_channels[-1]
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout, mode=mode) if class_num else nn.Identity()
        self.logits = logits
        self.add_sublayer(logits, nn.Linear(width, class_num) if class_num else nn.Identity())
        self._ends_with(width, class_num)
