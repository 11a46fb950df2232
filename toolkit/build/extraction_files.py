"""From the section Extract to its reader, its writer, and what may be read."""

import os
from pathlib import Path

from toolkit.config.extract_section import ExtractSection
from toolkit.errors import ConfigError
from toolkit.extraction.addresses import Addresses
from toolkit.extraction.readers.columns import Columns
from toolkit.extraction.readers.folder import Folder
from toolkit.extraction.readers.text_list import TextList
from toolkit.extraction.records import Reader
from toolkit.extraction.writers.jsonl import JsonLinesWriter
from toolkit.extraction.writers.npy import NpyWriter
from toolkit.extraction.writers.text import TextWriter
from toolkit.extraction.writers.writer import Writer

_ENDINGS = {
    ".npy": "npy", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".pkl": "pickle",
    ".pickle": "pickle", ".csv": "table", ".db": "table", ".sqlite": "table", ".sqlite3": "table",
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


def local_path(section: ExtractSection, text: str, key: str) -> Path:
    """Returns where a list or an output is; ``oss://bucket/key`` is mapped as pictures are.

    Raises:
        ConfigError: it is in a store that is not mapped to a folder.
    """
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
        ConfigError: the format cannot be told.
    """
    reserved = section.reserved_columns
    columns = Columns(
        section.image_column, section.image_type, None if reserved is None else tuple(reserved)
    )
    kind = input_format(section, path)
    if kind == "folder":
        return Folder(path, names)
    return TextList(path, columns)


def input_format(section: ExtractSection, path: Path) -> str:
    """Returns the format of the input: as it is given, or as the file looks."""
    if section.input_format != "auto":
        return section.input_format
    return "folder" if path.is_dir() else "text"


def output_format(section: ExtractSection) -> str:
    """Returns the format of the output: as it is given, or by its ending."""
    if section.output_format != "auto":
        return section.output_format
    return _ENDINGS.get(Path(section.output or "").suffix.lower(), "text")


def build_writer(section: ExtractSection) -> Writer:
    """Returns the writer of the output."""
    writers: dict[str, Writer] = {
        "text": TextWriter(),
        "jsonl": JsonLinesWriter(),
        "npy": NpyWriter(),
    }
    return writers[output_format(section)]
