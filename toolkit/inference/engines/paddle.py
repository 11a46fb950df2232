"""Paddle's own inference: oneDNN on a CPU, CUDA on a GPU."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError, import_optional
from toolkit.runtime import Device

_GRAPHS = ("inference.json", "inference.pdmodel")
_PARAMETERS = "inference.pdiparams"
_GPU_MEMORY_MB = 100
# oneDNN keeps one compiled form for each batch shape that it sees; without a limit, for ever.
_CACHED_SHAPES = 10


class PaddleEngine:
    """Runs ``inference.json`` (Paddle 3) or ``inference.pdmodel`` with ``inference.pdiparams``.

    Args:
        directory: folder with the two files.
        device: where it runs.
        threads: CPU threads of the network.

    Raises:
        ModelError: a file is missing, or Paddle cannot read it.
        ExtraError: PaddlePaddle is not installed.
    """

    def __init__(self, directory: Path, device: Device, threads: int) -> None:
        graph = _find_graph(directory)
        inference = import_optional("paddle.inference", purpose="Running a network")
        config = inference.Config(str(graph), str(directory / _PARAMETERS))
        _configure(config, device, threads, is_json=graph.suffix == ".json")
        try:
            self._predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"Paddle cannot open the model in {str(directory)!r} ({_last_line(error)}). "
                "The files may be damaged or written by a newer Paddle; export the model again."
            ) from error
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])
        # Input and output belong to the predictor: two threads would read each other's features.
        self._lock = threading.Lock()

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps images [b, 3, h, w] to features [b, d], not normalised."""
        with self._lock:
            self._input.copy_from_cpu(np.ascontiguousarray(images, dtype=np.float32))
            self._predictor.run()
            features: NDArray[np.float32] = self._output.copy_to_cpu()
        return features.reshape(len(images), -1)


def _find_graph(directory: Path) -> Path:
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
