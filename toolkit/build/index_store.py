"""Where the index of a configuration is: in a folder, or in a collection of Milvus."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from toolkit.config.index_section import IndexSection, SearchSection
from toolkit.config.schema import Config
from toolkit.errors import ConfigError
from toolkit.index.database.header import FILE_NAME
from toolkit.index.database.opening import create_index, open_index
from toolkit.index.interface import VectorIndex
from toolkit.index.milvus.opening import create_milvus, has_collection, open_milvus

TOKEN = "MILVUS_TOKEN"  # noqa: S105 - the name of a variable


class IndexStore(Protocol):
    """One place for one index; its text tells a person where that is."""

    def exists(self) -> bool:
        """Whether there is an index."""
        ...

    def create(
        self, *, dimension: int, metric: str, fingerprint: str, fields: Sequence[str]
    ) -> VectorIndex:
        """Makes an empty index, and opens it."""
        ...

    def open(self, *, fingerprint: str | None, read_only: bool = False) -> VectorIndex:
        """Opens the index; a fingerprint of None fits any model."""
        ...


def index_store(config: Config, section: IndexSection | SearchSection) -> IndexStore:
    """Returns where the index is that a section names.

    Raises:
        ConfigError: the section asks Milvus for what only an index in a folder has.
    """
    if section.milvus is None:
        return _Folder(Path(section.folder or Path(config.Global.output) / "index"))
    if isinstance(section, IndexSection):
        _check_milvus(section)
    return _Milvus(section.milvus, section.collection, os.environ.get(TOKEN, ""))


def _check_milvus(section: IndexSection) -> None:
    asked = {"kind": section.kind != "auto", "whitening": section.whitening is not None}
    wrong = [name for name, is_asked in asked.items() if is_asked]
    if wrong:
        raise ConfigError(
            f"Index.{wrong[0]} is for an index in a folder, and Index.milvus is "
            f"{section.milvus!r}; Milvus chooses its own structure. Leave out one of the two."
        )


@dataclass(frozen=True)
class _Folder:
    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return (self.path / FILE_NAME).is_file()

    def create(
        self, *, dimension: int, metric: str, fingerprint: str, fields: Sequence[str]
    ) -> VectorIndex:
        return create_index(
            self.path, dimension=dimension, metric=metric, fingerprint=fingerprint, fields=fields
        )

    def open(self, *, fingerprint: str | None, read_only: bool = False) -> VectorIndex:
        return open_index(self.path, fingerprint=fingerprint, read_only=read_only)


@dataclass(frozen=True)
class _Milvus:
    address: str
    collection: str
    token: str

    def __str__(self) -> str:
        return f"{self.collection} at {self.address}"

    def exists(self) -> bool:
        return has_collection(self.address, self.collection, self.token)

    def create(
        self, *, dimension: int, metric: str, fingerprint: str, fields: Sequence[str]
    ) -> VectorIndex:
        del fields  # Milvus finds in JSON as it is
        return create_milvus(
            self.address,
            self.collection,
            dimension=dimension,
            metric=metric,
            fingerprint=fingerprint,
            token=self.token,
        )

    def open(self, *, fingerprint: str | None, read_only: bool = False) -> VectorIndex:
        del read_only  # a server takes many writers
        return open_milvus(self.address, self.collection, fingerprint=fingerprint, token=self.token)
