"""What filters keep, remembered: after a write only the new rows are asked for."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from toolkit.index.database.live_rows import LiveRows
from toolkit.index.database.record_store import RecordStore
from toolkit.index.filters import canonical
from toolkit.index.interface import Filter
from toolkit.index.kinds.selection import Selection

# An eighth of a byte a record each.
_MOST = 64


@dataclass(frozen=True)
class _Kept:
    """The answer for one state of the rows.

    Attributes:
        version: of the rows.
        last: highest row that was asked.
        selection: what the filter keeps of the rows that are alive.
    """

    version: int
    last: int
    selection: Selection


class FilterCache:
    """Turns filters into selections of positions.

    Args:
        store: asked for what is not known.
        rows: of the structure; whoever asks sees to it that they stay as they are meanwhile.
    """

    def __init__(self, store: RecordStore, rows: LiveRows) -> None:
        self._store, self._rows = store, rows
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def selection(self, where: Filter) -> Selection:
        """Returns the positions that a filter keeps.

        Raises:
            VectorIndexError: the filter is malformed.
        """
        key = canonical(where)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept.version != self._rows.version:
            kept = self._ask(where, kept)
            with self._lock:
                self._kept[key] = kept
                self._kept.move_to_end(key)
                if len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
        return kept.selection

    def _ask(self, where: Filter, before: _Kept | None) -> _Kept:
        rows = self._rows
        chosen = np.zeros(rows.size, np.bool_)
        if before is not None:
            chosen[before.selection.positions()] = True
        found: NDArray[np.int64] = self._store.rows(before.last if before else 0, where)
        chosen[rows.positions(found)] = True
        bits = np.packbits(chosen, bitorder="little") & rows.alive().bits
        return _Kept(rows.version, rows.last, Selection.of_bits(bits, rows.size))
