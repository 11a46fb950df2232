"""A gallery list and a query list, to be measured with one network after another."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.decode import read_rgb
from toolkit.data.manifest import Manifest
from toolkit.errors import ImageError
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval
from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.inference.embed import EmbeddedPaths, Failure
from toolkit.metrics.bootstrap import bootstrap_intervals
from toolkit.metrics.knn import knn_hits
from toolkit.progress import Progress

Embed = Callable[[list[Path]], EmbeddedPaths]


@dataclass(frozen=True)
class Measures:
    """Which numbers an evaluation gives.

    Attributes:
        recall_k: k of recall@k.
        precision_k: k of precision@k.
        bootstrap_samples: resamplings for the intervals; 0 for none.
        seed: of the resampling.
        knn_k: neighbours that vote in the metric ``knn``; None leaves it out.
    """

    recall_k: tuple[int, ...] = (1, 5)
    precision_k: tuple[int, ...] = (1, 5)
    bootstrap_samples: int = 1000
    seed: int = 0
    knn_k: int | None = None


@dataclass(frozen=True)
class TrialOutcome:
    """What one network reached.

    Attributes:
        result: the numbers.
        query_paths: [q] the queries in the order of the result.
        gallery_paths: [n] the gallery in the order of the result.
        failures: what was not measured: "path: reason" of each picture that could not be read, and
            "list, line n: reason" of each malformed row.
        query: vectors and labels of the queries.
        gallery: of the gallery.
    """

    result: RetrievalResult
    query_paths: list[Path]
    gallery_paths: list[Path]
    failures: list[str]
    query: Embeddings
    gallery: Embeddings


class RetrievalTrial:
    """Finds the queries' classes in the gallery by any features.

    A picture that is in both lists is read once. One that cannot be read is left out of the numbers
    and named in the outcome.

    Args:
        query: the pictures to look up.
        gallery: the pictures to find.
        measures: which numbers.
    """

    def __init__(self, query: Manifest, gallery: Manifest, measures: Measures) -> None:
        self._query, self._gallery, self._measures = query, gallery, measures

    def run(self, embed: Embed, *, bootstrap: bool = True) -> TrialOutcome:
        """Measures the features of `embed`.

        Args:
            embed: features of paths; what it could not read it names.
            bootstrap: also compute the intervals.

        Raises:
            DatasetError: nothing can be measured: an empty side, or no query with a match.
        """
        return self.outcome(self.embedded(embed), bootstrap=bootstrap)

    def embedded(self, embed: Embed) -> EmbeddedPaths:
        """Returns the features of both lists, each picture once."""
        return embed(self._distinct())

    def outcome(self, embedded: EmbeddedPaths, *, bootstrap: bool = True) -> TrialOutcome:
        """Measures what `embedded` gave; see `run`."""
        distinct = self._distinct()
        vector_of = {
            distinct[row]: vector
            for row, vector in zip(embedded.rows, embedded.vectors, strict=True)
        }
        measures = self._measures
        query, query_paths = _side(self._query, vector_of)
        gallery, gallery_paths = _side(self._gallery, vector_of)
        result = evaluate_retrieval(
            query,
            gallery,
            rng=np.random.default_rng(measures.seed),
            recall_k=measures.recall_k,
            precision_k=measures.precision_k,
            bootstrap_samples=measures.bootstrap_samples if bootstrap else 0,
        )
        if measures.knn_k is not None:
            self._add_knn(result, query, gallery, measures.knn_k, bootstrap=bootstrap)
        failures = [
            f"{manifest.file}, line {problem.line}: {problem.message}"
            for manifest in (self._gallery, self._query)
            for problem in manifest.problems
        ]
        failures += [failure.message for failure in embedded.failures]
        return TrialOutcome(result, query_paths, gallery_paths, failures, query, gallery)

    def _distinct(self) -> list[Path]:
        paths = [
            manifest.resolve(sample)
            for manifest in (self._gallery, self._query)
            for sample in manifest.samples
        ]
        return list(dict.fromkeys(paths))

    def _add_knn(
        self,
        result: RetrievalResult,
        query: Embeddings,
        gallery: Embeddings,
        k: int,
        *,
        bootstrap: bool,
    ) -> None:
        """Adds the metric ``knn``, with its interval where one is asked for."""
        labels, ids = (query.labels, gallery.labels), (query.ids, gallery.ids)
        hits = knn_hits(query.vectors, gallery.vectors, labels, ids, k)
        result.metrics["knn"] = float(hits.mean())
        if bootstrap and self._measures.bootstrap_samples:
            rng = np.random.default_rng(self._measures.seed)
            resamples = self._measures.bootstrap_samples
            result.intervals.update(bootstrap_intervals({"knn": hits}, rng, resamples=resamples))


def _side(manifest: Manifest, vector_of: dict[Path, NDArray[Any]]) -> tuple[Embeddings, list[Path]]:
    """The rows of a list that could be read, with their vectors."""
    rows = [(sample, manifest.resolve(sample)) for sample in manifest.samples]
    read = [(sample, path) for sample, path in rows if path in vector_of]
    cameras = [sample.camera for sample, _ in read]
    return (
        Embeddings(
            np.array([vector_of[path] for _, path in read], dtype=np.float32),
            [sample.label for sample, _ in read],
            [str(path.resolve()) for _, path in read],
            [camera or "" for camera in cameras] if any(cameras) else None,
        ),
        [path for _, path in read],
    )


def described_by(describe: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> Embed:
    """Returns an embedding that needs no network: pixels -> unit vector, picture by picture."""

    def embed(paths: list[Path]) -> EmbeddedPaths:
        rows: list[int] = []
        vectors: list[NDArray[np.float32]] = []
        failures: list[Failure] = []
        with Progress("describe", len(paths)) as progress:
            for row, path in enumerate(paths):
                pixels = _pixels(path)
                if isinstance(pixels, str):
                    failures.append(Failure(row, pixels))
                else:
                    rows.append(row)
                    vectors.append(describe(pixels))
                progress.advance()
        stacked = np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)
        return EmbeddedPaths(stacked, np.array(rows, dtype=np.int64), failures)

    return embed


def _pixels(path: Path) -> NDArray[np.uint8] | str:
    try:
        return read_rgb(path)
    except ImageError as error:
        return str(error)
