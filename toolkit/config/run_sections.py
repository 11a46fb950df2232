"""What is run and how: Global, CheckDataset, Evaluate, Export, Predict.

The names of sections and keys are PaddleX's.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolkit.config.parts import OptionsField
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import (
    NonNegativeFloat,
    NonNegativeInt,
    Percent,
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
        "auto",
        description="auto, cpu, gpu, or gpu:0,1 (train and evaluate in a process each); a GPU that "
        "is not there means the CPU.",
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


class EvaluateSection(Section):
    """Retrieval metrics of a checkpoint."""

    weight_path: str = Field(
        "auto", description="Weights to evaluate; auto is <Global.output>/best_model."
    )
    averaged: bool = Field(
        True, description="Take the averaged weights of a checkpoint (.pdema) where it has any."
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
    averaged: bool = Field(
        True, description="Take the averaged weights of a checkpoint (.pdema) where it has any."
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
