"""The records of one store with new vectors in another: kept up to date, and gone on with."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.index.checking import as_json
from toolkit.index.database.copy_store import CopyStore
from toolkit.index.database.current import Current
from toolkit.index.database.header import Generation
from toolkit.index.database.record_store import RecordStore
from toolkit.index.interface import Entry
from toolkit.index.similarity import Similarity

_AT_ONCE = 256

Embed = Callable[[Sequence[Entry]], NDArray[Any]]
"""Computes the new vectors of some records, in their order."""


def copy_of(current: Current, generation: Generation, embed: Embed) -> "Copy":
    """Begins a copy of what serves, or goes on with the one that the same model began.

    Args:
        current: has the source.
        generation: that the copy will be of.
        embed: computes its vectors.
    """
    source = current.header.live
    facts = (generation.fingerprint, generation.dimension, generation.metric, source.records)
    # A model without a fingerprint may be any; its copy is begun anew.
    maker = repr(facts) if generation.fingerprint else ""
    target = current.copy_store(generation)
    if not (target.begin(maker) and maker):
        current.discard(generation.records)
        target = current.copy_store(generation)
        target.begin(maker)
    similarity = Similarity(generation.metric, generation.dimension)
    return Copy(current.live.store, target, similarity, embed)


class Copy:
    """Brings a copy up to date, round by round.

    Args:
        source: what serves.
        target: the copy.
        similarity: of its vectors.
        embed: computes them.
    """

    def __init__(
        self, source: RecordStore, target: CopyStore, similarity: Similarity, embed: Embed
    ) -> None:
        self.source, self.target = source, target
        self._similarity, self._embed = similarity, embed

    def catch_up(self, advance: Callable[[int], None]) -> None:
        """Removes what is gone from the source, and computes what is new there."""
        there, done = self.source.rows(), self.target.sources()
        with self.target.transaction():
            self.target.drop(np.setdiff1d(done, there, assume_unique=True))
        new = np.setdiff1d(there, done, assume_unique=True)
        for start in range(0, len(new), _AT_ONCE):
            advance(self._write(new[start : start + _AT_ONCE]))

    def _write(self, rows: NDArray[np.int64]) -> int:
        kept, vectors = self.source.vectors(rows)
        records = self.source.records(kept.tolist())
        pairs = [(row, vector) for row, vector in zip(kept.tolist(), vectors, strict=True)
                 if row in records]  # fmt: skip
        if not pairs:
            return 0
        entries = [Entry(*records[row], vector) for row, vector in pairs]
        ready = self._similarity.prepare(self._embed(entries), "re-embedded")
        if len(ready) != len(entries):
            raise VectorIndexError(
                f"The new model gave {len(ready)} vectors for {len(entries)} records."
            )
        with self.target.transaction():
            start = self.target.next_row()
            # An id that was written again while the first was on its way is there already.
            ids = [entry.id for entry in entries]
            self.target.delete(sorted(self.target.rows_of_ids(ids).values()))
            texts = [as_json(entry.id, entry.record) for entry in entries]
            self.target.insert(start, ids, texts, ready)
            self.target.note(start, [row for row, _ in pairs])
        return len(entries)
