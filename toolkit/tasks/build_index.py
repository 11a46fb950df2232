"""Mode build_index: pictures, features or an index of PaddleX into an index of ours."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.build.index import gallery_root, memory_allowed
from toolkit.build.index_input import Block, IndexInput, open_input
from toolkit.build.index_store import IndexStore, index_store
from toolkit.config.schema import Config
from toolkit.errors import ConfigError, DatasetError
from toolkit.index.database.database import Database
from toolkit.index.interface import IndexFacts, VectorIndex
from toolkit.index.kinds.making import check_kind
from toolkit.index.paddlex import write_paddlex
from toolkit.index.planner import plan
from toolkit.index.similarity import Similarity
from toolkit.progress import Progress, stopwatch

_LOG = logging.getLogger(__name__)
_NAMED = 10


@dataclass
class Tally:
    """What became of the input.

    Attributes:
        written: records that are new or have changed.
        unchanged: records that were there as they are.
        removed: records that the input no longer has.
        failures: "path: reason" of pictures without a vector.
    """

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class BuildIndexReport:
    """The outcome of a build.

    Attributes:
        place: of the index: its folder, or its collection and the address of Milvus.
        facts: what it says about itself.
        tally: what became of the input.
        plan: how it is searched, and why.
        files: what else was written.
        seconds: of the whole build.
    """

    place: str
    facts: IndexFacts
    tally: Tally
    plan: str
    files: list[Path]
    seconds: float

    @property
    def passed(self) -> bool:
        """Some bad pictures fail no build; an empty index does."""
        return self.facts.count > 0

    def to_json(self) -> dict[str, Any]:
        """Returns facts, counts, plan and failures."""
        facts = self.facts
        return {
            "index": self.place,
            "count": facts.count,
            "dimension": facts.dimension,
            "metric": facts.metric,
            "kind": facts.kind,
            "fingerprint": facts.fingerprint,
            "recall@10": facts.recall,
            "plan": self.plan,
            "written": self.tally.written,
            "unchanged": self.tally.unchanged,
            "removed": self.tally.removed,
            "failures": self.tally.failures,
            "files": [str(file) for file in self.files],
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> str:
        """Returns the counts, the plan, the recall, and where the index is."""
        tally, facts = self.tally, self.facts
        lines = [
            f"{facts.count:,} records of {facts.dimension} numbers, {facts.metric}: "
            f"{tally.written:,} written, {tally.unchanged:,} unchanged, {tally.removed:,} removed, "
            f"{len(tally.failures):,} failed, in {self.seconds:.1f} s.",
            f"Plan: {self.plan}",
        ]
        if facts.recall is not None:
            lines.append(f"Measured beside an exact search: recall@10 {facts.recall:.3f}.")
        lines += [f"  {failure}" for failure in tally.failures[:_NAMED]]
        if len(tally.failures) > _NAMED:
            lines.append("  ... all of them are in build_index_result.json")
        return "\n".join([*lines, f"  {self.place}", *(f"  {file}" for file in self.files)])


def run(config: Config) -> BuildIndexReport:
    """Builds, or adds to, the index that the section Index names.

    Raises:
        ConfigError: settings contradict each other or the index that is there.
        RecallTooLowError: what was built finds too little.
        ToolkitError: the input, the model or the index cannot be used.
    """
    section, store = config.Index, index_store(config, config.Index)
    is_there = store.exists()
    if is_there and not section.incremental:
        raise ConfigError(
            f"{store} holds an index already and Index.incremental is false: remove it, give "
            "another Index.folder, or set incremental to true to add to it."
        )
    source = open_input(config)
    fingerprint = source.fingerprint if section.fingerprint is None else section.fingerprint
    with stopwatch() as watch:
        index = store.open(fingerprint=fingerprint or None) if is_there else None
        try:
            index, tally = _fill(config, source, index, _Maker(config, store, fingerprint))
            _whiten(config, index)
            described = _structure(config, index)
            index.save()
            files = _exported(config, index)
            facts = index.facts
        finally:
            if index is not None:
                index.close()
    return BuildIndexReport(str(store), facts, tally, described, files, watch["seconds"])


def _fill(
    config: Config, source: IndexInput, index: VectorIndex | None, maker: "_Maker"
) -> tuple[VectorIndex, Tally]:
    """Writes what is new; the index is made when the first vector tells the dimension."""
    tally, seen = Tally(), set[str]()
    whitening = None if index is None else index.whitening

    def known(ids: Any) -> list[dict[str, Any] | None]:
        if index is None:
            return [None] * len(ids)
        return [None if entry is None else dict(entry.record) for entry in index.get(ids)]

    with Progress("build_index", None) as progress:
        for block in source.blocks(known):
            if index is None and len(block.ids):
                index = maker.made(source, block)
            if index is not None and len(block.ids):
                vectors = block.vectors if whitening is None else whitening.apply(block.vectors)
                index.upsert(block.ids, vectors, block.records)
            seen.update(block.ids, block.unchanged)
            tally.written += len(block.ids)
            tally.unchanged += len(block.unchanged)
            tally.failures += block.failures
            progress.advance(len(block.ids) + len(block.unchanged) + len(block.failures))
    if index is None:
        first = f" The first: {tally.failures[0]}" if tally.failures else ""
        raise DatasetError(f"Not one record can go into the index.{first}")
    if config.Index.remove_missing:
        failed = {failure.split(": ", 1)[0] for failure in tally.failures}
        gone = [entry.id for entry in index.entries() if entry.id not in seen | failed]
        tally.removed = index.remove(gone)
    return index, tally


@dataclass(frozen=True)
class _Maker:
    """Makes the index once the first vectors are there."""

    config: Config
    store: IndexStore
    fingerprint: str

    def made(self, source: IndexInput, block: Block) -> VectorIndex:
        section = self.config.Index
        metric = source.metric if source.metric and section.metric == "cosine" else section.metric
        bits = block.vectors.dtype == "uint8"
        width = block.vectors.shape[1]
        dimension = width * 8 if bits and metric == "hamming" else width
        similarity = Similarity.named(metric, dimension)
        if section.kind != "auto":
            check_kind(section.kind, similarity, section.options)
        return self.store.create(
            dimension=dimension,
            metric=metric,
            fingerprint=self.fingerprint,
            fields=section.fields,
        )


def _whiten(config: Config, index: VectorIndex) -> None:
    """Whitens an index that is to be and is not yet; what it learned then holds from there on."""
    wanted, has = config.Index.whitening, index.whitening
    if wanted is None or not isinstance(index, Database):
        return
    if has is None:
        with Progress("whitening", index.count(), unit="vectors") as progress:
            index.whiten(wanted, seed=config.Global.seed, advance=progress.advance)
    elif has.dimension != wanted:
        raise ConfigError(
            f"Index.whitening is {wanted} and {index.folder} is whitened to {has.dimension} "
            "numbers; what was cut off is gone. Give a new Index.folder, or the number it has."
        )


def _structure(config: Config, index: VectorIndex) -> str:
    """Builds the structure that is planned where it is not the one that is there."""
    section, facts = config.Index, index.facts
    if not isinstance(index, Database):
        return f"kind {facts.kind}: Milvus chooses its structure (AUTOINDEX)."
    chosen = plan(
        facts.count,
        Similarity(facts.metric, facts.dimension),
        memory=memory_allowed(section),
        recall=section.recall,
        kind=section.kind,
    )
    _LOG.info("Plan: %s", chosen.describe())
    if chosen.kind != "flat" or facts.kind != "flat":
        with Progress(f"build {chosen.kind}", facts.count, unit="vectors") as progress:
            index.rebuild(
                chosen.kind,
                section.options,
                recall=section.recall,
                min_recall=section.min_recall,
                plan=chosen.describe(),
                seed=config.Global.seed,
                advance=progress.advance,
            )
    return chosen.describe()


def _exported(config: Config, index: VectorIndex) -> list[Path]:
    """Writes the index for others, and returns what was written."""
    section, written = config.Index, list[Path]()
    if section.export_paddlex is not None:
        written += write_paddlex(index, Path(section.export_paddlex))
    if section.export_database is not None:
        from toolkit.serving.index_database import write_database

        folder, root = Path(section.export_database), gallery_root(config)

        def picture(name: str) -> bytes | None:
            return (root / name).read_bytes() if (root / name).is_file() else None

        with Progress("export_database", index.facts.count) as progress:
            write_database(index, folder, picture, progress.advance)
        written.append(folder)
    return written
