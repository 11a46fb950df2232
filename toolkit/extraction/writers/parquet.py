"""Parquet: the picture, its feature as a list of fixed size, and why there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional
from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.writer import AddRow

_ROWS_A_GROUP = 4096
_BYTES_A_GROUP = 32 << 20


class ParquetWriter:
    """The format ``parquet``: columns image, feature and error; a row group at a time in memory."""

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        arrow = import_optional("pyarrow", purpose="Writing Parquet")
        parquet = import_optional("pyarrow.parquet", purpose="Writing Parquet")
        schema = _schema(arrow, shape)
        bytes_a_row = max(1, shape.length * shape.dtype.itemsize)
        rows_a_group = max(1, min(_ROWS_A_GROUP, _BYTES_A_GROUP // bytes_a_row))
        block: list[Row] = []
        with parquet.ParquetWriter(path, schema) as file:

            def add(row: Row) -> None:
                block.append(row)
                if len(block) == rows_a_group:
                    file.write_table(_table(arrow, schema, block, shape))
                    block.clear()

            yield add
            if block:
                file.write_table(_table(arrow, schema, block, shape))

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        parquet = import_optional("pyarrow.parquet", purpose="Reading Parquet")
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64, columns=["feature"]):
                for value in batch.column(0):
                    yield value.values.to_numpy() if value.is_valid else None


def _schema(arrow: Any, shape: Shape) -> Any:
    number = arrow.from_numpy_dtype(shape.dtype)
    # Lengths differ, or every row failed and nobody knows the length.
    feature = arrow.list_(number, shape.length) if shape.length else arrow.list_(number)
    return arrow.schema(
        [("image", arrow.string()), ("feature", feature), ("error", arrow.string())]
    )


def _table(arrow: Any, schema: Any, block: list[Row], shape: Shape) -> Any:
    names = [_utf8(row.record.name) for row in block]
    errors = [None if row.failed is None else _utf8(row.failed.reason) for row in block]
    if shape.length:
        blank = np.zeros(shape.length, shape.dtype)
        values = np.concatenate([blank if row.feature is None else row.feature for row in block])
        missing = arrow.array([row.feature is None for row in block])
        features = arrow.FixedSizeListArray.from_arrays(values, shape.length, mask=missing)
    else:
        features = arrow.array([row.feature for row in block], schema.field("feature").type)
    columns = [arrow.array(names, arrow.string()), features, arrow.array(errors, arrow.string())]
    return arrow.Table.from_arrays(columns, schema=schema)


def _utf8(text: str) -> str:
    """Parquet's texts are UTF-8; the bytes of a file name that is not are written as escapes."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
