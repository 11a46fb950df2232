"""Where an index can live: the same calls for a folder and for Milvus."""

from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from tests.index.database.conftest import METRICS
from toolkit.index.database.opening import create_index, open_index
from toolkit.index.milvus.opening import create_milvus, open_milvus

NO_MILVUS = "milvus-lite is not installed (group slow and extra milvus of pyproject.toml)"
has_milvus = find_spec("milvus_lite") is not None and find_spec("pymilvus") is not None
_numbers = count()


class Folder:
    """Indexes in folders below one."""

    metrics = METRICS

    def __init__(self, root: Path):
        self.root, self._prefix = root, f"index{next(_numbers)}"

    def _path(self, name):
        return self.root / f"{self._prefix}-{name}"

    def create(self, name="index", **options):
        return create_index(self._path(name), **options)

    def open(self, name="index", **expected):
        return open_index(self._path(name), **expected)


class Milvus:
    """Collections of one file of milvus-lite."""

    metrics = tuple(metric for metric in METRICS if metric != "hamming")

    def __init__(self, file: Path):
        self.file, self._prefix = str(file), f"c{next(_numbers)}"

    def create(self, name="index", **options):
        options.pop("fields", None)  # Milvus finds in JSON as it is
        return create_milvus(self.file, f"{self._prefix}_{name}", **options)

    def open(self, name="index", **expected):
        return open_milvus(self.file, f"{self._prefix}_{name}", **expected)


STORES = [
    "folder",
    pytest.param(
        "milvus", marks=[pytest.mark.slow, pytest.mark.skipif(not has_milvus, reason=NO_MILVUS)]
    ),
]
EVERY_METRIC = [("folder", metric) for metric in Folder.metrics] + [
    pytest.param("milvus", metric, marks=STORES[1].marks) for metric in Milvus.metrics
]
