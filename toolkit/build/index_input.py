"""What goes into an index, block by block: pictures, files of features, an index of PaddleX."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.build.index import PictureRow, features_fingerprint, gallery_rows, open_model
from toolkit.config.schema import Config
from toolkit.errors import DatasetError, import_optional
from toolkit.index.paddlex import VECTORS, read_paddlex

_AT_ONCE = 512
_NAMES = (".ids.txt",)

Known = Callable[[Sequence[str]], list[dict[str, Any] | None]]
"""Returns the records that an index holds under ids; None for one that is not there."""


@dataclass(frozen=True)
class Block:
    """Some records.

    Attributes:
        ids: of the records.
        vectors: float [m, d] of those that have one.
        records: of those.
        unchanged: ids that the index holds as they are.
        failures: "path: reason" of pictures without a vector.
    """

    ids: list[str]
    vectors: NDArray[Any]
    records: list[dict[str, Any]]
    unchanged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class IndexInput:
    """What goes into an index.

    Attributes:
        fingerprint: of the model that makes or made the vectors; empty where nobody knows.
        metric: that the vectors are for; None: any.
        blocks: yields records; is told what the index knows.
    """

    fingerprint: str
    metric: str | None
    blocks: Callable[[Known], Iterator[Block]]


def open_input(config: Config) -> IndexInput:
    """Opens ``Index.input``, whatever it is.

    Raises:
        ToolkitError: it is not there, or cannot be read.
    """
    path = Path(config.Index.input) if config.Index.input is not None else None
    if path is not None and path.suffix in _FEATURE_FILES:
        read = _FEATURE_FILES[path.suffix]
        return IndexInput(features_fingerprint(path), None, lambda _: read(path))
    if path is not None and (path / VECTORS).is_file():
        found = read_paddlex(path)
        return IndexInput("", found.metric, lambda _: (Block(*block) for block in found.blocks()))
    model = open_model(config, config.Index)

    def blocks(known: Known) -> Iterator[Block]:
        waiting = list[PictureRow]()
        for row in gallery_rows(config):
            waiting.append(row)
            if len(waiting) == _AT_ONCE:
                yield _picture_block(config, model.predictor, waiting, known)
                waiting = []
        if waiting:
            yield _picture_block(config, model.predictor, waiting, known)

    return IndexInput(model.fingerprint, None, blocks)


def vector_blocks(file: Path) -> Iterator[Block] | None:
    """Yields the rows of a file of features; None where it has the suffix of something else.

    Raises:
        DatasetError: it is not what its suffix says.
        ExtraError: it is Parquet and pyarrow is not installed.
    """
    read = _FEATURE_FILES.get(file.suffix)
    return None if read is None else read(file)


def _picture_block(
    config: Config, predictor: Any, rows: Sequence[PictureRow], known: Known
) -> Block:
    """Computes the vectors of those pictures that are new or have changed."""
    kept = known([row.id for row in rows]) if config.Index.incremental else [None] * len(rows)
    todo, unchanged = list[tuple[PictureRow, dict[str, Any]]](), list[str]()
    for row, before in zip(rows, kept, strict=True):
        record = {**row.record, **_file_facts(row.path)}
        if before is not None and before == record:
            unchanged.append(row.id)
        else:
            todo.append((row, record))
    results = predictor.predict([row.path for row, _ in todo]) if todo else []
    ids, vectors, records, failures = list[str](), list[Any](), list[dict[str, Any]](), list[str]()
    for (row, record), result in zip(todo, results, strict=True):
        if result.feature is None:
            failures.append(f"{row.id}: {result.error}")
        else:
            ids.append(row.id)
            vectors.append(result.feature)
            records.append(record)
    stacked = np.stack(vectors) if vectors else np.empty((0, 0), np.float32)
    return Block(ids, stacked, records, unchanged, failures)


def _file_facts(path: Path) -> dict[str, Any]:
    """Returns what tells that a picture has changed; nothing for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return {}
    return {"time": found.st_mtime, "bytes": found.st_size}


def _npy_blocks(file: Path) -> Iterator[Block]:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise DatasetError(f"{file} is not an array of numbers: {error}") from error
    names = [*(file.with_name(file.name + end) for end in _NAMES), file.with_name("paths.txt")]
    beside = next((name for name in names if name.is_file()), None)
    if beside is None:
        said = " or ".join(name.name for name in names)
        raise DatasetError(f"{file} has no names of its rows beside it: {said} is not there.")
    ids = [_unescaped(line) for line in beside.read_text("utf-8").split("\n")[:-1]]
    if vectors.ndim != 2 or len(ids) != len(vectors):
        raise DatasetError(
            f"{file} has the shape {list(vectors.shape)} and {beside.name} has {len(ids)} lines; "
            "there must be a row for each line."
        )
    for start in range(0, len(ids), _AT_ONCE):
        yield _vector_block(ids[start:][:_AT_ONCE], np.asarray(vectors[start : start + _AT_ONCE]))


def _parquet_blocks(file: Path) -> Iterator[Block]:
    parquet = import_optional("pyarrow.parquet", purpose="Reading Parquet")
    table = parquet.ParquetFile(file)
    columns = set(table.schema_arrow.names)
    name = next((column for column in ("image", "input_path") if column in columns), None)
    if name is None or "feature" not in columns:
        raise DatasetError(
            f"{file} has the columns {sorted(columns)}; expected image (or input_path) and feature."
        )
    for batch in table.iter_batches(batch_size=_AT_ONCE, columns=[name, "feature"]):
        rows = batch.to_pydict()
        there = [n for n, feature in enumerate(rows["feature"]) if feature is not None]
        missing = [rows[name][n] for n, f in enumerate(rows["feature"]) if f is None]
        vectors = np.array([rows["feature"][n] for n in there], np.float32)
        block = _vector_block([rows[name][n] for n in there], vectors)
        failures = [f"{key}: no feature in {file.name}" for key in missing]
        yield Block(block.ids, block.vectors, block.records, [], block.failures + failures)


def _vector_block(ids: list[str], vectors: NDArray[Any]) -> Block:
    bad = ~np.isfinite(vectors).all(1) if vectors.dtype.kind == "f" else np.zeros(len(ids), bool)
    failures = [f"{ids[n]}: no feature (not a number)" for n in np.flatnonzero(bad)]
    kept = [key for key, is_bad in zip(ids, bad, strict=True) if not is_bad]
    return Block(kept, vectors[~bad], [{"path": key} for key in kept], [], failures)


def _unescaped(line: str) -> str:
    parts = line.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)


_FEATURE_FILES: dict[str, Callable[[Path], Iterator[Block]]] = {
    ".npy": _npy_blocks,
    ".parquet": _parquet_blocks,
}
