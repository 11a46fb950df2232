"""Loading compiled loops, where they can be had."""

import logging
from collections.abc import Callable
from typing import TypeVar

from toolkit.errors import ExtraError

_LOG = logging.getLogger(__name__)
_Loaded = TypeVar("_Loaded")


def load_compiled(load: Callable[[], _Loaded], *, otherwise: str) -> _Loaded | None:
    """Imports compiled loops, or says what is used in their place.

    Args:
        load: imports them.
        otherwise: what happens without them, as a sentence's beginning: "Training with numpy".

    Returns:
        What `load` returns, or None where numba is not installed or has no folder for its code.
    """
    try:
        return load()
    except ExtraError as error:
        _LOG.info("%s. %s", otherwise, error)
    except RuntimeError as error:
        if "cannot cache" not in str(error):  # what numba says where no folder can be written
            raise
        _LOG.warning(
            "%s, which takes longer: numba found no folder for what it compiles. Set "
            "NUMBA_CACHE_DIR to one that can be written. (%s)",
            otherwise,
            error,
        )
    return None
