"""What every loss on pairs of embeddings needs: how near two are, and who belongs to whom."""

import paddle
from paddle import Tensor

# Below this squared length a vector has no direction worth the name.
_SMALLEST_SQUARE = 1e-12

# Stands for "no such pair": further than any similarity or distance, also of vectors that were not
# scaled, so that the hinges and exponentials of it are 0 and pass no gradient.
_NO_PAIR = 1e30


def unit_rows(vectors: Tensor) -> Tensor:
    """Scales each row of [b, d] to length 1.

    A row of (nearly) zero length has no direction: it stays as it is, and so does its gradient,
    instead of becoming NaN or huge.
    """
    square = (vectors * vectors).sum(1, keepdim=True)
    return (
        vectors / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )


def squared_distances(anchors: Tensor, references: Tensor) -> Tensor:
    """Returns the squared Euclidean distances [b, n] of [b, d] and [n, d], never below 0.

    They come from inner products, so memory is that of the result; rounding leaves up to 1e-7 of
    the squared lengths in float32.
    """
    lengths = (anchors * anchors).sum(1).unsqueeze(1) + (references * references).sum(1)
    squares: Tensor = (lengths - 2.0 * (anchors @ references.T)).clip(min=0.0)
    return squares


def positive_and_negative_pairs(
    labels: Tensor, references: Tensor | None = None, slots: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Finds the pairs of a batch with itself, or with references.

    Args:
        labels: class indices of the anchors [b].
        references: class indices of the references [n]; None for the anchors themselves.
        slots: for each anchor its own place among the references [b], which is no pair; -1 where
            it is not among them. Only with `references`.

    Returns:
        Two boolean matrices [b, n]: same class and not the same row; another class.
    """
    if references is None:
        references, slots = labels, paddle.arange(labels.shape[0])
    same = labels.unsqueeze(1) == references.unsqueeze(0)
    if slots is None:
        return same, ~same
    itself = slots.unsqueeze(1) == paddle.arange(references.shape[0]).unsqueeze(0)
    return same & ~itself, ~same


def largest(values: Tensor, pairs: Tensor) -> Tensor:
    """Returns the largest value of each row among its pairs [b]; far below all without any.

    Of equal ones the first has the gradient.
    """
    masked = paddle.where(pairs, values, paddle.full_like(values, -_NO_PAIR))
    # Not max(1): on 256 rows of 4,096 its gradient takes seconds on a CPU, longer than a network's.
    place = masked.detach().argmax(1, keepdim=True)
    return paddle.index_sample(masked, place).squeeze(1)


def smallest(values: Tensor, pairs: Tensor) -> Tensor:
    """Returns the smallest value of each row among its pairs [b]; far above all without any."""
    return -largest(-values, pairs)


def log_sum_exp(values: Tensor, pairs: Tensor) -> Tensor:
    """Returns log(sum(exp(values))) over the pairs of each row [b]; far below 0 without any."""
    return paddle.logsumexp(paddle.where(pairs, values, paddle.full_like(values, -_NO_PAIR)), 1)


def sum_over(values: Tensor, pairs: Tensor) -> Tensor:
    """Returns the sum of each row over its pairs [b]."""
    return paddle.where(pairs, values, paddle.zeros_like(values)).sum(1)


def mean_over(values: Tensor, counted: Tensor) -> Tensor:
    """Returns the mean of the values that count, a scalar; 0 with a gradient of 0 for none."""
    total = paddle.where(counted, values, paddle.zeros_like(values)).sum()
    return total / counted.astype(values.dtype).sum().clip(min=1.0)
