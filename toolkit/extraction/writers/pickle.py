"""A pickle of {path: float32 vector}: what Compute-Features writes and ``pickle.load`` reads.

The one format that is in memory as a whole, and cannot hold one path twice.
"""

import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ExtractionError
from toolkit.extraction.rows import Row, Shape
from toolkit.extraction.writers.writer import AddRow

_LOG = logging.getLogger(__name__)
_PROTOCOL = 4


class PickleWriter:
    """The format ``pickle``; None in place of the vector where a row failed."""

    @contextmanager
    def writing(self, path: Path, shape: Shape) -> Iterator[AddRow]:
        """See `Writer`."""
        del shape
        found: dict[str, NDArray[np.float32] | None] = {}
        twice = 0

        def add(row: Row) -> None:
            nonlocal twice
            name, feature = row.record.name, row.feature
            twice += name in found
            if name in found and feature is None:
                return  # one that failed does not take the place of one that did not
            found[name] = None if feature is None else feature.astype(np.float32)

        yield add
        if twice:
            _LOG.warning(
                "%d rows have a path that another row has: a pickle holds %d of %d rows. "
                "Every other format holds all.",
                *(twice, len(found), len(found) + twice),
            )
        with path.open("wb") as file:
            pickle.dump(found, file, protocol=_PROTOCOL)

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """See `Writer`."""
        raise ExtractionError(
            f"{path} is a pickle, which has no row for each row of the list. Extract.only_failed "
            "and incremental need another format."
        )
