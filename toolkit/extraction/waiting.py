"""The shards that nobody works on, and which of them kill their workers."""

from collections import deque
from collections.abc import Sequence

from toolkit.errors import ExtractionError
from toolkit.extraction.records import Piece

MOST_TRIES = 3
"""How often the work on one shard may kill its worker before the job fails."""


class Waiting:
    """The pieces that nobody works on, and how often each has killed a worker."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = deque(pieces)
        self._deaths: dict[int | None, int] = {}

    def next(self) -> Piece | None:
        """Returns the next piece, or None when no one waits."""
        return self._pieces.popleft() if self._pieces else None

    def died(self, piece: Piece | None, told: str) -> None:
        """Takes note that a worker died over a piece, or before it had one.

        Raises:
            ExtractionError: that has happened too often.
        """
        number = None if piece is None else piece.number
        self._deaths[number] = self._deaths.get(number, 0) + 1
        if self._deaths[number] >= MOST_TRIES:
            where = (
                "before its first shard (a script that calls toolkit.extract needs "
                'if __name__ == "__main__":)'
                if piece is None
                else f"over shard {piece.number} (rows {piece.start + 1} to "
                f"{piece.start + piece.count})"
            )
            raise ExtractionError(
                f"A worker died {MOST_TRIES} times {where}: {told}. Out of memory, or a picture "
                "that crashes a decoder? Try fewer workers (Extract.num_worker) or smaller "
                "batches; what is done is kept, the same command goes on."
            )
        if piece is not None:
            self._pieces.appendleft(piece)
