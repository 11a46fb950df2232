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

from toolkit.archives import has_archive_name
from toolkit.cards.catalog import CARDS, DEFAULT_MODEL, model_card
from toolkit.errors import ModelError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.directory import open_predictor
from toolkit.inference.official import opened_folder
from toolkit.inference.predictor import Predictor
from toolkit.runtime import prepare_paddle


def create_model(
    model_name: str | Path | None = None,
    model_dir: str | Path | None = None,
    *,
    device: str | None = None,
    engine: str | None = None,
    batch_size: int = 1,
    threads: int | None = None,
    resize: Literal["as_trained", "bilinear"] = "as_trained",
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
        engine: what runs the network; None is ``paddle``.
        batch_size: pictures a forward pass where ``predict`` is not told otherwise.
        threads: CPU threads of the network; None takes all the cores allowed.
        resize: ``as_trained`` resizes pictures as the model says; ``bilinear`` as PaddleX does,
            whose CLIP features differ a little for it.

    Returns:
        The model; ``model.predict(pictures)`` yields one result a picture.

    Raises:
        ModelError: the name is unknown, or the folder holds no model or another one.
        FetchError: the official model cannot be downloaded.
        ArchiveError: an archive is damaged, or holds what leads outside of it.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: PaddlePaddle is not installed.
        TypeError: a name or folder that is no text and no path.
        ValueError: `batch_size` or `threads` is below 1, or `resize` is none of the two.
    """
    prepare_paddle()
    directory, expected_name = _resolve(model_name, model_dir)
    return open_predictor(
        directory,
        model_name=expected_name,
        device="auto" if device is None else device,
        engine="paddle" if engine is None else engine,
        batch_size=batch_size,
        threads=threads,
        resize=resize,
    )


def _resolve(
    model_name: str | Path | None, model_dir: str | Path | None
) -> tuple[Path, str | None]:
    """Returns the folder of the model, and the name that it must have if one was given."""
    for value in (model_name, model_dir):
        if value is not None and not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"Expected a name or a folder, received {value!r}.")
        if value == "":
            raise ModelError("The name or folder of the model is empty. Leave it out, or give one.")
    options = FetchOptions.from_environment()
    if model_dir is not None:
        expected_name = None if model_name is None else str(model_name)
        return opened_folder(Path(model_dir), options), expected_name
    given = DEFAULT_MODEL if model_name is None else model_name
    if isinstance(given, str) and (given in CARDS or not _is_path(given)):
        # Importing it brings in Paddle, which is set up by now.
        from toolkit.build.official import model_folder

        return model_folder(model_card(given), options), given
    return opened_folder(Path(given), options), None


def _is_path(text: str) -> bool:
    path = Path(text)
    return "/" in text or os.sep in text or path.is_dir() or has_archive_name(path)
