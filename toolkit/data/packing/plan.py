"""Which row goes into which file: fixed by the rows and the seed, before a picture is read."""

import hashlib
import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.data.packing.rows import Row

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Shard:
    """The rows of one file.

    Attributes:
        name: of the file.
        split: what it is for.
        rows: what goes into it, in order; rows that turn out bad leave the file shorter.
    """

    name: str
    split: Split
    rows: Sequence[Row]


@dataclass(frozen=True)
class PlanOptions:
    """How rows are divided.

    Attributes:
        prefix: of all file names.
        suffix: of all file names, with its dot.
        test_ratio: share of the pictures that are kept for testing, 0 to 1.
        rows_per_shard: most rows in a file.
        shuffle: order the rows by the seed, not as the list has them.
        seed: fixes the test pictures and the order.
    """

    prefix: str
    suffix: str
    test_ratio: float
    rows_per_shard: int
    shuffle: bool
    seed: int


def plan_shards(rows: Sequence[Row], options: PlanOptions) -> list[Shard]:
    """Divides rows into train and test, and each into files.

    Every picture has a place in a line that is drawn from the seed and its path; the first
    `test_ratio` of the line, rounded, are for testing. So the order of the list changes nothing,
    more pictures move few of the others, and all rows of a picture are on one side.
    """
    places = {path: _place(path, options.seed) for path in {_picture(row) for row in rows}}
    in_line = sorted(places, key=places.__getitem__)
    tested = frozenset(in_line[: round(options.test_ratio * len(in_line))])
    shards: list[Shard] = []
    for split in SPLITS:
        chosen = [row for row in rows if (_picture(row) in tested) == (split == "test")]
        if options.shuffle:
            chosen.sort(key=lambda row: (places[_picture(row)], row.line))
        size = options.rows_per_shard
        shards += [
            Shard(
                f"{options.prefix}_{split}_{number:05d}{options.suffix}",
                split,
                chosen[number * size : (number + 1) * size],
            )
            for number in range(-(-len(chosen) // size))
        ]
    return shards


def _picture(row: Row) -> str:
    return row.path if "://" in row.path else os.path.normpath(row.path)


def _place(path: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{path}".encode("utf-8", "surrogateescape")).digest()
