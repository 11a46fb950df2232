"""Features of an earlier run, found by their row or by the content of their picture.

They stand in one shard file as long as the whole earlier output; it is mapped, not read.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.extraction.shard_file import MappedShard


@dataclass(frozen=True)
class Earlier:
    """Looks up what need not be computed again; may be sent to other processes.

    Attributes:
        file: the shard file.
        by: ``row``: the same list again, to compute the rows that failed. ``content``: any list; a
            picture with the same bytes has the same feature.
    """

    file: Path
    by: Literal["row", "content"]

    def of_row(self, row: int) -> tuple[NDArray[Any], bytes] | None:
        """Returns feature and digest of a row, or None where it is to be computed."""
        shard = self._shard
        if self.by != "row" or row >= shard.facts.rows or row in shard.failed:
            return None
        return shard.feature(row), bytes(shard.digests[row])

    def of_content(self, digest: bytes) -> NDArray[Any] | None:
        """Returns the feature of a picture with these bytes, or None."""
        if self.by != "content" or not self._shard.facts.rows:
            return None
        beginnings, order = self._sorted
        beginning = int.from_bytes(digest[:8], "big")
        # Rows of one content stand side by side; one of them may have failed.
        for at in range(int(np.searchsorted(beginnings, np.uint64(beginning))), len(order)):
            row = int(order[at])
            if int(beginnings[at]) != beginning:
                break
            if bytes(self._shard.digests[row]) == digest and row not in self._shard.failed:
                return self._shard.feature(row)
        return None

    @cached_property
    def _shard(self) -> MappedShard:
        return MappedShard(self.file)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The first 8 bytes of every digest in ascending order, and the rows that they are of."""
        words = np.ascontiguousarray(self._shard.digests[:, :8]).view(">u8")[:, 0]
        order = np.argsort(words, kind="stable")
        return words[order].astype(np.uint64), order
