"""metrics.jsonl as rows: what stands in the log of a training run, and how it is read.

A line is one JSON object with ``kind``, ``epoch``, ``step`` (updates since the start) and ``time``
(seconds since 1970):

- ``step``, after every update: learning_rate, loss, losses (by name), images, images_per_second,
  reader_share (of the time, waiting for data), skipped (pictures that could not be read);
- ``epoch``, after every whole epoch: loss (the mean of its updates), images;
- ``evaluation``: metrics, by name.

A number that is not finite is null.
"""

import json
from pathlib import Path
from typing import Any

FILE_NAME = "metrics.jsonl"


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Returns the rows of a log; none when there is no file. A half written line is left out."""
    if not file.is_file():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and "kind" in row and "step" in row:
            rows.append(row)
    return rows
