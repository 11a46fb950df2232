"""All checks of a recipe: what cannot work is an error before the first step, the rest is told."""

import logging

from toolkit.build.recipe.batches import check_batch, check_classes_in_batch, check_pairs
from toolkit.build.recipe.finding import Recipe, RecipeFinding
from toolkit.build.recipe.head import check_margin_and_scale, check_number_of_classes
from toolkit.build.recipe.schedule import (
    check_intervals,
    check_learning_rate,
    check_memory_of_losses,
    check_warm_up,
)
from toolkit.errors import ConfigError

_LOG = logging.getLogger(__name__)
CHECKS = (
    check_number_of_classes,
    check_batch,
    check_classes_in_batch,
    check_pairs,
    check_margin_and_scale,
    check_warm_up,
    check_learning_rate,
    check_intervals,
    check_memory_of_losses,
)


def recipe_findings(recipe: Recipe) -> list[RecipeFinding]:
    """Returns what is wrong with a recipe, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(recipe)]


def require_sound_recipe(recipe: Recipe) -> list[RecipeFinding]:
    """Tells what is unlikely to work, and returns it.

    Raises:
        ConfigError: something cannot work; every error is named.
    """
    findings = recipe_findings(recipe)
    for finding in findings:
        if finding.severity == "warning":
            _LOG.warning("Recipe: %s", finding)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return findings
