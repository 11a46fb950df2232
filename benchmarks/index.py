"""Searching an index with records, ids and filters beside bare FAISS of the same structure.

    python -m benchmarks.run index

Vectors of 512 around 1,000 centres, as embeddings are; queries are drawn the same way. The peer is
FAISS alone, given the very structure that the index wrote: it returns positions and products, the
index returns ids, scores and records read from SQLite. Quick runs stop at 100,000 vectors; HNSW is
measured there only, because a graph of a million takes the better part of an hour to build.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Comparison, Details, Options, Table, in_turn, seconds
from toolkit.index.database.database import Database
from toolkit.index.database.opening import create_index
from toolkit.runtime import Progress

AREA = "index"
DIMENSION, BATCH, K = 512, 32, 10
SIZES, QUICK_SIZES = (100_000, 1_000_000), (100_000,)
MOST_IN_A_GRAPH = 100_000
CENTRES, SPREAD = 1000, 0.9
# The index may take so many times the seconds of FAISS, and so many more with a filter.
MOST, MOST_FILTERED = 1.15, 3.0
MOST_MORE_MS = 0.15
FIRST_USE: list[list[str]] = []
LATENCY: list[list[str]] = []
_AT_ONCE = 8192
_FILTERS = {"1 %": {"hundredth": 0}, "50 %": {"half": 0}}


def measure(options: Options) -> list[Comparison]:
    """Measures every row."""
    FIRST_USE.clear()
    LATENCY.clear()
    rows = list[Comparison]()
    for size in QUICK_SIZES if options.quick else SIZES:
        folder = options.workspace / f"index-{size}"
        shutil.rmtree(folder, ignore_errors=True)
        vectors, queries = drawn(size)
        with create_index(folder, dimension=DIMENSION, fields=("hundredth", "half")) as index:
            _fill(index, vectors)
            rows += _kinds(index, folder, vectors, queries, options.repeats)
        shutil.rmtree(folder)
    return rows


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns how the vectors were made, and the tables without a peer."""
    del options, comparisons
    return Details(
        versions={"faiss-cpu": faiss.__version__},
        parameters={
            "vectors": f"{DIMENSION} numbers around {CENTRES} centres, spread {SPREAD}, length 1",
            "batch": f"{BATCH} queries, k {K}",
        },
        tables=[
            Table(
                "Filters, first use and cached", ["records", "kept", "first", "cached"], FIRST_USE
            ),
            Table(
                "A query in a batch, milliseconds",
                ["records", "kind", "index", "FAISS", "more", "allowed", "recall@10"],
                LATENCY,
            ),
        ],
    )


def drawn(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns vectors [size, d] and queries [BATCH, d] around the same centres."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, DIMENSION), np.float32)
    vectors = np.empty((size + BATCH, DIMENSION), np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        piece = vectors[start : start + _AT_ONCE]
        piece[:] = SPREAD * rng.standard_normal(piece.shape, np.float32)
        piece += centres[rng.integers(0, CENTRES, len(piece))]
        piece /= np.linalg.norm(piece, axis=1, keepdims=True)
    return vectors[:size], vectors[size:]


def _fill(index: Database, vectors: NDArray[np.float32]) -> None:
    with Progress("fill", len(vectors), unit="vectors") as progress:
        for start in range(0, len(vectors), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(vectors)))
            records = [
                {"path": f"pictures/{n}.jpg", "hundredth": n % 100, "half": n % 2} for n in rows
            ]
            index.add([str(n) for n in rows], vectors[start : start + _AT_ONCE], records)
            progress.advance(len(rows))


def _kinds(
    index: Database,
    folder: Path,
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    repeats: int,
) -> Iterator[Comparison]:
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(vectors)
    yield _beside(index, flat, queries, repeats, "flat")
    yield from _filtered(index, flat, queries, repeats)
    del flat
    for kind in ("ivf", "hnsw"):
        if kind == "hnsw" and len(vectors) > MOST_IN_A_GRAPH:
            continue
        with Progress(f"build {kind}", len(vectors), unit="vectors") as progress:
            index.rebuild(kind, advance=progress.advance)
        index.save()
        yield _beside(index, _bare(index, folder, kind), queries, repeats, kind)


def _bare(index: Database, folder: Path, kind: str) -> Any:
    """Opens the structure that the index wrote, with the effort that it was tuned to."""
    (file,) = folder.glob("structure-*/structure.faiss")
    bare = faiss.read_index(str(file))
    name = "efSearch" if kind == "hnsw" else "nprobe"
    space: Any = faiss.ParameterSpace()
    space.set_index_parameter(bare, name, index.options["effort"])
    return bare


def _beside(
    index: Database, bare: Any, queries: NDArray[np.float32], repeats: int, kind: str
) -> Comparison:
    count = index.count()
    ours, peer = in_turn(
        _timed(lambda: index.search(queries, K)), _timed(lambda: bare.search(queries, K)), repeats
    )
    more = float(np.median(ours) - np.median(peer))
    allowed = MOST_MORE_MS if kind == "hnsw" else (MOST - 1) * float(np.median(peer))
    recall = index.facts.recall
    LATENCY.append(
        [
            f"{count:,}",
            kind,
            f"{np.median(ours):.3f}",
            f"{np.median(peer):.3f}",
            f"{more:+.3f}",
            f"{allowed:.3f}",
            "1" if recall is None else f"{recall:.3f}",
        ]
    )
    found = [[hit.id for hit in hits] for hits in index.search(queries, K)]
    theirs = bare.search(queries, K)[1].tolist()
    same = np.mean([set(a) == set(map(str, b)) for a, b in zip(found, theirs, strict=True)])
    required = None if kind == "hnsw" else 1 / MOST
    return Comparison(
        AREA,
        f"{kind}, {count:,} vectors, a query in batches of {BATCH}",
        "ms",
        ours,
        peer,
        f"faiss-cpu {faiss.__version__}, the same structure",
        higher_is_better=False,
        required=required,
        parity=f"the same ten for {same:.0%} of the queries",
    )


def _filtered(
    index: Database, flat: Any, queries: NDArray[np.float32], repeats: int
) -> Iterator[Comparison]:
    for kept, where in _FILTERS.items():

        def search(where: dict[str, int] = where) -> object:
            return index.search(queries, K, where=where)

        first = 1000 * seconds(search)
        ours, peer = in_turn(_timed(search), _timed(lambda: flat.search(queries, K)), repeats)
        FIRST_USE.append(
            [f"{index.count():,}", kept, f"{first:.0f} ms", f"{BATCH * np.median(ours):.0f} ms"]
        )
        yield Comparison(
            AREA,
            f"flat, {index.count():,} vectors, a filter that keeps {kept}, cached",
            "ms",
            ours,
            peer,
            "FAISS without the filter",
            higher_is_better=False,
            required=1 / MOST_FILTERED,
            parity="compared vector by vector, so recall is 1",
        )


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    """Returns milliseconds a query: of several batches where one is over in no time."""

    def run() -> float:
        once = seconds(work)
        times = max(int(0.2 / max(once, 1e-6)), 1)
        return 1000 * seconds(lambda: [work() for _ in range(times)]) / times / BATCH

    return run
