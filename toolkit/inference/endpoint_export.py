"""An endpoint as files that run without Paddle, compared with the network before they are done."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import paddle

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.errors import ModelError, import_optional
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.agreement import check_images
from toolkit.inference.engines.endpoint import EndpointEngine
from toolkit.inference.engines.endpoint_onnx import (
    FACTS_FILE,
    FORMAT,
    GRAPH_FILE,
    INPUT,
    EndpointOnnxEngine,
)
from toolkit.inference.onnx_export import convert_to_onnx
from toolkit.models.endpoints import Whole
from toolkit.storage import write_bytes, write_json
from toolkit.version import __version__

_GRAPH = "inference.json"
# Largest difference from the network itself, as a share of the largest value.
_TOLERANCE = 1e-4


def export_endpoint(engine: EndpointEngine, directory: Path) -> EndpointOnnxEngine:
    """Writes ``endpoint.onnx`` and ``endpoint.json``; what the endpoint does not need is left out.

    Args:
        engine: the endpoint with its weights.
        directory: where the files go; other files there stay.

    Returns:
        The engine that runs them.

    Raises:
        ModelError: the endpoint stands before the network, the network cannot be converted, or
            ONNX Runtime does not compute what it does.
        ExtraError: paddle2onnx or onnxruntime is not installed.
    """
    endpoint = engine.network.endpoint
    if endpoint.source is Whole.IMAGES:
        raise ModelError(
            f"The endpoint {endpoint.name} is what goes into the network; there is nothing to "
            "export."
        )
    import_optional("onnxruntime", purpose="Exporting an endpoint")
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".endpoint-", dir=directory) as temporary:
        staged = Path(temporary)
        _write(engine, staged)
        _check(engine, EndpointOnnxEngine(staged))
        # The description last: a process killed in between leaves a graph that it does not mean.
        for name in (GRAPH_FILE, FACTS_FILE):
            (staged / name).replace(directory / name)
    return EndpointOnnxEngine(directory)


def _write(engine: EndpointEngine, staged: Path) -> None:
    network, measure = engine.network, engine.measure
    spec = paddle.static.InputSpec([None, 3, *measure.image_size], "float32", name=INPUT)
    paddle.jit.save(network, str(staged / Path(_GRAPH).stem), input_spec=[spec])
    write_bytes(staged / GRAPH_FILE, convert_to_onnx(staged / _GRAPH, staged / PARAMETER_FILE))
    facts = {
        "format_version": FORMAT,
        "toolkit_version": __version__,
        "endpoint": network.endpoint.name,
        "pool": network.pool,
        "shape": list(measure.shape),
        "length": measure.length,
        "dtype": measure.dtype,
        "fingerprint": engine.fingerprint,
        "graph": fingerprint_file(staged / GRAPH_FILE),
        "preprocessing": engine.pipeline.describe(),
    }
    write_json(staged / FACTS_FILE, facts)


def _check(engine: EndpointEngine, exported: EndpointOnnxEngine) -> None:
    """Compares an export with the network.

    Raises:
        ModelError: it computes something else.
    """
    images = check_images(engine.measure.image_size, engine.pipeline).tensors
    expected = engine.run(images).astype(np.float64)
    difference = np.abs(exported.run(images) - expected).max()
    if not difference <= _TOLERANCE * np.abs(expected).max():
        raise ModelError(
            f"ONNX Runtime computes something else than the network: values up to "
            f"{difference:.3g} apart. Nothing was written; extract with Paddle."
        )
