"""What every index of vectors can do, whether a folder on this machine or a server behind it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.index.whitening import Whitening

Record = Mapping[str, Any]
"""What is kept beside a vector: any JSON object, such as its path, label and time."""

Filter = Mapping[str, Any]
"""Which records may be found; `toolkit.index.filters` says how one is written."""


class Hit(NamedTuple):
    """One neighbour of a query.

    Attributes:
        id: of the record.
        score: higher is closer. cosine: the cosine; inner_product: the product; l2: 1 / (1 +
            distance); hamming: the share of equal bits.
        distance: lower is closer. cosine: 1 - cosine; inner_product: the product, negated; l2: the
            Euclidean distance; hamming: the number of different bits.
        record: what is kept beside the vector.
    """

    id: str
    score: float
    distance: float
    record: Record


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with its vector.

    Attributes:
        id: of the record.
        record: what is kept beside the vector.
        vector: float32 [d], of length 1 under cosine; uint8 [d / 8] under hamming.
    """

    id: str
    record: Record
    vector: NDArray[Any]

    @classmethod
    def read(cls, id: str, text: str, vector: NDArray[Any]) -> "Entry":  # noqa: A002 - the field
        """Returns the entry whose record is given as JSON."""
        return cls(id, json.loads(text), vector)


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What an index says about itself.

    Attributes:
        dimension: numbers a vector, or bits under hamming.
        metric: ``cosine``, ``inner_product``, ``l2`` or ``hamming``.
        kind: how neighbours are found: ``flat``, ``hnsw``, ``ivf``, ``ivf_pq``, ``sq8`` or
            ``binary``; what a server runs, for a server.
        fingerprint: of the model and its preprocessing; empty when nobody gave one.
        count: records.
        recall: recall@10 beside an exact search when it was last measured; None: never.
    """

    dimension: int
    metric: str
    kind: str
    fingerprint: str
    count: int
    recall: float | None = None


_Self = TypeVar("_Self", bound="VectorIndex")


class VectorIndex(Protocol):
    """Vectors with ids and records: written safely, searched by nearness and by record.

    A call that writes returns when the change is durable and can be found. Threads may share one.
    """

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        ...

    @property
    def whitening(self) -> Whitening | None:
        """What the caller changes vectors by before writing and searching; None: nothing."""
        return None

    def add(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records, all or none.

        Args:
            ids: texts, not empty.
            vectors: float [n, d]; uint8 [n, d / 8] under hamming.
            records: a JSON object for each; None for empty ones.

        Raises:
            RecordExistsError: an id is there already, or twice in `ids`.
            VectorIndexError: a vector or a record cannot be kept.
            StorageError: the disk is full.
        """
        ...

    def upsert(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records, all or none, and replaces those whose ids are there; the last one counts.

        Raises:
            VectorIndexError: a vector or a record cannot be kept.
            StorageError: the disk is full.
        """
        ...

    def remove(self, ids: Sequence[str]) -> int:
        """Removes records and returns how many of the ids were there."""
        ...

    def remove_where(self, where: Filter) -> int:
        """Removes the records that a filter keeps and returns how many they were."""
        ...

    def get(self, ids: Sequence[str]) -> list[Entry | None]:
        """Returns the record of each id; None for one that is not there."""
        ...

    def search(
        self,
        queries: NDArray[Any],
        k: int = 10,
        *,
        where: Filter | None = None,
        threshold: float | None = None,
    ) -> list[list[Hit]]:
        """Finds the nearest records of each query.

        Args:
            queries: float [q, d]; uint8 [q, d / 8] under hamming.
            k: how many to find, from 1; there may be fewer.
            where: which records may be found.
            threshold: lowest score of a hit.

        Returns:
            For each query its hits: score descending, and equal scores in the order of writing.
        """
        ...

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records there are, or how many a filter keeps."""
        ...

    def entries(self, where: Filter | None = None) -> Iterator[Entry]:
        """Yields every record that a filter keeps, in the order of writing, a block in memory."""
        ...

    def save(self) -> None:
        """Writes what makes the next opening quick; nothing is lost without it."""
        ...

    def close(self) -> None:
        """Waits for writes under way and releases the index."""
        ...

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


Closeness = NDArray[np.float32]
"""[q, k], higher is closer, -inf for nothing: the product, the squared distance or the number of
different bits negated."""

Positions = NDArray[np.int64]
"""[q, k], where a vector stands in a structure, from 0; -1 for nothing."""
