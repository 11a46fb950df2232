"""A pyramid over the backbone's maps: fine detail and wide context in one embedding."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import XavierNormal

from toolkit.config.types import PositiveInt, PositiveIntList
from toolkit.models.necks.neck import Neck, mean_of_map


class FPN(Neck):
    """Feature pyramid, pooled to one embedding.

    Every map goes through a 1x1 convolution; from the coarsest on, each is enlarged to the size of
    the next finer one (nearest neighbour) and added to it; a 3x3 convolution smooths each sum. The
    means over the places of all levels, one after another, go through a linear layer. It stands in
    place of the backbone's own pooling and of what the backbone has after that.

    Args:
        in_channels: channels of each of the backbone's maps, finest first.
        out_channels: channels of every level of the pyramid.
        embedding_size: length of the embedding.

    Source: Lin et al., Feature Pyramid Networks for Object Detection, 2017, section 3.
    """

    reads: ClassVar[Literal["feature", "last_map", "maps"]] = "maps"

    def __init__(
        self,
        in_channels: PositiveIntList,
        out_channels: PositiveInt = 256,
        embedding_size: PositiveInt = 512,
    ) -> None:
        super().__init__()
        self.lateral = nn.LayerList(
            [nn.Conv2D(channels, out_channels, 1) for channels in in_channels]
        )
        self.smooth = nn.LayerList(
            [nn.Conv2D(out_channels, out_channels, 3, padding=1) for _ in in_channels]
        )
        joined = len(in_channels) * out_channels
        self.fc = nn.Linear(joined, embedding_size, weight_attr=XavierNormal())
        self.out_features = embedding_size

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps the maps [b, c_i, h_i, w_i], finest first, to [b, out_features]."""
        # No zip(strict=True) here: the tracer of an export does not know it.
        laterals = [layer(maps[level]) for level, layer in enumerate(self.lateral)]
        merged = [laterals[-1]]
        for finer in laterals[-2::-1]:
            # The size is the finer map's own: strides are not everywhere exact halves.
            merged.insert(0, finer + _enlarged(merged[0], finer.shape[2:]))
        levels = [mean_of_map(layer(merged[level])) for level, layer in enumerate(self.smooth)]
        embedding: Tensor = self.fc(paddle.concat(levels, 1))
        return embedding


def _enlarged(coarse: Tensor, size: Sequence[int]) -> Tensor:
    """Returns a map [b, c, h, w] at another size, each place with the value of the nearest one.

    By picking rows and columns: Paddle's oneDNN engine cannot run its interpolation of an export.
    """
    rows = paddle.arange(size[0]) * coarse.shape[2] // size[0]
    columns = paddle.arange(size[1]) * coarse.shape[3] // size[1]
    return paddle.index_select(paddle.index_select(coarse, rows, 2), columns, 3)
