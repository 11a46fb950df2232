"""DINO: a student tells from every view what its slow teacher sees in the large ones."""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import TruncatedNormal

from toolkit.config.types import Fraction, NonNegativeInt, PositiveFloat, PositiveInt
from toolkit.distributed.shares import mean_of_rows
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.method import Method, Outputs, crop_features, view_by_view
from toolkit.selfsup.momentum import MomentumNetwork, MomentumSchedule
from toolkit.selfsup.projection import perceptron, spread, unit
from toolkit.selfsup.swapped import swapped_cross_entropy


class DINOHead(nn.Layer):
    """A perceptron to a narrow unit vector, and its cosines with directions that are learnt.

    Args:
        width: of the input.
        hidden: of the two hidden layers.
        bottleneck: length of the narrow vector.
        outputs: directions.
    """

    def __init__(self, width: int, hidden: int, bottleneck: int, outputs: int) -> None:
        super().__init__()
        self.mlp = perceptron([width, hidden, hidden, bottleneck], norm=False, activation=nn.GELU)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                TruncatedNormal(std=0.02)(layer.weight)
        self.last = nn.Linear(bottleneck, outputs, bias_attr=False)

    def forward(self, features: Tensor) -> Tensor:
        """Maps [n, width] to cosines [n, outputs]."""
        # Weight norm with a length of 1 that is not trained; a direction is a column.
        cosines: Tensor = unit(self.mlp(features)) @ functional.normalize(self.last.weight, axis=0)
        return cosines


class DINO(Method):
    """Self-distillation without labels.

    The teacher's outputs are centred, so that no output wins for all pictures, and sharpened, so
    that not all outputs become equal: each keeps the other from a collapse.

    Args:
        network: what is trained; handed in.
        total_steps: updates of the run; handed in.
        hidden: width of the head's hidden layers.
        bottleneck: length of the vector in front of the outputs.
        outputs: directions whose probabilities are compared.
        student_temperature: the student's cosines are divided by it.
        teacher_temperature: the teacher's; lower, which sharpens.
        warmup_teacher_temperature: the teacher's at first.
        warmup_teacher_epochs: epochs until it is `teacher_temperature`, in a straight line.
        center_momentum: share of the mean output that a batch keeps.
        momentum: share of itself that the teacher keeps in an update, at first.
        final_momentum: where that rises to by the end of the run; null stays.
        freeze_epochs: epochs at the start in which the last layer stays.

    Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021,
    algorithm 1 and appendix A.
    """

    center: Tensor

    def __init__(  # noqa: PLR0913 - one argument for each option of the method
        self,
        network: Recognizer,
        total_steps: int,
        *,
        hidden: PositiveInt = 2048,
        bottleneck: PositiveInt = 256,
        outputs: PositiveInt = 65536,
        student_temperature: PositiveFloat = 0.1,
        teacher_temperature: PositiveFloat = 0.04,
        warmup_teacher_temperature: PositiveFloat = 0.04,
        warmup_teacher_epochs: NonNegativeInt = 0,
        center_momentum: Fraction = 0.9,
        momentum: Fraction = 0.996,
        final_momentum: Fraction | None = 1.0,
        freeze_epochs: NonNegativeInt = 1,
    ) -> None:
        super().__init__()
        self.student_temperature, self.teacher_temperature = (
            student_temperature,
            teacher_temperature,
        )
        self._warm_up = (warmup_teacher_temperature, warmup_teacher_epochs)
        self.center_momentum, self.freeze_epochs = center_momentum, freeze_epochs
        self.head = DINOHead(network.out_features, hidden, bottleneck, outputs)
        self.teacher = MomentumNetwork(network, [self.head])
        self.register_buffer("center", paddle.zeros([1, outputs]))
        self._momentum = MomentumSchedule(momentum, final_momentum, total_steps)
        self._sharpness = warmup_teacher_temperature

    def encode(self, network: Recognizer, views: list[Tensor]) -> Outputs:
        """Returns the ``student``'s outputs of all views and the ``teacher``'s of the first size.

        And the ``features`` that the student's are made of, of length 1.
        """
        features, count = crop_features(network, views)
        large = views[0].shape[1]
        return {
            "features": unit(features.detach()).chunk(count),
            "student": self.head(features).chunk(count),
            "teacher": self.teacher(view_by_view(views[0])).chunk(large),
        }

    def forward(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compares every view of the student with every other, large, view of the teacher."""
        del labels
        teacher = paddle.concat(outputs["teacher"])
        seen = functional.softmax((teacher - self.center) / self._sharpness, axis=1)
        told = [
            functional.log_softmax(of_view / self.student_temperature, axis=1)
            for of_view in outputs["student"]
        ]
        loss = swapped_cross_entropy(seen.chunk(len(outputs["teacher"])), told)
        self._move_center(teacher)
        used = seen.mean(0)
        values = {
            "DINO": loss.detach(),
            "spread": spread(outputs["features"][0]),
            # How many outputs the batch uses: the exponential of the entropy of their mean.
            "outputs_used": paddle.exp(-(used * paddle.log(used + 1e-12)).sum()),
        }
        return loss, values

    def before_epoch(self, epoch: int) -> None:
        """Freezes the last layer at first, and sharpens the teacher."""
        self.head.last.weight.stop_gradient = epoch <= self.freeze_epochs
        first, epochs = self._warm_up
        done = min(1.0, (epoch - 1) / epochs) if epochs else 1.0
        self._sharpness = first + (self.teacher_temperature - first) * done

    def before_step(self, network: Recognizer, step: int) -> None:
        """Lets the teacher follow."""
        self.teacher.follow(network, [self.head], self._momentum(step))

    @paddle.no_grad()
    def _move_center(self, outputs: Tensor) -> None:
        mean = mean_of_rows(outputs).unsqueeze(0)
        kept = self.center_momentum
        self.center.set_value(kept * self.center + (1.0 - kept) * mean)
