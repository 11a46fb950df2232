"""An index of whitened vectors: its fingerprint names the model and the file of the whitening.

So a model alone does not fit it, and who does not know of whitening is refused.
"""

from collections.abc import Iterable
from pathlib import Path

from toolkit.fingerprint import fingerprint_bytes
from toolkit.index.whitening import Whitening

_MARK = "+whitening:"


def add_whitening(folder: Path, model: str, whitening: Whitening) -> str:
    """Writes the file of a whitening, and returns the fingerprint of model and whitening."""
    content = whitening.mean.tobytes() + whitening.matrix.tobytes()
    name = fingerprint_bytes(content)
    whitening.save(folder / _file(name))
    return f"{model}{_MARK}{name}"


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
