"""The folder of a database: what is in it, and making one.

<name>/database.json    format, name of the feature
<name>/index/           see toolkit.index
<name>/images/          kept pictures, by savename
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolkit.errors import VectorIndexError
from toolkit.index.database.opening import create_index
from toolkit.index.interface import VectorIndex
from toolkit.serving.picture_records import FIELDS
from toolkit.storage import atomic_directory, read_json, sync_folder, write_json

INDEX, IMAGES = "index", "images"
_FILE, _FORMAT = "database.json", 1


def create_database(
    folder: Path,
    *,
    dimension: int,
    metric: str,
    kind: str,
    feature: str,
    fingerprint: str,
    fill: Callable[[VectorIndex, Path], None] | None = None,
) -> None:
    """Makes a database; it is there as a whole or not at all.

    Args:
        folder: of the database.
        dimension: numbers a vector.
        metric: as `toolkit.index` names it.
        kind: how neighbours are found.
        feature: PAI's name of the vector.
        fingerprint: of the model.
        fill: writes the first records into the index, and their pictures into the folder; None
            leaves it empty.

    Raises:
        VectorIndexError: there is no such metric or kind.
        StorageError: the disk is full.
    """
    with atomic_directory(folder) as temporary:
        (temporary / IMAGES).mkdir()
        with create_index(
            temporary / INDEX,
            dimension=dimension,
            metric=metric,
            kind=kind,
            fingerprint=fingerprint,
            fields=FIELDS,
        ) as index:
            if fill is not None:
                fill(index, temporary / IMAGES)
                index.save()
        write_json(temporary / _FILE, {"format_version": _FORMAT, "feature": feature})
        sync_folder(temporary)
    sync_folder(folder.parent)


def is_database(folder: Path) -> bool:
    """Tells whether a folder holds a database."""
    return (folder / _FILE).is_file()


def read_feature(folder: Path) -> str:
    """Returns PAI's name of the vector of a database.

    Raises:
        VectorIndexError: the folder's description is damaged, or of another version.
    """
    file = folder / _FILE
    try:
        said: Any = read_json(file)
        if said["format_version"] == _FORMAT and isinstance(said["feature"], str):
            return str(said["feature"])
        reason = f"format {said['format_version']}, expected {_FORMAT}"
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise VectorIndexError(f"{file} cannot be used ({reason}). Put back a copy of its folder.")
