"""From a row to what is stored for it: read, decoded and fitted, or skipped with a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.header import DecodeError
from toolkit.data.packing.classes import ClassNumbers
from toolkit.data.packing.picture import PackedPicture
from toolkit.data.packing.plan import Split
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.data.packing.stored import FORMATS, StoreOptions, fit_for_storing
from toolkit.errors import FetchError

_BUCKETS = "oss://"
_ADDRESSES = ("http://", "https://")


@dataclass(frozen=True)
class Preparation:
    """What is done to every row; it may be used in several threads.

    Attributes:
        root: the folder that relative paths start from; oss://bucket/key is <root>/bucket/key.
        classes: label -> number.
        store: how pictures are stored, for training and for testing.
        fetch: loads an http(s) address; raises FetchError.
    """

    root: Path
    classes: ClassNumbers
    store: Mapping[Split, StoreOptions]
    fetch: Callable[[str], bytes]

    def prepare(self, row: Row, split: Split) -> PackedPicture | SkippedRow:
        """Returns what is stored for a row, or why it is skipped; a bad picture raises nothing."""
        label = self.classes.number_of(row)
        if isinstance(label, SkippedRow):
            return label
        options = self.store[split]
        try:
            stored = fit_for_storing(self._load(row.path), options)
        except FileNotFoundError:
            return _skipped(row, "missing", "there is no such file")
        except DecodeError as error:
            return _skipped(row, error.kind, str(error))
        except FetchError as error:
            return _skipped(row, "unreachable", str(error))
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            return _skipped(row, "unreadable", getattr(error, "strerror", None) or str(error))
        return PackedPicture(
            key=f"{row.line:08d}",
            encoded=stored.encoded,
            format=FORMATS[options.encoding],
            name=row.path,
            label=label,
            class_name=row.label or "",
            width=stored.width,
            height=stored.height,
        )

    def _load(self, path: str) -> bytes:
        if path.startswith(_ADDRESSES):
            return self.fetch(path)
        return self.root.joinpath(path.removeprefix(_BUCKETS)).read_bytes()


def _skipped(row: Row, reason: str, message: str) -> SkippedRow:
    return SkippedRow(row.line, row.path, reason, message)
