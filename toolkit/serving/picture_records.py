"""What a record of a picture is: its key, and what a client may say about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.index.interface import Entry, Filter, Hit, Record
from toolkit.serving.problems import Kind, Problem

FIELDS = ("group_id", "intra_id", "savename")
"""Fields that have an index of their own: filters often ask for them."""
LONGEST_GROUP = 256
LARGEST_INTRA = 2**53 - 1  # the largest that JavaScript keeps
_LARGEST_DATA = 65_536


@dataclass(frozen=True)
class PictureRecord:
    """A picture in a database.

    Attributes:
        group_id: which product or person it shows.
        intra_id: which picture of the group it is.
        savename: file of the picture below the database's folder; None when it was not kept.
        data: what else the client said.
        source: row of the job that wrote it, so that a job that was killed writes no row twice; not
            told to clients.
    """

    group_id: str
    intra_id: int
    savename: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None

    @property
    def key(self) -> str:
        """The id in the index; the number is behind the last slash, whatever the group is."""
        return record_key(self.group_id, self.intra_id)

    def kept(self) -> dict[str, Any]:
        """Returns the record as the index keeps it."""
        return self.to_json() | ({} if self.source is None else {"source": self.source})

    def to_json(self) -> dict[str, Any]:
        """Returns the record as clients get it."""
        return {
            "group_id": self.group_id,
            "intra_id": self.intra_id,
            "savename": self.savename,
            "data": dict(self.data),
        }


def record_key(group_id: str, intra_id: int) -> str:
    """Returns the id in the index of a picture."""
    return f"{group_id}/{intra_id}"


def of_group(group_id: str, intra_id: int | None) -> Filter:
    """Returns the filter for a picture, or without a number for its whole group."""
    return {"group_id": group_id} | ({} if intra_id is None else {"intra_id": intra_id})


def record_of(record: Record) -> PictureRecord:
    """Reads what the index has kept."""
    return PictureRecord(record["group_id"], record["intra_id"], record["savename"], record["data"])


def entry_json(entry: Entry) -> dict[str, Any]:
    """Returns what clients get of a record."""
    return record_of(entry.record).to_json()


def hit_json(hit: Hit, rank: int) -> dict[str, Any]:
    """Returns what clients get of a neighbour."""
    return {
        "rank": rank,
        **record_of(hit.record).to_json(),
        "similarity": hit.score,
        "distance": hit.distance,
    }


def checked_group(group_id: object) -> str:
    """Returns a group as text; PAI's own samples send numbers too.

    Raises:
        Problem: it is neither, empty, or too long.
    """
    text = str(group_id) if isinstance(group_id, int) else group_id
    if isinstance(group_id, bool) or not isinstance(text, str):
        raise Problem(Kind.WRONG_VALUE, f"group_id is {group_id!r:.80}; expected a text.")
    if not 1 <= len(text) <= LONGEST_GROUP or not _is_clean(text):
        raise Problem(
            Kind.WRONG_VALUE,
            f"group_id {text[:80]!r}: expected 1 to {LONGEST_GROUP} characters, none of them a "
            "control character.",
        )
    return text


def checked_intra(intra_id: object) -> int:
    """Returns the number of a picture in its group.

    Raises:
        Problem: it is no whole number from 0.
    """
    is_whole = isinstance(intra_id, int) and not isinstance(intra_id, bool)
    if not is_whole or not 0 <= intra_id <= LARGEST_INTRA:  # type: ignore[operator]
        raise Problem(
            Kind.WRONG_VALUE, f"intra_id is {intra_id!r:.80}; expected a whole number from 0."
        )
    return int(intra_id)  # type: ignore[call-overload,no-any-return]


def checked_data(data: object) -> dict[str, Any]:
    """Returns what a client says about a picture.

    Raises:
        Problem: it is no JSON object, or too large.
    """
    if not isinstance(data, dict):
        raise Problem(Kind.WRONG_VALUE, f"data is {data!r:.80}; expected a JSON object.")
    try:
        size = len(json.dumps(data, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise Problem(Kind.WRONG_VALUE, f"data cannot be kept as JSON: {error}.") from error
    if size > _LARGEST_DATA:
        raise Problem(
            Kind.WRONG_VALUE,
            f"data has {size:,} bytes as JSON; at most {_LARGEST_DATA:,} are kept.",
        )
    return data


def _is_clean(text: str) -> bool:
    # Half of a surrogate pair can be written in JSON and in no file.
    return all(
        character >= " " and character != "\x7f" and not "\ud800" <= character <= "\udfff"
        for character in text
    )
