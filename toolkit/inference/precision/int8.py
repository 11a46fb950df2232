"""8-bit integers: calibrated on pictures, in one file that OpenVINO and ONNX Runtime both run.

Written by ONNX Runtime's static quantizer as QuantizeLinear / DequantizeLinear pairs around the
float operators, which both engines turn into integer ones. docs/precision.md says why for each
choice here: kernels with a scale for each channel, maps as unsigned bytes between their
least and largest value, and the ends of the network in float.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional
from toolkit.inference.engines.onnx_files import INPUT
from toolkit.inference.precision.equalization import equalize

_PURPOSE = "Export.precision int8"
_LOG = logging.getLogger(__name__)
_BATCH = 8
_ERRORS_ONLY = 3
_LAYERS = ("Conv", "Gemm", "MatMul")
# Between two of these a map need not become float again.
_INTEGER = (
    *_LAYERS,
    *("Add", "Mul", "Relu", "Clip", "Sigmoid", "Concat"),
    *("MaxPool", "AveragePool", "GlobalAveragePool"),
)


def write_int8(source: Path, target: Path, images: NDArray[np.uint8]) -> None:
    """Writes a graph whose layers compute in 8-bit integers.

    Args:
        source: ``features.onnx``.
        target: the file to write.
        images: uint8 RGB [n, h, w, 3], the size of the network's input; n is above 0. Pictures of
            the kind that the network will see: what is larger than anything they cause is cut off.

    Raises:
        ExtraError: onnxruntime's quantizer is not installed.
        ValueError: there are no images.
    """
    if not len(images):
        raise ValueError("there are no images to calibrate on; at least one is needed.")
    onnx = import_optional("onnx", purpose=_PURPOSE)
    quantization = import_optional("onnxruntime.quantization", purpose=_PURPOSE)
    marks = import_optional("onnxruntime.quantization.quant_utils", purpose=_PURPOSE)
    with TemporaryDirectory(prefix=".int8-", dir=target.parent) as folder:
        folded = Path(folder) / "folded.onnx"
        _fold(source, folded)
        model = onnx.load(str(folded))
        pairs = equalize(model, images)
        _LOG.info("int8: %d pictures, %d pairs of convolutions equalized.", len(images), pairs)
        _name_nodes(model.graph)
        marks.add_pre_process_metadata(model)  # else the quantizer asks for what _fold has done
        onnx.save(model, str(folded))
        with _quiet_root_log():
            quantization.quantize_static(
                str(folded),
                str(target),
                _Batches(images),
                quant_format=quantization.QuantFormat.QDQ,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=list(_INTEGER),
                nodes_to_exclude=_ends(model.graph),
            )


def _fold(source: Path, target: Path) -> None:
    """Computes what is constant, so that batch norms become part of convolutions."""
    runtime = import_optional("onnxruntime", purpose=_PURPOSE)
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    runtime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _name_nodes(graph: Any) -> None:
    """Gives those without a name one; the quantizer is told by name what to leave out."""
    for number, node in enumerate(graph.node):
        node.name = node.name or f"node_{number}"


def _ends(graph: Any) -> list[str]:
    """Returns the names of the nodes that stay in float.

    They are those up to the first layer, whose rounding all others would pass on; and those from
    the last global pooling on: a vector's length and its last layer cost nothing, and eight bits of
    it would be the feature's precision. A network without global pooling stays in float from its
    last layer on.
    """
    nodes = list(graph.node)
    layers = [number for number, node in enumerate(nodes) if node.op_type in _LAYERS]
    poolings = [n for n, node in enumerate(nodes) if node.op_type == "GlobalAveragePool"]
    if not layers:
        return [node.name for node in nodes]
    last = poolings[-1] + 1 if poolings else layers[-1]
    return [node.name for node in [*nodes[: layers[0] + 1], *nodes[last:]]]


class _Batches:
    """The pictures as ONNX Runtime's calibration asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._rest = iter(
            [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Returns the next batch by input name, or None after the last."""
        batch = next(self._rest, None)
        return None if batch is None else {INPUT: batch}


@contextmanager
def _quiet_root_log() -> Iterator[None]:
    """Keeps the quantizer, which writes to the root log, from setting that log up."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)
