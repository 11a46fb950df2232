"""How features lie on the sphere: numbers that need no labels. numpy only."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]


def feature_std(vectors: Vectors) -> float:
    """Returns the root of the mean variance of a coordinate times d, from 0 to 1.

    Args:
        vectors: unit vectors [n, d]. 0: all are the same; 1: they point everywhere evenly.
    """
    return float(np.sqrt(np.var(vectors, axis=0, dtype=np.float64).sum()))


def effective_rank(vectors: Vectors) -> float:
    """Returns how many directions the vectors use, from 1 to min(n, d).

    The exponential of the entropy of the singular values, as shares of their sum.

    Args:
        vectors: [n, d].

    Source: Roy and Vetterli, The Effective Rank, 2007; Garrido et al., RankMe, 2023.
    """
    values = np.linalg.svd(vectors.astype(np.float64), compute_uv=False)
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 1.0


def alignment(first: Vectors, second: Vectors) -> float:
    """Returns the mean squared distance of two views of one picture; lower is better, 0 to 4.

    Args:
        first: unit vectors [n, d].
        second: those of the other views.

    Source: Wang and Isola, Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere, 2020, equation 1 with exponent 2.
    """
    return float(np.square(first.astype(np.float64) - second).sum(axis=1).mean())


def uniformity(vectors: Vectors) -> float:
    """Returns the log of the mean of exp(-2 squared distance) over all pairs; lower is better.

    0 when all are the same; about -4 when they are spread evenly.

    Args:
        vectors: unit vectors [n, d], n of 2 or more.

    Source: as of `alignment`, equation 2 with t of 2.
    """
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    above = cosines[np.triu_indices(len(vectors), k=1)]
    return float(np.log(np.exp(-2 * (2 - 2 * above)).mean()))


def describe(first: Vectors, second: Vectors) -> dict[str, float]:
    """Returns all of them for two views of the same pictures, unit vectors [n, d] each."""
    return {
        "feature_std": feature_std(first),
        "effective_rank": effective_rank(first - first.mean(axis=0)),
        "alignment": alignment(first, second),
        "uniformity": uniformity(first),
    }
