"""Mode extract: features of any list of pictures, in any number of processes."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.build.exported import exported_model
from toolkit.build.extraction import identity_of, model_to_open, open_in_worker
from toolkit.build.extraction_files import (
    build_addresses,
    build_reader,
    build_writer,
    check_rows,
    local_path,
    output_format,
)
from toolkit.config.extract_section import ExtractSection
from toolkit.config.schema import Config
from toolkit.errors import ConfigError
from toolkit.extraction.earlier import Earlier
from toolkit.extraction.job import Identity, WorkFolder
from toolkit.extraction.kept_rows import keep_rows
from toolkit.extraction.local_runner import refuse_in_worker, run_here, run_processes
from toolkit.extraction.merge import Merged, merge
from toolkit.extraction.records import Piece
from toolkit.extraction.rows import Shards
from toolkit.extraction.timing import STAGES
from toolkit.extraction.worker import ShardReport, WorkOrder
from toolkit.extraction.writers.writer import Writer
from toolkit.fetch.lock import locked
from toolkit.runtime import Progress, cores_allowed, stopwatch

_LOG = logging.getLogger(__name__)
_ENDING = {"text": "txt", "pickle": "pkl"}


@dataclass(frozen=True)
class ExtractReport:
    """The outcome of an extraction.

    Attributes:
        model_name: what computed the features.
        merged: rows, failures and files.
        computed: rows that this run computed; a run before it, or an earlier output, did the rest.
        reused: rows that were taken from an earlier output.
        seconds: from the first picture to the last.
        stages: seconds by stage, summed over the threads of all workers.
        max_error_rate: share of failed rows above which the run has not passed.
    """

    model_name: str
    merged: Merged
    computed: int
    reused: int
    seconds: float
    stages: dict[str, float]
    max_error_rate: float

    @property
    def failed(self) -> int:
        """How many rows have no feature."""
        return sum(self.merged.causes.values())

    @property
    def passed(self) -> bool:
        """False when every row failed, or more than were allowed; no rows are no failure."""
        rows = self.merged.rows
        return not rows or (self.failed < rows and self.failed / rows <= self.max_error_rate)

    def to_json(self) -> dict[str, Any]:
        """Returns the counts, the times and the files."""
        return {
            "model_name": self.model_name,
            "rows": self.merged.rows,
            "features": self.merged.rows - self.failed,
            "length": self.merged.length,
            "failures": self.merged.causes,
            "computed": self.computed,
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
            "stage_seconds": {stage: round(spent, 3) for stage, spent in self.stages.items()},
            "files": [str(file) for file in self.merged.files],
        }

    def summary(self) -> str:
        """Returns a small table, the first failures and the files."""
        rate = self.computed / max(self.seconds, 1e-9)
        lines = [
            f"Features of {self.merged.rows - self.failed} of {self.merged.rows} pictures, "
            f"{self.merged.length} numbers each, by {self.model_name}.",
            f"  computed    {self.computed:>10} in {self.seconds:.1f} s ({rate:.1f} images/s)",
        ]
        if self.reused:
            lines.append(f"  kept        {self.reused:>10}")
        lines += [f"  {cause:<12}{count:>10} failed" for cause, count in _most(self.merged.causes)]
        spent = ", ".join(f"{stage} {self.stages.get(stage, 0):.1f} s" for stage in STAGES)
        lines.append(f"  time of all threads: {spent}")
        lines += [f"  {reason}" for reason in self.merged.reasons]
        if not self.passed:
            lines.append(f"More than {self.max_error_rate:.0%} or all of the pictures failed.")
        return "\n".join([*lines, *(f"  {file}" for file in self.merged.files)])


def _most(causes: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(causes.items(), key=lambda pair: -pair[1])


def run(config: Config) -> ExtractReport:
    """Extracts the features of ``Extract.input``.

    Raises:
        ConfigError: there is no input, or settings contradict each other.
        ToolkitError: the model, the input or the job of an earlier run cannot be used.
    """
    section = config.Extract
    find = partial(exported_model, config, section.model_dir, engine=section.engine)
    if section.output is None:
        kind = output_format(section)
        file = Path(config.Global.output) / f"features.{_ENDING.get(kind, kind)}"
        section = section.model_copy(update={"output": str(file)})
    return extract(section, find, config.Global.device)


def extract(section: ExtractSection, find: Callable[[], Path], device: str) -> ExtractReport:
    """Extracts features.

    Args:
        section: what is wanted; with an output.
        find: finds the exported model.
        device: ``auto | cpu | gpu | gpu:0``.

    Raises:
        ToolkitError: see `run`.
    """
    if section.input is None:
        raise ConfigError("Extract.input is null; give a list, a folder, a table or tar shards.")
    refuse_in_worker()  # here already: it would wait for the lock of its parent for ever
    output = local_path(section, section.output or "", "Extract.output")
    folder = WorkFolder(output)
    model = model_to_open(section, find, device)
    with locked(folder.path):
        names = folder.path / "pictures.jsonl"
        reader = build_reader(section, local_path(section, section.input, "Extract.input"), names)
        writer = build_writer(section, reader)
        shard_size = _whole_batches(section)
        scan = reader.scan(shard_size)
        check_rows(section, scan.count)
        identity = Identity(identity_of(section, model), scan.fingerprint, scan.count, shard_size)
        pieces = folder.open(scan, identity, resume=section.resume)
        addresses, opener = build_addresses(section), open_in_worker(section, model)
        earlier = _earlier(section, output, writer, folder, identity)
        order = WorkOrder(reader, addresses, opener, folder, section.dtype, earlier)
        todo = [piece for piece in pieces if folder.facts(piece) is None]
        if len(todo) < len(pieces):
            _LOG.info("%d of %d shards are there already.", len(pieces) - len(todo), len(pieces))
        with stopwatch() as watch:
            reports = _work(section, order, todo)
        _LOG.info("Writing %s.", output)
        with Progress("write", scan.count) as progress:
            merged = merge(
                Shards(reader, folder, pieces), writer, output,
                identity=identity.to_json(), keep_contents=section.incremental,
                on_row=progress.advance,
            )  # fmt: skip
        folder.remove()
    stages: Counter[str] = Counter()
    for report in reports:
        stages.update(report.seconds)
    return ExtractReport(
        str(identity.model["name"]),
        merged,
        sum(report.piece.count - report.reused for report in reports),
        sum(report.reused for report in reports),
        watch["seconds"],
        dict(stages),
        section.max_error_rate,
    )


def _earlier(
    section: ExtractSection, output: Path, writer: Writer, folder: WorkFolder, identity: Identity
) -> Earlier | None:
    """Returns the features of an earlier output that are wanted."""
    if section.only_failed:
        return keep_rows(output, writer, folder, identity, "row")
    if section.incremental:
        return keep_rows(output, writer, folder, identity, "content")
    return None


def _whole_batches(section: ExtractSection) -> int:
    """Returns rows of a shard: batches must not depend on where a shard ends."""
    return -(-section.shard_size // section.batch_size) * section.batch_size


def _work(section: ExtractSection, order: WorkOrder, todo: Sequence[Piece]) -> list[ShardReport]:
    """Does what is to be done, and shows how it goes on."""
    done = []
    with Progress("extract", sum(piece.count for piece in todo)) as progress:
        for report in _reports(section, order, todo):
            done.append(report)
            failed = sum(report.causes.values())
            progress.advance(report.piece.count, note=f"{failed} failed" if failed else "")
    return done


def _reports(
    section: ExtractSection, order: WorkOrder, todo: Sequence[Piece]
) -> Iterator[ShardReport]:
    wanted = None if section.num_worker == "auto" else section.num_worker
    if section.runner == "ray":
        from toolkit.extraction.ray_runner import run_ray

        return run_ray(
            order,
            todo,
            num_worker=wanted,
            threads=section.predict_threads,
            address=section.ray_address,
        )
    num_worker = wanted or cores_allowed()
    if min(num_worker, len(todo)) <= 1:
        return run_here(order, todo)
    return run_processes(order, todo, num_worker=num_worker)
