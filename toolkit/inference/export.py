"""A trained network as files that run without this toolkit, checked before they are called done.

The graph's output is the embedding as the neck gives it, as in PaddleX's exports; whoever compares
embeddings scales them to length 1.
"""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import paddle
from paddle import Tensor, nn

from toolkit.cards.inference_weights import PARAMETER_FILE, graph_parameters
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.agreement import check_engines, check_images
from toolkit.inference.engines.engine import is_installed
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.engines.onnx_files import FEATURES_FILE, INTERCHANGE_FILE, features_name
from toolkit.inference.onnx_export import write_onnx_files
from toolkit.inference.preprocess import (
    INFERENCE_FILE,
    exported_pipeline,
    inference_document,
)
from toolkit.models.recognizer import Recognizer
from toolkit.storage import write_text

_LOG = logging.getLogger(__name__)
_GRAPH = "inference.json"
_ONNX_FILES = (INTERCHANGE_FILE, FEATURES_FILE)
# What an older export left: written by older Paddles under the same stem, whose graph readers would
# take for ours, or of a precision that this one has not.
_STALE = (
    *("inference.pdmodel", "inference.pdiparams.info"),
    *_ONNX_FILES,
    *(features_name(precision) for precision in ("fp16", "int8")),
)


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        directory: where it is.
        model_name: the name that ``inference.yml`` gives.
        dimension: length of the feature.
        image_size: (height, width) of the input.
        weights: fingerprint of the parameter file.
        cosines: engine -> lowest cosine of its features with the network's, over the check images.
        files: names of all files that were written.
    """

    directory: Path
    model_name: str
    dimension: int
    image_size: tuple[int, int]
    weights: str
    cosines: Mapping[str, float]
    files: tuple[str, ...]

    @property
    def lowest_cosine(self) -> float:
        """That of the engine that differs most."""
        return min(self.cosines.values())


def export_inference(
    model: Recognizer,
    directory: Path,
    *,
    model_name: str,
    image_size: tuple[int, int],
    transform_ops: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any] | None = None,
    onnx: Literal["auto"] | bool = "auto",
) -> ExportReport:
    """Writes ``inference.json``, ``inference.pdiparams``, ``inference.yml`` and the ONNX files.

    The network that is given stays as it is: a copy without the head is fused and traced.

    Args:
        model: the trained network.
        directory: where the files go; other files there stay.
        model_name: for which ``create_model`` will be asked.
        image_size: (height, width) of the input, in pixels.
        transform_ops: ``Pipeline.describe()`` of the evaluation transforms.
        facts: plain values to keep in ``inference.yml`` (fingerprint of the checkpoint, say).
        onnx: whether ``inference.onnx`` and ``features.onnx`` are written; ``auto`` does where
            paddle2onnx is installed and can convert the network.

    Raises:
        ModelError: the transforms cannot be exported, the network gives no finite features, it
            cannot be converted, or an engine does not compute what the network does.
        ExtraError: `onnx` is True and paddle2onnx is not installed.
    """
    steps = exported_pipeline(transform_ops)
    network = Recognizer(copy.deepcopy(model.backbone), copy.deepcopy(model.neck))
    network.eval()
    images = check_images(image_size, steps)
    expected = NetworkEngine(network).run(images.tensors)
    if not np.isfinite(expected).all():
        raise ModelError("The network gives values that are not finite; it cannot be exported.")
    network.re_parameterize()
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=directory) as temporary:
        staged = Path(temporary)
        _trace(network, staged, image_size)
        _write_onnx(staged, steps, wanted=onnx)
        files = fingerprints_of(staged)
        own = {
            **(facts or {}),
            "image_size": list(image_size),
            "dimension": network.out_features,
            "weights": files[PARAMETER_FILE],
            "files": files,
            "parameters": _parameter_names(network, staged),
        }
        document = inference_document(model_name, transform_ops, own)
        write_text(staged / INFERENCE_FILE, document)
        cosines = check_engines(staged, images, expected)
        written = publish(staged, directory)
    return ExportReport(
        directory,
        model_name,
        network.out_features,
        image_size,
        files[PARAMETER_FILE],
        cosines,
        written,
    )


def fingerprints_of(folder: Path) -> dict[str, str]:
    """Returns name -> fingerprint of every file in a folder."""
    return {file.name: fingerprint_file(file) for file in sorted(folder.iterdir())}


def _write_onnx(staged: Path, steps: Pipeline, *, wanted: Literal["auto"] | bool) -> None:
    """Writes the ONNX files as they are asked for; ``auto`` never fails an export."""
    if wanted is False:
        return
    if wanted == "auto" and not is_installed("paddle2onnx"):
        _LOG.info("paddle2onnx is not installed: the export has no ONNX files.")
        return
    try:
        write_onnx_files(staged, staged, steps)
    except ModelError as error:
        if wanted is True:
            raise
        _LOG.warning("The export has no ONNX files. %s", error)
        for name in _ONNX_FILES:
            (staged / name).unlink(missing_ok=True)


class _Embedding(nn.Layer):
    """A recogniser as the function that is exported."""

    def __init__(self, network: Recognizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.embed(images)


def _trace(network: Recognizer, staged: Path, image_size: tuple[int, int]) -> None:
    spec = paddle.static.InputSpec([None, 3, *image_size], "float32", name="x")
    embedding = _Embedding(network)
    embedding.eval()
    paddle.jit.save(embedding, str(staged / Path(_GRAPH).stem), input_spec=[spec])


def _parameter_names(network: Recognizer, staged: Path) -> list[str]:
    """Returns the structured names of the exported parameters, in the order of their file.

    Raises:
        ModelError: the graph has parameters that the network has not.
    """
    names = {tensor.name: name for name, tensor in network.state_dict().items()}
    try:
        return [names[name] for name in graph_parameters(staged)]
    except KeyError as error:
        raise ModelError(
            f"The exported graph has the parameter {error}, which the network has not. Nothing was "
            "written."
        ) from error


def publish(staged: Path, directory: Path) -> tuple[str, ...]:
    """Puts the files of an export in place, ``inference.yml`` last, and returns their names.

    One rename each: other files live in the folder, so it cannot be replaced as a whole. A process
    killed in between leaves files that do not have the fingerprints in ``inference.yml``, which
    readers notice.
    """
    written = {file.name for file in staged.iterdir()}
    names = (*sorted(written - {INFERENCE_FILE}), INFERENCE_FILE)
    for name in names:
        (staged / name).replace(directory / name)
    for name in _STALE:
        if name not in written:
            (directory / name).unlink(missing_ok=True)
    return names
