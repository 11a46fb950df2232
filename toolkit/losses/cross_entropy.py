"""Softmax cross entropy over the training classes."""

from typing import Any, Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import Fraction
from toolkit.distributed.softmax import ClassLogits, class_cross_entropy
from toolkit.losses.outputs import read_output


class CELoss(nn.Layer):
    """Cross entropy of the head's logits, with optional label smoothing.

    Args:
        epsilon: share of the probability that is spread evenly over all classes, [0, 1].
        of: whose logits; those of a teacher are there when the network has one, and training them
            is right when the teacher is trainable.

    Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016,
    section 7, for the smoothing.
    """

    def __init__(
        self, epsilon: Fraction = 0.0, *, of: Literal["student", "teacher"] = "student"
    ) -> None:
        super().__init__()
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is a share from 0 to 1; got {epsilon}.")
        self.epsilon = epsilon
        self.reads = ("logits" if of == "student" else "teacher_logits",)

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Returns the mean over the batch, a scalar.

        Args:
            outputs: needs ``logits`` (or ``teacher_logits``) [b, c], or those of chosen classes.
            labels: class indices [b], int64, each below c.
        """
        logits: Any = read_output(outputs, self.reads[0], "CELoss")
        if isinstance(logits, ClassLogits):
            return class_cross_entropy(logits, self.epsilon)
        loss: Tensor = functional.cross_entropy(logits, labels)
        if self.epsilon:
            # Against the even distribution: mean over classes of -log softmax.
            even = (paddle.logsumexp(logits, 1) - logits.mean(1)).mean()
            loss = (1.0 - self.epsilon) * loss + self.epsilon * even
        return loss
