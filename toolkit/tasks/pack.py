"""Mode pack: the pictures of a list in TFRecords or tar shards, and a manifest of them."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from toolkit.audit.dataset import ListFile
from toolkit.build.packing import (
    build_classes,
    build_preparation,
    packing_facts,
    packing_output,
    packing_rows,
    packing_source,
    plan_options,
)
from toolkit.config.schema import Config
from toolkit.data.packing.classes import ClassNumbers
from toolkit.data.packing.picture import PackedPicture, PackFormat
from toolkit.data.packing.plan import Shard, plan_shards
from toolkit.data.packing.preparing import Preparation
from toolkit.data.packing.publish import pack_manifest, publish, staging_folder
from toolkit.data.packing.rows import Row, SkippedRow
from toolkit.data.packing.shard import ShardNote, finished_shard, write_shard
from toolkit.errors import DatasetError
from toolkit.fetch.http import fetch_bytes
from toolkit.inference.work_ahead import in_order, worker_threads
from toolkit.progress import Progress, stopwatch

_LOG = logging.getLogger(__name__)
_NAMED = 10


@dataclass(frozen=True)
class PackReport:
    """The outcome of packing.

    Attributes:
        manifest: its content.
        file: where the manifest is.
        seconds: from the first picture to the last.
    """

    manifest: dict[str, Any]
    file: Path
    seconds: float

    @property
    def packed(self) -> int:
        """Pictures in all files."""
        return sum(split["records"] for split in self.manifest["splits"].values())

    @property
    def passed(self) -> bool:
        """Some bad pictures do not fail a run; one without a single good one is an error."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns the counts, the reasons and the files; the manifest has each skipped row."""
        skipped = self.manifest["skipped"]
        return {
            "manifest": str(self.file),
            "splits": self.manifest["splits"],
            "skipped": {"rows": skipped["rows"], "reasons": skipped["reasons"]},
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> str:
        """Returns the counts, the rate, the first skipped rows, and where the files are."""
        rate = self.packed / max(self.seconds, 1e-9)
        lines = [f"Packed {self.packed:,} pictures in {self.seconds:.1f} s ({rate:.1f} images/s)."]
        for name, split in self.manifest["splits"].items():
            files = split["files"]
            size = sum(file["bytes"] for file in files) / 1e6
            count = f"{len(files)} file{'' if len(files) == 1 else 's'}"
            lines.append(f"  {name}: {split['records']:,} pictures, {count}, {size:,.1f} MB")
        skipped = self.manifest["skipped"]
        if skipped["rows"]:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in skipped["reasons"].items())
            lines.append(f"Rows left out: {skipped['rows']:,} ({reasons})")
            lines += [
                f"  line {row['line']}: {row['path']}: {row['message']}"
                for row in skipped["each"][:_NAMED]
            ]
            if skipped["rows"] > _NAMED:
                lines.append("  ... all of them are in the manifest")
        return "\n".join([*lines, f"  {self.file}"])


def run(config: Config) -> PackReport:
    """Packs the pictures of ``Pack.label_file``.

    Raises:
        ConfigError: a value of the section does not fit the others.
        DatasetError: the list cannot be read, or not one of its pictures can be packed; what an
            earlier run has packed is still there.
        OSError: the folder cannot be written to, or the disk is full.
    """
    source, output = packing_source(config), packing_output(config)
    rows, skipped = _parted(packing_rows(config, source))
    classes = build_classes(config, rows)
    wanted, dropped = _parted(_judged(rows, classes))
    skipped += dropped
    if not wanted:
        raise _nothing_packed(source, skipped)
    facts = packing_facts(config, source, classes, wanted)
    shards = plan_shards(wanted, plan_options(config, output))
    preparation = build_preparation(config, source.root, classes, fetch_bytes)
    staging = staging_folder(output.parent, output.name, facts["fingerprint"])
    with stopwatch() as watch:
        notes = _write_all(config, shards, preparation, staging)
    if not any(note.records for note in notes):
        raise _nothing_packed(source, skipped + [row for note in notes for row in note.skipped])
    manifest = pack_manifest(notes, skipped, facts)
    file = publish(staging, output.name, notes, manifest)
    return PackReport(manifest, file, watch["seconds"])


@dataclass(frozen=True)
class _ShardWriter:
    """Writes shards one by one, or several at a time in threads.

    Attributes:
        preparation: what is done to every row.
        readers: threads that do it.
        ahead: rows under way behind the one that is waited for.
        staging: where the files are made.
        kind: of the files.
        advance: counts rows as done.
    """

    preparation: Preparation
    readers: Executor
    ahead: int
    staging: Path
    kind: PackFormat
    advance: Callable[[int], None]

    def write(self, shard: Shard) -> ShardNote:
        finished = finished_shard(self.staging, shard)
        if finished is None:
            return write_shard(self.staging, shard, self._pictures(shard), self.kind)
        _LOG.info("%s is there already, from a run that was interrupted.", shard.name)
        self.advance(len(shard.rows))
        return finished

    def _pictures(self, shard: Shard) -> Iterator[PackedPicture | SkippedRow]:
        def start(row: Row) -> Callable[[], PackedPicture | SkippedRow]:
            return self.readers.submit(self.preparation.prepare, row, shard.split).result

        for picture in in_order(shard.rows, start, ahead=self.ahead):
            yield picture
            self.advance(1)


def _write_all(
    config: Config, shards: Sequence[Shard], preparation: Preparation, staging: Path
) -> list[ShardNote]:
    """Writes the shards, with a picture or two in memory for each reading thread."""
    reading, writing = config.Pack.read_parallel_num, config.Pack.write_parallel_num
    # Every file that is written keeps its share of the reading threads busy.
    ahead = -(-reading // writing)
    counting = Lock()
    with (
        Progress("pack", sum(len(shard.rows) for shard in shards)) as progress,
        worker_threads(reading) as readers,
        worker_threads(writing) as writers,
    ):

        def advance(rows: int) -> None:
            with counting:
                progress.advance(rows)

        writer = _ShardWriter(preparation, readers, ahead, staging, config.Pack.format, advance)
        started = in_order(
            shards, lambda shard: writers.submit(writer.write, shard).result, ahead=writing - 1
        )
        return list(started)


def _nothing_packed(source: ListFile, skipped: Sequence[SkippedRow]) -> DatasetError:
    """Returns the error of a list without a single usable row."""
    if not skipped:
        return DatasetError(f"{source.file} has no rows; there is nothing to pack.")
    reasons = ", ".join(
        f"{reason} {n:,}" for reason, n in Counter(r.reason for r in skipped).items()
    )
    first = min(skipped, key=lambda row: row.line)
    return DatasetError(
        f"{source.file}: not one of {len(skipped):,} rows can be packed ({reasons}). Line "
        f"{first.line}: {first.path}: {first.message.rstrip('.')}. Check Pack.label_source and "
        f"Pack.image_root; paths start from {source.root}."
    )


def _parted(rows: Iterable[Row | SkippedRow]) -> tuple[list[Row], list[SkippedRow]]:
    """Divides rows into those to pack and those that are left out."""
    wanted, skipped = list[Row](), list[SkippedRow]()
    for row in rows:
        if isinstance(row, Row):
            wanted.append(row)
        else:
            skipped.append(row)
    return wanted, skipped


def _judged(rows: Iterable[Row], classes: ClassNumbers) -> Iterator[Row | SkippedRow]:
    """Yields each row, or why it is left out for its label."""
    for row in rows:
        number = classes.number_of(row)
        yield number if isinstance(number, SkippedRow) else row
