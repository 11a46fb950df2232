"""Another structure or another model, made while the old one serves; and the way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import RecallTooLowError, VectorIndexError
from toolkit.index.database.building import Built, Wanted, build
from toolkit.index.database.current import Current
from toolkit.index.database.header import Generation, Header, Snapshot
from toolkit.index.database.live import Live
from toolkit.index.database.record_store import RecordStore
from toolkit.index.database.snapshot import write_snapshot
from toolkit.index.interface import Entry
from toolkit.index.kinds.approximate import Approximate
from toolkit.index.similarity import Similarity

_AT_ONCE = 256

Embed = Callable[[Sequence[Entry]], NDArray[Any]]
"""Computes the new vectors of some records, in their order."""


@dataclass(frozen=True)
class Floor:
    """What a new structure must find to be taken.

    Attributes:
        recall: at 10, beside an exact search.
        plan: why the structure is of its kind, in words.
    """

    recall: float = 0.0
    plan: str = ""


def rebuild(
    current: Current,
    wanted: Wanted,
    floor: Floor,
    rng: np.random.Generator,
    advance: Callable[[int], None],
) -> None:
    """Builds another structure over the same records, and serves it.

    Raises:
        RecallTooLowError: it finds too little; the old one goes on serving.
    """
    before = current.header.live
    built = build(current.live.store, current.live.similarity, wanted, rng, advance)
    check_recall(built, wanted, floor)
    generation = replace(
        before,
        number=_next_number(current.header),
        kind=wanted.kind,
        options=built.options,
        snapshot=None,
        measured={"recall@10": built.recall},
        plan=floor.plan,
    )
    generation = replace(generation, snapshot=snapshot_of(current, generation, built.live))
    _catch_up(built.live)
    with current.publishing:
        built.live.catch_up()
        current.switch(replace(current.header, live=generation, previous=before), built.live)


def reembed(
    current: Current,
    embed: Embed,
    model: Generation,
    rng: np.random.Generator,
    advance: Callable[[int], None],
) -> None:
    """Computes every vector anew with another model, and serves them.

    Args:
        current: goes on serving, and taking writes, meanwhile.
        embed: of the new model.
        model: dimension, metric, fingerprint, kind and options that are wanted.
        rng: draws what the structure learns from.
        advance: is told how many more records are done.
    """
    before, number = current.header.live, _next_number(current.header)
    generation = replace(
        model, number=number, records=f"records-{number}.sqlite", snapshot=None, measured={}
    )
    similarity = Similarity(generation.metric, generation.dimension)
    current.discard(generation.records)
    copy = _Copy(current.live.store, current.store_of(generation, new=True), similarity, embed)
    try:
        copy.catch_up(advance)
    except BaseException:
        current.discard(generation.records)
        raise
    wanted = Wanted(generation.kind, generation.options)
    built = build(copy.target, similarity, wanted, rng)
    generation = replace(generation, options=built.options, measured={"recall@10": built.recall})
    generation = replace(generation, snapshot=snapshot_of(current, generation, built.live))
    copy.catch_up(advance)
    with current.publishing:
        copy.catch_up(advance)
        built.live.catch_up()
        current.switch(replace(current.header, live=generation, previous=before), built.live)


def roll_back(current: Current, *, discard: bool) -> None:
    """Serves the previous generation again; the one that served becomes the previous one.

    Raises:
        VectorIndexError: there is none, or records were written since that only the vectors of the
            new model have, and `discard` is false.
    """
    with current.publishing:
        header = current.header
        if header.previous is None:
            raise VectorIndexError(
                f"{current.folder} has no earlier generation; it was not rebuilt yet."
            )
        live = current.opened(header.previous)
        if header.previous.records != header.live.records and not discard:
            _check_same(current, live)
        current.switch(replace(header, live=header.previous, previous=header.live), live)


def check_recall(built: Built, wanted: Wanted, floor: Floor) -> None:
    """Checks what a structure was measured to find.

    Raises:
        RecallTooLowError: it is below the floor.
    """
    if built.recall < floor.recall:
        raise RecallTooLowError(
            f"The kind {wanted.kind!r} with {dict(built.options)} finds {built.recall:.3f} of the "
            f"true ten nearest; Index.min_recall is {floor.recall:g}. The index is as it was. Use "
            "the kind hnsw or flat, give more memory, or ask for less."
        )


def snapshot_of(current: Current, generation: Generation, live: Live) -> Snapshot | None:
    """Writes the structure of a generation; None for an exact one, which the records make."""
    structure = live.structure
    if not isinstance(structure, Approximate):
        return None
    return write_snapshot(current.folder, generation.number, live, structure)


def _next_number(header: Header) -> int:
    return max(generation.number for generation in header.generations) + 1


def _catch_up(live: Live) -> None:
    """Takes over most of what was written meanwhile before anybody has to wait."""
    last = -1
    while live.rows.last != last:
        last = live.rows.last
        live.catch_up()


def _check_same(current: Current, live: Live) -> None:
    """Checks that two generations hold the same ids."""
    theirs = {key for _, key, _ in _everything(live.store)}
    ours = {key for _, key, _ in _everything(current.live.store)}
    if theirs != ours:
        raise VectorIndexError(
            f"Since the new model serves, {len(ours - theirs)} records were added and "
            f"{len(theirs - ours)} were removed, which the vectors of the earlier model do not "
            "know. Re-embed with the earlier model, or roll back with discard=True and lose them."
        )


def _everything(store: RecordStore) -> list[tuple[int, str, str]]:
    return list(store.stored(store.rows().tolist()).values())


class _Copy:
    """Records of one store with new vectors in another, kept up to date round by round."""

    def __init__(
        self, source: RecordStore, target: RecordStore, similarity: Similarity, embed: Embed
    ) -> None:
        self.source, self.target = source, target
        self._similarity, self._embed = similarity, embed
        # Row of the source -> row of the target.
        self._rows: dict[int, int] = {}

    def catch_up(self, advance: Callable[[int], None]) -> None:
        there = self.source.rows()
        gone = self._rows.keys() - set(there.tolist())
        with self.target.transaction():
            self.target.delete([self._rows.pop(row) for row in sorted(gone)])
        new = [row for row in there.tolist() if row not in self._rows]
        for start in range(0, len(new), _AT_ONCE):
            advance(self._write(new[start : start + _AT_ONCE]))

    def _write(self, rows: list[int]) -> int:
        kept, vectors = self.source.vectors(np.array(rows))
        stored = self.source.stored(kept.tolist())
        entries, texts, sources = list[Entry](), list[str](), list[int]()
        for row, vector in zip(kept.tolist(), vectors, strict=True):
            if row in stored:
                _, key, text = stored[row]
                entries.append(Entry.read(key, text, vector))
                texts.append(text)
                sources.append(row)
        if not entries:
            return 0
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
            self.target.insert(start, ids, texts, ready)
        self._rows.update(zip(sources, range(start, start + len(ids)), strict=True))
        return len(entries)
