"""Features that somebody has computed before, and a store for all others."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatasetError
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.training.feature_store import BackboneFeatures, FeatureStore

_LOG = logging.getLogger(__name__)
_COMPARED = 8
# Engines, decoders of another version and half precision differ less.
_LOWEST_COSINE = 0.999


class KnownFeatures:
    """Gives known unit vectors, and asks a store for what is not known.

    Args:
        vectors: path as given or resolved -> float32 [d], of any length.
        store: computes the others; the same network has to have made both, which is looked at for
            some pictures before anything known is used.
        origin: where they come from, for the messages.
    """

    def __init__(
        self, vectors: Mapping[Path, NDArray[np.float32]], store: FeatureStore, origin: str
    ) -> None:
        self._vectors, self._store, self._origin = vectors, store, origin
        self._checked = False

    def features(self, paths: Sequence[Path], *, turned: bool = False) -> BackboneFeatures:
        """Returns the features of pictures; see `FeatureStore.features`.

        Raises:
            DatasetError: what is known is of another network.
            StorageError: see `FeatureStore.features`.
        """
        known = [None if turned else self._known(path) for path in paths]
        self._check([path for path, row in zip(paths, known, strict=True) if row is not None])
        if turned:
            return self._store.features(paths, turned=True)
        missing = [place for place, row in enumerate(known) if row is None]
        _LOG.info(
            "%d of %d features are taken from %s.",
            *(len(paths) - len(missing), len(paths), self._origin),
        )
        if not missing:
            return BackboneFeatures(known, {})
        computed = self._store.features([paths[place] for place in missing])
        for place, row in zip(missing, computed.rows, strict=True):
            known[place] = row
        return BackboneFeatures(
            known, {missing[place]: reason for place, reason in computed.failures.items()}
        )

    def _known(self, path: Path) -> NDArray[np.float32] | None:
        row = self._vectors.get(path)
        row = self._vectors.get(path.resolve()) if row is None else row
        return None if row is None else unit_vectors(row[np.newaxis])[0]

    def _check(self, paths: Sequence[Path]) -> None:
        """Computes some of the known features and compares them."""
        if self._checked or not paths:
            return
        some = [paths[i] for i in np.linspace(0, len(paths) - 1, _COMPARED).astype(int)]
        for path, own in zip(some, self._store.features(some).rows, strict=True):
            row = self._known(path)
            if own is None or row is None:
                continue
            if row.shape != own.shape or float(row @ own) < _LOWEST_COSINE:
                how = (
                    f"cosine {float(row @ own):.4f}"
                    if row.shape == own.shape
                    else f"{len(row)} numbers there, {len(own)} here"
                )
                raise DatasetError(
                    f"{self._origin} has another feature of {path} than the network of this "
                    f"configuration ({how}): another model made it, or the picture has changed. "
                    "Extract again with this model, or leave Adapter.features out."
                )
        self._checked = True
