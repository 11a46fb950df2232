"""Searching an index with records, ids and filters beside bare FAISS of the same structure.

    python -m benchmarks.run index [--quick]

Vectors of 512 around 1,000 centres, as embeddings are; queries are drawn the same way. The peer is
FAISS alone, given the very structure that the index wrote: it returns positions and products, the
index returns ids, scores and records read from SQLite. A full run takes 12 GB of memory and half an
hour; a quick one has 20,000 vectors.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.index_work import (
    CENTRES,
    DIMENSION,
    DIRECTIONS,
    NOISE,
    NUM_QUERIES,
    SEED,
    SPREAD,
    Bare,
    K,
    bare_faiss,
    drawn,
    fill,
    graph_rate,
    ids_found,
    milliseconds,
    opening_cost,
    recall,
    true_nearest,
)
from benchmarks.measure import Comparison, Details, Options, Table, in_turn, seconds
from toolkit.index.database.database import Database
from toolkit.index.database.opening import create_index
from toolkit.index.planner import memory_mib
from toolkit.index.similarity import Similarity
from toolkit.progress import Progress

AREA = "index"
SIZES, QUICK_SIZES = (100_000, 1_000_000), (20_000,)
KINDS = ("flat", "ivf", "hnsw", "sq8", "ivf_pq")
# Kinds that find as FAISS does; the others compare what FAISS finds by the vectors once more.
ALIKE = ("flat", "ivf", "hnsw")
BATCHES = (32, 1)
# Of so many vectors and more: below, FAISS is done sooner than a record is read.
LEAST_PROMISED = 100_000
# The index may take so many times the time of FAISS, and so many more with a filter; a graph
# answers sooner than ten records are read, so there it is milliseconds a query.
MOST, MOST_FILTERED, MOST_MORE_MS = 1.15, 3.0, 0.15
FILTERS = {"1 %": (100, {"hundredth": 0}), "50 %": (2, {"half": 0})}
GRAPH_OPTIONS, GRAPH_SAMPLE = {"links": 32, "construction": 128}, 20_000
BEYOND = (10_000_000, 100_000_000)


@dataclass(frozen=True)
class _Case:
    """An index of one size, and what is asked of it.

    Attributes:
        index: filled.
        folder: of the index.
        vectors: float32 [n, d] that it holds.
        queries: float32 [NUM_QUERIES, d].
        flat: FAISS's own flat index of them.
        repeats: how often each side runs.
    """

    index: Database
    folder: Path
    vectors: NDArray[np.float32]
    queries: NDArray[np.float32]
    flat: Any
    repeats: int

    @property
    def size(self) -> int:
        return len(self.vectors)

    def compared(self, queries: NDArray[np.float32]) -> Any:
        """Has FAISS compare every vector."""
        return self.flat.search(queries, K)


@dataclass(frozen=True)
class _Tables:
    """Rows of what has no peer; measuring fills them."""

    kinds: list[list[str]]
    filters: list[list[str]]


TABLES = _Tables([], [])


def measure(options: Options) -> list[Comparison]:
    """Measures every row."""
    TABLES.kinds.clear()
    TABLES.filters.clear()
    rows = list[Comparison]()
    for size in QUICK_SIZES if options.quick else SIZES:
        folder = options.workspace / f"index-{size}"
        shutil.rmtree(folder, ignore_errors=True)
        vectors, queries = drawn(size)
        flat = faiss.IndexFlatIP(DIMENSION)
        flat.add(vectors)
        with create_index(folder, dimension=DIMENSION, fields=("hundredth", "half")) as index:
            fill(index, vectors)
            case = _Case(index, folder, vectors, queries, flat, options.repeats)
            for kind in KINDS:
                rows += _measured(case, kind)
        shutil.rmtree(folder)
    return rows


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns how the vectors were made, and the tables without a peer."""
    del options, comparisons
    return Details(
        versions={"faiss-cpu": faiss.__version__},
        parameters={
            "vectors": f"{DIMENSION} numbers in {DIRECTIONS} directions and a noise of {NOISE}, "
            f"around {CENTRES} centres, spread {SPREAD}, length 1, seed {SEED}",
            "recall": f"of the true {K} nearest, by {NUM_QUERIES} queries that are not in it",
            "memory": "what a new process grows by when it opens the index and answers once",
        },
        tables=[
            Table(
                "By size and kind: to build, to open, and a query",
                [
                    "records",
                    "kind",
                    "build s",
                    "open s",
                    "MiB",
                    "ms of 32",
                    "ms alone",
                    "recall",
                    "options",
                ],
                TABLES.kinds,
            ),
            Table(
                f"Filters, a batch of {BATCHES[0]}: first use, and remembered",
                ["records", "kind", "kept", "first ms", "then ms", "recall", "without filter"],
                TABLES.filters,
            ),
            Table(
                "Computed, not measured: MiB, as Index.kind auto plans",
                ["records", *KINDS],
                [_computed(count) for count in BEYOND],
            ),
        ],
    )


