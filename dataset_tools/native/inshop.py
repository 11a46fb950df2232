"""DeepFashion In-shop Clothes Retrieval: 52,712 pictures of 7,982 items.

Layout: ``Eval/list_eval_partition.txt``, ``Anno/list_bbox_inshop.txt`` and ``img/`` (in ``Img/``
as the archive unpacks). Both lists begin with the number of rows and a header; a row of the first
is ``image_name item_id evaluation_status`` with the status train, query or gallery, of the second
``image_name clothes_type pose_type x_1 y_1 x_2 y_2``. Items of train are in no other list.

Source: README of the benchmark, version 1.2 (Liu et al., "DeepFashion", CVPR 2016).
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import GALLERY, QUERY, TRAIN, box_of, find, inside, locate, table
from dataset_tools.native.records import Box, Item, NativeRow
from toolkit.data.convert import SourceProblem

_COLUMNS = ("image_name", "item_id", "evaluation_status")
_BOX_COLUMNS = ("image_name", "clothes_type", "pose_type", "x_1", "y_1", "x_2", "y_2")
_LISTS = {"train": TRAIN, "gallery": GALLERY, "query": QUERY}


def read_inshop(root: Path, variant: str) -> Iterator[Item]:
    """Yields the rows of the partition; a class is an `item_id`."""
    del variant
    partition = locate(root, "Eval/list_eval_partition.txt", "list_eval_partition.txt")
    pictures = locate(root, "img", "Img/img").parent
    prefix = inside(root, pictures)
    boxes: dict[str, Box] = {}
    yield from _read_boxes(root, boxes)
    for row in table(partition, _COLUMNS, counted=True):
        if isinstance(row, SourceProblem):
            yield row
            continue
        line, (name, item, status) = row
        lists = _LISTS.get(status)
        if lists is None:
            message = f"the status is {status!r}; expected train, query or gallery"
            yield SourceProblem(partition, line, message)
        else:
            path = f"{prefix}/{name}".lstrip("/")
            yield NativeRow(path, item, lists, partition, line, boxes.get(name))


def _read_boxes(root: Path, boxes: dict[str, Box]) -> Iterator[SourceProblem]:
    """Fills in the boxes when their list is there; they are an extra that not all keep."""
    file = find(root, "Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt")
    if file is None:
        return
    for row in table(file, _BOX_COLUMNS, counted=True):
        if isinstance(row, SourceProblem):
            yield row
            continue
        line, (name, _, _, *values) = row
        box = box_of(values)
        if isinstance(box, str):
            yield SourceProblem(file, line, box)
        else:
            boxes[name] = box
