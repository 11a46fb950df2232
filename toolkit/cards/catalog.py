"""The models by name."""

from typing import Literal

from toolkit.cards.card import Card
from toolkit.cards.imagenet import imagenet_cards
from toolkit.cards.recognition import recognition_cards
from toolkit.errors import ModelError, nearest

CARDS: dict[str, Card] = {card.name: card for card in (*recognition_cards(), *imagenet_cards())}

ALIASES = {"mobilenet_v2_1.0_224": "mobilenet_v2", "efficientnet-b0": "efficientnet_b0"}
"""Other names of models -> their own: EasyVision's folders, where they differ from its names."""

DEFAULT_MODEL = "SmallResNet_general"
"""What opens when nobody says a name; it ships with this package."""


def list_models(kind: Literal["recognition", "backbone"] | None = None) -> list[str]:
    """Returns the names of the models, those made for retrieval first.

    Args:
        kind: ``recognition`` or ``backbone``; None for all.
    """
    return [name for name, card in CARDS.items() if kind in (None, card.kind)]


def models_table() -> str:
    """Returns what people choose a model by: a line each, under a heading."""
    heading = (
        f"{'name':<42} {'kind':<12} {'values':>6} {'input':>5} {'parameters':>11} "
        f"{'multiply-adds':>14}  weights"
    )
    lines = [
        f"{card.name:<42} {card.kind:<12} {card.dimension:>6} {card.input_size:>5} "
        f"{card.parameters / 1e6:>9.2f} M {card.multiply_adds / 1e9:>12.3f} G  {card.availability}"
        for card in CARDS.values()
    ]
    return "\n".join([heading, *lines])


def model_card(name: str) -> Card:
    """Returns the card of a model, by its name or another one that it has.

    Raises:
        ModelError: no card has this name; the message has the nearest and all names.
    """
    own = ALIASES.get(name, name)
    if own not in CARDS:
        raise ModelError(
            f"Unknown model {name!r}.{nearest(name, CARDS)} Known: {', '.join(CARDS)}."
        )
    return CARDS[own]
