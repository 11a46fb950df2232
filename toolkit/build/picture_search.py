"""From the section Search to what an index finds for pictures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.build.calibrating import calibrated
from toolkit.build.index import PictureRow, open_model, query_inputs
from toolkit.build.index_store import index_store
from toolkit.build.searching import Find, build_search
from toolkit.config.index_section import SearchSection
from toolkit.config.schema import Config
from toolkit.evaluation.open_set import Threshold
from toolkit.index.interface import Hit
from toolkit.inference.predictor import Predictor

_AT_ONCE = 32


@dataclass(frozen=True)
class Found:
    """What an index knows of a picture.

    Attributes:
        row: the picture; ``row.id`` is the name that it was given by.
        hits: the nearest records, nearest first.
        error: why it could not be looked up; None when it was.
    """

    row: PictureRow
    hits: list[Hit]
    error: str | None = None


@dataclass(frozen=True)
class PictureSearch:
    """Pictures to look up, and what looks them up.

    Attributes:
        rows: the pictures.
        section: Search, with the threshold that was measured.
        measured: that threshold, for ``Search.false_match_rate``; None without one.
        predictor: the model.
        find: finds the hits of vectors.
    """

    rows: Sequence[PictureRow]
    section: SearchSection
    measured: Threshold | None
    predictor: Predictor
    find: Find

    def found(self) -> Iterator[Found]:
        """Yields what is found for each picture, in their order."""
        results = self.predictor.predict([_address(row) for row in self.rows])
        for start in range(0, len(self.rows), _AT_ONCE):
            some = self.rows[start : start + _AT_ONCE]
            done = [next(results) for _ in some]
            vectors = [result.feature for result in done if result.feature is not None]
            hits = iter(self.find(np.stack(vectors)) if vectors else [])
            for row, result in zip(some, done, strict=True):
                if result.feature is None:
                    yield Found(row, [], str(result.error))
                else:
                    yield Found(row, next(hits))


@contextmanager
def open_search(config: Config) -> Iterator[PictureSearch]:
    """Opens the index and the model of a configuration.

    Raises:
        ToolkitError: the index, the model or the pictures cannot be used.
    """
    section, rows = config.Search, query_inputs(config)
    model = open_model(config, section)
    expected = model.fingerprint if section.check_model else None
    with index_store(config, section).open(fingerprint=expected, read_only=True) as index:
        measured = calibrated(config, index, model.predictor)
        if measured is not None:
            section = section.model_copy(update={"threshold": measured.threshold})
        find = build_search(section, index)
        yield PictureSearch(rows, section, measured, model.predictor, find)


def _address(row: PictureRow) -> str | Path:
    """Path of a picture, or its address: as a path it would lose one of its slashes."""
    return row.id if row.id.startswith(("http://", "https://")) else row.path
