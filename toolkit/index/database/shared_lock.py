"""A lock that many readers hold together and one writer alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class SharedLock:
    """Readers share it, and nobody waits for more than one turn of the others.

    A writer that waits goes before readers that come later; those go before the next writer.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._readers = self._readers_waiting = self._writers_waiting = 0
        # Readers that may pass before the next writer.
        self._turns = 0
        self._writing = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Holds it with other readers; a thread that holds it must not ask for it again."""
        with self._changed:
            self._readers_waiting += 1
            try:
                self._changed.wait_for(self._may_read)
            finally:
                self._readers_waiting -= 1
                self._turns = max(self._turns - 1, 0)
                self._changed.notify_all()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    def _may_read(self) -> bool:
        return not self._writing and (not self._writers_waiting or self._turns > 0)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds it while nobody else does."""
        with self._changed:
            self._writers_waiting += 1
            try:
                self._changed.wait_for(self._may_write)
            finally:
                self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._turns = self._readers_waiting
                self._changed.notify_all()

    def _may_write(self) -> bool:
        return not self._writing and not self._readers and not self._turns
