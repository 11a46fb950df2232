"""An index of whitened vectors: its fingerprint names the model and the file of the whitening.

So a model alone does not fit it, and who does not know of whitening is refused.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import VectorIndexError
from toolkit.fingerprint import fingerprint_bytes
from toolkit.index.database.copying import Embed
from toolkit.index.database.header import Generation
from toolkit.index.database.record_store import RecordStore
from toolkit.index.interface import Entry
from toolkit.index.whitening import Whitening

_MARK, _SAMPLE = "+whitening:", 50_000


def begin_whitening(
    folder: Path, generation: Generation, store: RecordStore, dimension: int, seed: int
) -> tuple[str, Embed]:
    """Learns a whitening from the vectors of an index, and writes its file.

    Returns:
        The fingerprint of model and whitening, and what computes the whitened vectors of entries.

    Raises:
        VectorIndexError: the vectors are whitened already, are not compared by cosine, are too few,
            or have fewer numbers.
    """
    model, metric = generation.fingerprint, generation.metric
    if metric != "cosine" or whitening_file(model) is not None:
        raise VectorIndexError(
            f"{folder} has the metric {metric!r} and the fingerprint {model!r}; the vectors of a "
            "model are whitened once, for cosine."
        )
    rows = store.rows()
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(rows, min(len(rows), _SAMPLE), replace=False))
    learned = Whitening.learned(store.vectors(some)[1], dimension)
    name = fingerprint_bytes(learned.mean.tobytes() + learned.matrix.tobytes())
    learned.save(folder / _file(name))

    def embed(entries: Sequence[Entry]) -> NDArray[np.float32]:
        return learned.apply(np.stack([entry.vector for entry in entries]))

    return f"{model}{_MARK}{name}", embed


def whitening_file(fingerprint: str) -> str | None:
    """Returns the name of the file that a fingerprint names; None where nothing is whitened."""
    _, mark, name = fingerprint.partition(_MARK)
    return _file(name) if mark else None


def with_whitening_of(index: str, model: str) -> str:
    """Returns a model's fingerprint beside the whitening that an index's fingerprint names."""
    _, mark, name = index.partition(_MARK)
    return model + mark + name


def remove_whitenings(folder: Path, fingerprints: Iterable[str]) -> None:
    """Removes the files that none of these fingerprints names."""
    kept = {whitening_file(fingerprint) for fingerprint in fingerprints}
    for file in folder.glob(_file("*")):
        if file.name not in kept:
            file.unlink(missing_ok=True)


def _file(name: str) -> str:
    return f"whitening-{name}.npz"
