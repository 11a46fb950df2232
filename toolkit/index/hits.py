"""From closeness and rows to what a person reads."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from toolkit.index.interface import Closeness, Hit, Record
from toolkit.index.similarity import Similarity


def hits_of(
    similarity: Similarity,
    closeness: Closeness,
    rows: NDArray[np.int64],
    records: Mapping[int, tuple[str, Record]],
    threshold: float | None,
) -> list[list[Hit]]:
    """Returns the hits of each query that are near enough.

    Args:
        similarity: of the index.
        closeness: float32 [q, k].
        rows: int64 [q, k]; -1 for nothing.
        records: id and record by row; a row that is not here is left out.
        threshold: lowest score; None for any.
    """
    scores, distances = similarity.told(closeness)
    least = -np.inf if threshold is None else threshold
    return [
        [
            Hit(found[0], score, distance, found[1])
            for score, distance, row in zip(*its, strict=True)
            if score >= least and (found := records.get(row)) is not None
        ]
        for its in zip(scores.tolist(), distances.tolist(), rows.tolist(), strict=True)
    ]
