"""A recogniser that learns beside another one.

The network is the student's, name by name, so that whatever evaluates, exports or stores it needs
to know nothing of the teacher: a frozen teacher is not part of the network at all, a trainable one
is under the prefix ``teacher.``.
"""

import paddle
from paddle import Tensor

from toolkit.models.heads.cosine import CosineHead
from toolkit.models.recognizer import Recognizer


class DistilledRecognizer(Recognizer):
    """A student whose outputs come with those of a teacher.

    Args:
        student: what is trained, evaluated and exported; its parts become this network's.
        teacher: another recogniser over the same images.
        trainable: train the teacher as well. Otherwise it stays as it is: its statistics are fixed,
            nothing is dropped, it gets no gradient, and it is not in the state or the parameters.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, for a frozen teacher;
    Zhang et al., Deep Mutual Learning, 2018, for a trainable one.
    """

    def __init__(self, student: Recognizer, teacher: Recognizer, *, trainable: bool) -> None:
        super().__init__(student.backbone, student.neck, student.head)
        self.outputs = (*student.outputs, *(f"teacher_{name}" for name in teacher.outputs))
        if trainable:
            self.teacher = teacher
        else:
            teacher.eval()
        # In a tuple, Paddle does not take it for a part of this network.
        self._frozen: tuple[Recognizer, ...] = () if trainable else (teacher,)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Computes the outputs of both.

        Args:
            images: float32 [b, 3, h, w].
            labels: class indices [b], int64, for heads with a margin.

        Returns:
            What the student gives, and the same of the teacher as ``teacher_backbone``,
            ``teacher_features`` and ``teacher_logits``. The logits of a frozen teacher whose head
            has a margin are without it, and scaled as they were in its training.
        """
        outputs = super().forward(images, labels)
        given = self._frozen_outputs(images) if self._frozen else self.teacher(images, labels)
        return outputs | {f"teacher_{name}": value for name, value in given.items()}

    @paddle.no_grad()
    def _frozen_outputs(self, images: Tensor) -> dict[str, Tensor]:
        teacher = self._frozen[0]
        outputs: dict[str, Tensor] = teacher(images)
        if isinstance(teacher.head, CosineHead):
            outputs["logits"] = teacher.head.scale * outputs["logits"]
        return outputs
