"""The recipe: Arch, Data and Metric, and the parts that Loss and Optimizer are made of."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from toolkit.config.parts import Part, PartField
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from toolkit.registry import (
    BACKBONES,
    HEADS,
    LOSSES,
    NECKS,
    OPTIMIZERS,
    SAMPLERS,
    SCHEDULES,
    TRANSFORMS,
)


class NetworkSection(Section):
    """Backbone, Neck (its output is the embedding), Head (training only)."""

    Backbone: Annotated[Part, PartField(BACKBONES)] = Field(description="Picture to features.")
    Neck: Annotated[Part, PartField(NECKS)] | None = Field(None, description="To the embedding.")
    Head: Annotated[Part, PartField(HEADS)] | None = Field(None, description="To class logits.")


class TeacherSection(NetworkSection):
    """Another network that the trained one learns from: docs/training.md, Distillation."""

    trainable: bool = Field(False, description="Train it too, by losses that read its outputs.")
    weight_path: OptionalPath = Field(
        None,
        validate_default=True,
        description="Its weights: a file, a training output's folder, or an address.",
    )

    @field_validator("weight_path")
    @classmethod
    def _frozen_has_weights(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("trainable") is False:
            raise ValueError(
                "a teacher that is not trainable needs weights; there is nothing to learn from "
                "random ones."
            )
        return value


class ArchSection(NetworkSection):
    """The network: Backbone, Neck (its output is the embedding), Head (training only)."""

    Teacher: TeacherSection | None = Field(
        None, description="A network to learn from in training; the keys of Arch and two more."
    )


class ListSection(Section):
    """One list that does not stand in Global.dataset_dir under its usual name."""

    file: str = Field(min_length=1, description="Path of the list.")
    image_root: OptionalPath = Field(
        None,
        description="Folder of its paths; null is Global.dataset_dir, else the list's own folder.",
    )
    columns: list[Literal["path", "label", "camera"]] | None = Field(
        None, description="Columns of this list; null is Data.columns."
    )


class ListsSection(Section):
    """Where lists are; null is train.txt, gallery.txt, query.txt of Global.dataset_dir."""

    train: ListSection | None = Field(None, description="Trained on.")
    gallery: ListSection | None = Field(None, description="Searched in.")
    query: ListSection | None = Field(None, description="Searched for.")


class DataSection(Section):
    """From list files to batches."""

    lists: ListsSection = Field(default_factory=ListsSection)
    columns: list[Literal["path", "label", "camera"]] = Field(
        ["path", "label"], description="Columns of the lists; a third is read only if named here."
    )
    num_workers: NonNegativeInt | Literal["auto"] = Field(
        "auto", description="Threads that read and augment; auto is the cores allowed."
    )
    wait_minutes: NonNegativeFloat = Field(
        10.0, description="How long training waits for its pictures when their folder is gone."
    )
    cache_mib: NonNegativeInt = Field(
        2048,
        description="Largest size of the files together that keep decoded pictures; 0 keeps none.",
    )
    rotate_classes: bool = Field(
        False, description="Every class four times, turned by 0, 90, 180 and 270 degrees."
    )
    sampler: Annotated[Part, PartField(SAMPLERS)] = Field(description="Which pictures go together.")
    train_transforms: list[Annotated[Part, PartField(TRANSFORMS, keyed=True)]] = Field(
        min_length=1, description="Steps from a training picture to the network's input."
    )
    eval_transforms: list[Annotated[Part, PartField(TRANSFORMS, keyed=True)]] = Field(
        min_length=1, description="The same for evaluation; written into inference.yml."
    )


class MetricSection(Section):
    """What evaluate reports beside PaddleX's three numbers."""

    recall_k: list[PositiveInt] = Field([1, 5], min_length=1, description="k of recall@k.")
    precision_k: list[PositiveInt] = Field([1, 5], min_length=1, description="k of precision@k.")
    bootstrap_samples: NonNegativeInt = Field(
        1000, description="Resamplings of the queries for the 95% intervals; 0 for none."
    )


LossPart = Annotated[Part, PartField(LOSSES, keyed=True, extra={"weight": (NonNegativeFloat, 1.0)})]
LearningRatePart = Annotated[
    Part, PartField(SCHEDULES, extra={"warmup_iters": (NonNegativeInt | None, None)})
]
OptimizerPart = Annotated[
    Part,
    PartField(
        OPTIMIZERS,
        extra={
            "lr": (LearningRatePart, ...),
            "lr_factors": (dict[str, NonNegativeFloat] | None, None),
        },
    ),
]
