"""From the section Search to a function of vectors: their hits, in their last order."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.config.index_section import SearchSection
from toolkit.errors import ConfigError
from toolkit.index.interface import Hit, VectorIndex
from toolkit.index.reranking import expanded_query, k_reciprocal_order

Find = Callable[[NDArray[np.float32]], list[list[Hit]]]
"""Finds the hits of each query, float32 [q, d]."""

_EXPANDED_BY = 5


def build_search(section: SearchSection, index: VectorIndex) -> Find:
    """Returns what finds the hits that the section asks for.

    Raises:
        ConfigError: re-ranking is asked of an index that is not of cosines.
    """
    if section.rerank != "none" and index.facts.metric != "cosine":
        raise ConfigError(
            f"Search.rerank {section.rerank!r} compares cosines; the index has the metric "
            f"{index.facts.metric!r}. Set Search.rerank to none."
        )
    where, k, whitening = section.where or None, section.topk, index.whitening

    def plain(queries: NDArray[np.float32]) -> list[list[Hit]]:
        return index.search(queries, k, where=where, threshold=section.threshold)

    def expanded(queries: NDArray[np.float32]) -> list[list[Hit]]:
        near = index.search(queries, _EXPANDED_BY, where=where, threshold=section.threshold)
        moved = [
            expanded_query(query, _vectors(index, hits)) if hits else query
            for query, hits in zip(queries, near, strict=True)
        ]
        return plain(np.stack(moved)) if moved else []

    def reciprocal(queries: NDArray[np.float32]) -> list[list[Hit]]:
        many = max(section.rerank_candidates, k)
        found = index.search(queries, many, where=where, threshold=section.threshold)
        return [
            [hits[place] for place in k_reciprocal_order(query, _vectors(index, hits))[:k]]
            if len(hits) > 1
            else hits
            for query, hits in zip(queries, found, strict=True)
        ]

    find = {"none": plain, "query_expansion": expanded, "k_reciprocal": reciprocal}[section.rerank]
    return find if whitening is None else lambda queries: find(whitening.apply(queries))


def _vectors(index: VectorIndex, hits: list[Hit]) -> NDArray[Any]:
    entries = index.get([hit.id for hit in hits])
    return np.stack([entry.vector for entry in entries if entry is not None])
