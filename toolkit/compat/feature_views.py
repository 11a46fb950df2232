"""Looks at many vectors at once: nearest neighbours, clusters, and a plane to draw them on."""

import numpy as np
from numpy.typing import NDArray

from toolkit.index.exact import top_k
from toolkit.index.row_sets import RowSets
from toolkit.inference.unit_vectors import unit_vectors

_ROUNDS = 100
# Distances are computed for so many vectors at a time.
_ROWS = 4096
_Vectors = NDArray[np.float32]


def nearest_neighbours(
    vectors: _Vectors, row: int, k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Returns cosines and rows of the k vectors that point most as one of them does, without it.

    Args:
        vectors: [n, d].
        row: of the one.
        k: how many; fewer when there are fewer.
    """
    unit = unit_vectors(vectors)
    itself = RowSets(np.array([row]), np.array([0]), np.array([1]))
    scores, rows = top_k(unit[row : row + 1], unit, min(k, len(unit)), exclude=[itself])
    found = rows[0] >= 0
    return scores[0][found], rows[0][found]


def cluster(vectors: _Vectors, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Returns the cluster of each vector, 0 being the largest.

    Args:
        vectors: [n, d], compared by direction.
        count: clusters, at most n.
        rng: draws the first centres.

    Source: Lloyd 1982; Arthur and Vassilvitskii, k-means++, 2007, for the first centres.
    """
    unit = unit_vectors(vectors)
    centres = _first_centres(unit, count, rng)
    labels = np.full(len(unit), -1, np.int64)
    for _ in range(_ROUNDS):
        squares = _squared_distances(unit, centres)
        before, labels = labels, squares.argmin(axis=1)
        if np.array_equal(before, labels):
            break
        # A centre that lost all its vectors moves to the one that is farthest from its own.
        far = iter(np.argsort(-squares.min(axis=1), kind="stable"))
        for number in range(count):
            own = unit[labels == number]
            centres[number] = own.mean(axis=0) if len(own) else unit[next(far)]
    sizes = np.bincount(labels, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    return np.argsort(order, kind="stable")[labels]


def plane(vectors: _Vectors) -> NDArray[np.float64]:
    """Returns where each vector stands along the two directions of most variance: [n, 2].

    The sign of each direction is the one of its largest component, so that a map is the same on
    every machine.

    Source: Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space, 1901.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    # Of the two products of this matrix with itself the smaller one has all that is needed.
    if centred.shape[0] < centred.shape[1]:
        values, sides = np.linalg.eigh(centred @ centred.T)
        points = sides * np.sqrt(np.maximum(values, 0))
        axes = centred.T @ sides
    else:
        _, axes = np.linalg.eigh(centred.T @ centred)
        points = centred @ axes
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    two = (points * np.where(signs == 0, 1, signs))[:, : -min(3, points.shape[1] + 1) : -1]
    return np.pad(two, ((0, 0), (0, 2 - two.shape[1])))


def _first_centres(unit: _Vectors, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draws vectors that are far apart, the more likely the farther from those drawn before."""
    rows = [int(rng.integers(len(unit)))]
    nearest = _squared_distances(unit, unit[rows].astype(np.float64))[:, 0]
    while len(rows) < count:
        total = nearest.sum()
        left = np.setdiff1d(np.arange(len(unit)), rows)
        row = int(rng.choice(len(unit), p=nearest / total)) if total > 0 else int(left[0])
        rows.append(row)
        chosen = unit[row : row + 1].astype(np.float64)
        nearest = np.minimum(nearest, _squared_distances(unit, chosen)[:, 0])
    return unit[rows].astype(np.float64)


def _squared_distances(unit: _Vectors, centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns [n, k], never below 0."""
    lengths = (centres**2).sum(axis=1)
    pieces = [
        (piece**2).sum(axis=1)[:, None] + lengths - 2 * piece @ centres.T
        for start in range(0, len(unit), _ROWS)
        for piece in [unit[start : start + _ROWS].astype(np.float64)]
    ]
    squares: NDArray[np.float64] = np.maximum(np.concatenate(pieces), 0)
    return squares
