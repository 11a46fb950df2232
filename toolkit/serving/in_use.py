"""Something that many use and one closes: closing waits for those who are inside."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from toolkit.serving.problems import Kind, Problem


class InUse:
    """Counts who is inside.

    Args:
        name: of what is used, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name, self._changed = name, Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def using(self) -> Iterator[None]:
        """Keeps it open while the block runs.

        Raises:
            Problem: it is closed.
        """
        with self._changed:
            if self._closed:
                raise Problem(Kind.NO_DATABASE, f"The database {self._name!r} has been closed.")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Lets nobody in, and returns when the last one is out."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._inside)
