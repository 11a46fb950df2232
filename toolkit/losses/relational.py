"""Learning from how another network places pictures relative to each other."""

import math
from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import NonNegativeFloat
from toolkit.distributed.shares import gather_rows
from toolkit.losses.outputs import read_output

# Below this share of their own squared lengths the square of a distance is rounding: two embeddings
# are one then, and no direction leads from one to the other.
_SMALLEST_SHARE = 1e-12
# Anchors whose cosines are computed at a time: few, so that these stay in the processor's cache.
_ANCHORS_AT_ONCE = 4


class RKDLoss(nn.Layer):
    """Asks for the teacher's distances between embeddings, and for the angles between three.

    Distances count relative to their mean, so the teacher's embedding may have another length and
    scale than the student's. The teacher is the target: this loss passes no gradient to it. With b
    pictures it needs memory for some arrays of b * b * b numbers, whatever the lengths.

    Args:
        distance_weight: weight of the distances of pairs.
        angle_weight: weight of the angles of triples.
        feature_from: the output to compare, of both networks.

    Source: Park et al., Relational Knowledge Distillation, 2019, section 3.2; pairs and triples
    are of distinct pictures, each part is the mean over them.
    """

    def __init__(
        self,
        distance_weight: NonNegativeFloat = 1.0,
        angle_weight: NonNegativeFloat = 2.0,
        *,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__()
        self.distance_weight, self.angle_weight = distance_weight, angle_weight
        self.reads = (feature_from, f"teacher_{feature_from}")

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:  # noqa: ARG002
        """Returns the weighted sum of both parts, a scalar; 0 for a picture alone.

        Args:
            outputs: needs the output named by `feature_from` [b, d], and that of the teacher.
            labels: not used.
        """
        student, teacher = (
            gather_rows(read_output(outputs, name, "RKDLoss")) for name in self.reads
        )
        relations = _relative_distances(student), _relative_distances(teacher.detach())
        distance = _distance_difference(*relations).astype(student.dtype)
        angle = _angle_difference(*relations, student.dtype)
        return self.distance_weight * distance + self.angle_weight * angle


def _relative_distances(vectors: Tensor) -> Tensor:
    """Returns the distances [b, b] over their mean, in float64; 0 of a row to itself or its equal.

    From inner products, for the differences of all pairs take a hundred times the memory and time.
    What these lose where two rows are near each other, float64 has to spare.
    """
    exact = vectors.astype("float64")
    squares = (exact * exact).sum(1)
    both = squares.unsqueeze(0) + squares.unsqueeze(1)
    square = both - 2.0 * (exact @ exact.T)
    there = square > _SMALLEST_SHARE * both
    # The root of what is not there would have an infinite gradient, even where it is thrown away.
    length = paddle.where(there, square, paddle.ones_like(square)).sqrt()
    distance = paddle.where(there, length, paddle.zeros_like(length))
    mean = distance.sum() / max(vectors.shape[0] * (vectors.shape[0] - 1), 1)
    return distance / paddle.where(mean > 0.0, mean, paddle.ones_like(mean))


def _distance_difference(ours: Tensor, theirs: Tensor) -> Tensor:
    """Returns the mean Huber loss over the pairs of distances [b, b]; 0 for a row alone."""
    difference = functional.smooth_l1_loss(ours, theirs, reduction="sum")
    return difference / max(math.perm(ours.shape[0], 2), 1)


def _angle_difference(ours: Tensor, theirs: Tensor, dtype: paddle.dtype) -> Tensor:
    """Returns the mean Huber loss over the cosines in the triples; 0 for less than three rows."""
    batch = ours.shape[0]
    sides = _sides(ours, dtype), _sides(theirs, dtype)
    # The cosine of a side with itself says nothing.
    distinct = 1.0 - paddle.eye(batch, dtype=dtype)
    total = paddle.zeros([], dtype=dtype)
    for first in range(0, batch, _ANCHORS_AT_ONCE):
        anchors = slice(first, first + _ANCHORS_AT_ONCE)
        student, teacher = (_cosines(*side, anchors) for side in sides)
        difference = functional.smooth_l1_loss(student, teacher, reduction="none")
        total += (difference * distinct).sum()
    return total / max(math.perm(batch, 3), 1)


def _sides(distances: Tensor, dtype: paddle.dtype) -> tuple[Tensor, Tensor]:
    """Returns the squares of distances [b, b] and their inverses, 0 where there is no distance."""
    inverse = paddle.where(distances > 0.0, 1.0 / distances.clip(min=_SMALLEST_SHARE), distances)
    return (distances * distances).astype(dtype), inverse.astype(dtype)


def _cosines(square: Tensor, inverse: Tensor, anchors: slice) -> Tensor:
    """Returns the cosine at each of n anchors between two other rows [n, b, b].

    By the law of cosines; 0 where a side has no length, as that of a row to itself.
    """
    doubled = square[anchors].unsqueeze(2) + square[anchors].unsqueeze(1) - square.unsqueeze(0)
    return doubled * (0.5 * inverse[anchors]).unsqueeze(2) * inverse[anchors].unsqueeze(1)
