"""Stanford Online Products: 120,053 pictures of 22,634 products sold on eBay.

Layout: ``Ebay_train.txt``, ``Ebay_test.txt`` and a folder for each of twelve kinds of product
(``bicycle_final/``, ...). The lists have the header ``image_id class_id super_class_id path``.
The 11,318 products of the one and the 11,316 of the other differ; the test pictures are searched
among themselves.

Source: Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016,
and the lists in its Stanford_Online_Products.zip.
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import BOTH_SIDES, TRAIN, inside, locate, table
from dataset_tools.native.records import Item, NativeRow
from toolkit.data.convert import SourceProblem

_COLUMNS = ("image_id", "class_id", "super_class_id", "path")


def read_sop(root: Path, variant: str) -> Iterator[Item]:
    """Yields the rows of both lists; a class is a `class_id`."""
    del variant
    for name, lists in (("Ebay_train.txt", TRAIN), ("Ebay_test.txt", BOTH_SIDES)):
        file = locate(root, name, f"Stanford_Online_Products/{name}")
        prefix = inside(root, file.parent)
        for row in table(file, _COLUMNS):
            if isinstance(row, SourceProblem):
                yield row
            else:
                line, (_, class_id, _, path) = row
                yield NativeRow(f"{prefix}/{path}".lstrip("/"), class_id, lists, file, line)
