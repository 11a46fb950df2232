"""What is run and how: Global, CheckDataset, Train, Evaluate, Export, Predict.

The names of sections and keys are PaddleX's.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolkit.config.parts import OptionsField
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    Percent,
    PositiveFloat,
    PositiveInt,
)
from toolkit.errors import ToolkitError
from toolkit.registry import CONVERTERS, OPTIONS, TASKS
from toolkit.runtime import parse_device


def _explain(check: Callable[[str], object], value: str) -> str:
    """Runs a check that raises our errors inside pydantic, which takes ValueErrors."""
    try:
        check(value)
    except ToolkitError as error:
        raise ValueError(str(error)) from error
    return value


ModeName = Annotated[str, AfterValidator(lambda text: _explain(TASKS.location, text))]
SourceName = Annotated[str, AfterValidator(lambda text: _explain(CONVERTERS.location, text))]
DeviceName = Annotated[str, AfterValidator(lambda text: _explain(parse_device, text))]
EngineName = Literal["auto", "paddle", "onnxruntime", "openvino"]
DecodeMode = Literal["fast", "exact"]
_DECODE = (
    "exact decodes every pixel; fast lets the JPEG decoder shrink photographs that are several "
    "times larger than the network's input."
)


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
    cache_dir: OptionalPath = Field(
        None,
        description="Folder for downloads, kept pictures and features; null takes "
        "TOOLKIT_CACHE_HOME, else ~/.cache.",
    )
    mirror: OptionalPath = Field(
        None, description="Asked in place of the hosts *.bcebos.com; null takes TOOLKIT_MIRROR."
    )
    verify: bool = Field(
        False, description="Compute the sha256 of downloaded files again: main.py --verify."
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


class AmpSection(Section):
    """Mixed precision; null trains in float32."""

    level: Literal["O1", "O2"] = Field(
        "O1",
        description="O1: convolutions and matrix products in 16 bits; O2: all but normalisations, "
        "class head and losses. Weights are kept in float32 at both.",
    )
    dtype: Literal["bfloat16", "float16"] = Field(
        "bfloat16", description="The 16 bits; float16 scales the loss."
    )
    scale_loss: PositiveFloat = Field(
        32768.0, description="Scale of the loss that a run in float16 begins with."
    )


class EarlyStoppingSection(Section):
    """The end of a run that no longer gets better; null trains to the last epoch."""

    metric: str = Field("recall1", description="What an evaluation is judged by; higher is better.")
    patience: PositiveInt = Field(
        5, description="Evaluations in a row without a better one that end the run."
    )
    min_delta: NonNegativeFloat = Field(
        0.0, description="By how much an evaluation must be above the best to be better."
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
        None,
        description="Checkpoint (.pdparams of a training output) to go on from; auto takes the "
        "newest whole one of Global.output, and begins anew where there is none.",
    )
    log_interval: PositiveInt = Field(10, description="Steps between two log lines.")
    eval_interval: PositiveInt = Field(1, description="Epochs between two evaluations.")
    save_interval: PositiveInt = Field(1, description="Epochs between two epoch_N checkpoints.")
    save_steps: PositiveInt | None = Field(
        None, description="Steps between two saves of latest within an epoch; null saves at ends."
    )
    keep_last: PositiveInt | None = Field(
        3, description="How many epoch_N checkpoints to keep; null keeps all."
    )
    max_steps: PositiveInt | None = Field(
        None, description="Stop after so many steps: a dry run of any configuration."
    )
    accumulate_steps: PositiveInt = Field(
        1, description="Batches whose gradients are summed before the optimizer steps."
    )
    amp: AmpSection | None = Field(
        None, description="Mixed precision; on a CPU Paddle computes in float32 all the same."
    )
    ema_decay: Fraction | None = Field(
        None, description="Decay of the averaged weights; null keeps none."
    )
    eval_during_train: bool = Field(
        True,
        description="Evaluate every eval_interval; false makes the last epoch the best, and needs "
        "no gallery and query.",
    )
    early_stopping: EarlyStoppingSection | None = Field(
        None, validate_default=True, description="Ends a run that no longer gets better."
    )
    find_learning_rate: bool = Field(
        False, description="Train nothing: suggest a learning rate by a short range test."
    )
    suggest_batch_size: bool = Field(
        False, description="Train nothing: suggest a batch size by measuring two steps."
    )
    skip_check: bool = Field(False, description="Train on lists that were not checked.")
    visualdl: bool = Field(True, description="Write VisualDL scalars when it is installed.")
    kernels: Literal["auto", "paddle"] = Field(
        "auto",
        description="auto trains, and evaluates checkpoints, with our CPU kernels where they win; "
        "paddle never does.",
    )
    freeze_backbone: bool = Field(
        False, description="Compute backbone features once, and train neck and head on them."
    )
    unfreeze_at: PositiveInt | None = Field(
        None, description="Epoch from which the backbone is trained too; null: never."
    )
    unfreeze_lr_factor: PositiveFloat = Field(
        0.1, description="Factor of the learning rate from Train.unfreeze_at on."
    )

    @field_validator("early_stopping")
    @classmethod
    def _evaluated(
        cls, value: EarlyStoppingSection | None, info: ValidationInfo
    ) -> EarlyStoppingSection | None:
        if value is not None and info.data.get("eval_during_train") is False:
            raise ValueError(
                "it needs the evaluations that eval_during_train: false leaves out; set one of "
                "them otherwise."
            )
        return value

    @field_validator("unfreeze_at")
    @classmethod
    def _frozen_before(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("freeze_backbone") is False:
            raise ValueError(
                f"unfreeze_at is {value} and freeze_backbone is false; set freeze_backbone to "
                "true, or leave unfreeze_at out."
            )
        return value


class EvaluateSection(Section):
    """Retrieval metrics of a checkpoint."""

    weight_path: str = Field(
        "auto", description="Weights to evaluate; auto is <Global.output>/best_model."
    )
    log_interval: PositiveInt = Field(1, description="Kept for PaddleX files; progress is timed.")
    batch_size: PositiveInt = Field(64, description="Pictures a forward pass.")
    engine: EngineName = Field(
        "auto", description="What runs an inference model; a checkpoint always runs in Paddle."
    )
    decode: DecodeMode = Field("exact", description=_DECODE)
    baselines: list[Literal["hsv_histogram", "blurred_pixels", "untrained"]] = Field(
        [], description="Also measured, to see what training was good for."
    )


class ExportSection(Section):
    """A checkpoint as an inference model."""

    weight_path: str = Field(
        "auto", description="Weights to export; auto is <Global.output>/best_model."
    )
    weights: Literal["pdparams", "safetensors"] | None = Field(
        None, description="Also write the weights as one file of this kind next to the export."
    )
    onnx: Literal["auto"] | bool = Field(
        "auto",
        description="Also write inference.onnx and features.onnx; auto does when paddle2onnx is "
        "installed.",
    )
    precision: Literal["fp32", "fp16", "int8"] = Field(
        "fp32", description="Of features.onnx; fp16 and int8 are measured beside fp32 first."
    )
    calibration_images: PositiveInt = Field(
        300, description="Pictures of train.txt that int8 is calibrated on."
    )
    max_recall_drop: NonNegativeFloat = Field(
        0.5, description="Points of recall@1 that fp16 or int8 may lose before export fails."
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
    engine: EngineName = Field(
        "auto", description="What runs the network; auto is the fastest that is installed."
    )
    decode: DecodeMode = Field("fast", description=_DECODE)
    resize: Literal["as_trained", "bilinear"] = Field(
        "as_trained",
        description="How pictures are resized: as the model says, or bilinear as by PaddleX.",
    )
    save: Literal["npy", "parquet"] | None = Field(
        None, description="Also one file of all features: features.npy + paths.txt, or Parquet."
    )
    kernel_option: KernelOptionSection = Field(default_factory=KernelOptionSection)
