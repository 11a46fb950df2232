"""The models by name: facts, addresses, and the recipe that a configuration may leave out."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ModelError, nearest

_ECOLOGY = "https://paddle-model-ecology.bj.bcebos.com/paddlex"
_RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Card:
    """What is known of a model.

    Attributes:
        name: the value of Global.model.
        summary: one line on what it is and what it is good for.
        dimension: length of the embedding.
        input_size: side of the square input, in pixels.
        pretrained_url: official weights to start training from; None where there are none.
        inference_url: official inference model (.tar); None where there is none.
        available: False while the network of the card is not part of the toolkit.
    """

    name: str
    summary: str
    dimension: int
    input_size: int
    pretrained_url: str | None = None
    inference_url: str | None = None
    available: bool = True

    @property
    def recipe_file(self) -> Path:
        """YAML file with the recipe; without Arch where the network is not available."""
        return _RECIPES / f"{self.name}.yaml"


def _official(name: str, summary: str, pretrained: str, *, available: bool) -> Card:
    return Card(
        name,
        summary,
        dimension=512,
        input_size=224,
        pretrained_url=f"{_ECOLOGY}/official_pretrained_model/{pretrained}_pretrained.pdparams",
        inference_url=f"{_ECOLOGY}/official_inference_model/paddle3.0.0/{name}_infer.tar",
        available=available,
    )


CARDS = {
    card.name: card
    for card in (
        _official(
            "PP-ShiTuV2_rec",
            "PPLCNetV2_base_ShiTu + BNNeck, 512-d: the general recognition model of PP-ShiTuV2.",
            "PP-ShiTuV2_rec",
            available=True,
        ),
        _official(
            "PP-ShiTuV2_rec_CLIP_vit_base",
            "CLIP ViT-B/16 + FC, 512-d.",
            "PP-ShiTuV2_rec_CLIP_vit_base_backbone_LAION400M",
            available=False,
        ),
        _official(
            "PP-ShiTuV2_rec_CLIP_vit_large",
            "CLIP ViT-L/14 + FC, 512-d.",
            "PP-ShiTuV2_rec_CLIP_vit_large_backbone_LAION400M",
            available=False,
        ),
        Card(
            "PPLCNet_x0_5_rec",
            "PPLCNet_x0_5 + FC, ArcMargin: the smallest PP-LCNet recipe, made to start from "
            "pretrained weights.",
            dimension=512,
            input_size=224,
        ),
        Card(
            "SmallResNet_rec",
            "Small dense ResNet + BNNeck, softmax: learns from a few thousand pictures, from "
            "scratch, on a laptop's CPU.",
            dimension=256,
            input_size=64,
        ),
    )
}


def find_card(name: str) -> Card:
    """Returns the card of a model.

    Raises:
        ModelError: no card has this name; the message has the nearest and all names.
    """
    if name not in CARDS:
        raise ModelError(
            f"Unknown model {name!r}.{nearest(name, CARDS)} Known: {', '.join(CARDS)}."
        )
    return CARDS[name]
