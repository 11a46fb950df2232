"""What every neck is: something of the backbone in, the embedding out."""

from typing import ClassVar, Literal

from paddle import Tensor, nn
from paddle.nn import functional


class Neck(nn.Layer):
    """Base of all necks.

    Attributes:
        reads: what `forward` takes: ``feature``, the backbone's feature [b, d0]; ``last_map``, its
            last map [b, c, h, w]; or ``maps``, the list of all its maps, finest first.
        out_features: length of the embedding.

    A neck that reads the feature or the last map is built with its width as ``in_features``, one
    that reads all maps with their widths as ``in_channels``.
    """

    reads: ClassVar[Literal["feature", "last_map", "maps"]] = "feature"

    out_features: int


def mean_of_map(feature_map: Tensor) -> Tensor:
    """Returns the mean of a map [b, c, h, w] over its places [b, c].

    As a pooling: for a plain mean Paddle's engine prints a line of its own where an export is run.
    """
    pooled: Tensor = functional.adaptive_avg_pool2d(feature_map, 1).flatten(1)
    return pooled
