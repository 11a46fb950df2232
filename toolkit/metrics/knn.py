"""Classes told by the nearest neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_TEMPERATURE = 0.07
_CELLS = 1 << 24


def knn_hits(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    labels: tuple[Sequence[str], Sequence[str]],
    ids: tuple[Sequence[str], Sequence[str]],
    k: int,
) -> NDArray[np.float64]:
    """Says for each query whether its class wins the vote of the k nearest gallery pictures.

    A vote weighs exp(cosine / 0.07); of two classes with equal votes the one that comes up first in
    the gallery wins. A gallery picture with the query's id does not vote.

    Args:
        query: unit vectors [q, d].
        gallery: unit vectors [n, d].
        labels: of queries and gallery.
        ids: of queries and gallery.
        k: neighbours that vote, 1 or more; all of a smaller gallery.

    Returns:
        float64 [q], 1 where it does and 0 where not.

    Source: Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination,
    2018, section 3.4.
    """
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels[1]))}
    classes = np.array([numbers[label] for label in labels[1]])
    wanted = np.array([numbers.get(label, -1) for label in labels[0]])
    row_of: dict[str, list[int]] = {}
    for row, name in enumerate(ids[1]):
        row_of.setdefault(name, []).append(row)
    block, hits = max(1, _CELLS // len(gallery)), np.zeros(len(query))
    for start in range(0, len(query), block):
        cosines = query[start : start + block] @ gallery.T
        for row, name in enumerate(ids[0][start : start + block]):
            cosines[row, row_of.get(name, [])] = -np.inf
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        weights = np.exp((np.take_along_axis(cosines, nearest, axis=1) - 1) / _TEMPERATURE)
        for row, (places, votes) in enumerate(zip(nearest, weights, strict=True)):
            tally = np.bincount(classes[places], votes, minlength=len(numbers))
            hits[start + row] = tally.argmax() == wanted[start + row]
    return hits
