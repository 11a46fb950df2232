"""ONNX Runtime: a small package for every platform; CUDA in its GPU builds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError, import_optional
from toolkit.inference.engines.devices import onnxruntime_has_cuda, usable_device
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.inference.engines.onnx_files import INPUT, OUTPUT, features_file
from toolkit.runtime import Device

_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """Runs ``features.onnx``.

    Args:
        directory: folder with the file.
        device: where it runs; a GPU needs a build with CUDA, else it is the CPU, with a warning.
        threads: CPU threads of the network.
        precision: which file is run: ``fp32 | fp16 | int8``.

    Raises:
        ModelError: the file is missing, or cannot be read.
        ExtraError: onnxruntime is not installed.
    """

    takes: Takes = "pixels"

    def __init__(
        self, directory: Path, device: Device, threads: int, precision: str = "fp32"
    ) -> None:
        self._file, self._threads = features_file(directory, precision), threads
        has_cuda = device.kind == "gpu" and onnxruntime_has_cuda()
        self._device = usable_device(device, "onnxruntime", has_gpu=has_cuda)
        self._session = self._open(threads)

    def run(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Maps pictures [b, h, w, 3], uint8 RGB, to unit vectors [b, d]."""
        return _features(self._session, images)

    def streams(self) -> Sequence[Stream]:
        """Returns `threads` times a session that uses the thread that calls it, and no other."""
        if self._threads == 1 or self._device.kind == "gpu":
            return [self.run]
        session = self._open(threads=1)
        return [lambda images: _features(session, images)] * self._threads

    def _open(self, threads: int) -> Any:
        return open_session(self._file, self._device, threads)


def open_session(file: Path, device: Device, threads: int) -> Any:
    """Opens a graph.

    Raises:
        ModelError: the file cannot be read.
        ExtraError: onnxruntime is not installed.
    """
    runtime = import_optional("onnxruntime", purpose="The engine onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.kind == "gpu":
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.ids[0]}))
    try:
        return runtime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # its exceptions have no class of their own in common
        raise ModelError(
            f"ONNX Runtime cannot open {str(file)!r} ({' '.join(str(error).split())}). "
            "The file may be damaged; export the model again."
        ) from error


def _features(session: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    features: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
    return features
