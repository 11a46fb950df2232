"""What every engine does, and the engines by name."""

import logging
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.inference.engines.devices import onnxruntime_has_cuda
from toolkit.inference.engines.onnx_files import features_name
from toolkit.registry import Registry
from toolkit.runtime import Device, gpus_of_paddle

_LOG = logging.getLogger(__name__)

ENGINES = Registry(
    "engine",
    {
        "paddle": "toolkit.inference.engines.paddle:PaddleEngine",
        # PaddleX's name of the same.
        "paddle_static": "toolkit.inference.engines.paddle:PaddleEngine",
        "onnxruntime": "toolkit.inference.engines.onnxruntime:OnnxRuntimeEngine",
        "openvino": "toolkit.inference.engines.openvino:OpenVinoEngine",
    },
    handed_in=["directory", "device", "threads", "precision"],
)
AUTO = "auto"
ONNX_ENGINES = ("onnxruntime", "openvino")
"""Those that run ``features.onnx``, sooner ready first; each has its package's name."""

Takes: TypeAlias = Literal["tensor", "pixels", "pictures"]
Stream: TypeAlias = Callable[[Any], NDArray[Any]]
"""Maps a batch of images to features; called from one thread at a time.

Raises ImageError when it cannot do this batch and might do another.
"""


class Engine(Protocol):
    """Runs a network that is ready: images in, features out, the same for every batch size."""

    @property
    def takes(self) -> Takes:
        """What images and features are.

        ``tensor``: normalised float32 [b, 3, h, w], and features [b, d] as the neck gives them.
        ``pixels``: uint8 RGB [b, h, w, 3] of the right size, and unit vectors [b, d].
        ``pictures``: a list of uint8 RGB [h, w, 3] as they were decoded, and features [b, d].
        """

    def run(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Maps one batch to features with all threads; may be called from several at once."""

    def streams(self) -> Sequence[Stream]:
        """Opens as many functions as there are threads, which use one thread each.

        For lists longer than a batch; for a single picture `run` is sooner ready and done.
        """


def open_engine(
    name: str, directory: Path, device: Device, threads: int, precision: str = "fp32"
) -> Engine:
    """Opens the model of a directory with the engine of a name.

    Args:
        name: a name of ENGINES, or ``auto`` for the fastest that is installed.
        directory: an exported model.
        device: where it runs.
        threads: CPU threads of the network.
        precision: of the ONNX file that is run: ``fp32 | fp16 | int8``; Paddle has fp32 only.

    Raises:
        ConfigError: there is no engine of this name.
        ModelError: the engine cannot open the model.
        ExtraError: the engine's package is not installed.
    """
    chosen = choose_engine(directory, device, precision) if name == AUTO else name
    engine: Any = ENGINES.get(chosen)
    opened: Engine = engine(directory, device, threads, precision)
    return opened


def is_installed(package: str) -> bool:
    """Tells whether a package is there, without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # something stands in its place
        return False


def files_of_engine(name: str, precision: str) -> tuple[str, ...]:
    """Returns the files of an export that an engine opens."""
    if name in ONNX_ENGINES:
        return (features_name(precision),)
    return ("inference.json", PARAMETER_FILE)


def choose_engine(directory: Path, device: Device, precision: str = "fp32") -> str:
    """Returns, and says, which engine that is installed opens a directory and runs it fastest.

    Nothing heavy is imported to find out, except on a machine with a GPU.
    """
    ready = _ready_onnx_engines(directory, precision)
    chosen = next(_gpu_engines(ready), None) if device.kind == "gpu" else None
    chosen = chosen or next(iter(ready), "paddle")
    _LOG.info("Engine: %s.", chosen)
    return chosen


def _gpu_engines(ready: list[str]) -> Iterator[str]:
    """Yields those that can use a GPU as they are installed."""
    if is_installed("paddle") and gpus_of_paddle():
        yield "paddle"
    if "onnxruntime" in ready and onnxruntime_has_cuda():
        yield "onnxruntime"


def ready_engines(directory: Path) -> list[str]:
    """Returns the engines that are installed and have their files in a directory."""
    has_paddle = (directory / PARAMETER_FILE).is_file() and is_installed("paddle")
    return [*["paddle"] * has_paddle, *_ready_onnx_engines(directory, "fp32")]


def installed_onnx_engines(precision: str) -> list[str]:
    """Returns the engines that are installed and run ``features.onnx``, the fastest first."""
    # In fp32 both are as fast, in int8 OpenVINO is faster: make bench-precision.
    fastest_first = ONNX_ENGINES if precision == "fp32" else ONNX_ENGINES[::-1]
    return [name for name in fastest_first if is_installed(name)]


def _ready_onnx_engines(directory: Path, precision: str) -> list[str]:
    has_features = (directory / features_name(precision)).is_file()
    return installed_onnx_engines(precision) if has_features else []
