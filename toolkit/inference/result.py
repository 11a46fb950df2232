"""What predict yields for one picture: a dict, as PaddleX's results are, that can save itself."""

import json
import logging
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from toolkit.storage import write_json

_LOG = logging.getLogger(__name__)
_ALIASES = {"rec_feature": "feature"}
_UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


class ClaimedNames:
    """The files that the results of one predict call have been saved to.

    Two pictures may have one name in different folders, and a loop may save every result to one
    path. The first result gets the name; another one gets ``_1``, ``_2``, ... and a warning.
    """

    def __init__(self) -> None:
        # A run may have millions of results, so only what was renamed is kept as a path.
        self._owners: dict[str, int] = {}
        self._renamed: dict[tuple[str, int], Path] = {}
        self._last_number: dict[str, int] = {}

    def claim(self, path: Path, owner: int) -> Path:
        """Returns `path`, or the next free numbered name when another result has it.

        Args:
            path: the wanted file.
            owner: number of the result within its predict call; the same one gets the same file.
        """
        wanted = _folded(path)
        if self._owners.setdefault(wanted, owner) == owner:
            return path
        if (wanted, owner) in self._renamed:
            return self._renamed[wanted, owner]
        free, number = path, self._last_number.get(wanted, 0)
        while self._owners.setdefault(_folded(free), owner) != owner:
            number += 1
            free = path.with_name(f"{path.stem}_{number}{path.suffix}")
        self._last_number[wanted] = number
        self._renamed[wanted, owner] = free
        _LOG.warning("%s holds another result of this predict call; saving to %s.", path, free)
        return free


def _folded(path: Path) -> str:
    """One text for all spellings: on Windows and macOS A.json and a.json are one file."""
    return str(path.absolute()).casefold()


class FeatureResult(dict[str, Any]):
    """The feature of one picture, or why there is none.

    Keys: ``input_path`` (None for a picture from memory), ``page_index`` (None: kept for readers of
    PaddleX's files), ``feature`` (float32 [d] of length 1, or None), and ``error`` only where the
    picture could not be used. ``rec_feature``, the older name, reads the same as ``feature``.

    Args:
        input_path: path or address of the picture.
        feature: float32 [d] of length 1; None when there is an error.
        error: why there is no feature.
        position: number of the picture within its predict call, from 0.
        names: shared by the results of one predict call.
    """

    def __init__(
        self,
        input_path: str | None,
        feature: NDArray[np.float32] | None,
        *,
        error: str | None = None,
        position: int = 0,
        names: ClaimedNames | None = None,
    ) -> None:
        super().__init__(input_path=input_path, page_index=None, feature=feature)
        if error is not None:
            self["error"] = error
        self._position = position
        self._names = ClaimedNames() if names is None else names

    def __missing__(self, key: str) -> Any:
        if key not in _ALIASES:
            raise KeyError(key)
        return self[_ALIASES[key]]

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value of a key or of its older name, or the default."""
        return super().get(_ALIASES.get(key, key), default)

    @property
    def input_path(self) -> str | None:
        """Path or address of the picture; None when it came from memory."""
        path: str | None = self["input_path"]
        return path

    @property
    def feature(self) -> NDArray[np.float32] | None:
        """float32 [d] of length 1; None when there is an error."""
        feature: NDArray[np.float32] | None = self["feature"]
        return feature

    rec_feature = feature

    @property
    def error(self) -> str | None:
        """Why there is no feature; None when there is one."""
        error: str | None = self.get("error")
        return error

    @property
    def json(self) -> dict[str, dict[str, Any]]:
        """Everything in plain types: ``{"res": {...}}``."""
        # The shortest digits that give the same float32: half the length of those of a double.
        values = None if self.feature is None else [float(str(value)) for value in self.feature]
        return {"res": {**self, "feature": values}}

    def print(
        self,
        json_format: bool = False,  # noqa: FBT001, FBT002 - PaddleX's signature
        indent: int = 4,
        ensure_ascii: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Writes the result to standard output; that is what the caller asks for.

        Args:
            json_format: the whole feature as JSON, instead of one short line.
            indent: of the JSON.
            ensure_ascii: escape what is not ASCII in the JSON.
        """
        text = self.str
        if json_format:
            text = json.dumps(self.json, indent=indent, ensure_ascii=ensure_ascii)
        sys.stdout.write(f"{text}\n")

    def save_to_json(self, save_path: Path | str, *, indent: int | None = 4) -> Path:
        """Writes the result as JSON, never over another result of the same predict call.

        Args:
            save_path: a ``.json`` file, or a folder, which gets ``<stem of the picture>_res.json``.
            indent: of the JSON; None for a single line.

        Returns:
            The file that was written.
        """
        path = Path(save_path)
        if path.suffix.lower() != ".json":
            path /= f"{self._stem()}_res.json"
        path = self._names.claim(path, self._position)
        write_json(path, self.json["res"], indent=indent)
        return path

    def save_all(self, save_path: Path | str) -> Path:
        """Writes every form that there is, which is the JSON."""
        return self.save_to_json(save_path)

    def _stem(self) -> str:
        name = self.input_path or ""
        if name.startswith(("http://", "https://")):
            name = PurePosixPath(unquote(urlsplit(name).path)).name
            name = _UNSAFE_IN_NAMES.sub("_", name)
        return Path(name).stem or f"input_{self._position}"

    # Last in the class: below it the name would no longer mean the type.
    @property
    def str(self) -> str:
        """One line for people; a long feature shows its first and last values."""
        with np.printoptions(threshold=8, edgeitems=2, linewidth=1000):
            return repr({"res": dict(self)})
