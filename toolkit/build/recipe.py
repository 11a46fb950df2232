"""The recipe of a configuration, or the reason why it has none."""

from dataclasses import dataclass

from toolkit.config.parts import Part
from toolkit.config.schema import ArchSection, Config
from toolkit.errors import ModelError


@dataclass(frozen=True)
class Recipe:
    """The sections that training and evaluation need, all present."""

    arch: ArchSection
    losses: list[Part]
    optimizer: Part


def require_recipe(config: Config) -> Recipe:
    """Returns the recipe sections.

    Raises:
        ModelError: the model's network is not part of the toolkit yet.
    """
    if config.Arch is None or config.Loss is None or config.Optimizer is None:
        raise ModelError(
            f"The network of {config.Global.model} is not part of this version; its datasets can "
            f"be checked (Global.mode=check_dataset), and {config.Global.mode} cannot run. "
            "PP-ShiTuV2_rec does the same task with a smaller network."
        )
    return Recipe(config.Arch, config.Loss, config.Optimizer)
