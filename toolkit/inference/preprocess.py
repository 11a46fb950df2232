"""``inference.yml``: the name of an exported model, and what happens to a picture before it runs.

The format is PaddleX's (3.x): an export of PaddleX opens here and ours opens there. Everything that
only we read stands in a section of its own, which PaddleX passes over.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.transform import Transform
from toolkit.errors import ConfigError, ModelError, nearest
from toolkit.registry import TRANSFORMS
from toolkit.version import __version__

INFERENCE_FILE = "inference.yml"
_FORMAT = 1
_LOG = logging.getLogger(__name__)
# The parameters of a large network are a long list; the loader in C reads it ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIXED = ("ResizeImage", "CropImage", "NormalizeImage", "ToCHWImage")
_PADDLEX_KNOWS = ("ResizeImage", "NormalizeImage", "ToCHWImage")
_INTERPOLATIONS = {"linear": "bilinear", "cubic": "bicubic"}
_QUOTIENT = re.compile(r"\s*([0-9.eE+-]+)\s*(?:/\s*([0-9.eE+-]+)\s*)?")


@dataclass(frozen=True)
class InferenceConfig:
    """What ``inference.yml`` says.

    Attributes:
        model_name: for which ``create_model`` is asked.
        pipeline: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes.
        weights: fingerprint of the parameter file that belongs to it; None if not our export.
        files: name -> fingerprint of all files that belong to it, as far as the export says.
        precision: in which the ONNX engines run it: ``fp32 | fp16 | int8``.
    """

    model_name: str
    pipeline: Pipeline
    weights: str | None
    files: Mapping[str, str] = field(default_factory=dict)
    precision: str = "fp32"


def read_inference_config(directory: Path) -> InferenceConfig:
    """Reads ``inference.yml`` of an exported model.

    Raises:
        ModelError: it is missing, is not what it should be, or names a step that is not known.
    """
    file, document = directory / INFERENCE_FILE, read_document(directory)
    name = read_section(document, "Global").get("model_name")
    if not isinstance(name, str) or not name:
        raise ModelError(f"{file} names no model: Global.model_name is {name!r}.")
    steps = read_section(document, "PreProcess").get("transform_ops")
    if not isinstance(steps, list) or not steps:
        raise ModelError(f"{file} has no steps: PreProcess.transform_ops is {steps!r}.")
    try:
        pipeline = pipeline_of(steps)
    except (ConfigError, ValueError) as error:
        raise ModelError(f"{file}: PreProcess.transform_ops: {error}") from error
    own = read_section(document, "Toolkit")
    weights = own.get("weights")
    files = {str(key): str(value) for key, value in read_section(own, "files").items()}
    if weights is not None:
        files.setdefault(PARAMETER_FILE, str(weights))
    precision = str(own.get("precision", "fp32"))
    return InferenceConfig(
        name, pipeline, None if weights is None else str(weights), files, precision
    )


def read_document(directory: Path) -> dict[str, Any]:
    """Reads ``inference.yml`` of an exported model as it stands there.

    Raises:
        ModelError: it is missing, or no YAML.
    """
    file = directory / INFERENCE_FILE
    try:
        document: Any = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no {INFERENCE_FILE} in {str(directory)!r}. An exported model is a folder "
            f"with {INFERENCE_FILE}, inference.json and inference.pdiparams."
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{file} cannot be read: {' '.join(str(error).split())}.") from error
    return document if isinstance(document, dict) else {}


def with_bilinear_resize(pipeline: Pipeline) -> Pipeline:
    """Returns the steps with every resize bilinear: what PaddleX does, whatever a model says."""
    return pipeline_of(
        [
            {name: {**options, "interpolation": "bilinear"} if name == "ResizeImage" else options}
            for step in pipeline.describe()
            for name, options in step.items()
        ]
    )


def inference_document(
    model_name: str, transform_ops: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> str:
    """Returns the text of ``inference.yml``.

    Args:
        model_name: for which ``create_model`` will be asked.
        transform_ops: ``Pipeline.describe()`` of the evaluation transforms.
        facts: plain values about this export, for the section that only we read.

    Raises:
        ModelError: the steps have chance in them, or do not end in a tensor.
    """
    exported_pipeline(transform_ops)
    from toolkit.cards.catalog import CARDS  # reading needs no catalogue

    card = CARDS.get(model_name)
    is_paddlex_model = card is not None and card.inference_url is not None
    if is_paddlex_model and (differences := _paddlex_differences(transform_ops)):
        _LOG.warning("PaddleX computes other features with this export: %s", differences)
    document = {
        "Global": {"model_name": model_name},
        "PreProcess": {"transform_ops": [_as_paddlex(step) for step in transform_ops]},
        "PostProcess": {"NormalizeFeatures": None},
        "Toolkit": {"format_version": _FORMAT, "toolkit_version": __version__, **facts},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def exported_pipeline(transform_ops: Sequence[Mapping[str, Any]]) -> Pipeline:
    """Returns the steps as an export runs them.

    Raises:
        ModelError: they have chance in them, or do not end in a tensor.
    """
    try:
        return pipeline_of(transform_ops)
    except (ConfigError, ValueError) as error:
        raise ModelError(f"The evaluation transforms cannot be exported: {error}") from error


def _paddlex_differences(transform_ops: Sequence[Mapping[str, Any]]) -> str:
    """Says what PaddleX 3 would do otherwise; nothing when it does the same."""
    names = [name for step in transform_ops for name in step]
    resizing = [step["ResizeImage"] for step in transform_ops if "ResizeImage" in step]
    told = [f"it does not know {name}." for name in names if name not in _PADDLEX_KNOWS]
    told += [
        f"it resizes bilinear, not {options['interpolation']}; so does Predict.resize=bilinear."
        for options in resizing
        if options.get("interpolation", "bilinear") != "bilinear"
    ]
    return " ".join(told)


def read_section(document: Any, name: str) -> Mapping[str, Any]:
    """Returns a section of ``inference.yml``; an empty one where there is none."""
    section = document.get(name) if isinstance(document, dict) else None
    return section if isinstance(section, dict) else {}


def _as_paddlex(step: Mapping[str, Any]) -> dict[str, Any]:
    ((name, options),) = step.items()
    if name == "NormalizeImage":
        return {name: {**options, "order": "hwc", "channel_num": 3}}
    return {name: dict(options) or None}


def pipeline_of(steps: Sequence[Any]) -> Pipeline:
    """Builds the steps.

    Raises:
        ConfigError: a step is unknown, or its options are.
        ValueError: the steps do not fit together.
    """
    transforms = []
    for step in steps:
        if not isinstance(step, Mapping) or len(step) != 1:
            raise ConfigError(f"Expected 'Name: {{option: value}}', received {step!r}.")
        ((name, options),) = step.items()
        if name not in _FIXED:
            raise ConfigError(
                f"Unknown step {name!r}.{nearest(str(name), _FIXED)} Known: {_FIXED}."
            )
        own = _own_options(name, options or {})
        transforms.append(_exact_step(name, own) or _converted_step(name, own))
    pipeline = Pipeline(transforms)
    if pipeline.gives != "tensor":
        raise ConfigError("The steps must end with NormalizeImage and ToCHWImage.")
    return pipeline


def _exact_step(name: str, options: Mapping[str, Any]) -> Transform | None:
    """Builds a step whose options are of the right types; None where something is not right.

    The schema would say what, and convert what can be; importing it takes as long as the rest of
    opening a small model.
    """
    if not all(key in _EXACT and _EXACT[key](value) for key, value in options.items()):
        return None
    try:
        step: Transform = TRANSFORMS.get(name)(**options)
    except (TypeError, ValueError):
        return None
    return step


def _converted_step(name: str, options: Mapping[str, Any]) -> Transform:
    """Builds a step as the schema reads it.

    Raises:
        ConfigError: an option is unknown, or its value cannot be used.
    """
    from pydantic import ValidationError

    from toolkit.config.parts import PartField

    try:
        part = PartField(TRANSFORMS, keyed=True).read({name: dict(options)})
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("; ".join(problems)) from error
    step: Transform = TRANSFORMS.build(part.name, **part.options)
    return step


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list) else [value]
    return len(sides) in (1, 2) and all(type(side) is int and side > 0 for side in sides)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) in (int, float) for number in value)


_EXACT: Mapping[str, Callable[[Any], bool]] = {
    "size": _is_size,
    "resize_short": lambda value: type(value) is int and value > 0,
    "interpolation": lambda value: value in ("bilinear", "bicubic", "area", "nearest"),
    "scale": lambda value: type(value) is float and value > 0,
    "mean": _are_numbers,
    "std": _are_numbers,
}
"""Option of a step -> whether a value can go to the constructor as it is."""


def _own_options(name: str, options: Any) -> dict[str, Any]:
    """Turns the options of a step of PaddleX's into ours; those that it ignores are left out."""
    if not isinstance(options, dict):
        raise ConfigError(f"The options of {name} must be a mapping, received {options!r}.")
    own = {key: value for key, value in options.items() if value is not None}
    if name == "ResizeImage":
        own.pop("return_numpy", None)
        if (backend := own.pop("backend", "cv2")) != "cv2":
            _LOG.warning("ResizeImage: backend %r is done with OpenCV, as PaddleX does.", backend)
        flag = str(own.pop("interpolation", "bilinear")).lower()
        own["interpolation"] = _INTERPOLATIONS.get(flag, flag)
    if name == "NormalizeImage":
        if (order := own.pop("order", "")) not in ("", "hwc"):
            raise ConfigError(f"NormalizeImage: order is {order!r}; only 'hwc' is known.")
        if (channels := own.pop("channel_num", 3)) != 3:
            raise ConfigError(f"NormalizeImage: channel_num is {channels!r}; only 3 is known.")
        if isinstance(own.get("scale"), str):
            own["scale"] = _read_quotient(own["scale"])
    return own


def _read_quotient(text: str) -> float:
    """Reads '1.0/255.0', which PaddleClas hands to eval."""
    match = _QUOTIENT.fullmatch(text)
    try:
        if match is not None:
            return float(match[1]) / float(match[2] or 1)
    except (ValueError, ZeroDivisionError):
        pass
    raise ConfigError(f"NormalizeImage: scale is {text!r}; expected a number or '1.0/255.0'.")
