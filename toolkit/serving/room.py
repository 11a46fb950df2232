"""Room for records: never more than there may be, however many write at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from toolkit.serving.problems import Kind, Problem


class Room:
    """Counts records that are there and that are coming.

    Args:
        name: of the database, for messages.
        most: records that there may be; None for any number.
        count: says how many there are.
    """

    def __init__(self, name: str, most: int | None, count: Callable[[], int]) -> None:
        self._name, self._most, self._count = name, most, count
        self._lock, self._writers, self._claimed = Lock(), 0, 0

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Keeps room for new records while the block writes them.

        Raises:
            Problem: there is not enough.
        """
        with self._lock:
            if not self._writers:  # nothing is on its way: what is there is all
                self._claimed = self._count()
            if count and self._most is not None and self._claimed + count > self._most:
                raise Problem(
                    Kind.QUOTA,
                    f"The database {self._name!r} may hold {self._most:,} records. Delete some, or "
                    "use another database.",
                )
            self._claimed += count
            self._writers += 1
        try:
            yield
        except BaseException:
            self.given_back(count)
            raise
        finally:
            with self._lock:
                self._writers -= 1

    def given_back(self, count: int) -> None:
        """Says that records are gone, or have not come."""
        with self._lock:
            self._claimed -= count
