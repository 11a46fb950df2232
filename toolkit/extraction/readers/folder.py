"""A folder of pictures, sorted; its list is written down once, so that all workers see the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.manifest import find_images
from toolkit.errors import DatasetError
from toolkit.extraction.readers.text_list import TextList
from toolkit.extraction.records import Piece, Record, Scan
from toolkit.storage import atomic_path


@dataclass(frozen=True)
class Folder:
    """All files with an image suffix in a folder and below it, none hidden, sorted by path.

    Attributes:
        path: the folder.
        names: where the list of its pictures is written; beside the shards.
    """

    path: Path
    names: Path

    def scan(self, shard_size: int) -> Scan:
        """See `Reader`."""
        if not self.path.is_dir():
            raise DatasetError(f"{self.path}: there is no such folder. Check Extract.input.")
        with atomic_path(self.names) as temporary, temporary.open("w", encoding="ascii") as file:
            for image in find_images(self.path):
                # JSON, for a name may hold a line break, or bytes that are not UTF-8.
                file.write(json.dumps({"image": str(image)}) + "\n")
        return self._list.scan(shard_size)

    def fingerprint(self) -> str:
        """See `Reader`."""
        return self._list.fingerprint()

    def read(self, piece: Piece) -> Iterator[Record]:
        """See `Reader`."""
        return self._list.read(piece)

    @property
    def _list(self) -> TextList:
        return TextList(self.names)
