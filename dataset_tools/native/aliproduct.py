"""AliProducts (CVPR 2020 RetailVision challenge): 50,030 products, 2.5 million train pictures.

Layout: ``train.json``, ``val.json``, ``train/<class>/<image>`` and ``val/<class>/<image>``, where
the class is a number of five digits. A JSON file holds ``{"images": [{"class_id": "00000",
"image_id": "1849756.jpg"}, ...]}``. The val pictures show the train products; PaddleClas searches
them among themselves.

Source: https://retailvisionworkshop.github.io/recognition_challenge_2020/; the addresses and keys
that the published solutions use (github.com/mingliangzhang2018/AliProducts-Challenge,
github.com/gujingxiao/AliProducts_Recognition_Competition_Pytorch); paths as in PaddleClas's lists.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset_tools.native.reading import BOTH_SIDES, TRAIN, find, locate
from dataset_tools.native.records import Item, LeftOut, NativeRow
from toolkit.data.convert import SourceProblem
from toolkit.errors import DatasetError

_CLASS_DIGITS = 5


def read_aliproduct(root: Path, variant: str) -> Iterator[Item]:
    """Yields the rows of train.json and, when it is there, val.json; a class is a `class_id`."""
    del variant
    yield from _read_part(root, "train", TRAIN)
    if find(root, "val.json"):
        yield from _read_part(root, "val", BOTH_SIDES)
    else:
        yield LeftOut("gallery and query: no val.json")


def _read_part(root: Path, part: str, lists: tuple[str, ...]) -> Iterator[Item]:
    file = locate(root, f"{part}.json")
    locate(root, part)
    for number, entry in enumerate(_entries(file)):
        if isinstance(entry, tuple):
            image, label = entry
            yield NativeRow(f"{part}/{label}/{image}", label, lists, file)
        else:
            message = f"images[{number}] is {entry!r}; expected image_id and class_id"
            yield SourceProblem(file, None, message)


def _entries(file: Path) -> list[Any]:
    try:
        # Two and a half million objects: each becomes a pair at once, which is a third of the size.
        data = json.loads(file.read_bytes(), object_hook=_pair)
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise DatasetError(f"{file} is not JSON: {error}.") from error
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list):
        raise DatasetError(f"{file} has no list named 'images'; expected AliProducts' own file.")
    return images


def _pair(entry: dict[str, Any]) -> dict[str, Any] | tuple[str, str]:
    image, label = entry.get("image_id"), entry.get("class_id")
    if not isinstance(image, str) or not isinstance(label, int | str):
        return entry
    # A number, or the same as text; the folder has five digits.
    return (image, str(label).zfill(_CLASS_DIGITS)) if str(label).isdecimal() else entry
