"""The pictures beside a database's records: files that are there as long as a record names them."""

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from toolkit.errors import StorageError
from toolkit.serving.names import relative_path
from toolkit.serving.problems import Kind, Problem
from toolkit.storage import sync_folder, write_bytes

_IN_THE_WAY = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class KeptPictures:
    """A folder of pictures.

    Args:
        folder: made with the first picture.
        is_named: tells whether a record names a picture.
    """

    def __init__(self, folder: Path, is_named: Callable[[str], bool]) -> None:
        self._folder, self._is_named = folder, is_named
        self._lock, self._coming = Lock(), Counter[str]()

    def read(self, name: str) -> bytes | None:
        """Returns a picture; None when there is none of that name."""
        file = self._file(name)
        return file.read_bytes() if file.is_file() else None

    @contextmanager
    def keeping(self, pictures: Mapping[str, bytes]) -> Iterator[None]:
        """Writes pictures before the block writes the records that name them.

        So an acknowledged record has its picture. Pictures that no record names when the block ends
        go again.

        Raises:
            Problem: a name cannot be that of a file.
            StorageError: the disk is full, or cannot be written to.
        """
        files = {self._file(name): picture for name, picture in pictures.items()}
        with self._lock:
            self._coming.update(pictures.keys())
        try:
            for file, picture in files.items():
                self._write(file, picture)
            yield
        finally:
            with self._lock:
                self._coming.subtract(pictures.keys())
            self.drop(pictures)

    def drop(self, names: Iterable[str]) -> None:
        """Removes those that no record names, and that are not being written."""
        for name in names:
            with self._lock:
                if self._coming[name] <= 0:
                    del self._coming[name]
                    if self._file(name).is_file() and not self._is_named(name):
                        self._file(name).unlink()

    def _file(self, name: str) -> Path:
        return self._folder / relative_path(name, "savename")

    def _write(self, file: Path, picture: bytes) -> None:
        try:
            write_bytes(file, picture)
            sync_folder(file.parent)
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                raise Problem(
                    Kind.WRONG_VALUE,
                    f"savename {file.name!r} cannot be a file here ({error.strerror}): a picture "
                    "and a folder cannot have one name. Choose another.",
                ) from error
            raise StorageError(f"The picture cannot be kept: {error.strerror}.") from error
