"""``python -m toolkit.compat.ev_predict_ext``: EasyVision's feature extraction, on this machine.

    python -m toolkit.compat.ev_predict_ext \
        -Dmodel_path=oss://pai-vision-data-sh/pretrained_models/saved_models/resnet_v1_50/ \
        -Dmodel_type=feature_extractor -Dfeature_name=resnet_v1_50/block4 \
        -Dinput_oss_file=list.txt -Doutput_oss_file=features.txt -Dimage_type=url -Dnum_worker=2

The parameters are those of ``pai -name ev_predict_ext``; the features are raw, as there. What PAI
has no name for has ours: ``weights``, ``pool``, ``l2_normalise``, ``oss_root``, ``output_format``.

Source: Alibaba's documentation of EasyVision, and alibaba/EasyCV (tools/predict.py) at 901ff186.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.build.endpoints import endpoint_names
from toolkit.build.extraction import EMBEDDING, model_to_open
from toolkit.build.model_place import model_directory
from toolkit.build.model_to_open import ModelSource
from toolkit.compat.command import exit_code
from toolkit.config.extract_section import ExtractSection, extract_section
from toolkit.errors import ConfigError, nearest
from toolkit.runtime import configure_logging
from toolkit.tasks.extract import extract

_NAME = "ev_predict_ext"
_SAVED_MODELS = "oss://pai-vision-data-sh/pretrained_models/saved_models/"
_MODEL_TYPE = "feature_extractor"
_OTHER_TYPES = (
    "classifier", "multilabel_classifier", "detector", "segmentor", "text_recognizer",
    "text_detector", "text_spotter",
)  # fmt: skip
# What PAI needs to know of its cloud, and this machine does not.
_IGNORED = ("arn", "ossHost", "oss_io_config", "cpuRequired", "output_dir", "lifecycle")
_HELP = f"""usage: python -m toolkit.compat.{_NAME} [-name {_NAME}] -Dparameter=value ...

  -Dmodel_path        one of the models of EasyVision by its oss:// address or its name, the name
                      of any other model, or the folder of a training run or an exported model
  -Dmodel_type        {_MODEL_TYPE}
  -Dfeature_name      the layer; a wrong one is answered with the list
  -Dinput_oss_file    list of pictures, one a line        -Doutput_oss_file  text file to write
  -Dinput_table       CSV, JSONL, SQLite or Parquet       -Doutput_table     table to write
  -Dimage_col_name    column of the picture               -Dimage_type       url | base64
  -Dreserved_columns  a,b,c or ALL_COLUMNS                -Dresult_column    feature
  -Dbatch_size 1      -Dqueue_size 64      -Dnum_worker 1      -Dbuckets a,b
  -Dpredict_thread_num 1 (threads of the network)    -Dpreprocess_thread_num 2 (readers)
  -DgpuRequired       0 for the CPU; accepted and of no use here: {", ".join(_IGNORED)}
