"""The Python API: open a model in one line, get features in two more.

Example:
    >>> from toolkit import create_model
    >>> model = create_model("output/best_model/inference")
    >>> for result in model.predict("photographs/", batch_size=16):
    ...     result.save_to_json("features/")
"""

import os
from pathlib import Path
from typing import Literal

from toolkit.errors import ModelError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.directory import open_predictor
from toolkit.inference.predictor import Predictor
from toolkit.runtime import prepare_paddle


def create_model(  # noqa: PLR0913 - options that people pass by keyword
    model_name: str | Path | None = None,
    model_dir: str | Path | None = None,
    *,
    device: str | None = None,
    engine: str | None = None,
    batch_size: int = 1,
    threads: int | None = None,
    resize: Literal["as_trained", "bilinear"] = "as_trained",
    decode: Literal["fast", "exact"] = "fast",
) -> Predictor:
    """Opens a model by its name, its folder, or both.

    Args:
        model_name: name of a model, such as ``PP-ShiTuV2_rec``, or the folder of an exported model
            or of a training run, or a tar archive of one. A known name is never taken for a folder;
            ``./name`` is one. None takes what `model_dir` holds, and without that the model that
            ships with this package and needs no network (``SmallResNet_general``).
        model_dir: folder or tar archive of the model of that name. None takes the official one,
            from this machine's caches or from its address.
        device: ``auto | cpu | gpu | gpu:0``; None is ``auto``. A GPU that is not there means the
            CPU, with a warning.
        engine: what runs the network: ``paddle``, ``onnxruntime`` or ``openvino``; None takes the
            fastest that is installed.
        batch_size: pictures a forward pass where ``predict`` is not told otherwise.
        threads: CPU threads of the network; None takes all the cores allowed.
        resize: ``as_trained`` resizes pictures as the model says; ``bilinear`` as PaddleX does,
            whose CLIP features differ a little for it.
        decode: ``fast`` lets the JPEG decoder shrink photographs that are several times larger than
            the network's input; ``exact`` decodes every pixel.

    Returns:
        The model; ``model.predict(pictures)`` yields one result a picture.

    Raises:
        ModelError: the name is unknown, or the folder holds no model or another one.
        FetchError: the official model cannot be downloaded.
        ArchiveError: an archive is damaged, or holds what leads outside of it.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: the package of the engine is not installed.
        TypeError: a name or folder that is no text and no path.
        ValueError: `batch_size` or `threads` is below 1, or `resize` or `decode` is no choice.
    """
    prepare_paddle()
    device, engine = device or "auto", engine or "auto"
    directory, expected_name = _resolve(model_name, model_dir, engine=engine, device=device)
    return open_predictor(
        directory,
        model_name=expected_name,
        device=device,
        engine=engine,
        batch_size=batch_size,
        threads=threads,
        resize=resize,
        decode=decode,
    )


def model_directory(model: str | Path | None, *, engine: str, device: str) -> Path:
    """Returns the folder of a model, as `create_model` finds it.

    Args:
        model: name or folder; None is the model that ships with this package.
        engine: what will run it.
        device: where it will run.

    Raises:
        ToolkitError: see `create_model`.
    """
    return _resolve(model, None, engine=engine, device=device)[0]


def _resolve(
    model_name: str | Path | None, model_dir: str | Path | None, *, engine: str, device: str
) -> tuple[Path, str | None]:
    """Returns the folder of the model, and the name that it must have if one was given."""
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
