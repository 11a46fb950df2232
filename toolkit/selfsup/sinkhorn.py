"""Assignments of pictures to prototypes that use all prototypes alike."""

import math

import paddle
from paddle import Tensor


@paddle.no_grad()
def sinkhorn(scores: Tensor, *, epsilon: float, iterations: int) -> Tensor:
    """Returns soft assignments whose columns are equally full, as nearly as a few rounds get.

    It is computed on logarithms in float32, so no score overflows and none is lost.

    Args:
        scores: cosines of pictures and prototypes [n, k], of any float type.
        epsilon: softness; the smaller, the nearer an assignment is to one prototype.
        iterations: rounds of making columns, then rows, sum to the same.

    Returns:
        float32 [n, k], rows that sum to 1.

    Source: Cuturi, Sinkhorn Distances, 2013; Caron et al., Unsupervised Learning of Visual Features
    by Contrasting Cluster Assignments, 2020, equation 5.
    """
    logs = scores.astype("float32") / epsilon
    pictures, prototypes = logs.shape
    for _ in range(iterations):
        logs = logs - paddle.logsumexp(logs, axis=0, keepdim=True) - math.log(prototypes)
        logs = logs - paddle.logsumexp(logs, axis=1, keepdim=True) - math.log(pictures)
    return paddle.exp(logs + math.log(pictures))
