"""An endpoint that was exported, run by ONNX Runtime: extraction without Paddle.

The export is a folder with ``endpoint.onnx`` (normalised images in, rows out) and
``endpoint.json``, which says what the rows are and how a picture is prepared for them.
"""

from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ConfigError, ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.inference.engines.engine import Stream, Takes
from toolkit.inference.engines.onnxruntime import open_session
from toolkit.inference.preprocess import pipeline_of
from toolkit.runtime import Device
from toolkit.storage import read_json

GRAPH_FILE, FACTS_FILE = "endpoint.onnx", "endpoint.json"
INPUT = "images"
FORMAT = 1


class EndpointOnnxEngine:
    """Runs an exported endpoint on the CPU; a row does not depend on its batch.

    Args:
        directory: the export.
        threads: CPU threads of the network.

    Attributes:
        pipeline: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes.
        shape: of one picture's value.
        length: numbers a picture.
        dtype: ``float32`` or ``int32``.
        fingerprint: of the weights, the pipeline, the endpoint and its pooling: that of the engine
            that was exported.

    Raises:
        ModelError: a file is missing, or not what it should be.
        ExtraError: onnxruntime is not installed.
    """

    takes: Takes = "tensor"

    def __init__(self, directory: Path, threads: int = 1) -> None:
        facts = _read_facts(directory)
        try:
            self.pipeline = pipeline_of(facts["preprocessing"])
            self.shape = tuple(int(side) for side in facts["shape"])
            self.dtype, self.fingerprint = str(facts["dtype"]), str(facts["fingerprint"])
            self.length = int(facts["length"])
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{directory / FACTS_FILE} is damaged ({error!r}). Export the endpoint again."
            ) from error
        self._file, self._threads = directory / GRAPH_FILE, threads
        self._session = self._open(threads)

    def run(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Maps images [b, 3, h, w], as the pipeline gives them, to rows [b, d]."""
        return _rows(self._session, images)

    def streams(self) -> Sequence[Stream]:
        """Returns `threads` times a session that uses the thread that calls it, and no other."""
        if self._threads == 1:
            return [self.run]
        session = self._open(threads=1)
        return [lambda images: _rows(session, images)] * self._threads

    def _open(self, threads: int) -> Any:
        return open_session(self._file, Device("cpu"), threads)


def _rows(session: Any, images: NDArray[np.float32]) -> NDArray[Any]:
    # One image a pass: matrix products of other heights round otherwise.
    passes = (session.run(None, {INPUT: image[np.newaxis]})[0] for image in images)
    return np.concatenate([*passes])


def _read_facts(directory: Path) -> dict[str, Any]:
    """Reads ``endpoint.json`` and checks that the graph beside it is the one that it means.

    Raises:
        ModelError: a file is missing or damaged, of a newer version, or of another export.
    """
    file, graph = directory / FACTS_FILE, directory / GRAPH_FILE
    for needed in (file, graph):
        if not needed.is_file():
            raise ModelError(
                f"{str(directory)!r} is no exported endpoint: it has no {needed.name}. Export one, "
                "or give the folder of an export."
            )
    try:
        facts = read_json(file)
    except (OSError, UnicodeDecodeError, JSONDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}. Export the endpoint again.") from error
    if not isinstance(facts, dict) or facts.get("format_version") != FORMAT:
        version = facts.get("format_version") if isinstance(facts, dict) else None
        raise ModelError(f"{file} has format version {version!r}; this toolkit reads {FORMAT}.")
    if facts.get("graph") != fingerprint_file(graph):
        raise ModelError(f"{graph} is not the graph that {file} means. Export the endpoint again.")
    return facts
