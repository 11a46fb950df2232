"""What is known of one model."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_FOLDER = Path(__file__).parent
_IMAGENET_RECIPE = "imagenet_backbone"


@dataclass(frozen=True)
class Published:
    """A number, and who says so.

    Attributes:
        what: the quantity, with its unit: "AliProducts recall@1, %".
        value: as published.
        source: a document, or the command that printed it.
        hardware: where it was measured, if that matters.
    """

    what: str
    value: float
    source: str
    hardware: str = ""


@dataclass(frozen=True)
class RecipeRun:
    """What a recipe's own run was trained with, from which other batch sizes are scaled.

    Attributes:
        optimizer: its rule.
        learning_rate: the highest rate.
        batch_size: pictures an update, of all devices together.
    """

    optimizer: str
    learning_rate: float
    batch_size: int


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the input of a backbone with ImageNet weights.

    Attributes:
        resize_short: the shorter side after resizing, in pixels.
        side: of the square that is cut from the middle, in pixels.
        mean: subtracted from each channel (R, G, B) in [0, 1].
        std: what it is divided by then.
        interpolation: of the resize.
    """

    resize_short: int = 256
    side: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a model.

    Attributes:
        name: the value of Global.model, and the first argument of create_model.
        kind: ``recognition`` models give embeddings made for retrieval; a ``backbone`` gives the
            feature that its ImageNet classifier reads.
        summary: one line on what it is.
        architecture: the parts, by their names in a configuration; for a backbone its name alone.
        dimension: length of the embedding.
        preprocessing: what happens to a picture before the network, in words.
        licence: of the weights.
        trained_on: the data of the weights.
        good_for: what to take it for.
        not_for: what to leave it for.
        paper: where the architecture comes from.
        pretrained_url: official weights to start training from; None where there are none.
        weights_url: official weights of the whole trained network.
        inference_url: official inference model (.tar).
        embedded: the inference model ships inside this package.
        published: what others measured.
        measured: what this toolkit measured, by the command that is the number's source.
        imagenet: for a backbone, how its weights want a picture.
        recipe_run: what the recipe was run with, where that is known.
    """

    name: str
    kind: Literal["recognition", "backbone"] = "recognition"
    summary: str
    architecture: str
    dimension: int
    preprocessing: str
    licence: str
    trained_on: str = ""
    good_for: str = ""
    not_for: str = ""
    paper: str = ""
    pretrained_url: str | None = None
    weights_url: str | None = None
    inference_url: str | None = None
    embedded: bool = False
    published: tuple[Published, ...] = ()
    measured: tuple[Published, ...] = ()
    imagenet: Preprocessing | None = None
    recipe_run: RecipeRun | None = None

    @property
    def recipe(self) -> str:
        """The recipe sections that a configuration may leave out, as YAML."""
        if self.imagenet is None:
            return (_FOLDER / "recipes" / f"{self.name}.yaml").read_text(encoding="utf-8")
        text = (_FOLDER / "recipes" / f"{_IMAGENET_RECIPE}.yaml").read_text(encoding="utf-8")
        values = {
            "BACKBONE": self.architecture,
            "RESIZE_SHORT": self.imagenet.resize_short,
            "SIDE": self.imagenet.side,
            "MEAN": list(self.imagenet.mean),
            "STD": list(self.imagenet.std),
            "INTERPOLATION": self.imagenet.interpolation,
        }
        for word, value in values.items():
            text = text.replace(word, str(value))
        return text

    @property
    def embedded_folder(self) -> Path:
        """Where the inference model of an embedded card is."""
        return _FOLDER / "embedded" / self.name

    @property
    def availability(self) -> str:
        """Says in a few words where the weights come from."""
        if self.embedded:
            return "in this package"
        if self.inference_url or self.pretrained_url:
            return "downloaded on first use" if self._opens else "to start training from"
        return "yours"

    @property
    def _opens(self) -> bool:
        """True if create_model can open it by its name."""
        return self.kind == "backbone" or self.inference_url is not None

    @property
    def input_size(self) -> int:
        """Side of the square input, in pixels."""
        return _costs()[self.name][0]

    @property
    def parameters(self) -> int:
        """Numbers that the embedding network learns; the class head is not counted."""
        return _costs()[self.name][1]

    @property
    def multiply_adds(self) -> int:
        """Multiplications for one image of `input_size`, branches fused."""
        return _costs()[self.name][2]


@functools.cache
def _costs() -> dict[str, tuple[int, int, int]]:
    """Returns name -> (input size, parameters, multiply-adds), as benchmarks/costs.py counted."""
    text = (_FOLDER / "costs.json").read_text(encoding="utf-8")
    costs: dict[str, tuple[int, int, int]] = {
        name: (int(side), int(parameters), int(products))
        for name, (side, parameters, products) in json.loads(text).items()
    }
    return costs
