"""DeepFashion2: 491,895 pictures with 800,732 clothes, of which a part is released.

Layout: ``train/image/000001.jpg`` and ``train/annos/000001.json``, the same in ``validation/``.
An annotation has ``source`` (user or shop), ``pair_id`` and ``item1``, ``item2``, ... with
``bounding_box`` [x1, y1, x2, y2] and ``style``. Two clothes are the same when pair_id and style
agree and style is above 0. Train is train; of validation the shop's clothes are the gallery and
the users' are the queries.

Source: README and evaluation.md of https://github.com/switchablenorms/DeepFashion2 (Ge et al.,
CVPR 2019).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset_tools.native.reading import (
    GALLERY,
    QUERY,
    TRAIN,
    box_of,
    file_names,
    inside,
    json_object,
    locate,
)
from dataset_tools.native.records import Item, LeftOut, NativeRow
from toolkit.data.convert import SourceProblem

_LISTS = {"shop": GALLERY, "user": QUERY}


def read_deepfashion2(root: Path, variant: str) -> Iterator[Item]:
    """Yields a row for each piece of clothing that belongs to a pair."""
    del variant
    for part in ("train", "validation"):
        annotations, pictures = locate(root, f"{part}/annos"), locate(root, f"{part}/image")
        for name in file_names(annotations):
            if name.endswith(".json"):
                picture = inside(root, pictures / name.replace(".json", ".jpg"))
                yield from _read_annotation(annotations / name, part, picture)


def _read_annotation(file: Path, part: str, picture: str) -> Iterator[Item]:
    data = json_object(file)
    if isinstance(data, SourceProblem):
        yield data
        return
    source, pair = data.get("source"), data.get("pair_id")
    if source not in _LISTS or not isinstance(pair, int):
        message = f"source is {source!r} and pair_id {pair!r}; expected shop or user, and a number"
        yield SourceProblem(file, None, message)
        return
    lists = TRAIN if part == "train" else _LISTS[source]
    for name in sorted(key for key in data if key.startswith("item")):
        yield _item(file, name, data[name], NativeRow(picture, f"{part}/{pair}", lists, file))


def _item(file: Path, name: str, item: Any, row: NativeRow) -> Item:
    style = item.get("style") if isinstance(item, dict) else None
    if not isinstance(style, int):
        return SourceProblem(file, None, f"{name} has style {style!r}; expected a number")
    if style <= 0:
        return LeftOut("clothing of style 0, which belongs to no pair")
    corners = item.get("bounding_box")
    box = box_of(corners if isinstance(corners, list) else [corners])
    if isinstance(box, str):
        return SourceProblem(file, None, f"{name}: {box}")
    return NativeRow(row.path, f"{row.class_key}/{style}", row.lists, file, box=box)
