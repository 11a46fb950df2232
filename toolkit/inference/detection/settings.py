"""``inference.yml`` of a detector, as PaddleDetection and PaddleX write it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError, ModelError
from toolkit.inference.detection.suppression import Suppression
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    pipeline_of,
    read_document,
    read_section,
)

# OpenCV's numbers of them, which these files have.
_INTERPOLATIONS = {0: "nearest", 1: "bilinear", 2: "bicubic", 3: "area"}
_STRIDES = (8, 16, 32, 64)
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True)
class DetectorSettings:
    """What the file says.

    Attributes:
        model_name: of the detector.
        steps: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes.
        labels: names of the classes.
        strides: of PicoDet's levels; used where the graph does not decode.
        suppression: used where the graph does not suppress.
    """

    model_name: str
    steps: Pipeline
    labels: tuple[str, ...]
    strides: tuple[int, ...]
    suppression: Suppression


def read_detector_settings(directory: Path) -> DetectorSettings:
    """Reads the file of an exported detector.

    Raises:
        ModelError: it is missing or malformed, or has a step that is not known.
    """
    file, document = directory / INFERENCE_FILE, read_document(directory)
    steps, labels = document.get("Preprocess"), document.get("label_list")
    if not isinstance(steps, list) or not isinstance(labels, list) or not labels:
        raise ModelError(
            f"{file} is not that of a detector: expected the lists Preprocess and label_list, "
            f"found {', '.join(map(str, document)) or 'nothing'}. Serve.detector_dir is a folder "
            "such as PP-ShiTuV2_det_infer; a model of features goes to Serve.model_dir."
        )
    name = read_section(document, "Global").get("model_name", document.get("arch", "detector"))
    strides = document.get("fpn_stride", list(_STRIDES))
    try:
        return DetectorSettings(
            str(name),
            pipeline_of([_step(step) for step in steps]),
            tuple(map(str, labels)),
            tuple(int(stride) for stride in strides),
            _suppression(read_section(document, "NMS")),
        )
    except (ConfigError, ValueError, TypeError) as error:
        raise ModelError(f"{file}: {error}") from error


def _suppression(section: Mapping[str, Any]) -> Suppression:
    usual = Suppression()
    return Suppression(
        float(section.get("score_threshold", usual.score_threshold)),
        float(section.get("nms_threshold", usual.overlap)),
        int(section.get("nms_top_k", usual.most_candidates)),
        int(section.get("keep_top_k", usual.most_kept)),
    )


def _step(step: Any) -> dict[str, dict[str, Any]]:
    """Turns a step of PaddleDetection's into one of ours.

    Raises:
        ConfigError: it is not known, or cannot be done here.
    """
    options = dict(step) if isinstance(step, Mapping) else {}
    kind = options.pop("type", None)
    if kind == "Resize":
        return {"ResizeImage": _resizing(options)}
    if kind == "NormalizeImage":
        scale = 1 / 255 if options.get("is_scale", True) else 1.0
        mean, std = options.get("mean", _MEAN), options.get("std", _STD)
        return {"NormalizeImage": {"scale": scale, "mean": mean, "std": std}}
    if kind == "Permute":
        return {"ToCHWImage": {}}
    raise ConfigError(
        f"Preprocess: {step!r:.100} is not known; expected type Resize, NormalizeImage or Permute, "
        "as PicoDet's exports have them."
    )


def _resizing(options: Mapping[str, Any]) -> dict[str, Any]:
    size, flag = options.get("target_size"), options.get("interp", 1)
    if not isinstance(size, list) or len(size) != 2 or options.get("keep_ratio"):
        raise ConfigError(
            f"Preprocess: Resize has target_size {size!r} and keep_ratio "
            f"{options.get('keep_ratio')!r}; expected [height, width] and false."
        )
    if flag not in _INTERPOLATIONS:
        raise ConfigError(f"Preprocess: Resize has interp {flag!r}; expected 0 to 3.")
    return {"size": size[::-1], "interpolation": _INTERPOLATIONS[flag]}
