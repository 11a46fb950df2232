"""The Python API: open a model in one line, get features in two more.

Example:
    >>> from toolkit import create_model
    >>> model = create_model("output/best_model/inference")
    >>> for result in model.predict("photographs/", batch_size=16):
    ...     result.save_to_json("features/")
"""

import os
from pathlib import Path

from toolkit.cards.catalog import CARDS, find_card
from toolkit.inference.directory import open_predictor
from toolkit.inference.official import model_folders, official_model
from toolkit.inference.predictor import Predictor
from toolkit.runtime import prepare_paddle


def create_model(
    model_name: str | Path,
    model_dir: str | Path | None = None,
    *,
    device: str | None = None,
    engine: str | None = None,
    batch_size: int = 1,
    threads: int | None = None,
) -> Predictor:
    """Opens a model by its name, its folder, or both.

    Args:
        model_name: name of a model, such as ``PP-ShiTuV2_rec``, or the folder of an exported model
            or of a training run. A known name is never taken for a folder; ``./name`` is one.
        model_dir: folder of the model of that name. None takes the official one, from this
            machine's caches or from its address.
        device: ``auto | cpu | gpu | gpu:0``; None is ``auto``. A GPU that is not there means the
            CPU, with a warning.
        engine: what runs the network; None is ``paddle``.
        batch_size: pictures a forward pass where ``predict`` is not told otherwise.
        threads: CPU threads of the network; None takes all the cores allowed.

    Returns:
        The model; ``model.predict(pictures)`` yields one result a picture.

    Raises:
        ModelError: the name is unknown, or the folder holds no model or another one.
        FetchError: the official model cannot be downloaded.
        DeviceError: the device is malformed.
        ConfigError: there is no such engine.
        ExtraError: PaddlePaddle is not installed.
        TypeError: a name or folder that is no text and no path.
        ValueError: `batch_size` or `threads` is below 1.
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
    )


def _resolve(model_name: str | Path, model_dir: str | Path | None) -> tuple[Path, str | None]:
    """Returns the folder of the model, and the name that it must have if one was given."""
    for value in (model_name, *(() if model_dir is None else (model_dir,))):
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"Expected a name or a folder, received {value!r}.")
    if model_dir is not None:
        return Path(model_dir), str(model_name)
    if isinstance(model_name, str) and (model_name in CARDS or not _is_folder(model_name)):
        return official_model(find_card(model_name), model_folders()), model_name
    return Path(model_name), None


def _is_folder(text: str) -> bool:
    return "/" in text or os.sep in text or Path(text).is_dir()
