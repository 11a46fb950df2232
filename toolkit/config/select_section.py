"""SelectModel: which models are compared on the gallery and query lists."""

from typing import Literal

from pydantic import Field

from toolkit.config.run_sections import DecodeMode, EngineName
from toolkit.config.section import Section
from toolkit.config.types import PositiveInt


class CandidateSection(Section):
    """A checkpoint, with the configuration it was trained with."""

    config: str = Field(min_length=1, description="YAML file of the network.")
    weight_path: str = Field(
        "auto", description="Its weights; auto is best_model of the output folder it names."
    )


class SelectModelSection(Section):
    """Models side by side on the gallery and query lists."""

    models: list[str | CandidateSection] = Field(
        [],
        description="Each the name of a card, the folder of an export or of a training run, or "
        "{config: FILE, weight_path: FILE}.",
    )
    metric: Literal["recall1", "recall5", "mAP"] = Field(
        "recall1", description="By which they are put in order, and the best is named."
    )
    engine: EngineName = Field("auto", description="What runs the networks.")
    decode: DecodeMode = Field("fast", description="As Predict.decode.")
    batch_size: PositiveInt = Field(16, description="Pictures a forward pass.")
