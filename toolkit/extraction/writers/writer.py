"""What every writer is: opened where nothing stands, given every row once, and closed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from toolkit.extraction.rows import Row, Shape

AddRow = Callable[[Row], None]


class Writer(Protocol):
    """One format of output."""

    def writing(self, path: Path, shape: Shape) -> AbstractContextManager[AddRow]:
        """Opens a file, and what goes with it beside it; all rows are there when the block ends.

        Raises:
            ExtraError: the package that writes the format is not installed.
            ExtractionError: the format cannot hold so many rows.
        """

    def features(self, path: Path) -> Iterator[NDArray[Any] | None]:
        """Yields the feature of each row of an earlier output, to the bit; None where it failed."""
