"""Softmax over classes that may be divided among processes.

Source: Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, 2019, appendix
on parallel acceleration: the maximum, the sum and the true class's logit are all that is exchanged.
"""

from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from toolkit.distributed.group import all_summed, process_count


@dataclass(frozen=True)
class ClassLogits:
    """Logits of some of the classes.

    Attributes:
        values: [n, s] of the classes that this process has at hand.
        places: the column of each row's true class [n], int64; -1 where another process has it.
        joint: every process has other classes, and all have the same rows.
    """

    values: Tensor
    places: Tensor
    joint: bool


def class_cross_entropy(logits: ClassLogits, epsilon: float) -> Tensor:
    """Returns the mean cross entropy over the rows, a scalar, the same in all joint processes.

    Args:
        logits: of the classes at hand; the softmax is over those of all processes.
        epsilon: share of the probability that is spread evenly over these classes, [0, 1].
    """
    operator: Any = _CrossEntropy
    loss: Tensor = operator.apply(
        logits.values.astype("float32"), logits.places, logits.joint, epsilon
    )
    return loss


class _CrossEntropy(PyLayer):
    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor, joint: bool, epsilon: float) -> Tensor:  # noqa: FBT001 - PyLayer passes arguments by position
        ctx.joint = joint and process_count() > 1
        largest = values.max(1, keepdim=True)
        if ctx.joint:
            paddle.distributed.all_reduce(largest, op=paddle.distributed.ReduceOp.MAX)
        rows, columns = values.shape
        # Far outside of the columns for a class of another process: equal to none of them.
        own = places.unsqueeze(1) == paddle.arange(columns).unsqueeze(0)
        shifted = values - largest
        powers = shifted.exp()
        true = paddle.where(own, shifted, paddle.zeros_like(shifted)).sum(1)
        sums = paddle.stack(
            [powers.sum(1), true, shifted.sum(1), paddle.full([rows], columns, values.dtype)]
        )
        total, true, even, count = all_summed(sums) if ctx.joint else sums
        target = own.astype(values.dtype) * (1.0 - epsilon) + (epsilon / count).unsqueeze(1)
        ctx.slope = (powers / total.unsqueeze(1) - target) / rows
        losses = total.log() - (1.0 - epsilon) * true - epsilon * even / count
        return losses.mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        # One loss, of which every process takes its share: together the whole.
        whole = all_summed(gradients[0]) if ctx.joint else gradients[0]
        return ctx.slope * whole, None
