"""Every section and key of a configuration, with its type, default and meaning.

The names of `Global, CheckDataset, Train, Evaluate, Export, Predict` are PaddleX's; below them
stands the recipe (`Arch, Loss, Optimizer, Data, Metric`). docs/configuration.md is generated from
this file. Sections are frozen and strict: nothing is converted, nothing unknown is accepted.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from toolkit.config.parts import OptionsField, Part, PartField
from toolkit.config.section import Section
from toolkit.config.types import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    Percent,
    PositiveFloat,
    PositiveInt,
)
from toolkit.errors import ToolkitError
from toolkit.registry import (
    BACKBONES,
    CONVERTERS,
    HEADS,
    LOSSES,
    NECKS,
    OPTIMIZERS,
    OPTIONS,
    SAMPLERS,
    SCHEDULES,
    TASKS,
    TRANSFORMS,
)
from toolkit.runtime import parse_device


def _explain(check: Callable[[str], object], value: str) -> str:
    """Runs a check that raises our errors inside pydantic, which takes ValueErrors."""
    try:
        check(value)
    except ToolkitError as error:
        raise ValueError(str(error)) from error
    return value


def _empty_is_null(value: Any) -> Any:
    return None if value == "" else value


ModeName = Annotated[str, AfterValidator(lambda text: _explain(TASKS.location, text))]
SourceName = Annotated[str, AfterValidator(lambda text: _explain(CONVERTERS.location, text))]
DeviceName = Annotated[str, AfterValidator(lambda text: _explain(parse_device, text))]
OptionalPath = Annotated[str | None, BeforeValidator(_empty_is_null)]


class GlobalSection(Section):
    """What is run, on which data, where, and where the results go."""

    model: str = Field(
        description="Name of the model; its card gives the recipe that a file lacks."
    )
    mode: ModeName = Field(
        "check_dataset", description="What to do: " + ", ".join(TASKS.names()) + "."
    )
    dataset_dir: str | None = Field(
        None, description="Folder that holds train.txt, gallery.txt, query.txt and the pictures."
    )
    device: DeviceName = Field(
        "auto", description="auto, cpu, gpu, or gpu:0,1; a GPU that is not there means the CPU."
    )
    output: str = Field(
        "output", min_length=1, description="Folder for everything that is written."
    )
    seed: NonNegativeInt = Field(
        0, description="Of weights, sampling, augmentation, splits and bootstrap."
    )


class ConvertSection(Section):
    """Makes list files from another layout before the check."""

    enable: bool = Field(False, description="Convert first.")
    src_dataset_type: SourceName | None = Field(
        None, validate_default=True, description="One of " + ", ".join(CONVERTERS.names()) + "."
    )

    @field_validator("src_dataset_type")
    @classmethod
    def _known_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("enable"):
            raise ValueError(
                f"enable is true and src_dataset_type is null; give one of "
                f"{', '.join(CONVERTERS.names())}."
            )
        return value


class SplitSection(Section):
    """Divides the rows of the present lists into train, gallery and query anew."""

    enable: bool = Field(False, description="Split first; the old lists are kept as .bak.")
    train_percent: Percent | None = Field(None, description="Share of train, above 0.")
    gallery_percent: Percent | None = Field(None, description="Share of gallery, above 0.")
    query_percent: Percent | None = Field(
        None, validate_default=True, description="Share of query, above 0."
    )
    by: Literal["image", "class"] = Field(
        "image", description="image: every class on each side; class: classes kept apart."
    )
    force: bool = Field(False, description="Split an open-set dataset by image all the same.")

    # On the last of the three, not on the section: a section with any other fault in it would not
    # come to its own check, and all problems are to be told at once.
    @field_validator("query_percent")
    @classmethod
    def _percents(cls, value: float | None, info: ValidationInfo) -> float | None:
        others = ("train_percent", "gallery_percent")
        if not info.data.get("enable") or not set(others) <= info.data.keys():
            return value
        shares = (*(info.data[name] for name in others), value)
        if any(share is None or share <= 0 for share in shares):
            raise ValueError(
                "train_percent, gallery_percent and query_percent must all be given and above 0; "
                f"received {shares}."
            )
        total = sum(share for share in shares if share is not None)
        if abs(total - 100) > 1e-6:
            raise ValueError(f"the three percents must sum to 100; {shares} sum to {total:g}.")
        return value


class CheckDatasetSection(Section):
    """The dataset doctor."""

    convert: ConvertSection = Field(default_factory=ConvertSection)
    split: SplitSection = Field(default_factory=SplitSection)
    fail_on: Literal["error", "warning", "never"] = Field(
        "error", description="Lowest severity of a finding that makes the exit code 1."
    )
    num_workers: NonNegativeInt | Literal["auto"] = Field(
        "auto", description="Processes that decode; auto is the cores allowed, 0 is none."
    )
    thresholds: Annotated[dict[str, Any], OptionsField(OPTIONS, "CheckDataset.thresholds")] = Field(
        {},
        validate_default=True,
        description="Where a picture or a list becomes a finding: docs/findings.md.",
    )


class TrainSection(Section):
    """The one place for epochs, batch size and learning rate."""

    num_classes: PositiveInt | Literal["auto"] = Field(
        "auto", description="Rows of the class head; auto counts the labels of train.txt."
    )
    epochs_iters: PositiveInt = Field(20, description="Epochs.")
    batch_size: PositiveInt = Field(32, description="Pictures a step and device.")
    learning_rate: PositiveFloat = Field(0.01, description="Highest learning rate.")
    pretrain_weight_path: OptionalPath = Field(
        None, description="Weights to start from: a file or an address; null starts from random."
    )
    warmup_steps: NonNegativeInt | None = Field(
        None, description="Warm-up in EPOCHS, as in PaddleX; Optimizer.lr.warmup_iters is in steps."
    )
    resume_path: OptionalPath = Field(
        None, description="Checkpoint (.pdparams of a training output) to go on from."
    )
    log_interval: PositiveInt = Field(10, description="Steps between two log lines.")
    eval_interval: PositiveInt = Field(1, description="Epochs between two evaluations.")
    save_interval: PositiveInt = Field(1, description="Epochs between two epoch_N checkpoints.")
    keep_last: PositiveInt | None = Field(
        3, description="How many epoch_N checkpoints to keep; null keeps all."
    )
    max_steps: PositiveInt | None = Field(
        None, description="Stop after so many steps: a dry run of any configuration."
    )
    accumulate_steps: PositiveInt = Field(
        1, description="Batches whose gradients are summed before the optimizer steps."
    )
    ema_decay: Fraction | None = Field(
        None, description="Decay of the averaged weights; null keeps none."
    )
    eval_during_train: bool = Field(
        True, description="Evaluate every eval_interval; false makes the last epoch the best."
    )
    skip_check: bool = Field(False, description="Train on lists that were not checked.")
    visualdl: bool = Field(True, description="Write VisualDL scalars when it is installed.")


class EvaluateSection(Section):
    """Retrieval metrics of a checkpoint."""

    weight_path: str = Field(
        "auto", description="Weights to evaluate; auto is <Global.output>/best_model."
    )
    log_interval: PositiveInt = Field(1, description="Kept for PaddleX files; progress is timed.")
    batch_size: PositiveInt = Field(64, description="Pictures a forward pass.")
    baselines: list[Literal["hsv_histogram", "blurred_pixels", "untrained"]] = Field(
        [], description="Also measured, to see what training was good for."
    )


class ExportSection(Section):
    """A checkpoint as an inference model."""

    weight_path: str = Field(
        "auto", description="Weights to export; auto is <Global.output>/best_model."
    )


class KernelOptionSection(Section):
    """PaddleX's run mode."""

    run_mode: Literal["paddle", "mkldnn"] = Field(
        "paddle", description="paddle and mkldnn are the same here: the fastest Paddle has."
    )


