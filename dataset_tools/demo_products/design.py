"""What makes a product: its body, palette, pattern, emblem, layout and name.

Palettes are few and shared by many products, so colour alone does not tell products apart; the
pair of body and emblem belongs to one product only.
"""

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

BODIES = ("box", "carton", "can", "tin", "bottle", "jar", "tub", "pouch", "tube")
PATTERNS = (
    "plain", "bands", "stripes", "diagonal", "chevrons", "dots", "checks", "waves", "rays",
    "halves", "triangles", "frame",
)  # fmt: skip
EMBLEMS = (
    "star", "leaf", "sun", "drop", "heart", "mountain", "ring", "diamond", "crown", "fish", "tree",
    "bolt", "moon", "flower", "house", "cross", "cup", "arrow",
)  # fmt: skip
LAYOUTS = ("emblem_above", "name_above", "badge", "banner", "ribbon", "corner")
# ground, second, accent, ink
PALETTES: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((186, 36, 42), (236, 226, 206), (240, 184, 48), (52, 18, 20)),
    ((28, 74, 140), (222, 230, 236), (238, 176, 44), (14, 26, 56)),
    ((44, 112, 70), (232, 228, 200), (226, 92, 48), (16, 42, 28)),
    ((112, 72, 44), (238, 220, 186), (198, 44, 44), (46, 28, 18)),
    ((232, 224, 208), (44, 116, 128), (214, 74, 56), (30, 40, 48)),
    ((98, 54, 122), (232, 222, 238), (240, 168, 66), (40, 18, 56)),
)
_SYLLABLES = (
    "lu", "mo", "ka", "ri", "ta", "no", "ve", "so", "bi", "ze", "pa", "do", "el", "fy", "qua",
    "ner", "go", "hu", "wi", "jo",
)  # fmt: skip
_GOODS = (
    "tea", "coffee", "soap", "honey", "oats", "rice", "juice", "salt", "jam", "milk", "cocoa",
    "cream", "beans", "pasta", "sugar", "wax",
)  # fmt: skip
_FONTS = (
    "DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif-BoldItalic.ttf", "DejaVuSans-BoldOblique.ttf",
)  # fmt: skip


@dataclass(frozen=True)
class Design:
    """One product.

    Attributes:
        name: brand and good, such as "Lumo_tea"; the label of its pictures.
        body: one of `BODIES`.
        emblem: one of `EMBLEMS`.
        pattern: one of `PATTERNS`.
        layout: one of `LAYOUTS`.
        palette: ground, second, accent and ink, RGB.
        font: file name of a font that matplotlib ships.
        count: how often the pattern repeats.
    """

    name: str
    body: str
    emblem: str
    pattern: str
    layout: str
    palette: tuple[Colour, Colour, Colour, Colour]
    font: str
    count: int


def draw_designs(count: int, rng: np.random.Generator) -> list[Design]:
    """Draws products; no two have the same brand, nor the same body and emblem."""
    names = _names(count, rng)
    pairs = [(body, emblem) for body in BODIES for emblem in EMBLEMS]
    if count > len(pairs):
        raise ValueError(f"at most {len(pairs)} products can be told apart, got {count}.")
    chosen = rng.permutation(len(pairs))[:count]
    designs = []
    for name, pair in zip(names, chosen, strict=True):
        body, emblem = pairs[pair]
        ground, second, accent, ink = PALETTES[rng.integers(len(PALETTES))]
        if rng.random() < 0.4:
            ground, second = second, ground
        designs.append(
            Design(
                name,
                body,
                emblem,
                PATTERNS[rng.integers(len(PATTERNS))],
                LAYOUTS[rng.integers(len(LAYOUTS))],
                (ground, second, accent, ink),
                _FONTS[rng.integers(len(_FONTS))],
                int(rng.integers(3, 8)),
            )
        )
    return designs


def _names(count: int, rng: np.random.Generator) -> list[str]:
    names: dict[str, str] = {}
    while len(names) < count:
        syllables = [_SYLLABLES[i] for i in rng.integers(len(_SYLLABLES), size=rng.integers(2, 4))]
        brand = "".join(syllables).capitalize()
        names.setdefault(brand, f"{brand}_{_GOODS[rng.integers(len(_GOODS))]}")
    return list(names.values())
