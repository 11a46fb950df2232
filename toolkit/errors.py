"""Everything that can go wrong for a person, as one tree.

ToolkitError                  the user's input was wrong                          exit code 2
├── ConfigError               a key, a value or an -o that cannot be read
├── DatasetError              a list, folder or column that the run needs
│   ├── ImageError            one picture that cannot be read or decoded
│   ├── PicturesGoneError     the folder of all pictures is gone, and does not come back
│   └── RecordError           a file of packed pictures that is damaged or does not fit
├── WeightsError              a weight or state file: missing, hostile, unfitting
├── StorageError             a folder that cannot be written to, a disk that is full
├── VectorIndexError          an index that is missing, in use, of another model, or misused
│   └── RecordExistsError     an id that is added and is there already
├── FetchError                an address that cannot be reached, or gave wrong bytes
├── ArchiveError              a tar archive that is damaged, or leads outside of its folder
├── ExtractionError           an extraction of other settings, or workers that keep dying
├── RunError                  an output folder that is no run, or has no numbers
├── ModelError                a model name or directory that cannot be opened
├── DeviceError               a device that is not there, or a malformed device string
├── ProcessError              a process of a run of several that was killed
├── ExtraError                an optional package is not installed; names the extra
└── GateError                 the input was fine, the result is not good enough   exit code 1
    ├── CheckFailedError      the dataset did not pass its check
    ├── DivergedError         the loss is no longer a number
    ├── CollapsedError        every picture gets the same features
    ├── RecallDropError       an export in fewer bits finds too little; a ModelError too
    └── RecallTooLowError     an index finds fewer true neighbours than was asked for

A message says what happened with which value, what was expected, and what to do. Anything that
is not a ToolkitError is a bug of ours: exit code 3, with a traceback.
"""

import difflib
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


class ToolkitError(Exception):
    """The user's input was wrong; the message stands alone, without a traceback."""

    exit_code = 2


class ConfigError(ToolkitError):
    """One or more things in the configuration cannot be used; all of them are listed."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DatasetError(ToolkitError):
    """A list file, folder or column of the dataset cannot be used."""


class ImageError(DatasetError):
    """One picture cannot be read or decoded."""


class PicturesGoneError(DatasetError):
    """The folder that all training pictures are in is gone, and did not come back."""


class RecordError(DatasetError):
    """A file of packed pictures, or its index, is missing, damaged, cut off or of another kind."""


class WeightsError(ToolkitError):
    """A weight or state file is missing, hostile, damaged, or does not fit the network."""


class StorageError(ToolkitError):
    """A folder cannot be written to, or the disk is full."""


class VectorIndexError(ToolkitError):
    """An index of vectors is missing, in use, of another model or format, or asked for nonsense."""


class RecordExistsError(VectorIndexError):
    """A record is added under an id that is taken."""


class FetchError(ToolkitError):
    """An address could not be reached, or what it served is not what was expected.

    Attributes:
        reason: what happened, without the ways out.
    """

    def __init__(self, reason: str, ways_out: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason} {ways_out}".rstrip())


class ArchiveError(ToolkitError):
    """A tar archive is damaged, or holds links or paths that lead outside of its folder."""


class ExtractionError(ToolkitError):
    """An extraction is of other settings than the one begun, or its workers keep dying."""


class RunError(ToolkitError):
    """An output folder is not that of a finished run, or has nothing to compare."""


class ModelError(ToolkitError):
    """A model name is unknown, or a model directory is not complete."""


class DeviceError(ToolkitError):
    """A device string is malformed, or names a device that is not there."""


class ProcessError(ToolkitError):
    """One of several processes that train together was killed."""


class ExtraError(ToolkitError):
    """An optional package is needed and not installed."""


class GateError(ToolkitError):
    """The input could be read and the result did not pass."""

    exit_code = 1


class CheckFailedError(GateError):
    """The dataset has findings at or above the severity that fails it."""


class DivergedError(GateError):
    """Training stopped because the loss is no longer a finite number."""


class CollapsedError(GateError):
    """Training stopped because every picture gets the same features."""


class RecallDropError(GateError, ModelError):
    """An export in fewer bits loses more recall than was allowed."""


class RecallTooLowError(GateError, VectorIndexError):
    """An index finds fewer of the true neighbours than Index.min_recall asks for."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the known name closest to `name`, or an empty string."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[found[0]]!r}?" if found else ""


_EXTRA_OF = {
    "aiobotocore": "object-store",
    "botocore": "object-store",
    "fastapi": "service",
    "fsspec": "object-store",
    "httptools": "service",
    "ml_dtypes": "onnxruntime",
    "mlflow": "mlflow",
    "numba": "kernels",
    "onnx": "onnxruntime",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "paddle": "cpu",
    "paddle2onnx": "onnxruntime",
    "ppcls": "paddleclas",
    "prometheus_client": "service",
    "pyarrow": "parquet",
    "pymilvus": "milvus",
    "python_multipart": "service",
    "ray": "ray",
    "s3fs": "object-store",
    "starlette": "service",
    "tensorboard": "tensorboard",
    "threadpoolctl": "kernels",
    "uvicorn": "service",
    "visualdl": "visualdl",
    "wandb": "wandb",
}


def import_optional(module: str, *, purpose: str) -> ModuleType:
    """Imports a module that is, or stands on, an optional package.

    Args:
        module: dotted module name, such as ``pyarrow.parquet``.
        purpose: what needs it, as the subject of a sentence: "Writing Parquet".

    Raises:
        ExtraError: the optional package is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRA_OF:
            raise
        extra = _EXTRA_OF[package]
        raise ExtraError(
            f"{purpose} needs the package {package!r}, which is not installed. Install it with: "
            f'pip install "image-retrieval-toolkit[{extra}]" (in a checkout: pip install -e '
            f'".[{extra}]").'
        ) from error
