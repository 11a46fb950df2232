"""The contrastive loss of MoCo and MoBY: one right key among the keys of a queue."""

import paddle
from paddle import Tensor
from paddle.nn import functional


def contrast(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """Returns the mean cross entropy of finding the own key, a scalar.

    Args:
        queries: unit vectors [b, d].
        keys: the right one for each, unit vectors [b, d], without gradient.
        queue: wrong ones for all, unit vectors [n, d], without gradient.
        temperature: cosines are divided by it.

    Source: van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018,
    equation 4, with the negatives of He et al., Momentum Contrast, 2020.
    """
    own = (queries * keys).sum(1, keepdim=True)
    logits = paddle.concat([own, queries @ queue.t()], axis=1) / temperature
    right = paddle.zeros([queries.shape[0]], dtype="int64")
    return functional.cross_entropy(logits, right)
