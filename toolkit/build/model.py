"""From `Arch` to a network, and from a path to weights in it."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from paddle import nn

from toolkit.archives import is_archive, unpacked
from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.cards.weight_sources import find_weights
from toolkit.cards.weights import read_weights
from toolkit.config.parts import Part
from toolkit.config.recipe_sections import NetworkSection
from toolkit.config.schema import Config
from toolkit.downloads import download_bar
from toolkit.errors import ConfigError, WeightsError
from toolkit.fetch.download import download
from toolkit.fetch.options import FetchOptions
from toolkit.models.adapter import LinearAdapter, UnitFeatures
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES, HEADS, NECKS
from toolkit.training.weight_loading import LoadReport, apply_weights

_LOG = logging.getLogger(__name__)
_TIMEOUT = 5.0


def build_network(config: Config, num_classes: int | None) -> Recognizer:
    """Builds the network of a configuration with random weights: Arch, and an adapter behind it.

    Args:
        config: `Train.adapter` says whether there is one.
        num_classes: as for `build_recognizer`.
    """
    if config.Train.adapter is None:
        return build_recognizer(config.Arch, num_classes)
    network = build_recognizer(config.Arch, num_classes=None)
    dimension = config.Adapter.dimension or network.out_features
    adapter = LinearAdapter(network.out_features, dimension)
    head = _head(config.Arch.Head, dimension, num_classes)
    return Recognizer(UnitFeatures(network), adapter, head)


def build_recognizer(arch: NetworkSection, num_classes: int | None) -> Recognizer:
    """Builds the network with random weights.

    Args:
        arch: the section, of the network itself or of its teacher.
        num_classes: rows of the class head; None leaves the head out, for inference.
    """
    backbone = BACKBONES.build(arch.Backbone.name, **arch.Backbone.options)
    neck = None
    features: int = backbone.out_features
    if arch.Neck is not None:
        widths = _widths(arch.Backbone.name, backbone, arch.Neck.name)
        neck = NECKS.build(arch.Neck.name, **widths, **arch.Neck.options)
        features = neck.out_features
    return Recognizer(backbone, neck, _head(arch.Head, features, num_classes))


def _head(part: Part | None, in_features: int, num_classes: int | None) -> nn.Layer | None:
    if part is None or num_classes is None:
        return None
    head: nn.Layer = HEADS.build(
        part.name, in_features=in_features, num_classes=num_classes, **part.options
    )
    return head


def _widths(backbone_name: str, backbone: Backbone, neck: str) -> dict[str, Any]:
    """Returns the width of what a neck reads, under the name of the neck's own argument.

    Raises:
        ConfigError: the neck reads maps, and the backbone has none.
    """
    reads = NECKS.get(neck).reads  # type: ignore[attr-defined]
    if reads == "feature":
        return {"in_features": backbone.out_features}
    channels = getattr(backbone, "map_channels", ())
    if not channels:
        raise ConfigError(
            f"The neck {neck} reads the backbone's maps, and {backbone_name} gives none. Choose a "
            "neck that reads the feature, such as FC or BNNeck, or another backbone."
        )
    return {"in_features": channels[-1]} if reads == "last_map" else {"in_channels": [*channels]}


def load_trained(model: Recognizer, file: Path) -> LoadReport:
    """Puts the weights of a training output into a network built without its head.

    A file of a backbone alone fits a network without a neck.

    Raises:
        WeightsError: the file cannot be read, or anything but the head does not fit.
    """
    return apply_weights(model, _inference_part(read_weights(file)), ignored=_unused(model))


def load_whole(model: Recognizer, file: Path) -> LoadReport:
    """Puts weights into a network that is used as it is: all must fit, the head too if it has one.

    Raises:
        WeightsError: the file cannot be read, or anything does not fit.
    """
    unused = _unused(model) if model.head is not None else (*_unused(model), "head.")
    return apply_weights(model, _own_part(read_weights(file)), may_differ=(), ignored=unused)


def load_pretrained(model: Recognizer, file: Path) -> LoadReport:
    """Puts pretrained weights into a network before training; only the class head may differ.

    A file of a backbone alone leaves the neck as it is too, and in the backbone its classifier for
    other classes and what the network has beyond its family. So does, for the neck, one of a
    training without labels, which has none.

    Raises:
        WeightsError: the file cannot be read, or does not fit.
    """
    weights = _own_part(read_weights(file))
    may_differ: tuple[str, ...] = ("head.",)
    if _of_backbone_alone(weights):
        weights = _in_recognizer(weights)
        backbone = model.backbone
        own = (*backbone.classifier, *backbone.own_weights)
        may_differ = ("head.", "neck.", *(f"backbone.{name}" for name in own))
    elif all(name.startswith("backbone.") for name in weights):
        may_differ = ("head.", "neck.")
    try:
        report = apply_weights(model, weights, may_differ=may_differ, ignored=_unused(model))
    except WeightsError as error:
        if file.suffix != Path(PARAMETER_FILE).suffix:
            raise
        raise WeightsError(
            f"{error} {file} is of an inference model; an export leaves out what only training "
            "needs. Give the .pdparams file that it was exported from."
        ) from error
    _LOG.info("%d tensors taken from %s.", len(report.loaded), file)
    return report


def local_weights(source: str, options: FetchOptions) -> Path:
    """Returns the weight file that a path or an address means, downloaded and unpacked if need be.

    Args:
        source: an http(s) address, or whatever `find_weights` understands; either may be a tar
            archive.
        options: how and where to fetch.

    Raises:
        FetchError: the address cannot be reached, or the file is not what it was.
        ArchiveError: an archive is damaged or hostile.
        WeightsError: there is no such file.
    """
    path = Path(source)
    if source.startswith(("http://", "https://")):
        path = kept_weights(source, options)
        with download_bar(path.name) as progress:
            download(source, path, options=options, timeout=_TIMEOUT, progress=progress)
    if is_archive(path):
        path = unpacked(path, options.cache / "unpacked")
    return find_weights(path)


def kept_weights(url: str, options: FetchOptions) -> Path:
    """Returns where the weights of an address are kept, downloaded or not."""
    # Two addresses may end in one file name; their files must not be taken for each other.
    folder = hashlib.sha256(url.encode("utf-8")).hexdigest()[:8]
    return options.cache / "weights" / folder / PurePosixPath(urlsplit(url).path).name


def checkpoint_weights(
    given: str, output: Path, options: FetchOptions, *, averaged: bool = True
) -> Path:
    """Returns the file that ``weight_path`` means: best_model of the output folder for ``auto``.

    The averaged weights (`.pdema`) beside a file of raw ones are meant when there are any, unless
    the raw ones are asked for.

    Args:
        given: ``auto``, or as for `local_weights`.
        output: the training output that ``auto`` means.
        options: how and where to fetch.
        averaged: take the averaged weights where there are any.

    Raises:
        FetchError: it is an address that cannot be reached.
        ArchiveError: an archive is damaged or hostile.
        WeightsError: there is no such file.
    """
    best = output / "best_model"
    if given == "auto" and not best.is_dir():
        raise WeightsError(
            f"{output} has no best_model, which weight_path auto means: train first "
            "(Global.mode=train), or give the weights as weight_path."
        )
    file = local_weights(str(best) if given == "auto" else given, options)
    smoother = file.with_suffix(".pdema")
    return smoother if averaged and smoother.is_file() else file


def _unused(model: Recognizer) -> tuple[str, ...]:
    """Returns prefixes of what files of the backbone hold and this network has no use for."""
    backbone = model.backbone
    names = (*backbone.ignored_weights, *backbone.computed_weights)
    return tuple(f"backbone.{name}" for name in names)


def _inference_part(weights: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    own = _own_part(weights)
    if _of_backbone_alone(own):
        return _in_recognizer(own)
    return {name: value for name, value in own.items() if not name.startswith("head.")}


def _own_part(weights: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Leaves out a teacher that was trained along."""
    return {name: value for name, value in weights.items() if not name.startswith("teacher.")}


def _of_backbone_alone(weights: Mapping[str, np.ndarray[Any, Any]]) -> bool:
    """Tells a file of a backbone (ImageNet weights), which has the backbone's own names.

    Some call their classifier "head", so that name alone does not tell the two apart.
    """
    return not any(name.startswith("backbone.") for name in weights)


def _in_recognizer(
    weights: Mapping[str, np.ndarray[Any, Any]],
) -> dict[str, np.ndarray[Any, Any]]:
    """Returns the weights of a backbone under their names in a recogniser."""
    return {f"backbone.{name}": value for name, value in weights.items()}
