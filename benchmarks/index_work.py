"""The work of benchmarks/index.py: vectors, a filled index, bare FAISS, and what opening costs."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import seconds
from toolkit.index.database.database import Database
from toolkit.index.database.opening import open_index
from toolkit.progress import Progress

Bare = Callable[[NDArray[np.float32]], Any]
"""FAISS alone: products and positions of the K nearest of each query."""

DIMENSION, K = 512, 10
# Vectors that differ in so many directions, and a little in all of them: embeddings of pictures do.
SEED, CENTRES, SPREAD, DIRECTIONS, NOISE = 0, 1000, 0.9, 48, 0.1
NUM_QUERIES = 256
# A batch that is over sooner is run several times.
_LEAST_SECONDS = 0.2
_AT_ONCE = 8192


def drawn(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns vectors [size, d] and queries [NUM_QUERIES, d] around the same centres."""
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((CENTRES, DIRECTIONS), np.float32)
    turned = rng.standard_normal((DIRECTIONS, DIMENSION), np.float32)
    vectors = np.empty((size + NUM_QUERIES, DIMENSION), np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        piece = vectors[start : start + _AT_ONCE]
        places = SPREAD * rng.standard_normal((len(piece), DIRECTIONS), np.float32)
        places += centres[rng.integers(0, CENTRES, len(piece))]
        piece[:] = NOISE * rng.standard_normal(piece.shape, np.float32)
        piece += places @ turned
        piece /= np.linalg.norm(piece, axis=1, keepdims=True)
    return vectors[:size], vectors[size:]


def fill(index: Database, vectors: NDArray[np.float32]) -> None:
    """Writes vectors with records of three fields; vector number n has the id n."""
    with Progress("fill", len(vectors), unit="vectors") as progress:
        for start in range(0, len(vectors), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(vectors)))
            records = [
                {"path": f"pictures/{n}.jpg", "hundredth": n % 100, "half": n % 2} for n in rows
            ]
            index.add([str(n) for n in rows], vectors[start : start + _AT_ONCE], records)
            progress.advance(len(rows))


def true_nearest(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], step: int = 1
) -> list[set[int]]:
    """Returns the numbers of the K nearest of every `step`-th vector, compared one by one."""
    kept = np.ascontiguousarray(vectors[::step])
    _, found = faiss.knn(queries, kept, K, faiss.METRIC_INNER_PRODUCT)
    return [set((step * row).tolist()) for row in found]


def recall(found: Sequence[Sequence[int]], true: Sequence[set[int]]) -> float:
    """Returns which share of the true nearest was found."""
    shares = [len(set(its) & wanted) / K for its, wanted in zip(found, true, strict=True)]
    return float(np.mean(shares))


def ids_found(
    index: Database, queries: NDArray[np.float32], where: dict[str, int] | None = None
) -> list[list[int]]:
    """Returns the numbers that the index finds."""
    return [[int(hit.id) for hit in hits] for hits in index.search(queries, K, where=where)]


def bare_faiss(index: Database, folder: Path, kind: str) -> Bare:
    """Opens the structure that the index wrote, with the effort that it was tuned to."""
    (file,) = folder.glob(f"{newest(folder)}/structure.faiss")
    bare = faiss.read_index(str(file))
    name = {"hnsw": "efSearch", "ivf": "nprobe", "ivf_pq": "nprobe"}.get(kind)
    if name is not None:
        space: Any = faiss.ParameterSpace()
        space.set_index_parameter(bare, name, index.options["effort"])
    return lambda queries: bare.search(queries, K)


def newest(folder: Path) -> str:
    """Returns the name of the structure that serves; the one before is kept beside it."""
    header = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return str(header["live"]["snapshot"]["folder"])


def graph_rate(vectors: NDArray[np.float32], options: dict[str, int]) -> float:
    """Returns vectors/s of bare FAISS filling a graph."""
    graph: Any = faiss.IndexHNSWFlat(DIMENSION, options["links"], faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = options["construction"]
    return len(vectors) / seconds(lambda: graph.add(vectors))


def milliseconds(work: Callable[[], object], queries: int) -> Callable[[], float]:
    """Returns a function that does a batch, once or more, and returns its time a query."""

    def run() -> float:
        once = seconds(work)
        times = int(_LEAST_SECONDS / max(once, 1e-6))
        again = seconds(lambda: [work() for _ in range(times)])
        return 1000 * (again / times if times else once) / queries

    return run


def opening_cost(folder: Path) -> tuple[float, float]:
    """Returns MiB and seconds that a new process needs to open an index and answer once."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.index_work", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    mib, taken = done.stdout.split()
    return float(mib), float(taken)


def _open_once(folder: Path) -> None:
    before = _resident_mib()
    queries = np.ones((1, DIMENSION), np.float32)

    def work() -> None:
        index = open_index(folder, read_only=True)
        index.search(queries, K)
        opened.append(index)

    opened = list[Database]()
    taken = seconds(work)
    print(_resident_mib() - before, taken)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    _open_once(Path(sys.argv[1]))
