"""From `Arch.Teacher` to a network beside the one that is trained."""

import logging
from pathlib import Path

from toolkit.build.fetching import fetch_options
from toolkit.build.model import build_recognizer, checkpoint_weights, load_pretrained, load_whole
from toolkit.config.recipe_sections import TeacherSection
from toolkit.config.schema import Config
from toolkit.errors import WeightsError
from toolkit.models.distillation import DistilledRecognizer
from toolkit.models.recognizer import Recognizer

_LOG = logging.getLogger(__name__)


def teacher_weights(config: Config) -> Path | None:
    """Returns the file of the teacher's weights, fetched if it is an address; None without one.

    A resumed run has those of a trainable teacher in its checkpoint.

    Raises:
        FetchError: it is an address that cannot be reached.
        WeightsError: there is no such file.
    """
    teacher = config.Arch.Teacher
    if teacher is None or teacher.weight_path is None:
        return None
    if teacher.trainable and config.Train.resume_path is not None:
        return None
    return checkpoint_weights(
        teacher.weight_path, Path(config.Global.output), fetch_options(config)
    )


def with_teacher(
    student: Recognizer, section: TeacherSection, num_classes: int, weights: Path | None
) -> DistilledRecognizer:
    """Puts a teacher beside a network.

    Args:
        student: the network that is trained.
        section: the teacher's.
        num_classes: rows of the teacher's class head, as many as the student's.
        weights: what `teacher_weights` returned.

    Raises:
        WeightsError: the weights cannot be read or do not fit; those of a frozen teacher must fit
            with its head, for it is never trained.
    """
    teacher = build_recognizer(section, num_classes)
    if weights is not None and section.trainable:
        load_pretrained(teacher, weights)
    elif weights is not None:
        try:
            report = load_whole(teacher, weights)
        except WeightsError as error:
            raise WeightsError(
                f"Arch.Teacher: {error} A frozen teacher's head must be one for the classes of "
                "this training list; leave Arch.Teacher.Head out to learn from its features alone."
            ) from error
        _LOG.info("The teacher's %d tensors are taken from %s.", len(report.loaded), weights)
    return DistilledRecognizer(student, teacher, trainable=section.trainable)
