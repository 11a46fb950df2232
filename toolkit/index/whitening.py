"""PCA and whitening: directions in which vectors differ for no good reason count less.

Source: without labels, Jegou and Chum, "Negative evidences and co-occurences in image retrieval:
the benefit of PCA and whitening", 2012; from labels, Mikolajczyk and Matas, "Improving descriptors
for fast tree matching by optimal linear projection", 2007.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.storage import atomic_path

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Whitening:
    """A linear change of vectors.

    Attributes:
        mean: float32 [d].
        matrix: float32 [d, m].
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """Numbers that a vector has afterwards."""
        return int(self.matrix.shape[1])

    @classmethod
    def learned(
        cls,
        vectors: NDArray[Any],
        dimension: int,
        *,
        strength: float = 1.0,
        shrinkage: float = 0.0,
    ) -> "Whitening":
        """Learns from vectors without labels, best of the kind that will be searched.

        Args:
            vectors: float [n, d], more than `dimension`.
            dimension: m, numbers a vector has afterwards, at most d.
            strength: 0 only turns and cuts, 1 makes every direction count the same.
            shrinkage: 0 trusts the covariance of these vectors, 1 takes all variances for equal.

        Raises:
            VectorIndexError: there are too few vectors, or the dimension does not fit.
        """
        _check(vectors, dimension)
        wide = vectors.astype(np.float64)
        mean = wide.mean(0)
        values, directions = _principal(_shrunk(_covariance(wide - mean), shrinkage), dimension)
        return cls._of(mean, directions * _floored(values) ** (-strength / 2))

    @classmethod
    def learned_from_classes(
        cls,
        vectors: NDArray[Any],
        classes: NDArray[Any],
        dimension: int,
        *,
        shrinkage: float = 0.0,
    ) -> "Whitening":
        """Learns from labels: what differs within a class becomes small, what tells classes stays.

        The covariance of the differences within classes is whitened; of what is left, the
        directions are kept in which the vectors differ most.

        Args:
            vectors: float [n, d], more than `dimension`.
            classes: [n] which vectors belong together.
            dimension: m, as for `learned`.
            shrinkage: as for `learned`, of the covariance within the classes.

        Raises:
            VectorIndexError: there are too few vectors, no two of one class, or the dimension does
                not fit.
        """
        _check(vectors, dimension)
        wide = vectors.astype(np.float64)
        _, places, counts = np.unique(classes, return_inverse=True, return_counts=True)
        if counts.max() < 2:
            raise VectorIndexError(
                f"Each of the {len(vectors)} vectors has a class of its own, so nothing differs "
                "within a class: whiten without labels, or give classes of two vectors or more."
            )
        sums = np.zeros((len(counts), wide.shape[1]))
        np.add.at(sums, places, wide)
        within = _covariance(wide - (sums / counts[:, np.newaxis])[places])
        values, directions = _principal(_shrunk(within, shrinkage), wide.shape[1])
        whitened = directions * _floored(values) ** -0.5
        mean = wide.mean(0)
        _, kept = _principal(_covariance((wide - mean) @ whitened), dimension)
        return cls._of(mean, whitened @ kept)

    @classmethod
    def _of(cls, mean: NDArray[np.float64], matrix: NDArray[np.float64]) -> "Whitening":
        return cls(mean.astype(np.float32), matrix.astype(np.float32))

    def apply(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Returns float32 [n, m] of length 1."""
        turned = (np.asarray(vectors, np.float32) - self.mean) @ self.matrix
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        scaled: NDArray[np.float32] = turned / np.maximum(lengths, 1e-12)
        return scaled

    def save(self, file: Path) -> None:
        """Writes an .npz."""
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                format_version=np.int64(_FORMAT_VERSION),
                mean=self.mean,
                matrix=self.matrix,
            )

    @classmethod
    def read(cls, file: Path) -> "Whitening":
        """Reads what `save` wrote.

        Raises:
            VectorIndexError: it is something else.
        """
        try:
            with np.load(file, allow_pickle=False) as data:
                version = int(data["format_version"])
                if version == _FORMAT_VERSION:
                    return cls(data["mean"], data["matrix"])
        except (OSError, ValueError, KeyError) as error:
            raise VectorIndexError(f"{file} is no whitening: {error}") from error
        raise VectorIndexError(
            f"{file} has the format version {version}; this toolkit reads {_FORMAT_VERSION}."
        )


def _check(vectors: NDArray[Any], dimension: int) -> None:
    count, width = vectors.shape
    if not 1 <= dimension <= width or count <= dimension:
        raise VectorIndexError(
            f"Whitening {width} numbers to {dimension} needs a dimension of 1 to {width} and "
            f"more than {dimension} vectors, not {count}."
        )


def _covariance(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance: NDArray[np.float64] = centred.T @ centred / max(1, len(centred) - 1)
    return covariance


def _shrunk(covariance: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    """Source: Ledoit and Wolf, "A well-conditioned estimator", 2004; the share is given here."""
    width = len(covariance)
    mean_variance = float(np.trace(covariance)) / width
    mixed: NDArray[np.float64] = (1 - shrinkage) * covariance
    mixed += shrinkage * mean_variance * np.eye(width)
    return mixed


def _principal(
    covariance: NDArray[np.float64], dimension: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the largest variances [m] and their directions [d, m]."""
    values, directions = np.linalg.eigh(covariance)
    return values[::-1][:dimension], directions[:, ::-1][:, :dimension]


def _floored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A direction in which nothing differs is not blown up without bound."""
    return np.maximum(values, max(values[0] * 1e-9, np.finfo(np.float64).tiny))
