"""The loss of SwAV and DINO: what one view is, told from the others."""

from collections.abc import Sequence

from paddle import Tensor


def swapped_cross_entropy(targets: Sequence[Tensor], told: Sequence[Tensor]) -> Tensor:
    """Returns the mean cross entropy over all pairs of a target and another view, a scalar.

    Args:
        targets: probabilities [b, k] of the first views, without gradient.
        told: log probabilities [b, k] of all views.
    """
    losses = [
        -(target * log_probabilities).sum(1).mean()
        for place, target in enumerate(targets)
        for other, log_probabilities in enumerate(told)
        if other != place
    ]
    return sum(losses[1:], losses[0]) / len(losses)
