"""Indexes of PaddleX's image recognition pipeline: ``vector.index`` and ``id_map.yaml``.

vector.index is an IndexIDMap2 of FAISS; id_map.yaml has ``id_map`` (number -> label),
``index_type`` (Flat, IVF, HNSW32) and ``metric_type`` (IP, L2). PaddleX keeps no more beside a
vector than its label.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import yaml
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.index.interface import Entry, VectorIndex
from toolkit.storage import atomic_path

VECTORS, LABELS = "vector.index", "id_map.yaml"
_METRICS = {"IP": "inner_product", "L2": "l2"}
_AT_ONCE = 4096


@dataclass(frozen=True)
class PaddleXIndex:
    """What an index folder of PaddleX holds.

    Attributes:
        metric: ``inner_product`` or ``l2``.
        dimension: numbers a vector.
        numbers: int64 [n], PaddleX's ids.
        labels: label of each number.
        index: the structure inside of the map of ids.
        owner: the map; `index` lives as long as it does.
    """

    metric: str
    dimension: int
    numbers: NDArray[np.int64]
    labels: dict[int, str]
    index: Any
    owner: Any

    def blocks(self) -> Iterator[tuple[list[str], NDArray[np.float32], list[dict[str, str]]]]:
        """Yields ids, vectors [m, d] and records, some thousands at a time."""
        for start in range(0, len(self.numbers), _AT_ONCE):
            some = self.numbers[start : start + _AT_ONCE].tolist()
            vectors = self.index.reconstruct_n(start, len(some))
            yield [str(n) for n in some], vectors, [{"label": self.labels[n]} for n in some]


def read_paddlex(folder: Path) -> PaddleXIndex:
    """Opens an index that PaddleX wrote.

    Raises:
        VectorIndexError: a file is missing, of another kind, or the two do not belong together.
    """
    vectors, labels = folder / VECTORS, folder / LABELS
    for file in (vectors, labels):
        if not file.is_file():
            raise VectorIndexError(_missing(folder, file))
    try:
        read = faiss.read_index(str(vectors))
        outer: Any = faiss.downcast_index(read)
        numbers = faiss.vector_to_array(outer.id_map)
    except (RuntimeError, AttributeError) as error:
        raise VectorIndexError(
            f"{vectors} is not an index with a map of ids, as PaddleX writes it: {error}"
        ) from error
    facts = _facts(labels)
    names = {int(number): str(label) for number, label in facts["id_map"].items()}
    unknown = [n for n in numbers.tolist() if n not in names]
    if unknown:
        raise VectorIndexError(
            f"{labels} has no label for the id {unknown[0]} of {VECTORS} ({len(unknown)} of "
            f"{len(numbers)} are missing): the two files are of different indexes."
        )
    inner: Any = faiss.downcast_index(outer.index)
    if isinstance(inner, faiss.IndexIVF):
        inner.make_direct_map()
    metric = "l2" if inner.metric_type == faiss.METRIC_L2 else "inner_product"
    return PaddleXIndex(metric, inner.d, numbers, names, inner, read)


def write_paddlex(index: VectorIndex, folder: Path) -> list[Path]:
    """Writes an index for PaddleX, in the kind that it can remove from: Flat.

    Ids that are whole numbers stay as they are; otherwise records are numbered from 0. In memory
    are the vectors, which FAISS writes as a whole, and some thousands of records.

    Args:
        index: of float vectors; records without a ``label`` get their id for one.
        folder: where vector.index and id_map.yaml go.

    Raises:
        VectorIndexError: the index is of bits, which PaddleX cannot search, or of whitened vectors,
            which its queries are not.
    """
    facts = index.facts
    if index.whitening is not None:
        raise VectorIndexError(
            "PaddleX does not whiten its queries; export an index without Index.whitening."
        )
    if facts.metric == "hamming":
        raise VectorIndexError("PaddleX cannot search bits; export an index of float vectors.")
    is_l2 = facts.metric == "l2"
    flat = faiss.IndexFlatL2(facts.dimension) if is_l2 else faiss.IndexFlatIP(facts.dimension)
    outer: Any = faiss.IndexIDMap2(flat)
    with (
        atomic_path(folder / LABELS) as temporary,
        temporary.open("w", encoding="utf-8") as lines,
    ):
        lines.write(f"index_type: Flat\nmetric_type: {'L2' if is_l2 else 'IP'}\n")
        lines.write("id_map:\n" if facts.count else "id_map: {}\n")
        lines.writelines(_filled(outer, index))
    with atomic_path(folder / VECTORS) as temporary:
        faiss.write_index(outer, str(temporary))
    return [folder / VECTORS, folder / LABELS]


def _filled(outer: Any, index: VectorIndex) -> Iterator[str]:
    """Adds the vectors of an index, and yields the line of id_map for each."""
    numbered = all(_is_number(entry.id) for entry in index.entries())
    count = 0
    for entries in _blocks(index):
        counted = range(count, count + len(entries))
        numbers = [int(entry.id) for entry in entries] if numbered else list(counted)
        outer.add_with_ids(np.stack([entry.vector for entry in entries]), np.array(numbers))
        for number, entry in zip(numbers, entries, strict=True):
            label = str(entry.record.get("label", entry.id))
            # In quotes and on one line, whatever is in it.
            text = yaml.safe_dump(label, default_style='"', allow_unicode=True, width=inf)
            yield f"  {number}: {text}"
        count += len(entries)


def _blocks(index: VectorIndex) -> Iterator[list[Entry]]:
    entries = index.entries()
    while block := list(islice(entries, _AT_ONCE)):
        yield block


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and str(int(key)) == key


def _facts(file: Path) -> dict[str, Any]:
    try:
        facts = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VectorIndexError(f"{file} is not YAML: {error}") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("id_map"), dict):
        raise VectorIndexError(f"{file} has no id_map of numbers to labels.")
    known = facts.get("metric_type", "IP")
    if known not in _METRICS:
        raise VectorIndexError(f"{file}: metric_type is {known!r}; known: {', '.join(_METRICS)}.")
    return facts


def _missing(folder: Path, file: Path) -> str:
    pickles = sorted(path.name for path in folder.glob("*.pkl"))
    message = f"{folder} is no index of PaddleX: {file.name} is not there."
    if pickles and file.name == LABELS:
        message += (
            f" {pickles[0]} is a pickle, which can run code when it is read and is not read here. "
            "Write it as YAML where you trust it: id_map: {0: label, 1: label, ...}."
        )
    return message
