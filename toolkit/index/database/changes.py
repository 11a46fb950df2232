"""What can be written, checked before it is queued: adding, replacing and removing records."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.index.checking import already_there, check_ids, check_unique, checked_records
from toolkit.index.database.group_commit import Change, Written
from toolkit.index.database.record_store import RecordStore
from toolkit.index.filters import to_sql
from toolkit.index.interface import Filter, Record
from toolkit.index.similarity import Similarity


def adding(
    similarity: Similarity, ids: Sequence[str], vectors: Any, records: Sequence[Record] | None
) -> Change:
    """Returns the change that adds records.

    Raises:
        RecordExistsError: an id is twice in `ids`.
        VectorIndexError: ids, vectors or records cannot be kept.
    """
    ready, texts = checked_records(similarity, ids, vectors, records)
    check_unique(ids)

    def add(store: RecordStore) -> Written:
        taken = store.rows_of_ids(ids)
        if taken:
            raise already_there(ids, taken)
        return _insert(store, ids, texts, ready, removed=[])

    return add


def replacing(
    similarity: Similarity, ids: Sequence[str], vectors: Any, records: Sequence[Record] | None
) -> Change:
    """Returns the change that adds records and replaces those that are there.

    Raises:
        VectorIndexError: ids, vectors or records cannot be kept.
    """
    ready, texts = checked_records(similarity, ids, vectors, records)
    last = sorted({key: number for number, key in enumerate(ids)}.values())
    ids, texts = [ids[number] for number in last], [texts[number] for number in last]
    ready = ready[last]

    def replace(store: RecordStore) -> Written:
        removed = sorted(store.rows_of_ids(ids).values())
        return _insert(store, ids, texts, ready, removed=removed)

    return replace


def removing(similarity: Similarity, ids: Sequence[str]) -> Change:
    """Returns the change that removes records by id."""
    check_ids(ids)

    def remove(store: RecordStore) -> Written:
        return _insert(store, [], [], _none(similarity), sorted(store.rows_of_ids(ids).values()))

    return remove


def removing_where(similarity: Similarity, where: Filter) -> Change:
    """Returns the change that removes what a filter keeps.

    Raises:
        VectorIndexError: the filter is malformed.
    """
    to_sql(where)

    def remove(store: RecordStore) -> Written:
        return _insert(store, [], [], _none(similarity), sorted(store.rows_where_now(where)))

    return remove


def _none(similarity: Similarity) -> NDArray[Any]:
    return np.empty((0, similarity.width), similarity.dtype)


def _insert(
    store: RecordStore,
    ids: Sequence[str],
    texts: Sequence[str],
    vectors: NDArray[Any],
    removed: Sequence[int],
) -> Written:
    start = store.next_row()
    store.delete(removed)
    store.insert(start, ids, texts, vectors)
    rows = np.arange(start, start + len(ids), dtype=np.int64)
    return Written(np.array(removed, np.int64), rows, vectors)