class PredictSection(Section):
    """Features of pictures from an exported model."""

    batch_size: PositiveInt = Field(1, description="Pictures a forward pass.")
    model_dir: str | None = Field(
        "auto",
        description="Exported model; auto is <Global.output>/best_model/inference, null official.",
    )
    input: str | list[str] | None = Field(None, description="File, folder, address, or a list.")
    save: Literal["npy", "parquet"] | None = Field(
        None, description="Also one file of all features: features.npy + paths.txt, or Parquet."
    )
    kernel_option: KernelOptionSection = Field(default_factory=KernelOptionSection)


class ArchSection(Section):
    """The network: Backbone, Neck (its output is the embedding), Head (training only)."""

    Backbone: Annotated[Part, PartField(BACKBONES)] = Field(description="Picture to features.")
    Neck: Annotated[Part, PartField(NECKS)] | None = Field(None, description="To the embedding.")
    Head: Annotated[Part, PartField(HEADS)] | None = Field(None, description="To class logits.")


class DataSection(Section):
    """From list files to batches."""

    columns: list[Literal["path", "label", "camera"]] = Field(
        ["path", "label"], description="Columns of the lists; a third is read only if named here."
    )
    num_workers: NonNegativeInt | Literal["auto"] = Field(
        "auto", description="Processes that read and augment; auto is the cores allowed."
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
OptimizerPart = Annotated[Part, PartField(OPTIMIZERS, extra={"lr": (LearningRatePart, ...)})]


class Config(Section):
    """A whole configuration; Arch, Loss and Optimizer are None where a network is not built yet."""

    Global: GlobalSection
    CheckDataset: CheckDatasetSection = Field(default_factory=CheckDatasetSection)
    Train: TrainSection = Field(default_factory=TrainSection)
    Evaluate: EvaluateSection = Field(default_factory=EvaluateSection)
    Export: ExportSection = Field(default_factory=ExportSection)
    Predict: PredictSection = Field(default_factory=PredictSection)
    Arch: ArchSection | None = Field(None)
    Loss: list[LossPart] | None = Field(None, min_length=1)
    Optimizer: OptimizerPart | None = Field(None)
    Data: DataSection
    Metric: MetricSection = Field(default_factory=MetricSection)

    @field_validator("Optimizer")
    @classmethod
    def _warmup_said_once(cls, optimizer: Part | None, info: ValidationInfo) -> Part | None:
        steps = optimizer.options["lr"].options["warmup_iters"] if optimizer else None
        train = info.data.get("Train")
        epochs = train.warmup_steps if isinstance(train, TrainSection) else None
        if steps is not None and epochs is not None:
            raise ValueError(
                f"the warm-up is said twice: Train.warmup_steps {epochs} (epochs) and "
                f"Optimizer.lr.warmup_iters {steps} (steps); give one of them."
            )
        return optimizer
