"""Which column of a table is the picture, and which are copied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.errors import DatasetError, nearest
from toolkit.extraction.records import Record

ALL_COLUMNS = "ALL_COLUMNS"
ImageType = Literal["url", "base64"]
_KNOWN: Mapping[str, ImageType] = {
    "url": "url", "image": "url", "path": "url", "base64": "base64",
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The roles of columns.

    Attributes:
        image: the picture's; None takes the first that is there of url, image, path and base64.
        image_type: what it holds; None goes by its name, and is ``url`` for any other.
        reserved: those that are copied; None takes none of a table, and of a JSON line all but the
            picture's; ``("ALL_COLUMNS",)`` takes all.
    """

    image: str | None = None
    image_type: ImageType | None = None
    reserved: tuple[str, ...] | None = None

    def check(self, names: Sequence[str], where: str) -> None:
        """Compares with the columns that a table has.

        Raises:
            DatasetError: one is missing; the message has the nearest and all names.
        """
        wanted = [name for name in self.reserved or () if name != ALL_COLUMNS]
        wanted += [self.image] if self.image else []
        for name in wanted:
            if name not in names:
                raise DatasetError(
                    f"{where} has no column {name!r}.{nearest(name, names)} "
                    f"Columns: {', '.join(names)}."
                )
        if self.image_of(names) is None:
            raise DatasetError(
                f"{where}: which column is the picture? Give Extract.image_column; "
                f"columns: {', '.join(names)}."
            )

    def image_of(self, names: Sequence[str]) -> str | None:
        """Returns the picture's column among `names`, or None."""
        if self.image is not None:
            return self.image if self.image in names else None
        return next((name for name in _KNOWN if name in names), None)

    def kept(self, names: Sequence[str]) -> list[str]:
        """Returns the columns that are copied, in the order asked for."""
        if self.reserved is None:
            return []
        return list(names) if ALL_COLUMNS in self.reserved else list(self.reserved)

    def record(self, row: Mapping[str, Any], number: int) -> Record:
        """Returns the record of a row.

        Args:
            row: column -> value.
            number: the row's, from 0.
        """
        names = list(row)
        image = self.image_of(names)
        if image is None:
            expected = self.image or ", ".join(_KNOWN)
            return Record(f"row {number + 1}", "broken", f"the row has no {expected}.")
        is_json_line = self.reserved is None
        kept = [name for name in names if name != image] if is_json_line else self.kept(names)
        carried = {name: row.get(name) for name in kept}
        return self._picture(row[image], image, number, carried)

    def _picture(self, value: Any, column: str, number: int, carried: Mapping[str, Any]) -> Record:
        anonymous = f"row {number + 1}"
        is_base64 = (self.image_type or _KNOWN.get(column, "url")) == "base64"
        if isinstance(value, bytes):
            return Record(anonymous, "bytes", value, carried)
        if not isinstance(value, str) or not value:
            said = f"column {column!r} is {value!r}; expected a text."
            return Record(anonymous, "broken", said, carried)
        if is_base64:
            return Record(anonymous, "base64", value, carried)
        return Record(value, "address", value, carried)
