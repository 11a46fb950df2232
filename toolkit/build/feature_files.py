"""A file of features, as extract and predict write it, as vectors by picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.build.index_input import vector_blocks
from toolkit.config.schema import Config
from toolkit.errors import DatasetError


def read_features(config: Config, file: Path) -> dict[Path, NDArray[np.float32]]:
    """Reads features.npy or .parquet.

    A relative path in it starts from the working directory or, where nothing is there, from
    `Global.dataset_dir`.

    Raises:
        DatasetError: it is not there, or not such a file.
        ExtraError: it is Parquet and pyarrow is not installed.
    """
    blocks = vector_blocks(file) if file.is_file() else None
    if blocks is None:
        raise DatasetError(
            f"Adapter.features is {str(file)!r}; expected features.npy or .parquet as extract and "
            "predict write it."
        )
    dataset = Path(config.Global.dataset_dir or ".")
    found = {}
    for block in blocks:
        for name, vector in zip(block.ids, block.vectors, strict=True):
            path = Path(name) if Path(name).exists() else dataset / name
            found[path.resolve()] = np.asarray(vector, np.float32)
    return found
