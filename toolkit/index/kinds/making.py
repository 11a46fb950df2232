"""Names of kinds, and the structure behind each."""

from toolkit.errors import VectorIndexError, nearest
from toolkit.index.kinds.binary import FlatBits
from toolkit.index.kinds.flat import Flat
from toolkit.index.kinds.structure import Structure
from toolkit.index.similarity import Similarity

KINDS = ("flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary")


def check_kind(kind: str, similarity: Similarity) -> None:
    """Checks that there is such a kind for such vectors.

    Raises:
        VectorIndexError: there is not.
    """
    if kind not in KINDS:
        raise VectorIndexError(
            f"Unknown kind {kind!r}. Known: {', '.join(KINDS)}.{nearest(kind, KINDS)}"
        )
    if similarity.is_binary and kind in ("ivf_pq", "sq8"):
        raise VectorIndexError(
            f"The kind {kind!r} packs numbers, and hamming vectors are bits already. Use flat, "
            "hnsw, ivf or binary."
        )


def empty_structure(similarity: Similarity) -> Structure:
    """Returns the exact structure, which needs no training."""
    return FlatBits(similarity) if similarity.is_binary else Flat(similarity)
