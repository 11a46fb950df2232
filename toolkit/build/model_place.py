"""From what a person calls a model, a name or a folder, to the folder of its export."""

import os
from pathlib import Path

from toolkit.errors import ModelError
from toolkit.fetch.options import FetchOptions


def model_directory(model: str | Path | None, *, engine: str, device: str) -> Path:
    """Returns the folder of a model, as `find_model` finds it.

    Args:
        model: name or folder; None is the model that ships with this package.
        engine: what will run it.
        device: where it will run.

    Raises:
        ToolkitError: see `find_model`.
    """
    return find_model(model, None, engine=engine, device=device)[0]


def find_model(
    model_name: str | Path | None, model_dir: str | Path | None, *, engine: str, device: str
) -> tuple[Path, str | None]:
    """Returns the folder of the model, and the name that it must have if one was given.

    Args:
        model_name: a name or a folder; None is what `model_dir` holds, else the model that ships
            with this package.
        model_dir: folder or tar archive of the model of that name.
        engine: what will run it.
        device: where it will run.

    Raises:
        ModelError: the name is unknown or empty, or nothing is published that could be opened.
        FetchError: the official model cannot be downloaded.
        ArchiveError: an archive is damaged or hostile.
        TypeError: a name or folder that is no text and no path.
    """
    for value in (model_name, model_dir):
        if value is not None and not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"Expected a name or a folder, received {value!r}.")
        if value == "":
            raise ModelError("The name or folder of the model is empty. Leave it out, or give one.")
    if model_dir is not None:
        return _folder(model_dir), None if model_name is None else str(model_name)
    if model_name is not None and (isinstance(model_name, os.PathLike) or _is_path(model_name)):
        return _folder(model_name), None
    # Whoever gives a folder needs neither the catalogue nor what downloads.
    from toolkit.build.official import opened_model
    from toolkit.cards.catalog import DEFAULT_MODEL, model_card

    card = model_card(DEFAULT_MODEL if model_name is None else model_name)
    options = FetchOptions.from_environment()
    return opened_model(card, options, engine=engine, device=device), card.name


def _folder(path: str | Path) -> Path:
    """Returns the folder of a model, unpacked where it is given as a tar archive."""
    if Path(path).is_dir():
        return Path(path)
    from toolkit.inference.official import opened_folder

    return opened_folder(Path(path), FetchOptions.from_environment())


def _is_path(text: str) -> bool:
    """Tells whether a text means a path; a known name does, whatever lies in the folder, not."""
    if "/" in text or os.sep in text:
        return True
    from toolkit.archives import has_archive_name
    from toolkit.cards.catalog import ALIASES, CARDS

    known = text in CARDS or text in ALIASES
    return not known and (Path(text).is_dir() or has_archive_name(Path(text)))
