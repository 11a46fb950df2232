"""Tar shards as the webdataset library writes them; a picture is read where it lies.

Only the heads of the members are read here, one at a time, whatever the size of the archive.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolkit.data.manifest import IMAGE_SUFFIXES
from toolkit.errors import DatasetError
from toolkit.extraction.readers.lines import changed_at, scan_places
from toolkit.extraction.records import FileSlice, Piece, Record, Scan

# A place is the number of the archive and the offset in it, in one number.
_OFFSET_BITS = 48
_OFFSET = (1 << _OFFSET_BITS) - 1


@dataclass(frozen=True)
class WebDataset:
    """Tar archives in order; every member with an image suffix is a picture.

    Attributes:
        archives: the files, not compressed.
    """

    archives: tuple[Path, ...]

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        places = (place for place, _ in self._pictures(0))
        return scan_places(places, self.fingerprint(), shard_size)

    def fingerprint(self) -> str:
        """See `Reader`."""
        return "; ".join(f"{path.name} {changed_at(path)}" for path in self.archives)

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        for _, record in islice(self._pictures(piece.place), piece.count):
            yield record

    def _pictures(self, place: int) -> Iterator[tuple[int, Record]]:
        first, offset = place >> _OFFSET_BITS, place & _OFFSET
        for number, path in enumerate(self.archives[first:], first):
            for member in _members(path, offset):
                if member.isfile() and Path(member.name).suffix.lower() in IMAGE_SUFFIXES:
                    content = FileSlice(str(path), member.offset_data, member.size)
                    record = Record(f"{path.name}/{member.name}", "slice", content)
                    yield number << _OFFSET_BITS | member.offset, record
            offset = 0


def find_archives(pattern: Path) -> tuple[Path, ...]:
    """Returns the archives of a file name, a folder, or a pattern with * in its last part, sorted.

    Raises:
        DatasetError: there is none.
    """
    if pattern.is_dir():
        found = sorted(pattern.glob("*.tar"))
    elif "*" in pattern.name or "?" in pattern.name:
        found = sorted(pattern.parent.glob(pattern.name))
    else:
        found = [pattern]
    if not found:
        raise DatasetError(f"{pattern}: there is no tar archive. Check Extract.input.")
    return tuple(found)


def _members(path: Path, offset: int) -> Iterator[tarfile.TarInfo]:
    """Yields the members from an offset on; an archive without its end is an error."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            with tarfile.open(fileobj=file, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    # It would keep every head that it has seen; the stubs do not know the list.
                    archive.members.clear()  # type: ignore[attr-defined]
                    yield member
    except tarfile.TarError as error:
        raise DatasetError(
            f"{path}: the tar archive cannot be read ({error}). It may be cut off, or compressed: "
            "unpack a .tar.gz first."
        ) from error
    except OSError as error:
        raise DatasetError(f"{path}: the archive cannot be read ({error.strerror}).") from error
