"""Embeddings of many pictures for evaluation: nothing is dropped silently, nothing reordered."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import read_rgb
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError
from toolkit.inference.read_ahead import prepared_batches
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.runtime import Progress

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
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    paths: Sequence[Path],
    pipeline: Pipeline,
    *,
    batch_size: int,
    workers: int,
    title: str = "embed",
) -> EmbeddedPaths:
    """Reads, prepares and embeds pictures; threads prepare the next batches meanwhile.

    Args:
        run: images [b, 3, h, w] to features [b, d]; `Engine.run` of any engine.
        paths: the files.
        pipeline: RGB pixels to tensor; without chance.
        batch_size: pictures a forward pass.
        workers: threads, 1 or more.
        title: for the progress bar.

    Returns:
        Vectors and failures; [0, 0] vectors when no picture could be read.
    """
    batches = prepared_batches(
        list(enumerate(paths)), partial(_prepare, pipeline), batch_size=batch_size, workers=workers
    )
    vectors: list[NDArray[np.float32]] = []
    rows: list[int] = []
    failures: list[Failure] = []
    with Progress(title, len(paths)) as progress:
        for batch in batches:
            ready = [item for item in batch if not isinstance(item, Failure)]
            failures += [item for item in batch if isinstance(item, Failure)]
            if ready:
                rows += [row for row, _ in ready]
                vectors.append(unit_vectors(run(np.stack([image for _, image in ready]))))
            progress.advance(len(batch))
    for failure in failures:
        _LOG.warning("No embedding: %s", failure.message)
    return EmbeddedPaths(
        np.concatenate(vectors) if vectors else np.empty((0, 0), dtype=np.float32),
        np.array(rows, dtype=np.int64),
        failures,
    )


def _prepare(
    pipeline: Pipeline, numbered: tuple[int, Path]
) -> tuple[int, NDArray[np.float32]] | Failure:
    row, path = numbered
    try:
        return row, pipeline(read_rgb(path), np.random.default_rng(0))
    except ImageError as error:
        message = str(error)
        return Failure(row, message if str(path) in message else f"{path}: {message}")
