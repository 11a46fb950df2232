"""From `Loss` to one function of the network's outputs."""

import logging
from collections.abc import Collection, Mapping, Sequence

from paddle import nn

from toolkit.config.parts import Part
from toolkit.errors import ConfigError
from toolkit.losses.combined import CombinedLoss
from toolkit.losses.outputs import require_output
from toolkit.registry import LOSSES

_LOG = logging.getLogger(__name__)


def build_loss(
    parts: Sequence[Part],
    num_classes: int,
    feature_sizes: Mapping[str, int],
    outputs: Collection[str],
) -> CombinedLoss:
    """Builds the weighted sum of the losses of a configuration.

    Args:
        parts: name and options of each.
        num_classes: rows of the class head, for losses that learn something for each class.
        feature_sizes: lengths of the network's outputs by name, for losses that keep vectors.
        outputs: names of all that the network gives. That each loss finds what it reads is told
            here, for a run that cannot take its first step should not begin.

    Raises:
        ConfigError: a loss is named twice, or reads what the network does not give.
    """
    built = []
    for part in parts:
        options = {key: value for key, value in part.options.items() if key != "weight"}
        derived = _derived(part, num_classes, feature_sizes)
        loss = LOSSES.build(part.name, **derived, **options)
        for name in _reads(loss):
            require_output(outputs, name, part.name)
        built.append((_log_name(part), float(part.options["weight"]), loss))
    _tell_of_unread_teacher({name for _, _, loss in built for name in _reads(loss)}, outputs)
    try:
        return CombinedLoss(built)
    except ValueError as error:
        raise ConfigError(f"Loss: {error}") from error


def _reads(loss: nn.Layer) -> tuple[str, ...]:
    """Returns the outputs that a loss says it needs; one that says nothing is asked no more."""
    names: tuple[str, ...] = getattr(loss, "reads", ())
    return names


def _tell_of_unread_teacher(read: Collection[str], outputs: Collection[str]) -> None:
    teacher = {name for name in outputs if name.startswith("teacher_")}
    if teacher and teacher.isdisjoint(read):
        _LOG.warning(
            "No loss reads what the teacher gives, so nothing is learnt from it: add KLDivLoss, "
            "DMLLoss or RKDLoss, or take Arch.Teacher out."
        )


def _log_name(part: Part) -> str:
    """Returns the loss's name in the log; one that reads the teacher is another one there."""
    of = part.options.get("of", "student")
    return part.name if of == "student" else f"{part.name}_{of}"


def _derived(part: Part, num_classes: int, feature_sizes: Mapping[str, int]) -> dict[str, int]:
    """Returns the options of a loss that follow from the data and the network."""
    asked = {option.name for option in LOSSES.options(part.name) if option.handed_in}
    derived = {}
    if "num_classes" in asked:
        derived["num_classes"] = num_classes
    if "in_features" in asked:
        derived["in_features"] = feature_sizes[part.options.get("feature_from", "features")]
    return derived
