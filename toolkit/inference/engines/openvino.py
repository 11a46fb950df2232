"""OpenVINO: on x86 processors the one that runs int8 fastest."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError, import_optional
from toolkit.inference.engines.devices import usable_device
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.inference.engines.onnx_files import features_file
from toolkit.runtime import Device


class OpenVinoEngine:
    """Runs ``features.onnx`` on the CPU.

    Args:
        directory: folder with the file.
        device: a GPU means the CPU, with a warning.
        threads: CPU threads of the network.
        precision: which file is run: ``fp32 | fp16 | int8``.

    Raises:
        ModelError: the file is missing, or cannot be read.
        ExtraError: openvino is not installed.
    """

    takes: Takes = "pixels"

    def __init__(
        self, directory: Path, device: Device, threads: int, precision: str = "fp32"
    ) -> None:
        usable_device(device, "openvino", has_gpu=False)
        self._threads = threads
        openvino = import_optional("openvino", purpose="The engine openvino")
        file = features_file(directory, precision)
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(file)
            self._run = _Request(self._compile(streams=1))
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot open {str(file)!r} ({' '.join(str(error).split())}). "
                "The file may be damaged; export the model again."
            ) from error

    def run(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Maps pictures [b, h, w, 3], uint8 RGB, to unit vectors [b, d]."""
        return self._run(images)

    def streams(self) -> Sequence[Stream]:
        """Returns one request a thread; each computes with one."""
        if self._threads == 1:
            return [self.run]
        compiled = self._compile(streams=self._threads)
        return [_Request(compiled) for _ in range(self._threads)]

    def _compile(self, streams: int) -> Any:
        return self._core.compile_model(
            self._model,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": self._threads,
                "NUM_STREAMS": streams,
                # Where the processor has bfloat16, it would be used unasked.
                "INFERENCE_PRECISION_HINT": "f32",
                # Two processes would pin their threads to the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )


class _Request:
    """One place of work; its buffers belong to one call at a time."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        with self._lock:
            self._request.infer([images], share_inputs=True)
            features: NDArray[np.float32] = self._request.get_output_tensor().data.copy()
        return features
