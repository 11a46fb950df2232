"""Margin and scale of a class head against the number of classes."""

import math
from collections.abc import Iterator

from toolkit.build.recipe.finding import Recipe, RecipeFinding

_PROBABILITY = 0.9
_SCALED = frozenset(("ArcMargin", "SubCenterArcMargin", "CosMargin"))


def smallest_scale(num_classes: int, probability: float = _PROBABILITY) -> float:
    """Returns the scale below which a softmax of cosines cannot give a class its probability.

    Args:
        num_classes: 2 or more.
        probability: of the true class, when every picture lies on its class's direction and the
            directions are as far apart as they can be.

    Source: Wang et al., CosFace, 2018: the lower bound of s for normalised features.
    """
    others = num_classes - 1
    return others / num_classes * math.log(others * probability / (1 - probability))


def check_number_of_classes(recipe: Recipe) -> Iterator[RecipeFinding]:
    """A single class leaves nothing to tell apart."""
    sizes = recipe.class_sizes
    knows_more = recipe.config.Train.extend_from is not None
    if sizes is not None and len(sizes) == 1 and not knows_more:
        yield RecipeFinding(
            *("one_class", "error", "train list", "1 class"),
            "there is nothing to tell apart.",
            "Add pictures of other classes, or train without labels (SelfSup).",
        )


def check_margin_and_scale(recipe: Recipe) -> Iterator[RecipeFinding]:
    """A scale too small to reach a low loss, a margin that no arrangement of classes reaches."""
    head, classes = recipe.config.Arch.Head, recipe.num_outputs
    if head is None or head.name not in _SCALED or classes < 2:
        return
    scale, least = head.options["scale"], smallest_scale(classes)
    if scale < least:
        yield RecipeFinding(
            *("scale_too_small", "warning", "Arch.Head.scale", scale),
            f"with {classes} classes a perfect network gives its class less than "
            f"{_PROBABILITY:.0%} below a scale of {least:.1f}, so the loss stays high and the "
            "gradients push good pictures.",
            f"Use {math.ceil(least)} or more.",
        )
    # Directions spread evenly have a cosine of -1 / (c - 1) with each other; in fewer dimensions
    # than classes they are nearer still.
    cosine = head.name == "CosMargin"
    largest = classes / (classes - 1) if cosine else math.acos(-1 / (classes - 1))
    if head.options["margin"] >= largest:
        unit = "in cosine" if cosine else "as an angle"
        yield RecipeFinding(
            *("margin_too_large", "warning", "Arch.Head.margin", head.options["margin"]),
            f"{classes} classes can be at most {largest:.2f} apart {unit}, so no network meets it.",
            f"Use {0.35 if cosine else 0.2} first.",
        )
