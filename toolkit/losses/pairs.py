"""What every loss on pairs of embeddings needs: similarities and who belongs to whom."""

import paddle
from paddle import Tensor

# Below this squared length a vector has no direction worth the name.
_SMALLEST_SQUARE = 1e-12


def unit_rows(vectors: Tensor) -> Tensor:
    """Scales each row of [b, d] to length 1.

    A row of (nearly) zero length has no direction: it stays as it is, and so does its gradient,
    instead of becoming NaN or huge.
    """
    square = (vectors * vectors).sum(1, keepdim=True)
    return (
        vectors / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )


def positive_and_negative_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the pairs of a batch.

    Args:
        labels: class indices [b].

    Returns:
        Two boolean matrices [b, b]: same class and not the same row; another class.
    """
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    itself = paddle.eye(labels.shape[0]).astype("bool")
    return same & ~itself, ~same
