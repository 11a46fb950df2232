"""A class of the user's as an engine: it does everything from decoded pixels on itself.

The interface is that of EasyVision's custom predictors: ``__init__(model_path, model_config=None)``
and ``predict(pictures, batch_size) -> one dict or array a picture``.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ConfigError, ImageError, ModelError
from toolkit.inference.engines.engine import Stream, Takes

KEY = "feature"


class CustomEngine:
    """Runs a user's predictor.

    Args:
        location: ``module:Class``.
        model_path: handed to the class as it is.
        model_config: handed to the class as it is.

    Raises:
        ConfigError: there is no such module or class.
        ModelError: the class cannot be made.
    """

    takes: Takes = "pictures"

    def __init__(
        self, location: str, model_path: str, model_config: Mapping[str, Any] | None
    ) -> None:
        self._location = location
        kind = load_class(location)
        try:
            self._predictor = kind(model_path, model_config=model_config)
        except Exception as error:  # it is not our code
            raise ModelError(
                f"{location} cannot be opened with model_path {model_path!r} "
                f"({type(error).__name__}: {error})."
            ) from error

    def run(self, images: Any) -> NDArray[Any]:
        """Maps pictures, uint8 RGB [h, w, 3] of any sizes, to features [b, d].

        Raises:
            ImageError: the predictor raised something: this batch has no features.
            ModelError: it returned something else than one feature a picture.
        """
        try:
            found = list(self._predictor.predict(list(images), len(images)))
        except Exception as error:  # it is not our code
            raise ImageError(
                f"prediction error: {self._location} raised {type(error).__name__}: {error}"
            ) from error
        if len(found) != len(images):
            raise ModelError(
                f"{self._location}.predict returned {len(found)} results for {len(images)} "
                "pictures; expected one each."
            )
        rows = [self._row(one) for one in found]
        if len({len(row) for row in rows}) > 1:
            lengths = sorted({len(row) for row in rows})
            raise ModelError(f"{self._location}: features of one batch have lengths {lengths}.")
        return np.stack(rows)

    def streams(self) -> Sequence[Stream]:
        """Returns one: nobody says that the class may be called from two threads."""
        return [self.run]

    def _row(self, one: Any) -> NDArray[Any]:
        value = one.get(KEY) if isinstance(one, Mapping) else one
        row = np.ravel(np.asarray(value))
        if row.dtype.kind not in "fiub" or not row.size:
            raise ModelError(
                f"{self._location}.predict returned {one!r:.80}; expected numbers, or a dict with "
                f"them as {KEY!r}."
            )
        return row


def load_class(location: str) -> Any:
    """Imports a user's class.

    Raises:
        ConfigError: there is no such module or class.
    """
    module, _, name = location.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"Extract.predictor {location!r} cannot be imported ({error}). The module must be "
            "installed, or in a folder of PYTHONPATH."
        ) from error
