"""A trained network as files that run without this toolkit, checked before they are called done.

The graph's output is the embedding as the neck gives it, as in PaddleX's exports; whoever compares
embeddings scales them to length 1.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from toolkit.cards.inference_weights import graph_parameters
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.engines.paddle import PaddleEngine
from toolkit.inference.preprocess import INFERENCE_FILE, inference_document
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device, cores_allowed
from toolkit.storage import write_text

_GRAPH, _PARAMETERS = "inference.json", "inference.pdiparams"
# Written by older Paddles under the same stem; readers would take the old graph for ours.
_STALE = ("inference.pdmodel", "inference.pdiparams.info")
_LOWEST_COSINE = 1 - 1e-5
_CHECK_IMAGES = 3


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        directory: where it is.
        model_name: the name that ``inference.yml`` gives.
        dimension: length of the feature.
        image_size: (height, width) of the input.
        lowest_cosine: of the exported graph's features with the network's, over the check images.
        weights: fingerprint of the parameter file.
    """

    directory: Path
    model_name: str
    dimension: int
    image_size: tuple[int, int]
    lowest_cosine: float
    weights: str


def export_inference(
    model: Recognizer,
    directory: Path,
    *,
    model_name: str,
    image_size: tuple[int, int],
    transform_ops: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Writes ``inference.json``, ``inference.pdiparams`` and ``inference.yml``.

    The network that is given stays as it is: a copy without the head is fused and traced.

    Args:
        model: the trained network.
        directory: where the files go; other files there stay.
        model_name: for which ``create_model`` will be asked.
        image_size: (height, width) of the input, in pixels.
        transform_ops: ``Pipeline.describe()`` of the evaluation transforms.
        facts: plain values to keep in ``inference.yml`` (fingerprint of the checkpoint, say).

    Raises:
        ModelError: the transforms cannot be exported, the network gives no finite features, or the
            exported graph does not compute what the network does.
    """
    network = Recognizer(copy.deepcopy(model.backbone), copy.deepcopy(model.neck))
    network.eval()
    images = _check_images(image_size)
    expected = NetworkEngine(network).run(images)
    if not np.isfinite(expected).all():
        raise ModelError("The network gives values that are not finite; it cannot be exported.")
    network.re_parameterize()
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=directory) as temporary:
        staged = Path(temporary)
        _trace(network, staged, image_size)
        weights = fingerprint_file(staged / _PARAMETERS)
        own = {
            **(facts or {}),
            "image_size": list(image_size),
            "dimension": network.out_features,
            "weights": weights,
            "parameters": _parameter_names(network, staged),
        }
        document = inference_document(model_name, transform_ops, own)
        write_text(staged / INFERENCE_FILE, document)
        lowest = _check(staged, images, expected)
        _publish(staged, directory)
    return ExportReport(directory, model_name, network.out_features, image_size, lowest, weights)


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


def _check_images(image_size: tuple[int, int]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((_CHECK_IMAGES, 3, *image_size), dtype=np.float32)


def _check(staged: Path, images: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Compares the exported graph with the network, as one batch and one by one.

    Returns:
        The lowest cosine.

    Raises:
        ModelError: it is too low.
    """
    engine = PaddleEngine(staged, Device("cpu"), cores_allowed())
    one_by_one = np.concatenate([engine.run(image[np.newaxis]) for image in images])
    wanted = unit_vectors(expected).astype(np.float64)
    lowest = 1.0
    for features in (engine.run(images), one_by_one):
        cosines = (unit_vectors(features) * wanted).sum(axis=1)
        # A feature of zeros has no direction: it is right when both have none.
        both_zero = ~features.any(axis=1) & ~expected.any(axis=1)
        lowest = min(lowest, float(np.where(both_zero, 1.0, cosines).min()))
    if not lowest >= _LOWEST_COSINE:
        raise ModelError(
            f"The exported graph does not compute what the network does: the lowest cosine is "
            f"{lowest:.7f}, it must be at least {_LOWEST_COSINE}. Nothing was written."
        )
    return lowest


def _publish(staged: Path, directory: Path) -> None:
    """Puts the files in place, one rename each.

    Other files live in the folder, so it cannot be replaced as a whole. A process killed in between
    leaves parameters that do not have the fingerprint in ``inference.yml``, which readers notice.
    """
    for name in (_GRAPH, _PARAMETERS, INFERENCE_FILE):
        (staged / name).replace(directory / name)
    for name in _STALE:
        (directory / name).unlink(missing_ok=True)
