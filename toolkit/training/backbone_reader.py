"""A backbone alone, run by the fastest engine there is: pictures to what the neck reads."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.errors import ExtraError, ModelError, import_optional
from toolkit.inference.engines.engine import AUTO, open_engine
from toolkit.inference.engines.onnx_files import FEATURES_FILE, INPUT, OUTPUT
from toolkit.inference.onnx_export import convert_to_onnx
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device

_LOG = logging.getLogger(__name__)

Read = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps images [b, 3, h, w] to what the neck reads: [b, d] or [b, c, h', w']."""

_GRAPH = "inference.json"
# Largest difference from the network itself, as a share of the largest value.
_TOLERANCE = 1e-4


@contextmanager
def backbone_reader(
    model: Recognizer, image_size: tuple[int, int], device: Device, threads: int
) -> Iterator[Read]:
    """Yields `Recognizer.read` without gradients, statistics fixed, as an engine runs it.

    What the engine gives is compared with the network first; where an engine cannot be had or
    differs, the network itself is run, which is slower.

    Args:
        model: the network; it stays as it is.
        image_size: (height, width) of the images.
        device: where it runs.
        threads: CPU threads of the engine.
    """
    network = _Reading(Recognizer(copy.deepcopy(model.backbone), copy.deepcopy(model.neck)))
    network.eval()
    images = np.random.default_rng(0).standard_normal((2, 3, *image_size), dtype=np.float32)
    expected = network.run(images)
    with TemporaryDirectory(prefix="backbone-") as folder:
        read: Read = network.run
        try:
            engine = _open(network, Path(folder), image_size, device, threads)
            if np.abs(engine(images) - expected).max() <= _TOLERANCE * np.abs(expected).max():
                read = engine
            else:
                _LOG.warning("The engine differs from the network; the network itself is run.")
        except (ModelError, ExtraError) as error:
            _LOG.warning("No engine runs the backbone, so the network itself does: %s", error)
        yield read


class _Reading(nn.Layer):
    """The part of a recogniser in front of the neck, as a function."""

    def __init__(self, network: Recognizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        # A list comes only for a neck that reads all maps, and such a network is not frozen.
        return cast(Tensor, self.network.read(images))

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        with paddle.no_grad():
            read: NDArray[np.float32] = self(paddle.to_tensor(images)).numpy()
        return read


def _open(
    network: _Reading, folder: Path, image_size: tuple[int, int], device: Device, threads: int
) -> Read:
    """Exports the backbone and opens it with the fastest engine.

    Raises:
        ModelError: no engine can open it.
        ExtraError: the engine's package is not whole.
    """
    fused = copy.deepcopy(network)
    fused.network.re_parameterize()
    spec = paddle.static.InputSpec([None, 3, *image_size], "float32", name=INPUT)
    paddle.jit.save(fused, str(folder / Path(_GRAPH).stem), input_spec=[spec])
    # Without ONNX files, the engine is Paddle's.
    with suppress(ModelError, ExtraError):
        _write_onnx(folder)
    engine = open_engine(AUTO, folder, device, threads)
    shape = network.run(np.zeros((1, 3, *image_size), dtype=np.float32)).shape[1:]
    return lambda images: engine.run(images).reshape(len(images), *shape)


def _write_onnx(folder: Path) -> None:
    """Writes the file that the ONNX engines open: here it takes tensors, and nothing is scaled."""
    content = convert_to_onnx(folder / _GRAPH, folder / PARAMETER_FILE)
    onnx = import_optional("onnx", purpose="Writing ONNX files")
    model = onnx.load_from_string(content)
    given = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [OUTPUT if name == given else name for name in node.output]
        node.input[:] = [OUTPUT if name == given else name for name in node.input]
    model.graph.output[0].name = OUTPUT
    (folder / FEATURES_FILE).write_bytes(model.SerializeToString())
