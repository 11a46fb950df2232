"""What a person sees of a long command: how far it is, how fast, and how much longer."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

_PLAIN_LINE_SECONDS = 10.0


class Progress:
    """A bar with rate and ETA on a terminal; elsewhere a plain line every ten seconds.

    Args:
        title: what is being done: "check images".
        total: how many steps there are; None when nobody knows.
        unit: what a step is, for the rate: "images".
        stream: where to write; standard error by default.
    """

    def __init__(
        self, title: str, total: int | None, *, unit: str = "images", stream: TextIO | None = None
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._stream = stream or sys.stderr
        self._done = self._told = 0
        self._started = self._last_line = time.monotonic()
        self._bar: _RichBar | None = None

    def __enter__(self) -> "Progress":
        self._started = self._last_line = time.monotonic()
        if self._stream.isatty() and os.environ.get("TERM") != "dumb":
            self._bar = _RichBar(self._title, self._total, self._unit, self._stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and self._done != self._told:
            self._write_line()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts steps as done; `note` is shown behind the figures (a loss, say)."""
        self._done += steps
        if self._bar is not None:
            self._bar.advance(steps, note)
        elif time.monotonic() - self._last_line >= _PLAIN_LINE_SECONDS:
            self._write_line(note)

    def _write_line(self, note: str = "") -> None:
        self._last_line, self._told = time.monotonic(), self._done
        elapsed = max(self._last_line - self._started, 1e-9)
        rate = self._done / elapsed
        line = f"{self._title}: {self._done}"
        if self._total:
            eta = _clock((self._total - self._done) / rate) if rate else "?"
            line += f"/{self._total} ({100 * self._done // self._total}%) ETA {eta}"
        line += f" {rate:.1f} {self._unit}/s, {_clock(elapsed)} elapsed {note}"
        self._stream.write(line.rstrip() + "\n")
        self._stream.flush()


class _RichBar:
    """The terminal form of Progress."""

    def __init__(self, title: str, total: int | None, unit: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._unit = unit
        self._started, self._done = time.monotonic(), 0
        self._progress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=stream),
        )
        self._task = self._progress.add_task(title, total=total, note="", rate="")
        self._progress.start()

    def advance(self, steps: int, note: str) -> None:
        self._done += steps
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        fields = {"rate": f"{rate:.1f} {self._unit}/s"} | ({"note": note} if note else {})
        self._progress.update(self._task, advance=steps, **fields)  # type: ignore[arg-type]

    def close(self) -> None:
        self._progress.stop()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Yields a dict whose ``seconds`` is filled in when the block ends."""
    result = {"seconds": 0.0}
    started = time.monotonic()
    try:
        yield result
    finally:
        result["seconds"] = time.monotonic() - started
