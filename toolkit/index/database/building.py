"""A structure that finds enough of the vectors of a store: train, fill, tune, measure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toolkit.index.database.live import Live
from toolkit.index.database.record_store import RecordStore
from toolkit.index.interface import Closeness
from toolkit.index.kinds.approximate import Approximate
from toolkit.index.kinds.ivf import MOST_A_LIST, lists_for
from toolkit.index.kinds.making import (
    LEAST_TO_TRAIN,
    exact_structure,
    is_exact,
    trained_structure,
)
from toolkit.index.kinds.scan import ROWS_AT_ONCE, scan
from toolkit.index.kinds.structure import Tiles
from toolkit.index.similarity import Similarity

# So many vectors are looked for to measure a recall: its standard error is below 0.01.
_QUERIES = 200
# Vectors that a structure learns from; more where there are many lists.
_SAMPLE, _MOST_SAMPLE = 65_536, 200_000
_MOST_CANDIDATES = 256
K = 10


@dataclass(frozen=True)
class Built:
    """A structure with what became of it.

    Attributes:
        live: the structure over its store.
        options: with the effort and the candidates that the recall needed.
        recall: at 10, beside an exact search; 1.0 for exact structures.
    """

    live: Live
    options: Mapping[str, int]
    recall: float


@dataclass(frozen=True)
class Wanted:
    """What is built.

    Attributes:
        kind: of the structure.
        options: as `making.OPTIONS` names them; effort and candidates that are given stay.
        recall: at 10 that the effort is raised for.
    """

    kind: str
    options: Mapping[str, int]
    recall: float = 0.95


def build(
    store: RecordStore,
    similarity: Similarity,
    wanted: Wanted,
    rng: np.random.Generator,
    advance: Callable[[int], None] = lambda _: None,
) -> Built:
    """Builds a structure of what a store holds, while others go on writing to it.

    Args:
        store: holds the vectors.
        similarity: of the vectors.
        wanted: what is built; below `LEAST_TO_TRAIN` vectors it is the exact structure.
        rng: draws the vectors to learn from and to measure with.
        advance: is told how many more vectors are in.
    """
    rows = store.rows()
    if is_exact(wanted.kind, similarity) or len(rows) < LEAST_TO_TRAIN:
        live = Live(store, similarity, exact_structure(similarity))
        live.catch_up(advance)
        return Built(live, dict(wanted.options), 1.0)
    options, size = dict(wanted.options), _SAMPLE
    if wanted.kind == "hnsw":
        size = 1  # a graph learns nothing
    elif "ivf" in wanted.kind:
        lists = options.setdefault("lists", lists_for(len(rows)))
        size = int(np.clip(lists * MOST_A_LIST, _SAMPLE, _MOST_SAMPLE))
    sample = np.sort(rng.choice(rows, min(size, len(rows)), replace=False))
    structure = trained_structure(wanted.kind, similarity, store.vectors(sample)[1], options)
    live = Live(store, similarity, structure)
    live.catch_up(advance)
    queries = Questions.drawn(live, rng)
    recall = _tune(structure, wanted, queries)
    tuned = {"effort": structure.effort, "candidates": structure.candidates}
    kept = {name: tuned[name] for name in tuned if name in _tunable(wanted.kind)}
    return Built(live, {**options, **kept}, recall)


def _tunable(kind: str) -> tuple[str, ...]:
    return {"hnsw": ("effort",), "ivf": ("effort",), "ivf_pq": ("effort", "candidates")}.get(
        kind, ("candidates",)
    )


def _tune(structure: Approximate, wanted: Wanted, queries: "Questions") -> float:
    """Doubles the effort or the candidates, whichever finds more, until the recall is there.

    Returns:
        The recall.
    """
    recall = queries.recall()
    while recall < wanted.recall:
        now = _Setting.of(structure)
        found = list[tuple[float, _Setting]]()
        for more in now.doubled(structure, wanted.options):
            more.apply(structure)
            found.append((queries.recall(), more))
        if not found:
            break
        most, best = max(found, key=lambda measured: measured[0])
        best.apply(structure)
        recall = max(recall, most)
    return recall


@dataclass(frozen=True)
class _Setting:
    """How far a structure looks."""

    effort: int
    candidates: int

    @classmethod
    def of(cls, structure: Approximate) -> "_Setting":
        return cls(structure.effort, structure.candidates)

    def apply(self, structure: Approximate) -> None:
        structure.effort, structure.candidates = self.effort, self.candidates

    def doubled(self, structure: Approximate, given: Mapping[str, int]) -> Iterator["_Setting"]:
        """Yields the settings one step up; what somebody chose stays."""
        if "effort" not in given and self.effort < structure.most_effort:
            yield replace(self, effort=min(2 * self.effort, structure.most_effort))
        raisable = not structure.exact_scores and "candidates" not in given
        if raisable and self.candidates < _MOST_CANDIDATES:
            yield replace(self, candidates=2 * self.candidates)


@dataclass(frozen=True)
class Questions:
    """Vectors of an index, and which others are truly the nearest to each.

    Attributes:
        live: that is asked.
        rows: int64 [q] of the vectors, ascending.
        vectors: prepared [q, w].
        least: float32 [q], closeness of the last of the true nearest.
        k: how many are looked for, besides the vector itself.
    """

    live: Live
    rows: NDArray[np.int64]
    vectors: NDArray[np.generic]
    least: NDArray[np.float32]
    k: int

    @classmethod
    def drawn(cls, live: Live, rng: np.random.Generator) -> "Questions":
        """Draws vectors, and compares each with all of the store."""
        rows = live.rows.rows
        some = np.sort(rng.choice(rows, min(_QUERIES, len(rows)), replace=False))
        some, vectors = live.store.vectors(some)
        k = min(K, max(live.rows.count - 1, 1))
        closeness, _ = scan(vectors, _all(live.store, rows), k + 1, live.similarity)
        return cls(live, some, vectors, closeness[:, k], k)

    def recall(self) -> float:
        """Returns which share of the true nearest the index finds; equally near ones count."""
        closeness, rows = self.live.nearest(self.vectors, self.k + 1, None)
        others = rows != self.rows[:, None]
        found = (others & (closeness >= _little_less(self.least)[:, None])).sum(1)
        return float(np.minimum(found, self.k).mean() / self.k)


def _all(store: RecordStore, rows: NDArray[np.int64]) -> Tiles:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield store.vectors(rows[start : start + ROWS_AT_ONCE])


def _little_less(values: Closeness) -> Closeness:
    """Allows for rounding: two ways of adding up a product differ in the last digits."""
    return np.asarray(values - 1e-5 * np.maximum(np.abs(values), 1e-3), np.float32)
