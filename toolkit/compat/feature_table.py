"""Files of many features: pictures' paths and their vectors, in the forms that people have.

A pickle is read by a machine that can build texts, numbers and arrays and nothing else, so one from
a stranger does no harm.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.safe_pickle import load
from toolkit.errors import ConfigError, DatasetError
from toolkit.storage import atomic_path

# Every Python 3 reads it.
_PROTOCOL = 4
_PATHS, _VECTORS = ("paths", "ids", "names"), ("features", "vectors", "embeddings")
# How the toolkit writes a path into a line of paths.txt.
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class FeatureTable:
    """Vectors by path.

    Attributes:
        paths: of the pictures, in the file's order.
        vectors: float32 [n, d].
    """

    paths: list[str]
    vectors: NDArray[np.float32]


def read_features(file: Path) -> FeatureTable:
    """Reads a table.

    Args:
        file: a pickle of {path: vector}; an .npz with ``paths`` and ``features``, or with an array
            a path; or an .npy [n, d] with paths.txt or ids.txt, or its own name and .txt, beside
            it: a path a line.

    Raises:
        DatasetError: the file is missing, damaged, holds something else or nothing, or tries to
            run code.
    """
    if not file.is_file():
        raise DatasetError(f"There is no file {file}. Give a .pkl, .npz or .npy of features.")
    try:
        match file.suffix.lower():
            case ".npz":
                table = _from_npz(file)
            case ".npy":
                table = _from_npy(file)
            case _:
                table = _from_pickle(file)
    except DatasetError:
        raise
    except Exception as error:  # numpy raises nearly anything for damaged files
        raise DatasetError(f"{file} cannot be read as features: {error!s:.200}.") from error
    if not table.paths:
        raise DatasetError(f"{file} holds no feature.")
    if not np.isfinite(table.vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(table.vectors).all(axis=1))[0])
        raise DatasetError(f"{file}: the vector of {table.paths[bad]!r} is not finite.")
    return table


def write_features(file: Path, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes {path: vector} atomically: a plain pickle, or an .npz of ``paths`` and ``features``.

    Raises:
        ConfigError: the suffix is another.
    """
    check_suffix(file)
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        if file.suffix == ".npz":
            stacked = np.stack(list(vectors.values())) if vectors else np.empty((0, 0), np.float32)
            np.savez(stream, paths=np.array(list(vectors), dtype=str), features=stacked)
        else:
            pickle.dump(dict(vectors), stream, protocol=_PROTOCOL)


def check_suffix(file: Path) -> None:
    """Refuses a file that `write_features` would not write.

    Raises:
        ConfigError: it ends in neither .pkl nor .npz.
    """
    if file.suffix not in (".pkl", ".npz"):
        raise ConfigError(f"{file}: features are written as .pkl or .npz, not {file.suffix!r}.")


def _from_pickle(file: Path) -> FeatureTable:
    try:
        with file.open("rb") as stream:
            state = load(stream)
    except RefusedError as error:
        raise DatasetError(
            f"{file} is not read: {error}. A file of features is a pickle of {{path: vector}} and "
            "nothing else; nothing in it has been run."
        ) from error
    if not isinstance(state, dict):
        raise DatasetError(f"{file} holds a {type(state).__name__}, not a dict {{path: vector}}.")
    # An extraction has None where a picture could not be read.
    return _joined(file, {_path(key): value for key, value in state.items() if value is not None})


def _from_npz(file: Path) -> FeatureTable:
    with np.load(file, allow_pickle=False) as archive:
        paths = next((archive[name] for name in _PATHS if name in archive), None)
        vectors = next((archive[name] for name in _VECTORS if name in archive), None)
        if paths is None or vectors is None:
            return _joined(file, {name: archive[name] for name in archive.files})
        return _paired(file, [str(path) for path in paths], vectors)


def _from_npy(file: Path) -> FeatureTable:
    candidates = [file.with_suffix(".txt"), *(file.with_name(f"{name}.txt") for name in _PATHS)]
    listed = next((candidate for candidate in candidates if candidate.is_file()), None)
    if listed is None:
        names = ", ".join(candidate.name for candidate in candidates)
        raise DatasetError(f"{file} has no list of paths beside it. Looked for: {names}.")
    lines = listed.read_text(encoding="utf-8").splitlines()
    paths = [_ESCAPE.sub(lambda match: {"n": "\n"}.get(match[1], match[1]), row) for row in lines]
    return _paired(file, paths, np.load(file, allow_pickle=False))


def _paired(file: Path, paths: list[str], vectors: NDArray[Any]) -> FeatureTable:
    if vectors.ndim != 2 or len(vectors) != len(paths) or vectors.dtype.kind not in "fiu":
        raise DatasetError(
            f"{file} has {len(paths)} paths and an array {list(vectors.shape)} of {vectors.dtype}; "
            "expected a row of numbers a path."
        )
    return FeatureTable(paths, vectors.astype(np.float32, copy=False))


def _joined(file: Path, vectors: Mapping[str, Any]) -> FeatureTable:
    """Puts vectors of one length under each other."""
    rows: list[NDArray[np.float32]] = []
    for path, value in vectors.items():
        row = np.atleast_1d(value) if isinstance(value, np.ndarray) else np.empty((0, 0))
        length = len(rows[0]) if rows else row.size
        if row.ndim != 1 or row.dtype.kind not in "fiu" or row.size != length or not row.size:
            said = list(value.shape) if isinstance(value, np.ndarray) else type(value).__name__
            raise DatasetError(
                f"{file}: {path!r} has {said}; expected a vector of numbers, as long as all others."
            )
        rows.append(row.astype(np.float32))
    return FeatureTable(list(vectors), np.stack(rows) if rows else np.empty((0, 0), np.float32))


def _path(key: Any) -> str:
    """Returns a key as text; Python 2 wrote the bytes of a path, which are read as Latin-1."""
    if isinstance(key, bytes):
        return key.decode("utf-8", errors="replace")
    text = str(key)
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
