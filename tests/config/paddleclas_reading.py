"""Reading PaddleClas's files in the tests of their translation."""

from pathlib import Path
from typing import Any

import pytest

from toolkit.config.load import check_document, read_document
from toolkit.config.yaml_core import Document
from toolkit.errors import ConfigError

FILES = Path(__file__).parent / "paddleclas_files"
V1, V2 = "GeneralRecognition_PPLCNet_x2_5", "GeneralRecognitionV2_PPLCNetV2_base"
HOST = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"


def read(name: str, *overrides: str, mode: str = "train") -> Document:
    return read_document(FILES / f"{name}.yaml", [f"Global.mode={mode}", *overrides])


def translated(name: str, *overrides: str, mode: str = "train") -> dict[str, Any]:
    """The document that a file becomes; it passes the schema."""
    document = read(name, *overrides, mode=mode)
    check_document(document)
    data: dict[str, Any] = document.data
    return data


def problems(name: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_document(read(name, *overrides))
    return caught.value.problems


def value(data: Any, key: str) -> Any:
    """What stands at "Loss.0.CELoss"."""
    for step in key.split("."):
        data = data[int(step)] if isinstance(data, list) else data[step]
    return data
