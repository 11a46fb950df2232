"""Learning from another network's logits."""

import paddle
from paddle import Tensor, nn

from toolkit.config.types import PositiveFloat
from toolkit.losses.outputs import read_output

_BOTH_LOGITS = ("logits", "teacher_logits")


class KLDivLoss(nn.Layer):
    """Asks for the teacher's class probabilities, softened.

    The teacher is the target: this loss passes no gradient to it.

    Args:
        temperature: what both sides' logits are divided by; the loss is multiplied by its square,
            so that its gradient stays as large as that of a cross entropy.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 2.
    """

    def __init__(self, temperature: PositiveFloat = 4.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.reads = _BOTH_LOGITS

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:  # noqa: ARG002
        """Returns T^2 * KL(teacher || student), the mean over the batch, a scalar.

        Args:
            outputs: needs ``logits`` and ``teacher_logits`` [b, c].
            labels: not used.
        """
        student, teacher = (read_output(outputs, name, "KLDivLoss") for name in self.reads)
        target, given = (
            _log_softmax(logits / self.temperature) for logits in (teacher.detach(), student)
        )
        return self.temperature**2 * (target.exp() * (target - given)).sum(1).mean()


class DMLLoss(nn.Layer):
    """Lets two networks learn from each other: each one's probabilities draw the other's.

    Source: Zhang et al., Deep Mutual Learning, 2018, section 2; half the sum of both directions
    with the gradient through both sides, as in PaddleClas.
    """

    def __init__(self) -> None:  # the configuration reads the options here: there are none
        super().__init__()
        self.reads = _BOTH_LOGITS

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:  # noqa: ARG002
        """Returns (KL(teacher || student) + KL(student || teacher)) / 2, the mean over the batch.

        Args:
            outputs: needs ``logits`` and ``teacher_logits`` [b, c].
            labels: not used.
        """
        one, other = (_log_softmax(read_output(outputs, name, "DMLLoss")) for name in self.reads)
        # Both directions in one sum.
        return 0.5 * ((one.exp() - other.exp()) * (one - other)).sum(1).mean()


def _log_softmax(logits: Tensor) -> Tensor:
    """Returns the logarithms of softmax [b, c]; Paddle's own takes ten times as long on a CPU."""
    return logits - paddle.logsumexp(logits, 1, keepdim=True)
