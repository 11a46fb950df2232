"""The Python API: open a model in one line, get features in two more.

Example:
    >>> from toolkit import create_model
    >>> model = create_model("output/best_model/inference")
    >>> for result in model.predict("photographs/", batch_size=16):
    ...     result.save_to_json("features/")
"""

from pathlib import Path
from typing import Literal

from toolkit.build.model_place import find_model
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
    directory, expected_name = find_model(model_name, model_dir, engine=engine, device=device)
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
