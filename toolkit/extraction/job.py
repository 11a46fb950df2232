"""A job that may be killed at any moment: what it is, and which of its shards are done.

``<output>.work`` holds ``job.json`` and a file for each shard that is whole. A later run with the
same model, settings and input goes on behind them.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ExtractionError
from toolkit.extraction.records import Piece, Scan, pieces_of
from toolkit.extraction.shard_file import ShardFacts, read_facts
from toolkit.fingerprint import fingerprint_bytes
from toolkit.storage import read_json, write_json

_LOG = logging.getLogger(__name__)
_FORMAT = 1
JOB_FILE = "job.json"


@dataclass(frozen=True)
class Identity:
    """What decides on the bytes of a result; a part of one job goes into no other.

    Attributes:
        model: what makes features: weights, preprocessing, layer, numbers, threads, batch.
        input: fingerprint of the list.
        rows: of the list.
        shard_size: rows of a shard.
    """

    model: Mapping[str, Any]
    input: str
    rows: int
    shard_size: int

    def to_json(self) -> dict[str, Any]:
        """Returns it as job.json holds it."""
        facts = {"input": self.input, "rows": self.rows, "shard_size": self.shard_size}
        return {"format_version": _FORMAT, "model": dict(self.model), **facts}


def check_same(own: Mapping[str, Any], other: Mapping[str, Any], where: Path, way_out: str) -> None:
    """Compares two identities.

    Raises:
        ExtractionError: they differ; the message names both values of all that does.
    """
    ours, theirs = _flat(own), _flat(other)
    differences = [
        f"{key}: now {ours.get(key)!r}, there {theirs.get(key)!r}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]
    if differences:
        raise ExtractionError(
            f"{where} is of another job: {'; '.join(differences)}. "
            f"Features of two jobs are not mixed. {way_out}"
        )


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    # Through JSON, in which one of them has been: it has no tuples.
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    model = plain.pop("model", None) or {}
    return {**plain, **{f"model.{key}": value for key, value in model.items()}}


class WorkFolder:
    """The folder of a job.

    Args:
        output: what the job will write.

    Attributes:
        path: the folder.
        job: fingerprint of the job, once it is open; every shard carries it. A worker may outlive
            the run that started it, and write one more shard into the folder of the next.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.work")
        self.job = ""

    def open(self, scan: Scan, identity: Identity, *, resume: bool) -> list[Piece]:
        """Makes the folder, or goes on with that of a run that was killed.

        Returns:
            All pieces of the job.

        Raises:
            ExtractionError: the folder is of another job.
        """
        file, own = self.path / JOB_FILE, identity.to_json()
        shards = list(self.path.glob("*.shard"))
        if resume and shards and file.is_file():
            way_out = "Give the earlier settings, or start anew with Extract.resume=false."
            check_same(own, read_job(file), file, way_out)
        else:
            for shard in shards:
                shard.unlink()
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(file, own)
        self.job = fingerprint_bytes(json.dumps(own, sort_keys=True).encode())
        for left in self.path.glob(".*.tmp*"):  # of a process that was killed while it wrote
            left.unlink(missing_ok=True)
        return pieces_of(scan, identity.shard_size)

    def shard(self, piece: Piece) -> Path:
        """Returns where the shard of a piece is."""
        return self.path / f"{piece.number:07d}.shard"

    def facts(self, piece: Piece) -> ShardFacts | None:
        """Returns what a shard says of itself, or None when it is to be made (again)."""
        file = self.shard(piece)
        found = read_facts(file)
        if found is None and file.exists():
            _LOG.warning("%s is damaged; it is made again.", file)
        is_ours = found is not None and (found.job, found.rows) == (self.job, piece.count)
        return found if is_ours else None

    def remove(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.path)


def read_job(file: Path) -> dict[str, Any]:
    """Reads the identity of a job.

    Raises:
        ExtractionError: the file is damaged.
    """
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise ExtractionError(
            f"{file} cannot be read ({error}). Remove {file.parent}, or start anew with "
            "Extract.resume=false."
        ) from error
    return found if isinstance(found, dict) else {}
