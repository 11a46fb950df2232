"""TensorFlow checkpoints, read without TensorFlow: the old single file, and an index with shards.

Files are mapped into memory and variables are read one at a time; every checksum is compared, and
nothing in a file is ever run. What is needed is the name that TensorFlow's own ``Saver`` takes.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toolkit.cards.sorted_table import is_table
from toolkit.cards.tensor_bundle import bundle_arrays, read_bundle
from toolkit.cards.tensor_slices import slice_arrays, slice_variables
from toolkit.cards.tensor_values import Variable
from toolkit.errors import WeightsError, nearest

_STATE_FILE = "checkpoint"
_LATEST = re.compile(r'^\s*model_checkpoint_path:\s*"([^"]+)"', re.MULTILINE)
# What people have at hand: the prefix with the ending of one of its files.
_ENDING = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_NAMED = 5


class Checkpoint(Protocol):
    """An open checkpoint.

    Attributes:
        path: its file, or its prefix.
        variables: name -> type and shape.
        files: all that it is made of.
    """

    path: Path
    variables: Mapping[str, Variable]
    files: Sequence[Path]

    def arrays(self, names: Collection[str]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Yields names and arrays, each once, in the order in which they are stored.

        Raises:
            WeightsError: a variable is not there, holds no numbers, or is damaged.
        """


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Opens a checkpoint of either format and reads what it says of its variables.

    Args:
        path: the file ``x.ckpt``, the prefix of ``x.ckpt.index``, one of the files with that
            prefix, or a folder with a file ``checkpoint``.

    Raises:
        WeightsError: there is none, or it is damaged.
    """
    given = Path(path)
    found = _latest(given) if given.is_dir() else given
    prefix = found.with_name(_ENDING.sub("", found.name))
    if prefix.with_name(f"{prefix.name}.index").is_file():
        return _Bundle(prefix)
    if found.is_file() and found == prefix:
        return _Slices(found)
    raise WeightsError(_missing(given, prefix))


class _Slices:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: Sequence[Path] = [path]
        with _naming(path):
            self._table = _mapped(path)
            if not is_table(self._table):
                raise WeightsError(_no_table(self._table))
            self._variables = slice_variables(self._table)
        self.variables: Mapping[str, Variable] = self._variables

    def arrays(self, names: Collection[str]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        with _naming(self.path):
            _require(names, self.variables)
            yield from slice_arrays(self._table, self._variables, names)


class _Bundle:
    def __init__(self, prefix: Path) -> None:
        self.path = prefix
        index = prefix.with_name(f"{prefix.name}.index")
        with _naming(index):
            self._bundle = read_bundle(_mapped(index))
        entries = self._bundle.entries
        self.variables: Mapping[str, Variable] = {
            name: entry.variable for name, entry in entries.items()
        }
        self._shards: dict[int, memoryview] = {}
        self.files: Sequence[Path] = [index, *map(self._shard_file, range(self._bundle.num_shards))]

    def arrays(self, names: Collection[str]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        with _naming(self.path):
            _require(names, self.variables)
            yield from bundle_arrays(self._bundle.entries, names, self._shard)

    def _shard(self, number: int) -> memoryview:
        if number not in self._shards:
            file = self._shard_file(number)
            if not file.is_file():
                raise WeightsError(
                    f"the shard {file.name} is not there, and belongs beside the index"
                )
            self._shards[number] = _mapped(file)
        return self._shards[number]

    def _shard_file(self, number: int) -> Path:
        ending = f"data-{number:05d}-of-{self._bundle.num_shards:05d}"
        return self.path.with_name(f"{self.path.name}.{ending}")


def _latest(folder: Path) -> Path:
    """Returns what the file ``checkpoint`` of a folder names; the folder may have moved."""
    state = folder / _STATE_FILE
    if not state.is_file():
        raise WeightsError(
            f"The folder {folder} has no file 'checkpoint' that names the latest one. Give the "
            f"checkpoint itself.{_there(folder)}"
        )
    match = _LATEST.search(state.read_text(encoding="utf-8", errors="replace"))
    if match is None:
        raise WeightsError(f"{state} names no model_checkpoint_path. Give the checkpoint itself.")
    named = folder / match[1]
    return named if _is_there(named) else folder / Path(match[1]).name


def _is_there(path: Path) -> bool:
    return path.is_file() or path.with_name(f"{path.name}.index").is_file()


def _missing(given: Path, prefix: Path) -> str:
    if given.is_file():
        return (
            f"{given} belongs to a checkpoint whose index {prefix.name}.index is not there. Get "
            "it too: it says where each variable stands."
        )
    return (
        f"There is no TensorFlow checkpoint {given}: neither that file nor {prefix.name}.index."
        f"{_there(prefix.parent, prefix.name)}"
    )


def _there(folder: Path, wanted: str = "") -> str:
    """Says which checkpoints a folder has."""
    if not folder.is_dir():
        return f" The folder {folder} does not exist."
    names = {path.stem for path in folder.glob("*.index")}
    names |= {path.name for path in folder.glob("*.ckpt")}
    said = ", ".join(sorted(names)[:_NAMED]) or "none"
    return f"{nearest(wanted, names) if wanted else ''} Checkpoints there: {said}."


def _require(names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise WeightsError(f"it has no variable {name!r}.{nearest(name, known)}")


def _no_table(data: memoryview) -> str:
    start = bytes(data[:2])
    if start in (b"\x1f\x8b", b"BZ", b"PK"):
        return "it is an archive; unpack it, and give the checkpoint in it"
    return (
        f"its last bytes are not those of a checkpoint (size: {len(data)} bytes): it is cut off, "
        "or another kind of file"
    )


def _mapped(file: Path) -> memoryview:
    try:
        if not file.stat().st_size:
            return memoryview(b"")
        return np.memmap(file, np.uint8, mode="r").data
    except OSError as error:
        raise WeightsError(f"it cannot be read ({error.strerror or error})") from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Names the file in front of what the parts found wrong with it."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(
            f"{path}: {error}. Get the checkpoint again from where it comes from, if it should be "
            "whole."
        ) from error
