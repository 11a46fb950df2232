"""``inference.yml``: the name of an exported model, and what happens to a picture before it runs.

The format is PaddleX's (3.x): an export of PaddleX opens here and ours opens there. Everything that
only we read stands in a section of its own, which PaddleX passes over.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from toolkit.cards.catalog import CARDS
from toolkit.config.parts import PartField
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError, ModelError, nearest
from toolkit.registry import TRANSFORMS
from toolkit.version import __version__

INFERENCE_FILE = "inference.yml"
_FORMAT = 1
_LOG = logging.getLogger(__name__)
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
    """

    model_name: str
    pipeline: Pipeline
    weights: str | None


def read_inference_config(directory: Path) -> InferenceConfig:
    """Reads ``inference.yml`` of an exported model.

    Raises:
        ModelError: it is missing, is not what it should be, or names a step that is not known.
    """
    file = directory / INFERENCE_FILE
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no {INFERENCE_FILE} in {str(directory)!r}. An exported model is a folder "
            f"with {INFERENCE_FILE}, inference.json and inference.pdiparams."
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{file} cannot be read: {' '.join(str(error).split())}.") from error
    name = _section(document, "Global").get("model_name")
    if not isinstance(name, str) or not name:
        raise ModelError(f"{file} names no model: Global.model_name is {name!r}.")
    steps = _section(document, "PreProcess").get("transform_ops")
    if not isinstance(steps, list) or not steps:
        raise ModelError(f"{file} has no steps: PreProcess.transform_ops is {steps!r}.")
    try:
        pipeline = _build_pipeline(steps)
    except (ConfigError, ValueError) as error:
        raise ModelError(f"{file}: PreProcess.transform_ops: {error}") from error
    weights = _section(document, "Toolkit").get("weights")
    return InferenceConfig(name, pipeline, None if weights is None else str(weights))


def with_bilinear_resize(pipeline: Pipeline) -> Pipeline:
    """Returns the steps with every resize bilinear: what PaddleX does, whatever a model says."""
    return _build_pipeline(
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
    try:
        _build_pipeline(transform_ops)
    except (ConfigError, ValueError) as error:
        raise ModelError(f"The evaluation transforms cannot be exported: {error}") from error
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


def _section(document: Any, name: str) -> Mapping[str, Any]:
    section = document.get(name) if isinstance(document, dict) else None
    return section if isinstance(section, dict) else {}


def _as_paddlex(step: Mapping[str, Any]) -> dict[str, Any]:
    ((name, options),) = step.items()
    if name == "NormalizeImage":
        return {name: {**options, "order": "hwc", "channel_num": 3}}
    return {name: dict(options) or None}


def _build_pipeline(steps: Sequence[Any]) -> Pipeline:
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
        try:
            part = PartField(TRANSFORMS, keyed=True).read({name: _own_options(name, options or {})})
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigError("; ".join(problems)) from error
        transforms.append(TRANSFORMS.build(part.name, **part.options))
    pipeline = Pipeline(transforms)
    if pipeline.gives != "tensor":
        raise ConfigError("The steps must end with NormalizeImage and ToCHWImage.")
    return pipeline


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
