"""An index in a collection of Milvus.

A collection has the fields ``id`` (the primary key), ``vector``, ``record`` (JSON) and ``row``, the
number of writing. Reads ask for strong consistency, so what a call wrote is found by the next one.
Milvus makes a write durable in its log before it answers.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError, import_optional
from toolkit.index.checking import (
    already_there,
    check_ids,
    check_k,
    check_unique,
    checked_records,
    is_unicode,
)
from toolkit.index.hits import hits_of
from toolkit.index.interface import Entry, Filter, Hit, IndexFacts, Record, VectorIndex
from toolkit.index.milvus.filters import to_expression
from toolkit.index.similarity import Similarity

LONGEST_ID = 1024
# A request may hold 64 MB; a record is rarely above some KB.
_AT_ONCE = 1000
_MOST_HITS = 16_384


class MilvusIndex(VectorIndex):
    """A collection. Open one with `create_milvus` or `open_milvus`.

    A write of up to 1,000 records is one request, all or none; of a larger one that fails, the
    requests before stay. Two processes must not add the same ids at the same time.

    Args:
        client: a ``pymilvus.MilvusClient``.
        collection: its name.
        similarity: of the collection.
        fingerprint: of the model and its preprocessing.
    """

    def __init__(
        self, client: Any, collection: str, similarity: Similarity, fingerprint: str
    ) -> None:
        self._client, self._collection = client, collection
        self._similarity, self._fingerprint = similarity, fingerprint
        self._writing = threading.Lock()
        self._last_row = 0

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        similarity = self._similarity
        return IndexFacts(
            similarity.dimension, similarity.metric, "milvus", self._fingerprint, self.count()
        )

    # Writing.

    def add(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records; see `VectorIndex.add`."""
        rows = self._rows(ids, vectors, records)
        check_unique(ids)
        with self._writing:
            taken = self._there(ids)
            if taken:
                raise already_there(ids, taken)
            self._write(rows)

    def upsert(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records and replaces those that are there; see `VectorIndex.upsert`."""
        rows = {row["id"]: row for row in self._rows(ids, vectors, records)}
        with self._writing:
            self._write(list(rows.values()))

    def remove(self, ids: Sequence[str]) -> int:
        """Removes records and returns how many of the ids were there."""
        check_ids(ids)
        with self._writing, said(self._collection):
            there = sorted(self._there(ids))
            for start in range(0, len(there), _AT_ONCE):
                self._client.delete(self._collection, ids=there[start : start + _AT_ONCE])
        return len(there)

    def remove_where(self, where: Filter) -> int:
        """Removes the records that a filter keeps and returns how many they were."""
        with self._writing, said(self._collection):
            count = self.count(where)
            if count:
                self._client.delete(self._collection, filter=to_expression(where))
        return count

    def _rows(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None
    ) -> list[dict[str, Any]]:
        ready, texts = checked_records(self._similarity, ids, vectors, records)
        for key, text in zip(ids, texts, strict=True):
            if len(key.encode()) > LONGEST_ID:
                raise VectorIndexError(f"The id {key[:40]!r}... is longer than {LONGEST_ID} bytes.")
            if not is_unicode(json.dumps(json.loads(text), ensure_ascii=False)):
                raise VectorIndexError(
                    f"The record of {key!r} holds a text that UTF-8 cannot write, as Milvus has to."
                )
        # Rows ascend from call to call, whatever the clock does.
        first = max(time.time_ns(), self._last_row + 1)
        self._last_row = first + len(ids)
        return [
            {"id": key, "vector": vector, "record": json.loads(text), "row": first + number}
            for number, (key, vector, text) in enumerate(zip(ids, ready, texts, strict=True))
        ]

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        with said(self._collection):
            for start in range(0, len(rows), _AT_ONCE):
                self._client.upsert(self._collection, data=list(rows[start : start + _AT_ONCE]))

    # Reading.

    def get(self, ids: Sequence[str]) -> list[Entry | None]:
        """Returns the record of each id; None for one that is not there."""
        check_ids(ids)
        found = {row["id"]: _entry(row) for row in self._got(ids, ["record", "vector"])}
        return [found.get(key) for key in ids]

    def _there(self, ids: Sequence[str]) -> set[str]:
        return {row["id"] for row in self._got(ids, ["id"])}

    def _got(self, ids: Sequence[str], fields: list[str]) -> Iterator[dict[str, Any]]:
        with said(self._collection):
            for start in range(0, len(ids), _AT_ONCE):
                some = list(ids[start : start + _AT_ONCE])
                yield from self._client.get(self._collection, ids=some, output_fields=fields)

    def search(
        self,
        queries: NDArray[Any],
        k: int = 10,
        *,
        where: Filter | None = None,
        threshold: float | None = None,
    ) -> list[list[Hit]]:
        """Finds the nearest records of each query; see `VectorIndex.search`.

        Raises:
            VectorIndexError: the queries do not fit, k is no number from 1 to 16,384, or the filter
                is malformed.
        """
        check_k(k, _MOST_HITS)
        ready = self._similarity.prepare(queries, "query")
        kept, hits = to_expression(where or {}), list[list[Hit]]()
        with said(self._collection):
            for start in range(0, len(ready), _AT_ONCE):
                answers = self._client.search(
                    self._collection,
                    data=list(ready[start : start + _AT_ONCE]),
                    limit=k,
                    filter=kept,
                    output_fields=["record", "row"],
                )
                hits += [self._hits(answer, threshold) for answer in answers]
        return hits

    def _hits(self, answer: Any, threshold: float | None) -> list[Hit]:
        values = np.array([hit["distance"] for hit in answer], np.float32)
        closeness = -values if self._similarity.metric == "l2" else values
        written = np.array([hit["entity"]["row"] for hit in answer], np.int64)
        order = np.lexsort((written, -closeness))
        records = {n: (hit["id"], hit["entity"]["record"]) for n, hit in enumerate(answer)}
        return hits_of(self._similarity, closeness[None, order], order[None], records, threshold)[0]

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records there are, or how many a filter keeps."""
        kept = to_expression(where) if where else ""
        with said(self._collection):
            (answer,) = self._client.query(
                self._collection, filter=kept, output_fields=["count(*)"]
            )
        return int(answer["count(*)"])

    def entries(self, where: Filter | None = None) -> Iterator[Entry]:
        """Yields every record that a filter keeps, in the order of writing.

        A thousand records are in memory at a time, and eight bytes for each of the others.
        """
        kept = to_expression(where or {})
        written = self._written(kept)
        for start in range(0, len(written), _AT_ONCE):
            first, last = written[start], written[start:][:_AT_ONCE][-1]
            with said(self._collection):
                rows = self._client.query(
                    self._collection,
                    filter=f"row >= {first} and row <= {last} and {kept}",
                    output_fields=["record", "vector", "row"],
                )
            yield from map(_entry, sorted(rows, key=lambda row: row["row"]))

    def _written(self, kept: str) -> NDArray[np.int64]:
        """Returns the numbers of writing of what an expression keeps, ascending."""
        found = list[NDArray[np.int64]]()
        with said(self._collection):
            rows = self._client.query_iterator(
                self._collection, filter=kept, output_fields=["row"], batch_size=_AT_ONCE
            )
            while some := rows.next():
                found.append(np.array([row["row"] for row in some], np.int64))
            rows.close()
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def save(self) -> None:
        """Has Milvus seal and write what it holds in memory; its log keeps it until then."""
        with said(self._collection):
            self._client.flush(self._collection)

    def close(self) -> None:
        """Releases the connection."""
        self._client.close()


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(row["id"], row["record"], np.asarray(row["vector"], np.float32))


@contextmanager
def said(collection: str) -> Iterator[None]:
    """Turns what Milvus reports into errors for people."""
    pymilvus = import_optional("pymilvus", purpose="An index on Milvus")
    try:
        yield
    except pymilvus.MilvusException as error:
        raise VectorIndexError(f"Milvus, collection {collection!r}: {error}") from error
