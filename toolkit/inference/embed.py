"""Embeddings of many pictures for evaluation: nothing is dropped silently, nothing reordered."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import read_rgb
from toolkit.data.sources import Source
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.inference.engines.engine import Engine
from toolkit.inference.pipeline import FeaturePipeline
from toolkit.progress import Progress

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A picture without an embedding.

    Attributes:
        row: its number in the paths, from 0.
        message: the path and the reason.
    """

    row: int
    message: str


@dataclass(frozen=True)
class EmbeddedPaths:
    """The embeddings of a list of pictures.

    Attributes:
        vectors: float32 [m, d] of length 1, of the pictures that could be read, in their order.
        rows: int64 [m], number in the paths of each vector.
        failures: the others.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    failures: list[Failure]


def embed_paths(
    engine: Engine,
    paths: Sequence[Path],
    pipeline: Pipeline,
    *,
    batch_size: int,
    workers: int,
    title: str = "embed",
    decode: Literal["fast", "exact"] = "exact",
) -> EmbeddedPaths:
    """Reads, prepares and embeds pictures; see `toolkit.inference.pipeline`.

    Args:
        engine: runs the network.
        paths: the files.
        pipeline: RGB pixels to tensor; without chance.
        batch_size: pictures a forward pass.
        workers: threads that prepare pictures where the engine has one stream, 1 or more.
        title: for the progress bar.
        decode: see `toolkit.inference.predictor.Predictor`.

    Returns:
        Vectors and failures; [0, 0] vectors when no picture could be read.
    """
    target = pipeline.target() if decode == "fast" else None
    sources = (Source(str(path), partial(read_rgb, path, target=target)) for path in paths)
    vectors = np.empty((0, 0), dtype=np.float32)
    rows: list[int] = []
    failures: list[Failure] = []
    outcomes = FeaturePipeline(engine, pipeline, workers=workers).features(sources, batch_size)
    with Progress(title, len(paths)) as progress:
        for row, outcome in enumerate(outcomes):
            if outcome.feature is None:
                failures.append(Failure(row, _explain(paths[row], str(outcome.error))))
            else:
                if not rows:  # one block, for a list of them would need the memory twice
                    vectors = np.empty((len(paths), len(outcome.feature)), dtype=np.float32)
                vectors[len(rows)] = outcome.feature
                rows.append(row)
            progress.advance()
    for failure in failures:
        _LOG.warning("No embedding: %s", failure.message)
    return EmbeddedPaths(vectors[: len(rows)], np.array(rows, dtype=np.int64), failures)


def _explain(path: Path, message: str) -> str:
    return message if str(path) in message else f"{path}: {message}"
