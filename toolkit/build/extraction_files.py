"""From the section Extract to its reader, its writer, and what may be read."""

import os
from collections.abc import Callable
from pathlib import Path

from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError
from toolkit.extraction.addresses import Addresses
from toolkit.extraction.readers.annotations import Annotations, looks_annotated
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.csv_table import CsvTable
from toolkit.extraction.readers.folder import Folder
from toolkit.extraction.readers.parquet_table import ParquetTable
from toolkit.extraction.readers.sqlite_table import SqliteTable
from toolkit.extraction.readers.text_list import TextList
from toolkit.extraction.readers.webdataset import WebDataset, find_archives
from toolkit.extraction.records import Reader
from toolkit.extraction.writers.jsonl import JsonLinesWriter
from toolkit.extraction.writers.npy import NpyWriter
from toolkit.extraction.writers.parquet import ParquetWriter
from toolkit.extraction.writers.pickle import PickleWriter
from toolkit.extraction.writers.tables import (
    CsvTableWriter,
    JsonTableWriter,
    ParquetTableWriter,
    SqliteTableWriter,
    check_free,
)
from toolkit.extraction.writers.text import TextWriter
from toolkit.extraction.writers.writer import Writer

_ENDINGS = {
    ".npy": "npy", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".pkl": "pickle",
    ".pickle": "pickle", ".csv": "table", ".db": "table", ".sqlite": "table", ".sqlite3": "table",
}  # fmt: skip
_INPUT_ENDINGS = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".tar": "webdataset",
}  # fmt: skip


def build_addresses(section: ExtractSection) -> Addresses:
    """Returns what may be read, and how."""
    roots = section.allowed_roots
    return Addresses(
        folder=Path(section.input_root or "").absolute(),
        roots=None if roots is None else tuple(Path(os.path.realpath(root)) for root in roots),
        buckets=None if section.allowed_buckets is None else tuple(section.allowed_buckets),
        oss_root=None if section.oss_root is None else Path(section.oss_root).absolute(),
        stores=_stores(section),
        timeout=section.http_timeout,
        deadline=section.http_deadline,
        max_bytes=section.max_bytes,
    )


def _stores(section: ExtractSection) -> dict[str, dict[str, object]]:
    # OSS takes the bucket in the name of the host only; that is S3's "virtual" addressing.
    virtual = {"config_kwargs": {"s3": {"addressing_style": "virtual"}}}
    return {
        "s3": {"endpoint_url": section.s3_endpoint} if section.s3_endpoint else {},
        "oss": {"endpoint_url": section.oss_endpoint, **virtual} if section.oss_endpoint else {},
    }


def input_path(section: ExtractSection, output: Path) -> Path:
    """Returns where the input is.

    Raises:
        ConfigError: it is not on this machine, or is the output.
    """
    path = _local_path(section, str(section.input), "Extract.input")
    if path == output:
        raise ConfigError(f"Extract.input and Extract.output are both {path}; name another output.")
    return path


def output_path(section: ExtractSection) -> Path:
    """Returns where the output will be.

    Raises:
        ConfigError: it is not on this machine, or a folder.
    """
    path = _local_path(section, section.output or "", "Extract.output")
    if path.is_dir():
        raise ConfigError(f"Extract.output {str(path)!r} is a folder; name a file in it.")
    return path


def _local_path(section: ExtractSection, text: str, key: str) -> Path:
    """Maps ``oss://bucket/key`` as pictures are mapped."""
    if "://" not in text:
        return Path(text).absolute()
    if text.startswith("oss://") and section.oss_root is not None:
        return Path(section.oss_root, text.removeprefix("oss://")).absolute()
    raise ConfigError(
        f"{key} is {text!r}; expected a file or folder of this machine, or oss:// with "
        "Extract.oss_root."
    )


def build_reader(section: ExtractSection, path: Path, names: Path) -> Reader:
    """Returns the reader of the input.

    Args:
        section: Extract.
        path: the input.
        names: where a folder's list is kept.

    Raises:
        DatasetError: the input is not there.
    """
    reserved = section.reserved_columns
    columns = Columns(
        section.image_column, section.image_type, None if reserved is None else tuple(reserved)
    )
    readers: dict[str, Callable[[], Reader]] = {
        "text": lambda: TextList(path, columns),
        "jsonl": lambda: TextList(path, columns),
        "annotations": lambda: Annotations(path),
        "folder": lambda: Folder(path, names),
        "csv": lambda: CsvTable(path, columns),
        "parquet": lambda: ParquetTable(path, columns),
        "sqlite": lambda: SqliteTable(path, columns, section.input_table),
        "webdataset": lambda: WebDataset(find_archives(path)),
    }
    return readers[input_format(section, path)]()


def input_format(section: ExtractSection, path: Path) -> str:
    """Returns the format of the input: as it is given, or as the file looks."""
    if section.input_format != "auto":
        return section.input_format
    if path.is_dir():
        suffixes = {file.suffix for file in path.iterdir()}
        return "webdataset" if suffixes == {".tar"} else "folder"
    kind = _INPUT_ENDINGS.get(path.suffix.lower(), "text")
    if kind in ("csv", "text") and path.is_file() and looks_annotated(path):
        return "annotations"
    return kind


def output_format(section: ExtractSection) -> str:
    """Returns the format of the output: as it is given, or by its ending."""
    if section.output_format != "auto":
        return section.output_format
    return _ENDINGS.get(Path(section.output or "").suffix.lower(), "text")


def build_writer(section: ExtractSection, reader: Reader) -> Writer:
    """Returns the writer of the output.

    Raises:
        ConfigError: a table is wanted and the input is none.
    """
    kind = output_format(section)
    if kind == "table":
        return _table_writer(section, reader)
    writers: dict[str, Callable[[], Writer]] = {
        "text": TextWriter,
        "jsonl": JsonLinesWriter,
        "npy": NpyWriter,
        "parquet": ParquetWriter,
        "pickle": PickleWriter,
    }
    return writers[kind]()


def check_rows(section: ExtractSection, rows: int) -> None:
    """Refuses what the output cannot hold, before anything is computed.

    Raises:
        ConfigError: a pickle of too many rows.
    """
    if output_format(section) == "pickle" and rows > section.max_pickle_rows:
        raise ConfigError(
            f"The input has {rows:,} rows; a pickle is in memory as a whole and at most "
            f"Extract.max_pickle_rows, {section.max_pickle_rows:,}, fit. Use npy or parquet."
        )


def _table_writer(section: ExtractSection, reader: Reader) -> Writer:
    result = section.result_column
    if isinstance(reader, (CsvTable, SqliteTable, ParquetTable)):
        check_free(result, reader.kept())
    if isinstance(reader, CsvTable):
        return CsvTableWriter(reader, result)
    if isinstance(reader, SqliteTable):
        return SqliteTableWriter(reader, result)
    if isinstance(reader, ParquetTable):
        return ParquetTableWriter(reader, result)
    if isinstance(reader, TextList):
        return JsonTableWriter(result)
    raise ConfigError(
        "Extract.output_format is table, which is of the same kind as the input, and the input is "
        "no table. Expected text, jsonl, npy, parquet or pickle."
    )
