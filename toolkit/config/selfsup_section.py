"""SelfSup: training from images without labels.

A configuration with this section and mode train needs no Loss and no Arch.Head.
"""

from typing import Annotated, Literal

from pydantic import Field

from toolkit.config.parts import Part, PartField
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from toolkit.registry import METHODS, TRANSFORMS


class ViewSection(Section):
    """One way to look at a picture."""

    count: PositiveInt = Field(description="How many such views of each picture.")
    transforms: list[Annotated[Part, PartField(TRANSFORMS, keyed=True)]] = Field(
        min_length=1, description="Steps behind Data.train_transforms, to a tensor of one size."
    )


class SelfSupSection(Section):
    """Training without labels; null trains with labels."""

    method: Annotated[Part, PartField(METHODS)] = Field(description="Networks and loss.")
    views: list[ViewSection] = Field(
        min_length=1, description="What is seen of each picture in a step."
    )
    images: OptionalPath = Field(
        None,
        description="Folder of pictures, index of a path a line, TFRecord file, tar shard, or a "
        "folder of these; null: unlabelled.txt of Global.dataset_dir, else its train list.",
    )
    image_root: OptionalPath = Field(
        None, description="Folder that paths of the index start from; null: where the index is."
    )
    use_pretrained: bool = Field(
        False,
        description="Start from Train.pretrain_weight_path, or from the weights that the card of "
        "the backbone names; false starts from random.",
    )
    on_collapse: Literal["stop", "warn"] = Field(
        "stop", description="What to do when all pictures get the same features."
    )
    collapse_spread: NonNegativeFloat = Field(
        0.01,
        description="Spread of the vectors that are compared, 0 (all the same) to 1, below which "
        "training counts as collapsed.",
    )
    collapse_steps: PositiveInt = Field(
        50, description="Updates in a row below collapse_spread that make a collapse."
    )
    judge_images: NonNegativeInt = Field(
        512, description="Pictures whose features are looked at in each evaluation; 0: none."
    )
    knn_k: PositiveInt = Field(20, description="Neighbours that vote in the metric knn.")
