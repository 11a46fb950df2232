"""A run that is asked to end: the first signal lets it save, the second ends it at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_HEARD = (
    "\n{name}: the run ends behind the update under way and saves. Once more ends it at once, "
    "with what was saved before.\n"
)


class StopRequest:
    """Whether a run was asked to end; called, it says so.

    Attributes:
        signal: name of the signal that asked, such as ``SIGTERM``; None while none did.
    """

    def __init__(self) -> None:
        self.signal: str | None = None

    def __call__(self) -> bool:
        """Says whether the run is to end."""
        return self.signal is not None


class InterruptedRunError(KeyboardInterrupt):
    """A run that ended on Ctrl-C, with everything saved.

    Attributes:
        result: what it left, as in the run's result file.
    """

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


@contextmanager
def stop_on_signals(on_request: Callable[[], None] = lambda: None) -> Iterator[StopRequest]:
    """Yields a request that the first SIGTERM or Ctrl-C inside the block makes.

    A second signal does what it does without this block. Only the main thread of a program hears
    signals; in any other nothing is changed.

    Args:
        on_request: called when the request is made, in the signal's handler: it may set a flag,
            and nothing more.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def hear(number: int, _: FrameType | None) -> None:
        restore()
        request.signal = signal.Signals(number).name
        on_request()
        # Not by a log: its stream may be in the middle of a line of the code that is interrupted.
        os.write(2, _HEARD.format(name=request.signal).encode("ascii"))

    for number in _SIGNALS:
        signal.signal(number, hear)
    try:
        yield request
    finally:
        restore()
