"""What a person means by a path of weights: a file, a checkpoint, a training output, an export."""

from pathlib import Path

from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.errors import WeightsError

SUFFIXES = (".pdparams", ".pdema", ".safetensors")
# In a training output the best comes first; PaddleX and this toolkit have a folder a checkpoint,
# PaddleClas has the files side by side, in a folder named like the network (RecModel).
_CHECKPOINTS = ("best_model/best_model", "best_model", "latest/latest", "latest")
EXPORT_PLACES = ("", "inference", "best_model/inference", "latest/inference")
"""Where an inference model is in a folder that may be its own or a training output."""


def find_weights(path: Path | str) -> Path:
    """Returns the weight file that `path` names.

    Args:
        path: a file, with or without its suffix; the folder of a checkpoint (its file is called
            like the folder); a training output of this toolkit, PaddleX or PaddleClas; an
            inference model, whose `inference.pdiparams` is then returned; or a folder with one
            weight file in it.

    Raises:
        WeightsError: there is none, or a folder holds several that may be meant.
    """
    given = Path(path)
    found = _in_folder(given) if given.is_dir() else _file(given)
    if found is not None:
        return found
    if given.is_dir():
        raise WeightsError(
            f"No weights in the folder {given}: no such file as {given.name}, best_model or latest "
            f"({', '.join(SUFFIXES)}), and no {PARAMETER_FILE}. Give the path of a weight file."
        )
    tried = "" if given.suffix in SUFFIXES else f" (nor with {', '.join(SUFFIXES)} behind it)"
    raise WeightsError(
        f"No weights at {given}: no such file{tried}. Give the path of a weight file."
    )


def _file(stem: Path) -> Path | None:
    candidates = (stem, *(stem.with_name(stem.name + suffix) for suffix in SUFFIXES))
    return next((file for file in candidates if file.is_file()), None)


def _in_folder(folder: Path) -> Path | None:
    for place in (folder.name, *_CHECKPOINTS):
        # A folder may be called "" or "..": its own name then says nothing.
        if place and (found := _file(folder / place)) is not None:
            return found
    for place in EXPORT_PLACES:
        if (folder / place / PARAMETER_FILE).is_file():
            return folder / place / PARAMETER_FILE
    stems = _stems(folder, "*/best_model") or _stems(folder, "*")
    if len(stems) > 1:
        names = ", ".join(str(stem.relative_to(folder)) for stem in stems)
        raise WeightsError(f"{folder} holds several weight files: {names}. Give one of them.")
    return _file(stems[0]) if stems else None


def _stems(folder: Path, pattern: str) -> list[Path]:
    """Returns the weight files without suffix; raw and averaged weights of one name are one."""
    files = [file for suffix in SUFFIXES for file in folder.glob(pattern + suffix)]
    return sorted({file.with_name(file.name.removesuffix(file.suffix)) for file in files})
