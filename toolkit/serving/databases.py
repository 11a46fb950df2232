"""All databases of a service: folders of databases, opened once, each database by itself.

A database that cannot be opened (damaged, of another model) says why when it is asked for; the
others work.
"""

import logging
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from toolkit.errors import StorageError, ToolkitError, VectorIndexError
from toolkit.fetch.lock import try_lock
from toolkit.serving.database_folder import create_database, is_database
from toolkit.serving.names import database_name
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.problems import Kind, Problem
from toolkit.storage import recover_directory, sync_folder

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schema:
    """What a database is made of; None is whatever is there, or the service's own choice.

    Attributes:
        metric: as `toolkit.index` names it.
        kind: how neighbours are found.
        feature: PAI's name of the vector.
    """

    metric: str | None = None
    kind: str | None = None
    feature: str | None = None

    def fits(self, other: "Schema") -> bool:
        """Tells whether another schema is what this one asks for."""
        asked = (self.metric, self.kind, self.feature)
        return all(
            wanted in (None, there)
            for wanted, there in zip(asked, (other.metric, other.kind, other.feature), strict=True)
        )


@dataclass(frozen=True)
class Quota:
    """How much a folder may hold.

    Attributes:
        databases: how many.
        records: in each; None for any number.
    """

    databases: int
    records: int | None


@dataclass(frozen=True)
class Model:
    """What databases must know of the model that is served.

    Attributes:
        dimension: numbers a vector.
        fingerprint: of its weights and its preprocessing.
        index_kind: of databases that say nothing else.
    """

    dimension: int
    fingerprint: str
    index_kind: str = "flat"


class Databases:
    """The databases of one folder. Threads may share it.

    Args:
        folder: made when the first database is.
        model: that is served.
        quota: how much it may hold.
    """

    def __init__(self, folder: Path, model: Model, quota: Quota) -> None:
        self.folder, self.model, self.quota = folder, model, quota
        self._changing = RLock()
        self._open: dict[str, PictureDatabase] = {}
        self._damaged: dict[str, str] = {}
        self._open_all()

    def names(self) -> list[str]:
        """Returns the names of all databases, sorted; also of those that cannot be opened."""
        with self._changing:
            return sorted([*self._open, *self._damaged])

    def damaged(self) -> dict[str, str]:
        """Returns why databases cannot be opened, by name."""
        return dict(self._damaged)

    def opened(self) -> dict[str, PictureDatabase]:
        """Returns those that work, by name."""
        with self._changing:
            return dict(self._open)

    def get(self, name: str) -> PictureDatabase:
        """Returns a database.

        Raises:
            Problem: there is none of this name, or it cannot be opened.
        """
        database_name(name)
        with self._changing:
            if name in self._damaged:
                raise Problem(Kind.DATABASE_DAMAGED, self._damaged[name])
            if name not in self._open:
                known = ", ".join(self.names()[:10]) or "none"
                raise Problem(
                    Kind.NO_DATABASE, f"There is no database {name!r}. There are: {known}."
                )
            return self._open[name]

    def create(self, name: str, schema: Schema) -> bool:
        """Makes a database.

        Returns:
            False when there is one already, of the same schema.

        Raises:
            Problem: there is one of another schema, there are too many, or it cannot be made.
        """
        folder = self.folder / database_name(name)
        with self._changing:
            if name in self._damaged or name in self._open:
                self._check_same(name, schema)
                return False
            if len(self.names()) >= self.quota.databases:
                raise Problem(
                    Kind.QUOTA, f"There are {self.quota.databases} databases, which is the limit."
                )
            create_database(
                folder,
                dimension=self.model.dimension,
                metric=schema.metric or "cosine",
                kind=schema.kind or self.model.index_kind,
                feature=schema.feature or "feature",
                fingerprint=self.model.fingerprint,
            )
            self._open[name] = self._opened(folder)
            return True

    def delete(self, name: str) -> None:
        """Removes a database with all that is in it; a damaged one too.

        Raises:
            Problem: there is none of this name.
        """
        with self._changing:
            if name not in self._damaged:
                self.get(name).close()
            self._open.pop(name, None)
            self._damaged.pop(name, None)
            # One rename, and it is gone; a kill then leaves nothing but work for the next start.
            aside = self.folder / f".{name}.{secrets.token_hex(6)}.deleted"
            (self.folder / name).rename(aside)
            sync_folder(self.folder)
        shutil.rmtree(aside, ignore_errors=True)

    def save(self) -> None:
        """Saves every database."""
        for database in self.opened().values():
            database.save()

    def close(self) -> None:
        """Closes every database."""
        with self._changing:
            for database in self._open.values():
                database.close()
            self._open.clear()

    def _open_all(self) -> None:
        if not self.folder.is_dir():
            return
        for left in [*self.folder.glob(".*.deleted"), *self.folder.glob(".*.tmp")]:
            shutil.rmtree(left, ignore_errors=True)
        for aside in self.folder.glob(".*.old"):
            recover_directory(self.folder / aside.name[1 : -len(".old")])
        for folder in sorted(self.folder.iterdir()):
            if not folder.name.startswith(".") and is_database(folder):
                try:
                    self._open[folder.name] = self._opened(folder)
                except ToolkitError as error:
                    _LOG.error("The database %s cannot be opened: %s", folder, error)
                    self._damaged[folder.name] = str(error)

    def _opened(self, folder: Path) -> PictureDatabase:
        return PictureDatabase(folder, self.model.fingerprint, self.quota.records)

    def _check_same(self, name: str, schema: Schema) -> None:
        there = schema_of(self.get(name))
        if not schema.fits(there):
            raise Problem(
                Kind.DATABASE_EXISTS,
                f"The database {name!r} exists with {there}; asked for was {schema}. Delete it "
                "first, or give another name.",
            )


def schema_of(database: PictureDatabase) -> Schema:
    """Returns what a database is made of."""
    facts = database.facts
    return Schema(facts.metric, facts.kind, database.feature)


class Folders:
    """Folders of databases below one root, each opened once; one process holds the root.

    Args:
        root: the folder; made when it is not there.
        model: that is served.
        quota: of every folder that is opened without one.

    Raises:
        VectorIndexError: another process holds the root.
        StorageError: it cannot be written to.
    """

    def __init__(self, root: Path, model: Model, quota: Quota) -> None:
        self.root, self.model, self.quota = root, model, quota
        self._opening = RLock()
        self._folders: dict[Path, Databases] = {}
        try:
            root.mkdir(parents=True, exist_ok=True)
            lock = try_lock(root / ".service.lock")
        except OSError as error:
            raise StorageError(f"Serve.root {root} cannot be written to: {error}.") from error
        if lock is None:
            raise VectorIndexError(
                f"Another service works in {root}, and a folder has one. Stop it, or give another "
                "Serve.root."
            )
        self._lock = lock

    def at(self, folder: Path, quota: Quota | None = None) -> Databases:
        """Returns the databases of a folder, opening them when it is asked for first."""
        with self._opening:
            if folder not in self._folders:
                self._folders[folder] = Databases(folder, self.model, quota or self.quota)
            return self._folders[folder]

    def all(self) -> list[Databases]:
        """Returns what is open."""
        with self._opening:
            return list(self._folders.values())

    def close(self) -> None:
        """Saves and closes everything."""
        with self._opening:
            for databases in self._folders.values():
                databases.save()
                databases.close()
            self._lock.close()
