"""Downloads as people see them: a bar with rate and time to go."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from toolkit.fetch.download import Progress as Told
from toolkit.progress import Progress

_MEGABYTE = 1_000_000


@contextmanager
def download_bar(name: str, *, stream: TextIO | None = None) -> Iterator[Told]:
    """Yields what a download tells how far it is; shown in megabytes.

    A download that is gone on with counts from where it was, so that its rate is that of the line;
    one that starts again gets a new bar.

    Args:
        name: what is downloaded.
        stream: where to write; standard error by default.
    """
    with ExitStack() as bars:
        bar = _Bar(name, stream, bars)
        yield bar.tell


class _Bar:
    """The bar of the present try, which is opened once it is known how much will come."""

    def __init__(self, name: str, stream: TextIO | None, bars: ExitStack) -> None:
        self._name, self._stream, self._bars = name, stream, bars
        self._progress: Progress | None = None
        self._shown = 0

    def tell(self, done: int, total: int | None) -> None:
        now = done // _MEGABYTE
        if self._progress is None or now < self._shown:
            self._open(now, total)
        if self._progress is not None and now > self._shown:
            self._progress.advance(now - self._shown)
            self._shown = now

    def _open(self, start: int, total: int | None) -> None:
        self._bars.close()
        title = f"download {self._name}" + (f" after the first {start} MB" if start else "")
        rest = None if total is None else total // _MEGABYTE - start
        progress = Progress(title, rest, unit="MB", stream=self._stream)
        self._progress = self._bars.enter_context(progress)
        self._shown = start
