"""Names of kinds, and the structure behind each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toolkit.errors import VectorIndexError, nearest
from toolkit.index.kinds.approximate import Approximate, read_faiss
from toolkit.index.kinds.binary import FlatBits
from toolkit.index.kinds.codes import SignBits, Sq8
from toolkit.index.kinds.flat import Flat
from toolkit.index.kinds.hnsw import Hnsw
from toolkit.index.kinds.ivf import Ivf, IvfBits, IvfPq
from toolkit.index.kinds.structure import Structure
from toolkit.index.similarity import Similarity

KINDS = ("flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "hnsw": ("links", "construction", "effort"),
    "ivf": ("lists", "effort"),
    "ivf_pq": ("lists", "bytes", "effort", "candidates"),
    "sq8": ("candidates",),
    "binary": ("candidates",),
}
_APPROXIMATE: Mapping[str, type[Approximate]] = {
    "hnsw": Hnsw,
    "ivf": Ivf,
    "ivf_pq": IvfPq,
    "sq8": Sq8,
    "binary": SignBits,
}
# Codes of eight bits are learned from 256 vectors at the very least; below some thousands an exact
# search is faster than any of these.
LEAST_TO_TRAIN = 1024


def check_kind(kind: str, similarity: Similarity, options: Mapping[str, int] | None = None) -> None:
    """Checks that there is such a kind for such vectors, and that it has these options.

    Raises:
        VectorIndexError: there is not, or it has not.
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
    known = OPTIONS.get(kind, ())
    for name, value in (options or {}).items():
        if name not in known:
            raise VectorIndexError(
                f"The kind {kind!r} has no option {name!r}. It has: {', '.join(known) or 'none'}."
                f"{nearest(name, known)}"
            )
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise VectorIndexError(f"The option {name} is {value!r}; it must be 1 or more.")


def exact_structure(similarity: Similarity) -> Structure:
    """Returns the empty exact structure, which needs no training."""
    return FlatBits(similarity) if similarity.is_binary else Flat(similarity)


def is_exact(kind: str, similarity: Similarity) -> bool:
    """Whether a kind compares every vector as it is."""
    return kind == "flat" or (kind == "binary" and similarity.is_binary)


def trained_structure(
    kind: str, similarity: Similarity, sample: NDArray[Any], options: Mapping[str, int]
) -> Approximate:
    """Returns an empty structure that learned from a sample.

    Args:
        kind: not an exact one.
        similarity: of the index.
        sample: prepared [n, w], at least `LEAST_TO_TRAIN`.
        options: as `OPTIONS` names them.
    """
    made = _class_of(kind, similarity).trained(similarity, sample, options)
    return _tuned(made, options)


def read_structure(
    kind: str, similarity: Similarity, folder: Path, options: Mapping[str, int]
) -> Approximate:
    """Reads a structure that was written into a folder."""
    made_of = _class_of(kind, similarity)
    if issubclass(made_of, SignBits):
        return _tuned(made_of.read(similarity, folder), options)
    return _tuned(made_of(similarity, read_faiss(folder, similarity)), options)


def _class_of(kind: str, similarity: Similarity) -> type[Any]:
    if kind == "ivf" and similarity.is_binary:
        return IvfBits
    return _APPROXIMATE[kind]


def _tuned(structure: Approximate, options: Mapping[str, int]) -> Approximate:
    structure.effort = min(options.get("effort", structure.effort), structure.most_effort)
    structure.candidates = options.get("candidates", structure.candidates)
    return structure
