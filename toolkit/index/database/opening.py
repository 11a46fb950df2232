"""Making and opening the index of a folder: one writer, and only what was expected."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import VectorIndexError
from toolkit.fetch.lock import try_lock
from toolkit.index.checking import check_expected
from toolkit.index.database.database import Database
from toolkit.index.database.header import (
    FILE_NAME,
    Generation,
    Header,
    read_header,
    records_name,
    write_header,
)
from toolkit.index.database.record_store import RecordStore
from toolkit.index.database.whitened import with_whitening_of
from toolkit.index.kinds.making import check_kind
from toolkit.index.similarity import Similarity


def create_index(
    folder: Path | str,
    *,
    dimension: int,
    metric: str = "cosine",
    kind: str = "flat",
    fingerprint: str = "",
    fields: Sequence[str] = (),
) -> Database:
    """Makes an empty index in a folder, and opens it.

    Args:
        folder: not there, or empty.
        dimension: numbers a vector, or bits under hamming.
        metric: ``cosine``, ``inner_product``, ``l2`` or ``hamming``.
        kind: ``flat``, ``hnsw``, ``ivf``, ``ivf_pq``, ``sq8`` or ``binary``.
        fingerprint: of the model and its preprocessing.
        fields: fields of the records that filters often ask for.

    Raises:
        VectorIndexError: the folder holds an index or something else, or the kind and the metric do
            not go together.
    """
    folder = Path(folder)
    similarity = Similarity.named(metric, dimension)
    check_kind(kind, similarity)
    if folder.is_dir() and any(not file.name.startswith(".") for file in folder.iterdir()):
        holds = "an index already; open it" if (folder / FILE_NAME).is_file() else "other files"
        raise VectorIndexError(f"{folder} holds {holds}. Give a new folder for a new index.")
    lock = _locked(folder)
    generation = Generation(1, dimension, similarity.metric, fingerprint, records_name(1), kind)
    RecordStore(folder / generation.records, similarity.dtype, similarity.width, fields).close()
    write_header(folder, Header(generation, fields=tuple(fields)))
    return Database(folder, lock)


def open_index(
    folder: Path | str,
    *,
    fingerprint: str | None = None,
    dimension: int | None = None,
    metric: str | None = None,
    read_only: bool = False,
) -> Database:
    """Opens the index of a folder.

    Args:
        folder: holds an index.
        fingerprint: of the model whose vectors will be written and searched; None: not known.
        dimension: that is expected; None for any.
        metric: that is expected; None for any.
        read_only: search only, beside a process that writes; its writes are found too.

    Raises:
        VectorIndexError: the folder holds no index, one that another process writes, or one that is
            not what is expected.
    """
    folder = Path(folder)
    header = read_header(folder)
    if fingerprint is not None:
        fingerprint = with_whitening_of(header.live.fingerprint, fingerprint)
    expected = {"fingerprint": fingerprint, "dimension": dimension, "metric": metric}
    check_expected(str(folder), asdict(header.live), expected)
    if read_only:
        return Database(folder, None)
    lock = _locked(folder)
    try:
        return Database(folder, lock)
    except BaseException:
        lock.close()
        raise


def _locked(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / ".lock")
    if lock is None:
        raise VectorIndexError(
            f"{folder} is open for writing in another process, and an index has one writer. Stop "
            "that process or send it the writes; to search only, open it with read_only=True."
        )
    return lock
