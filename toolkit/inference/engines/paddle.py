"""Paddle's own inference: oneDNN on a CPU, CUDA and TensorRT on a GPU."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError, import_optional
from toolkit.inference.engines.devices import usable_device
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.inference.engines.tensorrt import LARGEST_BATCH, converted_folder, image_shape
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.runtime import Device, gpus_of_paddle

_LOG = logging.getLogger(__name__)

_GRAPHS = ("inference.json", "inference.pdmodel")
_PARAMETERS = "inference.pdiparams"
_GPU_MEMORY_MB = 100
_LOWEST_COSINE = 1 - 1e-5
# On a CPU: of the maps of more pictures its caches hold less; larger passes are slower.
_PICTURES_A_PASS = 4
# oneDNN keeps one compiled form for each batch shape that it sees; without a limit, for ever.
_CACHED_SHAPES = 10


class PaddleEngine:
    """Runs ``inference.json`` (Paddle 3) or ``inference.pdmodel`` with ``inference.pdiparams``.

    Args:
        directory: folder with the two files.
        device: where it runs; a GPU needs a build with CUDA, else it is the CPU, with a warning.
        threads: CPU threads of the network.
        precision: passed over, for the two files are fp32.

    Raises:
        ModelError: a file is missing, or Paddle cannot read it.
        ExtraError: PaddlePaddle is not installed.
    """

    takes: Takes = "tensor"

    def __init__(
        self, directory: Path, device: Device, threads: int, precision: str = "fp32"
    ) -> None:
        del precision
        has_gpu = device.kind == "gpu" and gpus_of_paddle() > 0
        found = usable_device(device, "paddle", has_gpu=has_gpu)
        request = _Request(open_paddle(directory, found, threads))
        self._run: Stream
        if found.kind == "gpu":
            self._run = _with_tensorrt(directory, found, request)
        else:
            self._run = _in_passes(request, _PICTURES_A_PASS)

    def run(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Maps images [b, 3, h, w] to features [b, d], not normalised."""
        return self._run(images)

    def streams(self) -> Sequence[Stream]:
        """Returns one: Paddle holds Python's lock while it computes, so that two take turns."""
        return [self.run]


class _Request:
    """A predictor of Paddle's with its input and output; they belong to one call at a time."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self._input = predictor.get_input_handle(predictor.get_input_names()[0])
        self._output = predictor.get_output_handle(predictor.get_output_names()[0])
        self._lock = threading.Lock()

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        with self._lock:
            self._input.copy_from_cpu(np.ascontiguousarray(images, dtype=np.float32))
            self._predictor.run()
            features: NDArray[np.float32] = self._output.copy_to_cpu()
        return features.reshape(len(images), -1)


def _in_passes(request: Stream, size: int) -> Stream:
    """Returns the same for batches of any size, a few images at a time."""

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        starts = range(0, len(images), size)
        return np.concatenate([request(images[start : start + size]) for start in starts])

    return run


def _with_tensorrt(directory: Path, device: Device, plain: Stream) -> Stream:
    """Returns the network with TensorRT, if Paddle has it and it computes what `plain` does."""
    graph = find_graph(directory)
    folder = converted_folder(graph, directory / _PARAMETERS)
    if folder is None:
        return plain
    run = _in_passes(_Request(open_paddle(folder, device, threads=1)), LARGEST_BATCH)
    images = np.random.default_rng(0).standard_normal((2, *image_shape(graph)), dtype=np.float32)
    lowest = (unit_vectors(run(images)) * unit_vectors(plain(images))).sum(axis=1).min()
    if not lowest >= _LOWEST_COSINE:
        _LOG.warning("TensorRT is not used: its features differ (cosine %.6f).", lowest)
        return plain
    _LOG.info("TensorRT runs %s.", directory)
    return run


def open_paddle(directory: Path, device: Device, threads: int) -> Any:
    """Opens a model as one of Paddle's own predictors.

    Raises:
        ModelError: a file is missing, or Paddle cannot read it.
        ExtraError: PaddlePaddle is not installed.
    """
    graph = find_graph(directory)
    inference = import_optional("paddle.inference", purpose="Running a network")
    config = inference.Config(str(graph), str(directory / _PARAMETERS))
    _configure(config, device, threads, is_json=graph.suffix == ".json")
    try:
        return inference.create_predictor(config)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"Paddle cannot open the model in {str(directory)!r} ({_last_line(error)}). "
            "The files may be damaged or written by a newer Paddle; export the model again."
        ) from error


def find_graph(directory: Path) -> Path:
    """Returns the graph of a Paddle inference model.

    Raises:
        ModelError: there is none, or no parameters beside it.
    """
    found = [directory / name for name in _GRAPHS if (directory / name).is_file()]
    if not found or not (directory / _PARAMETERS).is_file():
        raise ModelError(
            f"{str(directory)!r} is not a complete Paddle model: it needs {' or '.join(_GRAPHS)}, "
            f"and {_PARAMETERS}. Export the model again, or copy the whole folder."
        )
    return found[0]


def _configure(config: Any, device: Device, threads: int, *, is_json: bool) -> None:
    config.disable_glog_info()
    if device.kind == "gpu":
        config.enable_use_gpu(_GPU_MEMORY_MB, device.ids[0])
    else:
        config.disable_gpu()
        config.set_cpu_math_library_num_threads(threads)
        config.enable_mkldnn()  # where Paddle was built without it, this does nothing
        config.set_mkldnn_cache_capacity(_CACHED_SHAPES)
    if is_json:
        # Without the new executor, memory optimisation of a .json graph fails (Paddle #75496).
        config.enable_new_ir()
        config.enable_new_executor()
    config.enable_memory_optim()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
