"""What every engine does, and the engines by name."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.registry import Registry
from toolkit.runtime import Device

ENGINES = Registry(
    "engine",
    {
        "paddle": "toolkit.inference.engines.paddle:PaddleEngine",
        # PaddleX's name of the same.
        "paddle_static": "toolkit.inference.engines.paddle:PaddleEngine",
    },
    handed_in=["directory", "device", "threads"],
)


class Engine(Protocol):
    """Runs a network that is ready: images in, features out, the same for every batch size."""

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps images [b, 3, h, w] to features [b, d], not normalised."""


def open_engine(name: str, directory: Path, device: Device, threads: int) -> Engine:
    """Opens the model of a directory with the engine of a name.

    Args:
        name: a name of ENGINES.
        directory: an exported model.
        device: where it runs.
        threads: CPU threads of the network.

    Raises:
        ConfigError: there is no engine of this name.
        ModelError: the engine cannot open the model.
        ExtraError: the engine's package is not installed.
    """
    engine: Any = ENGINES.get(name)
    opened: Engine = engine(directory, device, threads)
    return opened
