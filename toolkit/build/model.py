"""From `Arch` to a network, and from a path to weights in it."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from toolkit.cards.weights import find_weights, read_weights
from toolkit.config.schema import ArchSection
from toolkit.errors import WeightsError
from toolkit.fetch import cache_folder, download
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES, HEADS, NECKS
from toolkit.training.weight_loading import LoadReport, apply_weights

_LOG = logging.getLogger(__name__)
_TIMEOUT = 5.0


def build_recognizer(arch: ArchSection, num_classes: int | None) -> Recognizer:
    """Builds the network with random weights.

    Args:
        arch: the section.
        num_classes: rows of the class head; None leaves the head out, for inference.
    """
    backbone = BACKBONES.build(arch.Backbone.name, **arch.Backbone.options)
    neck = None
    features: int = backbone.out_features
    if arch.Neck is not None:
        neck = NECKS.build(arch.Neck.name, in_features=features, **arch.Neck.options)
        features = neck.out_features
    head = None
    if arch.Head is not None and num_classes is not None:
        head = HEADS.build(
            arch.Head.name, in_features=features, num_classes=num_classes, **arch.Head.options
        )
    return Recognizer(backbone, neck, head)


def load_trained(model: Recognizer, file: Path) -> LoadReport:
    """Puts the weights of a training output into a network built without its head.

    Raises:
        WeightsError: the file cannot be read, or anything but the head does not fit.
    """
    unused = tuple(f"backbone.{name}" for name in model.backbone.ignored_weights)
    return apply_weights(model, _inference_part(read_weights(file)), ignored=unused)


def load_pretrained(model: Recognizer, file: Path) -> LoadReport:
    """Puts pretrained weights into a network before training; only the class head may differ.

    A file of a backbone alone leaves the neck as it is too.

    Raises:
        WeightsError: the file cannot be read, or does not fit.
    """
    weights = read_weights(file)
    # A file of a backbone alone (ImageNet weights) has the backbone's own names.
    may_differ: tuple[str, ...] = ("head.",)
    if not any(name.startswith(("backbone.", "neck.", "head.")) for name in weights):
        weights = {f"backbone.{name}": value for name, value in weights.items()}
        may_differ = ("head.", "neck.")
    unused = tuple(f"backbone.{name}" for name in model.backbone.ignored_weights)
    report = apply_weights(model, weights, may_differ=may_differ, ignored=unused)
    _LOG.info("%d tensors taken from %s.", len(report.loaded), file)
    return report


def local_weights(source: str) -> Path:
    """Returns the weight file of a path, or of an address after downloading it once.

    Raises:
        FetchError: the address cannot be reached.
        WeightsError: there is no such file.
    """
    if not source.startswith(("http://", "https://")):
        return find_weights(source)
    # Two addresses may end in one file name, and their files must not be taken for each other.
    folder = hashlib.sha256(source.encode("utf-8")).hexdigest()[:8]
    file = cache_folder() / "weights" / folder / PurePosixPath(urlsplit(source).path).name
    if not file.is_file():
        download(source, file, timeout=_TIMEOUT)
    return file


def checkpoint_weights(given: str, output: Path) -> Path:
    """Returns the file that ``weight_path`` means: best_model of the output folder for ``auto``.

    The averaged weights (`.pdema`) beside a file of raw ones are meant when there are any.

    Raises:
        FetchError: it is an address that cannot be reached.
        WeightsError: there is no such file.
    """
    best = output / "best_model"
    if given == "auto" and not best.is_dir():
        raise WeightsError(
            f"{output} has no best_model, which weight_path auto means: train first "
            "(Global.mode=train), or give the weights as weight_path."
        )
    file = local_weights(str(best) if given == "auto" else given)
    averaged = file.with_suffix(".pdema")
    return averaged if averaged.is_file() else file


def _inference_part(weights: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value for name, value in weights.items() if not name.startswith("head.")}