of ours:
  -Dweights auto|random|FILE    -Dseed 0    -Dpool none|avg|max|gem    -Dl2_normalise false
  -Doss_root FOLDER (oss://bucket/key is FOLDER/bucket/key)    -Doss_endpoint URL
  -Doutput_format text|jsonl|npy|parquet|pickle|table    -Drunner local|ray
  -Dmax_error_rate 1.0    -Dinput_root FOLDER"""


@dataclass(frozen=True)
class _Parameter:
    """What a parameter of the command becomes.

    Attributes:
        key: of the section Extract.
        read: makes its value of the text.
    """

    key: str
    read: Callable[[str], Any]


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("expected a whole number")
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


_PARAMETERS: Mapping[str, _Parameter] = {
    "feature_name": _Parameter("feature_name", str),
    "input_oss_file": _Parameter("input", str),
    "input_table": _Parameter("input", str),
    "output_oss_file": _Parameter("output", str),
    "output_table": _Parameter("output", str),
    "image_col": _Parameter("image_column", str),
    "image_col_name": _Parameter("image_column", str),
    "image_type": _Parameter("image_type", str),
    "reserved_columns": _Parameter("reserved_columns", _names),
    "result_column": _Parameter("result_column", str),
    "batch_size": _Parameter("batch_size", _count),
    "queue_size": _Parameter("queue_size", _count),
    "predict_thread_num": _Parameter("predict_threads", _count),
    "preprocess_thread_num": _Parameter("read_threads", _count),
    "num_worker": _Parameter("num_worker", _count),
    "buckets": _Parameter("allowed_buckets", _names),
    "weights": _Parameter("weights", str),
    "pool": _Parameter("pool", str),
    "l2_normalise": _Parameter("l2_normalise", _switch),
    "oss_root": _Parameter("oss_root", str),
    "oss_endpoint": _Parameter("oss_endpoint", str),
    "input_root": _Parameter("input_root", str),
    "output_format": _Parameter("output_format", str),
    "runner": _Parameter("runner", str),
    "max_error_rate": _Parameter("max_error_rate", float),
}
_OWN = ("model_path", "model_type", "gpuRequired", "seed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, extracts, and returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(_HELP)
        return 0
    configure_logging()
    return exit_code(partial(_command, given))


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """Reads ``-Dname=value`` and a leading ``-name ev_predict_ext``.

    Raises:
        ConfigError: a parameter is unknown, malformed, or given twice.
    """
    rest = [argument for argument in arguments if argument != "pai"]
    if rest[:1] == ["-name"]:
        if rest[1:2] != [_NAME]:
            raise ConfigError(f"-name is {' '.join(rest[1:2])!r}; this command is {_NAME}.")
        rest = rest[2:]
    known = [*_PARAMETERS, *_OWN, *_IGNORED]
    found: dict[str, str] = {}
    for argument in rest:
        name, equals, value = argument.removeprefix("-D").partition("=")
        if not argument.startswith("-D") or not equals:
            raise ConfigError(f"{argument!r}: expected -Dparameter=value.")
        if name not in known:
            raise ConfigError(
                f"Unknown parameter {name!r}.{nearest(name, known)} Known: {', '.join(known)}."
            )
        if name in found:
            raise ConfigError(f"-D{name} is given twice: {found[name]!r} and {value!r}.")
        found[name] = value.strip("\"'")
    return found


def model_of(path: str) -> str:
    """Returns the name or folder that a model_path means.

    Raises:
        ConfigError: it is an address of another place than EasyVision's models.
    """
    if path.startswith(_SAVED_MODELS):
        return path.removeprefix(_SAVED_MODELS).strip("/")
    if path.startswith("oss://"):
        raise ConfigError(
            f"model_path is {path!r}; models are read from this machine. Known addresses begin "
            f"with {_SAVED_MODELS}; else give a name or a folder."
        )
    return path.rstrip("/") if len(path) > 1 else path


def section_of(given: Mapping[str, str]) -> ExtractSection:
    """Makes the section Extract of the parameters.

    Raises:
        ConfigError: a value cannot be used, or input or output is missing or given twice.
    """
    values: dict[str, Any] = {"num_worker": 1, "batch_size": 1, "l2_normalise": False}
    by_key: dict[str, str] = {}
    for name, text in given.items():
        if name not in _PARAMETERS:
            continue
        parameter = _PARAMETERS[name]
        if parameter.key in by_key:
            raise ConfigError(f"-D{name} and -D{by_key[parameter.key]} mean the same; give one.")
        by_key[parameter.key] = name
        try:
            values[parameter.key] = parameter.read(text)
        except ValueError as error:
            raise ConfigError(f"-D{name} is {text!r}: {error}.") from error
    for key, names in (
        ("input", "input_oss_file or -Dinput_table"),
        ("output", "output_oss_file or -Doutput_table"),
    ):
        if key not in values:
            raise ConfigError(f"-D{names} is missing.")
    is_table = by_key["output"] == "output_table"
    values.setdefault("output_format", "table" if is_table else "text")
    return extract_section(values, call=_NAME)


def _command(arguments: Sequence[str]) -> bool:
    given = parse(arguments)
    _check_type(given.get("model_type", _MODEL_TYPE))
    if not given.get("model_path"):
        raise ConfigError("-Dmodel_path is missing; see --help.")
    model = model_of(given["model_path"])
    if "feature_name" not in given:
        raise ConfigError(f"-Dfeature_name is missing. {model} has: {', '.join(_layers(model))}.")
    for name in sorted(set(given) & set(_IGNORED)):
        print(f"-D{name} has no meaning on this machine and is ignored.", file=sys.stderr)
    section = section_of(given)
    device = "gpu" if _count(given.get("gpuRequired", "0")) else "cpu"
    source = ModelSource(
        partial(model_directory, model, engine=section.engine, device=device),
        model,
        device,
        _count(given.get("seed", "0")),
    )
    report = extract(section, model_to_open(section, source), device)
    print(report.summary())
    return report.passed


def _layers(model: str) -> list[str]:
    has_network = not (Path(model) / "inference.yml").is_file()
    return endpoint_names(model) if has_network else [EMBEDDING]


def _check_type(model_type: str) -> None:
    if model_type in _OTHER_TYPES:
        raise ConfigError(f"model_type {model_type} gives no features; use {_MODEL_TYPE}.")
    if model_type != _MODEL_TYPE:
        raise ConfigError(
            f"Unknown model_type {model_type!r}.{nearest(model_type, [_MODEL_TYPE])} "
            f"Expected {_MODEL_TYPE}."
        )


if __name__ == "__main__":
    raise SystemExit(main())
