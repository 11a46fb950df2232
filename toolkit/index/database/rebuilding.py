"""Another structure or another model, made while the old one serves; and the way back."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from toolkit.errors import RecallTooLowError, VectorIndexError
from toolkit.index.database.building import Built, Wanted, build
from toolkit.index.database.copying import Embed, copy_of
from toolkit.index.database.current import Current
from toolkit.index.database.header import Generation, Snapshot, records_name
from toolkit.index.database.live import Live
from toolkit.index.database.snapshot import write_snapshot
from toolkit.index.kinds.approximate import Approximate
from toolkit.index.similarity import Similarity


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
        number=current.header.next_number,
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

    What was computed when it fails, or the process dies, is kept; the next call with the same model
    goes on from there.

    Args:
        current: goes on serving, and taking writes, meanwhile.
        embed: of the new model.
        model: dimension, metric, fingerprint, kind and options that are wanted.
        rng: draws what the structure learns from.
        advance: is told how many more records are done.
    """
    before, number = current.header.live, current.header.next_number
    generation = replace(
        model, number=number, records=records_name(number), snapshot=None, measured={}
    )
    similarity = Similarity(generation.metric, generation.dimension)
    copy = copy_of(current, generation, embed)
    advance(len(copy.target.sources()))
    copy.catch_up(advance)
    wanted = Wanted(generation.kind, generation.options)
    built = build(copy.target, similarity, wanted, rng)
    generation = replace(generation, options=built.options, measured={"recall@10": built.recall})
    generation = replace(generation, snapshot=snapshot_of(current, generation, built.live))
    copy.catch_up(advance)
    with current.publishing:
        copy.catch_up(advance)
        copy.target.end()
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


def _catch_up(live: Live) -> None:
    """Takes over most of what was written meanwhile before anybody has to wait."""
    last = -1
    while live.rows.last != last:
        last = live.rows.last
        live.catch_up()


def _check_same(current: Current, live: Live) -> None:
    """Checks that two generations hold the same ids, which both files yield in order."""
    added = removed = 0
    theirs, ours = live.store.ids(), current.live.store.ids()
    their, our = next(theirs, None), next(ours, None)
    while their is not None or our is not None:
        is_new = their is None or (our is not None and our < their)
        is_gone = our is None or (their is not None and their < our)
        added, removed = added + is_new, removed + is_gone
        their = their if is_new else next(theirs, None)
        our = our if is_gone else next(ours, None)
    if added or removed:
        raise VectorIndexError(
            f"Since the new model serves, {added} records were added and {removed} were removed, "
            "which the vectors of the earlier model do not know. Re-embed with the earlier model, "
            "or roll back with discard=True and lose them."
        )
