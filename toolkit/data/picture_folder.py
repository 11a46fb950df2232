"""A folder of pictures that may go away and come back, as a network mount does."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.errors import PicturesGoneError

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_TOLD_EVERY = 60.0


class PictureFolder:
    """Waits while the folder that all pictures are below is not there.

    Args:
        paths: the pictures.
        patience: seconds to wait for it each time.
        sleep: waits for so many seconds.
        clock: seconds of a clock that does not go back.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        patience: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = Path(os.path.commonpath([path.absolute().parent for path in set(paths)]))
        self._patience, self._sleep, self._clock = patience, sleep, clock
        self._lock = threading.Lock()
        self._given_up = False

    def give_up(self) -> None:
        """Ends all waiting: the run is about to end. May be called by a signal's handler."""
        self._given_up = True

    def wait(self) -> None:
        """Returns at once when the folder is there and has something in it, else when it has.

        Raises:
            PicturesGoneError: that took longer than the patience.
        """
        with self._lock:  # one of several threads waits and tells
            if self._is_there():
                return
            began = told = self._clock()
            _LOG.warning(
                "%s, with the training pictures, is gone or empty. Training waits for it, up to %g "
                "minutes (Data.wait_minutes).",
                *(self._folder, self._patience / 60),
            )
            while not self._given_up and not self._is_there():
                now = self._clock()
                if now - began >= self._patience:
                    raise PicturesGoneError(
                        f"{self._folder}, with the training pictures, is gone or empty, and did "
                        f"not come back in {self._patience / 60:g} minutes (Data.wait_minutes). "
                        "Bring it back (is a disk or a network folder mounted?) and go on with "
                        "Train.resume_path=auto: nothing that was trained is lost."
                    )
                if now - told >= _TOLD_EVERY:
                    told = now
                    _LOG.warning("%s is still gone after %.0f s.", self._folder, now - began)
                self._sleep(min(_POLL_SECONDS, self._patience))
            if not self._given_up:
                _LOG.info("%s is back after %.0f s.", self._folder, self._clock() - began)

    def _is_there(self) -> bool:
        try:
            with os.scandir(self._folder) as entries:
                return next(entries, None) is not None
        except OSError:
            return False
