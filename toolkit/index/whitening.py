"""PCA-whitening: directions in which vectors differ little count as much as the others.

Source: Jegou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA
and whitening", 2012.
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
    """A linear change of vectors, learned without labels.

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
        cls, vectors: NDArray[Any], dimension: int, *, strength: float = 1.0
    ) -> "Whitening":
        """Learns from vectors, best of the kind that will be searched.

        Args:
            vectors: float [n, d], more than `dimension`.
            dimension: m, numbers a vector has afterwards, at most d.
            strength: 0 only turns and cuts, 1 makes every direction count the same.

        Raises:
            VectorIndexError: there are too few vectors, or the dimension does not fit.
        """
        count, width = vectors.shape
        if not 1 <= dimension <= width or count <= dimension:
            raise VectorIndexError(
                f"Whitening {width} numbers to {dimension} needs a dimension of 1 to {width} and "
                f"more than {dimension} vectors, not {count}."
            )
        wide = vectors.astype(np.float64)
        mean = wide.mean(0)
        values, directions = np.linalg.eigh(np.cov(wide - mean, rowvar=False).reshape(width, width))
        values, directions = values[::-1][:dimension], directions[:, ::-1][:, :dimension]
        scale = np.maximum(values, values[0] * 1e-9) ** (-strength / 2)
        return cls(mean.astype(np.float32), (directions * scale).astype(np.float32))

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
