"""A graph with inputs and outputs of its own, such as a detector's; an engine has one of each."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.inference.engines.devices import (
    machine_device,
    onnxruntime_has_cuda,
    usable_device,
)
from toolkit.inference.engines.engine import is_installed
from toolkit.inference.engines.onnx_files import INTERCHANGE_FILE
from toolkit.inference.engines.onnxruntime import open_session
from toolkit.inference.engines.paddle import open_paddle
from toolkit.runtime import Device, gpus_of_paddle


class NamedGraph(Protocol):
    """Runs a graph; may be called from several threads."""

    @property
    def inputs(self) -> Sequence[str]:
        """Names of what it takes."""

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Maps one array for each input to all outputs, in the graph's order."""


def open_graph(directory: Path, device: str, threads: int) -> NamedGraph:
    """Opens ``inference.onnx`` where it is there and can be run, else Paddle's files.

    Args:
        directory: folder with the files.
        device: ``auto | cpu | gpu | gpu:0``; a GPU that is not there means the CPU.
        threads: CPU threads.

    Raises:
        ModelError: a file is missing, or cannot be read.
        DeviceError: the device is malformed.
        ExtraError: Paddle is needed, and not installed.
    """
    found, file = machine_device(device), directory / INTERCHANGE_FILE
    if file.is_file() and is_installed("onnxruntime"):
        return _OnnxGraph(file, found, threads)
    return _PaddleGraph(directory, found, threads)


class _OnnxGraph:
    """By ONNX Runtime."""

    def __init__(self, file: Path, device: Device, threads: int) -> None:
        has_cuda = device.kind == "gpu" and onnxruntime_has_cuda()
        usable = usable_device(device, "onnxruntime", has_gpu=has_cuda)
        self._session = open_session(file, usable, threads)
        self.inputs = tuple(one.name for one in self._session.get_inputs())

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return list(self._session.run(None, dict(tensors)))


class _PaddleGraph:
    """By Paddle, whose handles belong to one call at a time."""

    def __init__(self, directory: Path, device: Device, threads: int) -> None:
        has_gpu = device.kind == "gpu" and gpus_of_paddle() > 0
        usable = usable_device(device, "paddle", has_gpu=has_gpu)
        self._predictor = open_paddle(directory, usable, threads)
        self.inputs = tuple(self._predictor.get_input_names())
        self._lock = threading.Lock()

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        predictor = self._predictor
        with self._lock:
            for name in self.inputs:
                handle = predictor.get_input_handle(name)
                handle.copy_from_cpu(np.ascontiguousarray(tensors[name]))
            predictor.run()
            names = predictor.get_output_names()
            return [predictor.get_output_handle(name).copy_to_cpu() for name in names]
