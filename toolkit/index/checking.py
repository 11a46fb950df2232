"""What every index checks before it writes or searches."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from toolkit.errors import RecordExistsError, VectorIndexError
from toolkit.index.interface import Record
from toolkit.index.similarity import Similarity


def check_k(k: int, most: int | None = None) -> None:
    """Checks how many hits are asked for.

    Args:
        k: from 1.
        most: that can be asked for; None for any number.

    Raises:
        VectorIndexError: it is no such number.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1 or (most is not None and k > most):
        limit = "" if most is None else f" and at most {most:,}"
        raise VectorIndexError(f"k is {k!r}; it must be a whole number of at least 1{limit}.")


def check_unique(ids: Sequence[str]) -> None:
    """Checks that no id is given twice.

    Raises:
        RecordExistsError: one is.
    """
    twice = [key for key, times in Counter(ids).items() if times > 1]
    if twice:
        raise RecordExistsError(f"The id {twice[0]!r} is given twice; ids are unique.")


def already_there(ids: Sequence[str], taken: Collection[str]) -> RecordExistsError:
    """Returns the error for ids that are added and are there already."""
    first = next(key for key in ids if key in taken)
    return RecordExistsError(
        f"The id {first!r} is there already ({len(taken)} of {len(ids)} ids are); nothing was "
        "added. Use upsert to replace records."
    )


def check_ids(ids: Sequence[str]) -> None:
    """Checks that these can be ids.

    Raises:
        VectorIndexError: one is no text, is empty, or cannot be stored.
    """
    if isinstance(ids, str):
        raise VectorIndexError(f"Ids are a list of texts, not the one text {ids!r}.")
    for number, key in enumerate(ids):
        if not isinstance(key, str) or not key or "\x00" in key or not is_unicode(key):
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
    return ready, [as_json(key, record) for key, record in zip(ids, given, strict=True)]


def as_json(key: str, record: Record) -> str:
    """Returns a record as it is kept.

    Raises:
        VectorIndexError: it cannot be.
    """
    if not isinstance(record, Mapping):
        raise VectorIndexError(f"The record of {key!r} is {record!r}; it must be a JSON object.")
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        return text if is_unicode(text) else json.dumps(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise VectorIndexError(
            f"The record of {key!r} cannot be written as JSON: {error}. It may hold texts, finite "
            "numbers, true, false, null, lists and objects."
        ) from error


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can write it; a file name that is not UTF-8 becomes text that it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_expected(what: str, has: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Checks that an index is what somebody expects.

    Args:
        what: is opened, as the subject of a sentence.
        has: its fingerprint, dimension and metric.
        expected: the same; None for any.

    Raises:
        VectorIndexError: it is not; the message says what to do.
    """
    for name, given in expected.items():
        is_name = name == "metric" and given is not None
        wanted = Similarity.named(given, 8).metric if is_name else given
        if wanted is not None and wanted != has[name]:
            raise VectorIndexError(
                f"{what} was built with the {name} {has[name]!r} and is opened with {wanted!r}. "
                "Vectors of two models or measures do not compare: use the model that the index "
                "was built with, or build or re-embed the index with the new one."
            )
