"""A store under way: beside each record it notes which row of another store it was made of.

The note is written in the same transaction, so a copy that was cut off is gone on with.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.index.database.record_store import RecordStore


class CopyStore(RecordStore):
    """A store that knows what its records were made of, until `end`."""

    def begin(self, maker: str) -> bool:
        """Makes the notes; False where a copy by another maker was begun."""
        self._writer.execute("CREATE TABLE IF NOT EXISTS makers(maker TEXT NOT NULL)")
        self._writer.execute(
            "CREATE TABLE IF NOT EXISTS sources(row INTEGER PRIMARY KEY, source INTEGER UNIQUE)"
        )
        found = self._writer.execute("SELECT maker FROM makers").fetchone()
        if found is None:
            self._writer.execute("INSERT INTO makers VALUES (?)", (maker,))
        return found is None or found[0] == maker

    def sources(self) -> NDArray[np.int64]:
        """Returns the rows of the source that are in, ascending."""
        found = self._writer.execute("SELECT source FROM sources ORDER BY source")
        return np.fromiter((source for (source,) in found), np.int64)

    def note(self, start: int, sources: Sequence[int]) -> None:
        """Notes what the rows from `start` on were made of."""
        pairs = enumerate(sources, start)
        self._writer.executemany("INSERT INTO sources VALUES (?, ?)", pairs)

    def drop(self, sources: NDArray[np.int64]) -> None:
        """Removes what was made of these rows."""
        for source in sources.tolist():
            found = self._writer.execute("SELECT row FROM sources WHERE source = ?", (source,))
            self.delete([row for (row,) in found])

    def delete(self, rows: Sequence[int]) -> None:
        """Removes rows, and the notes of them."""
        super().delete(rows)
        numbers = [(row,) for row in rows]
        self._writer.executemany("DELETE FROM sources WHERE row = ?", numbers)

    def end(self) -> None:
        """Forgets the notes: from here on it is a store like any other."""
        with self.transaction():
            self._writer.execute("DELETE FROM sources")
            self._writer.execute("DELETE FROM makers")
