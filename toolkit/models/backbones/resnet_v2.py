"""ResNet v2: residual networks whose branches normalise and activate before they convolve.

The convolutions, biases, padding and strides are placed as in Keras's ResNet50V2, ResNet101V2 and
ResNet152V2: the stem pads with zeros before it takes maxima (tf-slim pads on one side, with what
never is a maximum: ``slim``), and a stage's last block has its stride, as in tf-slim. So a stage's
output is one resolution below its name, and the maps of this backbone are taken before the strides.

Source: He et al., Identity Mappings in Deep Residual Networks, 2016, Figure 4 (e) and appendix;
Keras 3 and tf-slim's ``resnet_v2`` for the places named above. PaddleClas has no such network; the
names are ours.
"""

from dataclasses import dataclass
from typing import Literal

from paddle import Tensor, nn

from toolkit.config.types import NonNegativeInt
from toolkit.models.backbones.backbone import Backbone

_EPSILON = {"keras": 1.001e-5, "slim": 1e-5}


@dataclass(frozen=True)
class _Size:
    """Blocks in each stage, two or more; channels of the stem and inside the first stage."""

    depths: tuple[int, ...]
    width: int = 64


_SIZES = {
    "50": _Size((3, 4, 6, 3)),
    "101": _Size((3, 4, 23, 3)),
    "152": _Size((3, 8, 36, 3)),
    "smallest": _Size((2, 3, 2), width=8),
}


class PreActivationBlock(nn.Layer):
    """A bottleneck of 1x1, 3x3 and 1x1, each after a batch norm and ReLU, around a shortcut.

    Args:
        in_channels: channels of the input.
        width: channels inside; the output has four times as many.
        stride: step of the 3x3 convolution; the shortcut skips as many pixels.
        project: the shortcut is a 1x1 convolution of the normalised input, not the input itself.
        epsilon: added to variances.
    """

    def __init__(
        self, in_channels: int, width: int, stride: int, *, project: bool, epsilon: float
    ) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2D(in_channels, epsilon=epsilon)
        self.relu0 = nn.ReLU()
        self.project = project
        if project:
            self.short: nn.Layer = nn.Conv2D(in_channels, 4 * width, 1)
        else:
            self.short = nn.MaxPool2D(1, stride) if stride > 1 else nn.Identity()
        self.conv0 = nn.Conv2D(in_channels, width, 1, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(width, epsilon=epsilon)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2D(width, width, 3, stride, padding=1, bias_attr=False)
        self.bn2 = nn.BatchNorm2D(width, epsilon=epsilon)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2D(width, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, 4 * width, h / stride, w / stride]."""
        active = self.relu0(self.bn0(x))
        y = self.relu1(self.bn1(self.conv0(active)))
        y = self.relu2(self.bn2(self.conv1(y)))
        result: Tensor = self.short(active if self.project else x) + self.conv2(y)
        return result


class ResNetV2(Backbone):
    """ResNet v2 of 50, 101 or 152 layers.

    Args:
        size: number of layers in the paper; ``smallest`` is a toy for tests.
        slim: compute as tf-slim's network does, which TensorFlow's weights were trained in.
        class_num: classes of the ImageNet classifier; 0 ends at the feature.
    """

    classifier = ("fc.",)

    def __init__(
        self,
        size: Literal["50", "101", "152", "smallest"],
        *,
        slim: bool = False,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        epsilon = _EPSILON["slim" if slim else "keras"]
        depths, channels = _SIZES[size].depths, _SIZES[size].width
        self.conv1 = nn.Conv2D(3, channels, 7, stride=2, padding=3)
        self.pad1 = nn.Identity() if slim else nn.ZeroPad2D(1)
        self.pool1 = nn.MaxPool2D(3, 2, padding="SAME" if slim else 0)
        blocks: list[nn.Layer] = []
        # Positions of the blocks that make the map smaller.
        self.strided: list[int] = []
        for stage, depth in enumerate(depths):
            width = _SIZES[size].width * 2**stage
            for number in range(depth):
                shrinks = number == depth - 1 and stage < len(depths) - 1
                if shrinks:
                    self.strided.append(len(blocks))
                stride = 2 if shrinks else 1
                blocks.append(
                    PreActivationBlock(
                        channels, width, stride, project=number == 0, epsilon=epsilon
                    )
                )
                channels = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2D(channels, epsilon=epsilon)
        self.relu = nn.ReLU()
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, class_num) if class_num else nn.Identity()
        self.map_channels = tuple(4 * _SIZES[size].width * 2**stage for stage in range(len(depths)))
        self.map_strides = tuple(4 * 2**stage for stage in range(len(depths)))
        self._ends_with(channels, class_num)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the last output of each resolution; the last of them normalised and active."""
        x, maps = self.pool1(self.pad1(self.conv1(images))), []
        for number, block in enumerate(self.blocks):
            if number in self.strided:
                maps.append(x)
            x = block(x)
        return [*maps, self.relu(self.bn(x))]

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map."""
        feature: Tensor = self.fc(self.flatten(self.avg_pool(last)))
        return feature