def _computed(count: int) -> list[str]:
    similarity = Similarity("cosine", DIMENSION)
    return [f"{count:,}", *(f"{memory_mib(kind, count, similarity):,.0f}" for kind in KINDS)]


def _measured(case: _Case, kind: str) -> Iterator[Comparison]:
    """Builds a structure and measures it, with filters too where it finds as FAISS does."""
    index = case.index
    with Progress(f"build {kind}", case.size, unit="vectors") as progress:
        built = seconds(lambda: index.rebuild(kind, advance=progress.advance))
    index.save()
    if kind == "hnsw":
        yield _graph_building(case, built)
    bare = case.compared if kind == "flat" else bare_faiss(index, case.folder, kind)
    found = ids_found(index, case.queries)
    finds = recall(found, true_nearest(case.vectors, case.queries))
    tuned = ", ".join(f"{name} {value}" for name, value in index.options.items())
    medians = list[float]()
    for batch in BATCHES:
        comparison = _beside(case, bare, kind, batch, found)
        medians.append(float(np.median(comparison.ours)))
        yield comparison
    mib, opened = opening_cost(case.folder)
    TABLES.kinds.append(
        [
            *(f"{case.size:,}", kind, f"{built:.1f}", f"{opened:.1f}", f"{mib:,.0f}"),
            *(f"{median:.2f}" for median in medians),
            f"{finds:.3f}",
            tuned or "-",
        ]
    )
    if kind in ALIKE:
        for kept in FILTERS:
            yield _filtered(case, kind, kept, finds)


def _beside(
    case: _Case, bare: Bare, kind: str, batch: int, found: Sequence[Sequence[int]]
) -> Comparison:
    some = case.queries[:batch]
    ours, peer = in_turn(
        milliseconds(lambda: case.index.search(some, K), batch),
        milliseconds(lambda: bare(some), batch),
        case.repeats,
    )
    theirs = bare(case.queries)[1].tolist()
    same = np.mean([set(a) == set(b) for a, b in zip(found, theirs, strict=True)])
    its_median = float(np.median(peer))
    # Of a graph a time is promised, not a ratio.
    graph = its_median / (its_median + MOST_MORE_MS)
    # Alone, a query is answered by FAISS in the time of reading its ten records.
    promised = kind in ALIKE and case.size >= LEAST_PROMISED and (kind == "hnsw" or batch > 1)
    return Comparison(
        AREA,
        f"{kind}, {case.size:,} vectors, a query in batches of {batch}",
        "ms",
        ours,
        peer,
        f"faiss-cpu {faiss.__version__}, the same structure",
        higher_is_better=False,
        required=(graph if kind == "hnsw" else 1 / MOST) if promised else None,
        parity=f"the same ten for {same:.0%} of {len(found)} queries",
        note=""
        if kind in ALIKE
        else "FAISS stops at its codes; the index compares what they find by the vectors.",
    )


def _filtered(case: _Case, kind: str, kept: str, unfiltered: float) -> Comparison:
    step, where = FILTERS[kept]
    some = case.queries[: BATCHES[0]]

    def search() -> object:
        return case.index.search(some, K, where=where)

    first = 1000 * seconds(search)
    ours, peer = in_turn(
        milliseconds(search, len(some)),
        milliseconds(lambda: case.compared(some), len(some)),
        case.repeats,
    )
    found = ids_found(case.index, case.queries, where)
    finds = recall(found, true_nearest(case.vectors, case.queries, step))
    then = len(some) * float(np.median(ours))
    TABLES.filters.append(
        [
            *(f"{case.size:,}", kind, kept, f"{first:.0f}", f"{then:.0f}"),
            *(f"{finds:.3f}", f"{unfiltered:.3f}"),
        ]
    )
    return Comparison(
        AREA,
        f"{kind}, {case.size:,} vectors, a filter that keeps {kept}",
        "ms",
        ours,
        peer,
        "FAISS comparing every vector without the filter",
        higher_is_better=False,
        required=1 / MOST_FILTERED,
        parity=f"recall {finds:.3f}, without the filter {unfiltered:.3f}",
    )


def _graph_building(case: _Case, built: float) -> Comparison:
    """Compares building with bare FAISS, which fills a smaller graph, so it has less to walk."""
    some = case.vectors[:GRAPH_SAMPLE]
    return Comparison(
        AREA,
        f"building a graph of {case.size:,} vectors, recall measured",
        "vectors/s",
        [case.size / built],
        [graph_rate(some, GRAPH_OPTIONS)],
        f"faiss-cpu {faiss.__version__}, {len(some):,} vectors, the same construction",
    )
