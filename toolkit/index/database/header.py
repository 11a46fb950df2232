"""index.json: what a folder's index is, which files are in use, and which were before.

It is written as a whole, so one rename switches from one generation to the next.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import VectorIndexError
from toolkit.storage import read_json, sync_folder, write_json

FORMAT_VERSION = 1
FILE_NAME = "index.json"


@dataclass(frozen=True)
class Snapshot:
    """A structure on disk.

    Attributes:
        folder: its name in the folder of the index.
        sequence: the highest row that it was made of.
        checksums: CRC-32C of each of its files, in hex.
    """

    folder: str
    sequence: int
    checksums: Mapping[str, str]


@dataclass(frozen=True)
class Generation:
    """Vectors of one model and the structure that finds them.

    Attributes:
        number: from 1; every rebuild makes the next.
        dimension: numbers a vector, or bits.
        metric: one of `similarity.METRICS`.
        fingerprint: of the model and its preprocessing; may be empty.
        records: name of the file of records and vectors.
        kind: of the structure that is wanted.
        options: of that structure.
        snapshot: the structure as it was last written; None where it is made of the records.
        measured: what its search was measured to find, such as ``{"recall@10": 0.98}``.
        plan: why it is of this kind, in words.
    """

    number: int
    dimension: int
    metric: str
    fingerprint: str
    records: str
    kind: str
    options: Mapping[str, int] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    plan: str = ""


@dataclass(frozen=True)
class Header:
    """The whole of index.json.

    Attributes:
        live: the generation in use.
        previous: the one before, to roll back to.
        fields: fields of records that have an index.
        format_version: of the folder.
    """

    live: Generation
    previous: Generation | None = None
    fields: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def generations(self) -> list[Generation]:
        """The one in use, and the one before where there is one."""
        return [self.live] if self.previous is None else [self.live, self.previous]

    @property
    def next_number(self) -> int:
        """The number of the next generation."""
        return max(generation.number for generation in self.generations) + 1


def records_name(number: int) -> str:
    """Returns the name of the file of records that a generation begins."""
    return f"records-{number}.sqlite"


def write_header(folder: Path, header: Header) -> None:
    """Puts a header in place of the one before, on the disk when this returns."""
    write_json(folder / FILE_NAME, asdict(header))
    sync_folder(folder)


def read_header(folder: Path) -> Header:
    """Reads the header of a folder.

    Raises:
        VectorIndexError: the folder holds no index, a damaged one, or one of another format.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise VectorIndexError(
            f"{folder} holds no index ({FILE_NAME} is not there). Build one with "
            "Global.mode=build_index, or give the folder that it was built in."
        )
    try:
        data = read_json(file)
        version = data["format_version"]
        if version == FORMAT_VERSION:
            previous = data["previous"]
            return Header(
                live=_generation(data["live"]),
                previous=None if previous is None else _generation(previous),
                fields=tuple(data["fields"]),
            )
    except (ValueError, KeyError, TypeError) as error:
        raise VectorIndexError(
            f"{file} is damaged ({type(error).__name__}: {error}). Put back a copy, or build the "
            "index anew."
        ) from error
    raise VectorIndexError(
        f"{file} has the format version {version!r}; this toolkit reads {FORMAT_VERSION}. Open it "
        "with the toolkit that wrote it, or build the index anew."
    )


def _generation(data: dict[str, Any]) -> Generation:
    snapshot = data["snapshot"]
    return Generation(**{**data, "snapshot": None if snapshot is None else Snapshot(**snapshot)})
