"""What can be written, checked before it is queued: adding, replacing and removing records."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import RecordExistsError, VectorIndexError
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
    twice = [key for key, times in Counter(ids).items() if times > 1]
    if twice:
        raise RecordExistsError(f"The id {twice[0]!r} is given twice; ids are unique.")

    def add(store: RecordStore) -> Written:
        taken = store.rows_of_ids(ids)
        if taken:
            first = next(key for key in ids if key in taken)
            raise RecordExistsError(
                f"The id {first!r} is there already ({len(taken)} of {len(ids)} ids are); nothing "
                "was added. Use upsert to replace records."
            )
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


def check_ids(ids: Sequence[str]) -> None:
    """Checks that these can be ids.

    Raises:
        VectorIndexError: one is no text, is empty, or cannot be stored.
    """
    if isinstance(ids, str):
        raise VectorIndexError(f"Ids are a list of texts, not the one text {ids!r}.")
    for number, key in enumerate(ids):
        if not isinstance(key, str) or not key or "\x00" in key or not _is_unicode(key):
            raise VectorIndexError(
                f"Id number {number} is {key!r}; an id is a text of at least one character that "
                "UTF-8 can write, without the character NUL."
            )


def checked_records(
    similarity: Similarity, ids: Sequence[str], vectors: Any, records: Sequence[Record] | None
) -> tuple[NDArray[Any], list[str]]:
    """Checks what is to be written.

    Returns:
        The vectors as they are kept, and each record as JSON.

    Raises:
        VectorIndexError: ids, vectors or records cannot be kept.
    """
    check_ids(ids)
    ready = similarity.prepare(vectors, "added")
    given = [{}] * len(ids) if records is None else records
    if not len(ids) == len(ready) == len(given):
        raise VectorIndexError(
            f"There are {len(ids)} ids, {len(ready)} vectors and {len(given)} records; there must "
            "be one of each for every record."
        )
    return ready, [_as_json(key, record) for key, record in zip(ids, given, strict=True)]


def _as_json(key: str, record: Record) -> str:
    if not isinstance(record, Mapping):
        raise VectorIndexError(f"The record of {key!r} is {record!r}; it must be a JSON object.")
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        return text if _is_unicode(text) else json.dumps(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise VectorIndexError(
            f"The record of {key!r} cannot be written as JSON: {error}. It may hold texts, finite "
            "numbers, true, false, null, lists and objects."
        ) from error


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can write it; a file name that is not UTF-8 becomes text that it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
