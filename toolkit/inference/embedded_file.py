"""The embeddings of a list in a file, so that an interrupted comparison does not compute them anew.

An .npz without pickles: what they are of (`key`), vectors, rows, failures, and the seconds it took.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.inference.embed import EmbeddedPaths, Failure
from toolkit.storage import atomic_path

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class TimedEmbeddings:
    """What one model gave for a list.

    Attributes:
        embedded: the vectors.
        seconds: wall clock time, from the first file to the last vector.
    """

    embedded: EmbeddedPaths
    seconds: float


def write_embedded(file: Path, key: str, timed: TimedEmbeddings) -> None:
    """Writes embeddings under a key that says of which model and which pictures they are."""
    failures = [[failure.row, failure.message] for failure in timed.embedded.failures]
    head = {"format_version": _FORMAT_VERSION, "key": key, "seconds": timed.seconds}
    text = json.dumps({**head, "failures": failures}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            head=np.frombuffer(text, np.uint8),
            vectors=timed.embedded.vectors,
            rows=timed.embedded.rows,
        )


def read_embedded(file: Path, key: str) -> TimedEmbeddings | None:
    """Reads embeddings; None where there are none of this key, or the file is damaged."""
    try:
        with np.load(file, allow_pickle=False) as data:
            head = json.loads(data["head"].tobytes())
            if (head["format_version"], head["key"]) != (_FORMAT_VERSION, key):
                return None
            failures = [Failure(int(row), str(message)) for row, message in head["failures"]]
            embedded = EmbeddedPaths(data["vectors"], data["rows"], failures)
            return TimedEmbeddings(embedded, float(head["seconds"]))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
