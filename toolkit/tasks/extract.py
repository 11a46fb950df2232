"""Mode extract: features of any list of pictures, in any number of processes."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolkit.build.exported import exported_model
from toolkit.build.extraction import identity_of, model_to_open, open_in_worker
from toolkit.build.extraction_files import (
    build_addresses,
    build_reader,
    build_writer,
    check_rows,
    input_path,
    output_format,
    output_path,
)
from toolkit.build.model_to_open import ModelSource, ModelToOpen
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
from toolkit.extraction.worker import ShardReport, WorkOrder
from toolkit.extraction.writers.writer import Writer
from toolkit.fetch.lock import locked
from toolkit.inference.engines.devices import machine_device
from toolkit.progress import Progress, stopwatch
from toolkit.runtime import cores_allowed
from toolkit.tasks.extract_report import ExtractReport, Tally

_LOG = logging.getLogger(__name__)
_ENDING = {"text": "txt", "pickle": "pkl"}


def run(config: Config) -> ExtractReport:
    """Extracts the features of ``Extract.input``.

    Raises:
        ConfigError: there is no input, or settings contradict each other.
        ToolkitError: the model, the input or the job of an earlier run cannot be used.
    """
    section = config.Extract
    source = ModelSource(
        partial(exported_model, config, section.model_dir, engine=section.engine),
        _named(config),
        config.Global.device,
        config.Global.seed,
    )
    if section.output is None:
        kind = output_format(section)
        file = Path(config.Global.output) / f"features.{_ENDING.get(kind, kind)}"
        section = section.model_copy(update={"output": str(file)})
    return extract(section, model_to_open(section, source), config.Global.device)


def _named(config: Config) -> Config | str:
    """What a layer's name belongs to: the trained model, another one's folder, or a card."""
    match config.Extract.model_dir:
        case "auto":
            return config
        case None:
            return config.Global.model
        case folder:
            return folder


def extract(section: ExtractSection, model: ModelToOpen, device: str) -> ExtractReport:
    """Extracts features.

    Args:
        section: what is wanted; with an output.
        model: computes them.
        device: ``auto | cpu | gpu | gpu:0``.

    Raises:
        ToolkitError: see `run`.
    """
    if section.input is None:
        raise ConfigError("Extract.input is null; give a list, a folder, a table or tar shards.")
    refuse_in_worker()  # here already: it would wait for the lock of its parent for ever
    output = output_path(section)
    tally = Tally()
    with locked(WorkFolder(output).path):
        job = _open_job(section, model, output)
        with stopwatch() as watch:
            _work(job, _reports(section, job, device), tally)
        merged = _merge(job, keep_contents=section.incremental)
        job.order.folder.remove()
    name = str(job.identity.model["name"])
    return ExtractReport(name, merged, tally, watch["seconds"], section.max_error_rate)


@dataclass(frozen=True)
class _Job:
    """A job that is open: what its workers must know, and what is to be done with their shards."""

    order: WorkOrder
    pieces: Sequence[Piece]
    todo: Sequence[Piece]
    identity: Identity
    writer: Writer
    output: Path


def _open_job(section: ExtractSection, model: ModelToOpen, output: Path) -> _Job:
    folder = WorkFolder(output)
    reader = build_reader(section, input_path(section, output), folder.path / "pictures.jsonl")
    writer = build_writer(section, reader)
    # Whole batches: which pictures are in one must not depend on where a shard ends.
    shard_size = -(-section.shard_size // section.batch_size) * section.batch_size
    scan = reader.scan(shard_size)
    check_rows(section, scan.count)
    identity = Identity(identity_of(section, model), scan.fingerprint, scan.count, shard_size)
    pieces = folder.open(scan, identity, resume=section.resume)
    addresses = build_addresses(section)
    first = next(reader.read(pieces[0]), None) if pieces else None
    order = WorkOrder(
        reader,
        addresses,
        open_in_worker(
            section, model, over_network=first is not None and addresses.is_remote(first)
        ),
        folder,
        section.dtype,
        _earlier(section, output, writer, folder, identity),
    )
    todo = [piece for piece in pieces if folder.facts(piece) is None]
    if len(todo) < len(pieces):
        _LOG.info("%d of %d shards are there already.", len(pieces) - len(todo), len(pieces))
    return _Job(order, pieces, todo, identity, writer, output)


def _earlier(
    section: ExtractSection, output: Path, writer: Writer, folder: WorkFolder, identity: Identity
) -> Earlier | None:
    """Returns the features of an earlier output that are wanted."""
    if section.only_failed:
        return keep_rows(output, writer, folder, identity, "row")
    if section.incremental:
        return keep_rows(output, writer, folder, identity, "content")
    return None


def _work(job: _Job, reports: Iterator[ShardReport], tally: Tally) -> None:
    """Does what is to be done, and shows how it goes on."""
    with Progress("extract", sum(piece.count for piece in job.todo)) as progress:
        for report in reports:
            tally.add(report)
            progress.advance(report.piece.count, f"{tally.failed} failed" if tally.failed else "")


def _merge(job: _Job, *, keep_contents: bool) -> Merged:
    shards = Shards(job.order.reader, job.order.folder, job.pieces)
    _LOG.info("Writing %s.", job.output)
    with Progress("write", job.identity.rows, unit="rows") as progress:
        return merge(
            shards,
            job.writer,
            job.output,
            identity=job.identity.to_json(),
            keep_contents=keep_contents,
            on_row=progress.advance,
        )


def _reports(section: ExtractSection, job: _Job, device: str) -> Iterator[ShardReport]:
    """Yields the reports of the runner that is asked for."""
    wanted = None if section.num_worker == "auto" else section.num_worker
    if section.runner == "ray":
        from toolkit.extraction.ray_runner import run_ray

        return run_ray(
            job.order,
            job.todo,
            num_worker=wanted,
            threads=section.predict_threads,
            address=section.ray_address,
        )
    # Processes that share a GPU hold the network once each and wait for each other.
    fitting = 1 if machine_device(device).kind == "gpu" else cores_allowed()
    num_worker = min(wanted or fitting, len(job.todo))
    if num_worker <= 1:
        return run_here(job.order, job.todo)
    return run_processes(job.order, job.todo, num_worker=num_worker)
