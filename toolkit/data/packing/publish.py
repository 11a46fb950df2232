"""Packed files get their names when all of them are there; until then they are in a folder aside.

    <folder>/.<prefix>.<fingerprint>.packing/   files and notes of a run that has not ended
    <folder>/<prefix>_train_00000.tfrecord ...  what a run has made
    <folder>/<prefix>_manifest.json             written last: without it, the files are not complete

The fingerprint is that of the options and the rows. The same run, started again after it was
interrupted, finds its finished files; another one begins anew. A prefix belongs to one packing: the
files of an earlier one go when the new ones are there.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.data.packing.plan import SPLITS
from toolkit.data.packing.rows import SkippedRow
from toolkit.data.packing.shard import ShardNote
from toolkit.storage import write_json

FORMAT_VERSION = 1


def staging_folder(folder: Path, prefix: str, fingerprint: str) -> Path:
    """Returns the folder in which a run works, made if it is not there."""
    staging = folder / f".{prefix}.{fingerprint}.packing"
    staging.mkdir(parents=True, exist_ok=True)
    return staging


def manifest_path(folder: Path, prefix: str) -> Path:
    """Returns where the manifest of a packing is."""
    return folder / f"{prefix}_manifest.json"


def pack_manifest(
    notes: Sequence[ShardNote], skipped: Iterable[SkippedRow], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the content of a manifest.

    Args:
        notes: of all shards.
        skipped: rows that were left out before any file was made.
        facts: how it was made: options, seed, fingerprint, classes.
    """
    left_out = [*skipped, *(row for note in notes for row in note.skipped)]
    left_out.sort(key=lambda row: row.line)
    return {
        "format_version": FORMAT_VERSION,
        **facts,
        "splits": {split: _summed(notes, split) for split in SPLITS},
        "skipped": {
            "rows": len(left_out),
            "reasons": dict(sorted(Counter(row.reason for row in left_out).items())),
            "each": [asdict(row) for row in left_out],
        },
    }


def publish(
    staging: Path, prefix: str, notes: Sequence[ShardNote], manifest: Mapping[str, Any]
) -> Path:
    """Gives the files of a finished run their names, then writes the manifest.

    Args:
        staging: from `staging_folder`; it is removed.
        prefix: whose earlier files are replaced.
        notes: of all shards.
        manifest: from `pack_manifest`.

    Returns:
        The manifest.
    """
    folder = staging.parent
    target = manifest_path(folder, prefix)
    target.unlink(missing_ok=True)
    names = [name for note in notes for name in note.files]
    for name in names:
        staging.joinpath(name).replace(folder / name)
    own = re.compile(rf"{re.escape(prefix)}_(train|test)_\d{{5,}}\.(tfrecord(\.idx)?|tar)")
    for stale in {path.name for path in folder.iterdir() if own.fullmatch(path.name)} - {*names}:
        folder.joinpath(stale).unlink()
    write_json(target, manifest)
    work = re.compile(rf"\.{re.escape(prefix)}\.[0-9a-f]{{16}}\.packing")
    for left in [path for path in folder.iterdir() if work.fullmatch(path.name)]:
        shutil.rmtree(left, ignore_errors=True)
    return target


def _summed(notes: Sequence[ShardNote], split: str) -> dict[str, Any]:
    own = [note for note in notes if note.split == split and note.records]
    return {
        "records": sum(note.records for note in own),
        "files": [
            {"name": note.name, "records": note.records, "bytes": note.files[note.name]}
            for note in own
        ],
    }
