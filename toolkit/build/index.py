"""From the sections Index and Search to an index, its input and its model. Needs no framework."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.exported import exported_model
from toolkit.build.lists import list_files
from toolkit.config.index_section import IndexSection, SearchSection
from toolkit.config.schema import Config
from toolkit.data.manifest import RowProblem, find_images, stream_manifest
from toolkit.errors import ConfigError, DatasetError
from toolkit.inference.directory import open_predictor
from toolkit.inference.model_fingerprint import made_by, model_fingerprint
from toolkit.inference.predictor import Predictor

_MIB = 1 << 20


@dataclass(frozen=True)
class PictureRow:
    """One picture to index or to search with.

    Attributes:
        id: its path as the list or the folder has it.
        path: where it is.
        record: what is kept beside its vector.
    """

    id: str
    path: Path
    record: dict[str, Any]


@dataclass(frozen=True)
class OpenModel:
    """A model that is ready, and the fingerprint of it and its preprocessing."""

    predictor: Predictor
    fingerprint: str


def open_model(config: Config, section: IndexSection | SearchSection) -> OpenModel:
    """Opens the model that makes vectors of pictures.

    Raises:
        ToolkitError: it is not there, or cannot be opened.
    """
    directory = exported_model(config, section.model_dir, engine=section.engine)
    predictor = open_predictor(
        directory,
        model_name=config.Global.model,
        device=config.Global.device,
        engine=section.engine,
        batch_size=section.batch_size,
        decode=section.decode,
    )
    return OpenModel(predictor, model_fingerprint(directory))


def features_fingerprint(file: Path) -> str:
    """Returns the fingerprint of the model that made a file of features; empty: nobody wrote it."""
    facts = file.with_name(file.name + ".job.json")
    if not facts.is_file():
        return ""
    read = json.loads(facts.read_text(encoding="utf-8"))
    return made_by(read.get("weights"), read.get("preprocessing"))


def memory_allowed(section: IndexSection) -> float:
    """Returns what a structure may take, in MiB: half of the machine where nothing is said."""
    if section.memory_mib is not None:
        return float(section.memory_mib)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2 / _MIB


def gallery_rows(config: Config) -> Iterator[PictureRow]:
    """Yields the pictures that go into the index.

    Raises:
        ConfigError: there is no input and no dataset.
        DatasetError: the input is not there, or a row of a list cannot be read.
    """
    given = config.Index.input
    if given is None:
        return list_rows(config, "gallery")
    path = Path(given)
    if path.is_dir():
        return _folder_rows(path)
    root = Path(config.Index.input_root or path.parent)
    return _manifest_rows(path, root, tuple(config.Data.columns))


def gallery_root(config: Config) -> Path:
    """Returns the folder that ids of the gallery's pictures start from."""
    section = config.Index
    if section.input_root is not None:
        return Path(section.input_root)
    if section.input is None:
        return list_files(config, ("gallery",))["gallery"].root
    path = Path(section.input)
    return path if path.is_dir() else path.parent


def query_inputs(config: Config) -> list[PictureRow]:
    """Returns the pictures to search with.

    Raises:
        ConfigError: there is no input and no dataset.
        DatasetError: the input is not there.
    """
    given = config.Search.input
    if given is None:
        return list(list_rows(config, "query"))
    rows = list[PictureRow]()
    for name in [given] if isinstance(given, str) else given:
        path = Path(name)
        rows += _folder_rows(path) if path.is_dir() else [PictureRow(name, path, {"path": name})]
    if not rows:
        raise DatasetError(f"Search.input {given!r} holds no picture.")
    return rows


def list_rows(config: Config, split: str) -> Iterator[PictureRow]:
    """Yields the rows of one of the dataset's lists."""
    if config.Global.dataset_dir is None and not getattr(config.Data.lists, split):
        section = "Index" if split == "gallery" else "Search"
        raise ConfigError(
            f"{section}.input and Global.dataset_dir are both null; give one of them: pictures, or "
            f"the folder with {split}.txt."
        )
    file = list_files(config, (split,))[split]
    return _manifest_rows(file.file, file.root, file.columns)


def _manifest_rows(file: Path, root: Path, columns: tuple[str, ...]) -> Iterator[PictureRow]:
    for row in stream_manifest(file, columns):
        if isinstance(row, RowProblem):
            raise DatasetError(f"{file}:{row.line}: {row.message} Mend the list; nothing is lost.")
        record = {"path": row.path, "label": row.label}
        if row.camera is not None:
            record["group"] = row.camera
        yield PictureRow(row.path, root / row.path, record)


def _folder_rows(folder: Path) -> Iterator[PictureRow]:
    pictures = find_images(folder)
    if not pictures:
        raise DatasetError(f"{folder} holds no picture.")
    for path in pictures:
        name = path.relative_to(folder).as_posix()
        yield PictureRow(name, path, {"path": name})
