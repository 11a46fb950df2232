"""All features of a run in one file, an .npy with its paths or Parquet, written as they come.

Only the rows of a block are in memory, so a million pictures need no more of it than ten thousand.
The files get their names when everything is written.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional
from toolkit.storage import atomic_path

Form = Literal["npy", "parquet"]
AddRow = Callable[[NDArray[np.float32], str], None]
"""Appends a vector, float32 [d], and the path of its picture."""

_ROWS_A_BLOCK = 4096


def feature_files(folder: Path, form: Form) -> list[Path]:
    """Returns the files that a run writes into a folder: features.npy and paths.txt, or Parquet."""
    names = ["features.parquet"] if form == "parquet" else ["features.npy", "paths.txt"]
    return [folder / name for name in names]


@contextmanager
def open_features(folder: Path, form: Form) -> Iterator[AddRow]:
    """Yields a function that appends a row; `feature_files` are there when the block ends well.

    Args:
        folder: where.
        form: ``npy`` gives features.npy (float32 [n, d]) and paths.txt; ``parquet`` gives
            features.parquet with the columns input_path and feature (a list of fixed size). No row
            gives empty files, so that those of an earlier run are not taken for these.

    Raises:
        ExtraError: Parquet is asked for and pyarrow is not installed.
    """
    files = feature_files(folder, form)
    if form == "parquet":
        with atomic_path(files[0]) as temporary:
            table = _ParquetTable(temporary)
            try:
                yield table.add
            finally:
                table.close()
        return
    with (
        atomic_path(files[0]) as vectors,
        atomic_path(files[1]) as paths,
        vectors.open("wb") as vector_file,
        paths.open("w", encoding="utf-8", newline="\n") as path_file,
    ):
        array = _NpyArray(vector_file)

        def add(vector: NDArray[np.float32], path: str) -> None:
            array.add(vector)
            # One path a line: a line break inside a path is written as \n, a backslash as \\.
            path_file.write(path.replace("\\", "\\\\").replace("\n", "\\n") + "\n")

        yield add
        array.close()


class _NpyArray:
    """An .npy file of rows whose number is not known yet.

    numpy pads the header to a multiple of 64 bytes, which leaves room for any number of rows.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._rows, self._dimension = file, 0, 0

    def add(self, vector: NDArray[np.float32]) -> None:
        if not self._rows:
            self._dimension = len(vector)
            self._write_header()
        self._file.write(vector.astype("<f4", copy=False).tobytes())
        self._rows += 1

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        shape = (self._rows, self._dimension)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        # Older numpy has no annotation here.
        write_header = cast(
            Callable[[BinaryIO, dict[str, object]], None], np.lib.format.write_array_header_1_0
        )
        write_header(self._file, header)


class _ParquetTable:
    """A Parquet file that grows by a row group a block."""

    def __init__(self, file: Path) -> None:
        self._arrow: Any = import_optional("pyarrow", purpose="Writing Parquet")
        self._parquet: Any = import_optional("pyarrow.parquet", purpose="Writing Parquet")
        self._file = file
        self._writer: Any = None
        self._vectors: list[NDArray[np.float32]] = []
        self._paths: list[str] = []

    def add(self, vector: NDArray[np.float32], path: str) -> None:
        self._vectors.append(vector)
        self._paths.append(path)
        if len(self._paths) == _ROWS_A_BLOCK:
            self._flush()

    def close(self) -> None:
        if self._paths or self._writer is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrow = self._arrow
        block = np.stack(self._vectors) if self._vectors else np.empty((0, 1), dtype=np.float32)
        column = arrow.FixedSizeListArray.from_arrays(arrow.array(block.ravel()), block.shape[1])
        paths = arrow.array(self._paths, type=arrow.string())
        table = arrow.table({"input_path": paths, "feature": column})
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)
        self._vectors, self._paths = [], []
