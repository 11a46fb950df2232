"""One array of all features, and the names of its rows in a text file beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ExtractionError
from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.writer import AddRow

IDS = ".ids.txt"


class NpyWriter:
    """The format ``npy``: [n, d], a row of NaN where a row failed, and ``<output>.ids.txt``.

    Integers have no NaN: when a row failed they are written as float64, which holds them exactly.
    """

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        if shape.varying:
            raise ExtractionError(
                "The features are of different lengths, and an array has one. Set "
                "Extract.output_format to text, jsonl, parquet, table or pickle."
            )
        dtype = shape.dtype
        if shape.has_failed and dtype.kind != "f":
            dtype = np.dtype("<f8")
        ids = path.with_name(path.name + IDS)
        missing = np.full(shape.length, np.nan if dtype.kind == "f" else 0, dtype)
        with (
            path.open("wb") as file,
            ids.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as names,
        ):
            _write_header(file, dtype, (shape.rows, shape.length))

            def add(row: Row) -> None:
                feature = missing if row.feature is None else row.feature.astype(dtype)
                file.write(feature.tobytes())
                # One name a line: a line break inside a name is written as \n, a backslash as \\.
                name = row.record.name.replace("\\", "\\\\").replace("\n", "\\n")
                names.write(name.replace("\r", "\\r") + "\n")

            yield add

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        for row in np.load(path, mmap_mode="r", allow_pickle=False):
            yield None if row.dtype.kind == "f" and np.isnan(row).any() else np.array(row)


def _write_header(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, int]) -> None:
    # Older numpy has no annotation here.
    write = cast(
        Callable[[BinaryIO, dict[str, object]], None], np.lib.format.write_array_header_1_0
    )
    write(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
