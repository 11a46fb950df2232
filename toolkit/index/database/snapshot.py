"""A structure on disk beside its records: written whole, and checked before it is read."""

from pathlib import Path

import google_crc32c
import numpy as np

from toolkit.errors import StorageError, VectorIndexError
from toolkit.index.database.header import Generation, Snapshot
from toolkit.index.database.live import Live
from toolkit.index.database.record_store import RecordStore
from toolkit.index.kinds.approximate import Approximate
from toolkit.index.kinds.making import read_structure
from toolkit.index.similarity import Similarity
from toolkit.storage import atomic_directory

_ROWS = "rows.npy"
_BLOCK = 1 << 22


def write_snapshot(folder: Path, generation: int, live: Live, structure: Approximate) -> Snapshot:
    """Writes a structure and the rows of its positions.

    Args:
        folder: of the index.
        generation: number that the structure has or gets.
        live: nothing is added to it meanwhile.
        structure: of `live`.

    Raises:
        StorageError: the disk is full or refuses.
    """
    name = f"structure-{generation}-{live.rows.last}"
    try:
        with atomic_directory(folder / name) as temporary:
            structure.write(temporary)
            np.save(temporary / _ROWS, live.rows.rows, allow_pickle=False)
            checksums = {file.name: _checksum(file) for file in sorted(temporary.iterdir())}
    except (OSError, RuntimeError) as error:  # FAISS reports a full disk as RuntimeError
        reason = str(error).rpartition("failed: ")[2]
        raise StorageError(
            f"{folder} has no room for the structure: {reason}. The records are whole, and what "
            "served goes on serving; make room and build it again."
        ) from error
    return Snapshot(name, live.rows.last, checksums)


def read_snapshot(
    folder: Path, generation: Generation, store: RecordStore, similarity: Similarity
) -> Live:
    """Reads a structure, and brings it up to date with the records.

    Raises:
        VectorIndexError: a file of it is missing or damaged.
    """
    snapshot = generation.snapshot
    if snapshot is None:
        raise ValueError("This generation has no snapshot.")
    for name, expected in snapshot.checksums.items():
        file = folder / snapshot.folder / name
        if not file.is_file() or _checksum(file) != expected:
            raise VectorIndexError(f"{file} is missing or damaged.")
    structure = read_structure(
        generation.kind, similarity, folder / snapshot.folder, generation.options
    )
    live = Live(store, similarity, structure)
    live.adopt(np.load(folder / snapshot.folder / _ROWS, allow_pickle=False))
    live.catch_up()
    return live


def _checksum(file: Path) -> str:
    checksum = 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            checksum = google_crc32c.extend(checksum, block)
    return f"{checksum:08x}"
