"""From `Loss` to one function of the network's outputs."""

from collections.abc import Sequence

from toolkit.config.parts import Part
from toolkit.errors import ConfigError
from toolkit.losses.combined import CombinedLoss
from toolkit.registry import LOSSES


def build_loss(parts: Sequence[Part]) -> CombinedLoss:
    """Builds the weighted sum of the losses of a configuration.

    Raises:
        ConfigError: a loss is named twice.
    """
    built = []
    for part in parts:
        options = {key: value for key, value in part.options.items() if key != "weight"}
        built.append((part.name, float(part.options["weight"]), LOSSES.build(part.name, **options)))
    try:
        return CombinedLoss(built)
    except ValueError as error:
        raise ConfigError(f"Loss: {error}") from error
