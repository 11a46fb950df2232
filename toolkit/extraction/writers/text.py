"""EasyVision's text lines: ``<path as given>,  {"feature": [f0, f1]}``.

A comma and two blanks stand between the two; a row that failed has null for the list. Floats are
written as Python writes the float64 of their value, and read back to the same bits.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.writer import AddRow

# Paths may hold commas, and so does the JSON.
_LINE = re.compile(r"^(.*?),\s*(\{.*\})\s*$")


class TextWriter:
    """The format ``text``."""

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        # A file name that is not UTF-8 is written as the bytes that it is.
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:

            def add(row: Row) -> None:
                name = row.record.name.replace("\n", "\\n").replace("\r", "\\r")
                file.write(f"{name},  {feature_json(row.feature)}\n")

            yield add

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file:
                found = _LINE.match(line)
                if found is None:
                    raise ValueError(f"no line of features: {line[:80]!r}")
                yield feature_of(json.loads(found[2]))


def feature_json(feature: NDArray[Any] | None) -> str:
    """Returns the JSON object of a feature: the one key ``feature``, a flat list or null."""
    return json.dumps({"feature": None if feature is None else feature.tolist()})


def feature_of(found: dict[str, Any]) -> NDArray[Any] | None:
    """Returns the feature in such an object."""
    values = found["feature"]
    return None if values is None else np.array(values)
