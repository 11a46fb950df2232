"""JSON lines: the picture, its feature, what was carried along, and why there is none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.text import feature_of
from toolkit.extraction.writers.writer import AddRow


class JsonLinesWriter:
    """The format ``jsonl``: objects with ``image``, ``feature``, ``carried`` and ``error``.

    ``feature`` is a list or null; ``carried`` is there only where something was carried, ``error``
    only where the feature is null.
    """

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        with path.open("w", encoding="ascii", newline="\n") as file:

            def add(row: Row) -> None:
                values = None if row.feature is None else row.feature.tolist()
                line: dict[str, Any] = {"image": row.record.name, "feature": values}
                if row.record.carried:
                    line["carried"] = dict(row.record.carried)
                if row.failed is not None:
                    line["error"] = row.failed.reason
                file.write(json.dumps(line, default=str) + "\n")

            yield add

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield feature_of(json.loads(line))
