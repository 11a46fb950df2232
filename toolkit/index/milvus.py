"""The same interface on Milvus: a server or a cluster, or a file through milvus-lite.

A collection has the fields ``id`` (the primary key), ``vector``, ``record`` (JSON) and ``row``, the
number of writing. Facts that Milvus does not keep stand in the collection's description, as JSON:
format version, dimension, metric and the fingerprint of the model.

Reads ask for strong consistency, so what a call wrote is found by the next one. Milvus itself makes
a write durable in its log before it answers.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import RecordExistsError, VectorIndexError, import_optional
from toolkit.index.database.changes import check_ids, checked_records
from toolkit.index.interface import Entry, Filter, Hit, IndexFacts, Record
from toolkit.index.milvus_filters import to_expression
from toolkit.index.similarity import Similarity

_FORMAT_VERSION = 1
_METRICS = {"cosine": "COSINE", "inner_product": "IP", "l2": "L2"}
_LONGEST_ID = 1024
# A request may hold 64 MB; a record is rarely above some KB.
_AT_ONCE = 1000
_MOST_HITS = 16_384


class MilvusIndex:
    """A collection of Milvus. Open one with `create_milvus` or `open_milvus`.

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

    @property
    def facts(self) -> IndexFacts:
        """What the index says about itself."""
        similarity = self._similarity
        return IndexFacts(
            similarity.dimension, similarity.metric, "milvus", self._fingerprint, self.count()
        )

    def add(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records; see `VectorIndex.add`. Other clients of the server must not add the same.

        Raises:
            RecordExistsError: an id is there already, or twice in `ids`.
        """
        rows = self._rows(ids, vectors, records)
        if len({row["id"] for row in rows}) < len(rows):
            raise RecordExistsError("An id is given twice; ids are unique.")
        with self._writing:
            taken = [entry.id for entry in self.get(ids) if entry is not None]
            if taken:
                raise RecordExistsError(
                    f"The id {taken[0]!r} is there already; nothing was added. Use upsert."
                )
            self._write(rows)

    def upsert(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None = None
    ) -> None:
        """Adds records and replaces those that are there; some thousands of them at a time."""
        rows = {row["id"]: row for row in self._rows(ids, vectors, records)}
        with self._writing:
            self._write(list(rows.values()))

    def remove(self, ids: Sequence[str]) -> int:
        """Removes records and returns how many of the ids were there."""
        check_ids(ids)
        with self._writing:
            there = sorted({entry.id for entry in self.get(ids) if entry is not None})
            for start in range(0, len(there), _AT_ONCE):
                self._client.delete(self._collection, ids=there[start : start + _AT_ONCE])
        return len(there)

    def remove_where(self, where: Filter) -> int:
        """Removes the records that a filter keeps and returns how many they were."""
        return self.remove([entry.id for entry in self.entries(where)])

    def get(self, ids: Sequence[str]) -> list[Entry | None]:
        """Returns the record of each id; None for one that is not there."""
        check_ids(ids)
        found: dict[str, Entry] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = list(ids[start : start + _AT_ONCE])
            for row in self._client.get(
                self._collection, ids=some, output_fields=["record", "vector"]
            ):
                found[row["id"]] = self._entry(row)
        return [found.get(key) for key in ids]

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
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= _MOST_HITS:
            raise VectorIndexError(f"k is {k!r}; it must be 1 to {_MOST_HITS}, Milvus's limit.")
        ready = self._similarity.prepare(queries, "query")
        if not len(ready):
            return []
        answers = self._client.search(
            self._collection,
            data=list(ready),
            limit=k,
            filter=to_expression(where or {}),
            output_fields=["record", "row"],
        )
        return [self._hits(answer, threshold) for answer in answers]

    def _hits(self, answer: Any, threshold: float | None) -> list[Hit]:
        is_l2 = self._similarity.metric == "l2"
        raw = np.array([hit["distance"] for hit in answer], np.float32)
        closeness = -raw if is_l2 else raw
        scores = self._similarity.scores(closeness).tolist()
        distances = self._similarity.distances(closeness).tolist()
        least = -np.inf if threshold is None else threshold
        hits = [
            (-score, hit["entity"]["row"], Hit(hit["id"], score, distance, hit["entity"]["record"]))
            for hit, score, distance in zip(answer, scores, distances, strict=True)
            if score >= least
        ]
        return [hit for _, _, hit in sorted(hits, key=lambda place: place[:2])]

    def count(self, where: Filter | None = None) -> int:
        """Returns how many records there are, or how many a filter keeps."""
        (answer,) = self._client.query(
            self._collection, filter=to_expression(where or {}), output_fields=["count(*)"]
        )
        return int(answer["count(*)"])

    def entries(self, where: Filter | None = None) -> Iterator[Entry]:
        """Yields every record that a filter keeps, in the order of their ids."""
        last, kept = "", to_expression(where or {})
        while True:
            behind = f"id > {json.dumps(last)}" if last else 'id != ""'
            rows = self._client.query(
                self._collection,
                filter=f"({behind}) and ({kept})" if kept else behind,
                output_fields=["record", "vector"],
                limit=_MOST_HITS,
            )
            rows = sorted(rows, key=lambda row: row["id"])
            yield from map(self._entry, rows)
            if len(rows) < _MOST_HITS:
                return
            last = rows[-1]["id"]

    def save(self) -> None:
        """Has Milvus seal and write what it holds in memory; its log keeps it until then."""
        self._client.flush(self._collection)

    def close(self) -> None:
        """Releases the connection."""
        self._client.close()

    def __enter__(self) -> "MilvusIndex":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rows(
        self, ids: Sequence[str], vectors: NDArray[Any], records: Sequence[Record] | None
    ) -> list[dict[str, Any]]:
        ready, texts = checked_records(self._similarity, ids, vectors, records)
        for key in ids:
            if len(key.encode()) > _LONGEST_ID:
                raise VectorIndexError(
                    f"The id {key[:40]!r}... is longer than {_LONGEST_ID} bytes."
                )
        started = time.time_ns()
        return [
            {"id": key, "vector": vector, "record": json.loads(text), "row": started + number}
            for number, (key, vector, text) in enumerate(zip(ids, ready, texts, strict=True))
        ]

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            self._client.upsert(self._collection, data=list(rows[start : start + _AT_ONCE]))

    def _entry(self, row: dict[str, Any]) -> Entry:
        return Entry(row["id"], row["record"], np.asarray(row["vector"], np.float32))


def create_milvus(
    address: str,
    collection: str,
    *,
    dimension: int,
    metric: str = "cosine",
    fingerprint: str = "",
    token: str = "",
) -> MilvusIndex:
    """Makes an empty collection, and opens it.

    Args:
        address: ``http://host:19530`` of a server, or a path ending in ``.db`` for milvus-lite.
        collection: letters, digits and underscores.
        dimension: numbers a vector.
        metric: ``cosine``, ``inner_product`` or ``l2``.
        fingerprint: of the model and its preprocessing.
        token: ``user:password`` or an API key of the server.

    Raises:
        ExtraError: pymilvus is not installed.
        VectorIndexError: the collection is there already, or the metric is hamming.
    """
    similarity = Similarity.named(metric, dimension)
    if similarity.is_binary:
        raise VectorIndexError("Bits are searched by the index in a folder; Milvus takes floats.")
    pymilvus = import_optional("pymilvus", purpose="An index on Milvus")
    client = _client(pymilvus, address, token)
    if client.has_collection(collection):
        raise VectorIndexError(f"{address} has a collection {collection!r} already; open it.")
    facts = {
        "format_version": _FORMAT_VERSION,
        "dimension": dimension,
        "metric": similarity.metric,
        "fingerprint": fingerprint,
    }
    schema = client.create_schema(auto_id=False, description=json.dumps(facts))
    kinds = pymilvus.DataType
    schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=_LONGEST_ID)
    schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimension)
    schema.add_field("record", kinds.JSON)
    schema.add_field("row", kinds.INT64)
    parameters = client.prepare_index_params()
    parameters.add_index("vector", index_type="AUTOINDEX", metric_type=_METRICS[similarity.metric])
    client.create_collection(
        collection, schema=schema, index_params=parameters, consistency_level="Strong"
    )
    return MilvusIndex(client, collection, similarity, fingerprint)


def open_milvus(
    address: str, collection: str, *, fingerprint: str | None = None, token: str = ""
) -> MilvusIndex:
    """Opens a collection that `create_milvus` made.

    Args:
        address: as for `create_milvus`.
        collection: its name.
        fingerprint: of the model whose vectors will be written and searched; None: not known.
        token: ``user:password`` or an API key of the server.

    Raises:
        ExtraError: pymilvus is not installed.
        VectorIndexError: there is no such collection, or it is of another make or model.
    """
    pymilvus = import_optional("pymilvus", purpose="An index on Milvus")
    client = _client(pymilvus, address, token)
    if not client.has_collection(collection):
        raise VectorIndexError(f"{address} has no collection {collection!r}. Make it first.")
    facts = _facts(client.describe_collection(collection).get("description", ""), collection)
    has = facts["fingerprint"]
    if fingerprint is not None and fingerprint != has:
        raise VectorIndexError(
            f"The collection {collection!r} was built with the fingerprint {has!r} and is opened "
            f"with {fingerprint!r}. Use the model that it was built with, or build it anew."
        )
    client.load_collection(collection)
    return MilvusIndex(
        client, collection, Similarity.named(facts["metric"], facts["dimension"]), has
    )


def _client(pymilvus: Any, address: str, token: str) -> Any:
    try:
        return pymilvus.MilvusClient(uri=address, token=token)
    except pymilvus.MilvusException as error:
        raise VectorIndexError(f"Milvus at {address} cannot be reached: {error}") from error


def _facts(description: str, collection: str) -> dict[str, Any]:
    try:
        facts = json.loads(description)
        if facts["format_version"] == _FORMAT_VERSION:
            return dict(facts)
    except (ValueError, KeyError, TypeError) as error:
        raise VectorIndexError(
            f"The collection {collection!r} was not made by this toolkit: its description is "
            f"{description!r}. Copy it into one that create_milvus makes."
        ) from error
    raise VectorIndexError(
        f"The collection {collection!r} has the format version {facts['format_version']!r}; this "
        f"toolkit reads {_FORMAT_VERSION}."
    )
