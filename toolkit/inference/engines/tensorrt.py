"""TensorRT inside Paddle: an exported graph as a program whose parts are TensorRT's, made once.

Written by the documentation, and not yet run on a GPU (docs/engines.md says what that means): so
whatever fails here leaves Paddle's own CUDA kernels to do the work.

Source: paddle.tensorrt, `Input`, `TensorRTConfig` and `convert` of Paddle 3; a graph of Paddle 2
(``inference.pdmodel``) is not converted.
"""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from toolkit.errors import import_optional
from toolkit.fetch.lock import locked
from toolkit.fetch.options import FetchOptions
from toolkit.fingerprint import fingerprint_file
from toolkit.storage import atomic_directory

_LOG = logging.getLogger(__name__)
LARGEST_BATCH = 32
"""The converted graph takes batches from 1 to this."""
_STEM = "inference"


def converted_folder(graph: Path, parameters: Path) -> Path | None:
    """Returns the folder of the converted graph and its parameters; None where that cannot be.

    Args:
        graph: ``inference.json``.
        parameters: its parameters.
    """
    if graph.suffix != ".json" or not is_built_in():
        return None
    folder = FetchOptions.from_environment().cache / "tensorrt" / _key(graph, parameters)
    try:
        with locked(folder):
            if not (folder / f"{_STEM}.json").is_file():
                _LOG.info("TensorRT optimises %s; this takes minutes, once.", graph.parent)
                with atomic_directory(folder) as temporary:
                    _convert(graph, temporary)
    except Exception as error:  # of any kind: it is an optimisation, and the plain graph is there
        _LOG.warning("TensorRT is not used: %s", " ".join(str(error).split())[:300])
        return None
    return folder


def is_built_in() -> bool:
    """Tells whether Paddle was built with TensorRT, and finds it."""
    inference = import_optional("paddle.inference", purpose="Running a network")
    versions = (inference.get_trt_compile_version(), inference.get_trt_runtime_version())
    return all(any(version) for version in versions)


def image_shape(graph: Path) -> tuple[int, ...]:
    """Returns the shape (3, h, w) of an image, as ``inference.json`` says it."""
    block = json.loads(graph.read_bytes())["program"]["regions"][0]["blocks"][0]
    (entry,) = (op for op in block["ops"] if op["#"].split(".")[-1] in ("data", "feed"))
    _, *shape = entry["O"][0]["TT"]["D"][1]
    return tuple(shape)


def _key(graph: Path, parameters: Path) -> str:
    """Names what the converted graph depends on: the model, the versions and the GPU."""
    paddle = import_optional("paddle", purpose="Running a network")
    version = paddle.inference.get_trt_runtime_version()
    facts = (
        *(fingerprint_file(graph), fingerprint_file(parameters), paddle.__version__),
        *(".".join(map(str, version)), paddle.device.cuda.get_device_name(), str(LARGEST_BATCH)),
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _convert(graph: Path, folder: Path) -> None:
    tensorrt = import_optional("paddle.tensorrt", purpose="TensorRT")
    rng, shape = np.random.default_rng(0), image_shape(graph)
    # One each for the smallest, the usual and the largest shape.
    batches = tuple(
        rng.standard_normal((size, *shape), dtype=np.float32)
        for size in (1, LARGEST_BATCH // 2, LARGEST_BATCH)
    )
    config = tensorrt.TensorRTConfig(
        inputs=[tensorrt.Input(warmup_data=batches)],
        save_model_dir=str(folder / _STEM),
        precision_mode=tensorrt.PrecisionMode.FP32,
    )
    tensorrt.convert(str(graph.with_suffix("")), config)
