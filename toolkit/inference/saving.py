"""All features of a run in one file: an .npy with its paths, or Parquet."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import import_optional
from toolkit.storage import atomic_path, write_text


def save_features(
    folder: Path, form: Literal["npy", "parquet"], vectors: NDArray[np.float32], paths: list[str]
) -> list[Path]:
    """Writes vectors and paths, row by row in the same order.

    Args:
        folder: where.
        form: ``npy`` gives features.npy and paths.txt; ``parquet`` gives features.parquet with the
            columns input_path and feature (a list of fixed size).
        vectors: float32 [n, d].
        paths: [n].

    Returns:
        The files.

    Raises:
        ExtraError: Parquet is asked for and pyarrow is not installed.
        ValueError: there are not as many paths as vectors.
    """
    if len(vectors) != len(paths):
        raise ValueError(f"{len(vectors)} vectors and {len(paths)} paths.")
    if form == "parquet":
        return [_save_parquet(folder / "features.parquet", vectors, paths)]
    features, names = folder / "features.npy", folder / "paths.txt"
    with atomic_path(features) as temporary, temporary.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)
    # One path a line: a line break inside a path is written as \n, a backslash as \\.
    lines = (path.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for path in paths)
    write_text(names, "".join(lines))
    return [features, names]


def _save_parquet(file: Path, vectors: NDArray[np.float32], paths: list[str]) -> Path:
    pyarrow = import_optional("pyarrow", purpose="Writing Parquet")
    parquet = import_optional("pyarrow.parquet", purpose="Writing Parquet")
    column = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(vectors.ravel()), vectors.shape[1]
    )
    table = pyarrow.table({"input_path": pyarrow.array(paths), "feature": column})
    with atomic_path(file) as temporary:
        parquet.write_table(table, temporary)
    return file
