"""Any dataset that is one folder a class: all pictures below, the folder's path is the class.

The classification sets that PP-ShiTuV2 adds unpack to this.
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import TRAIN, inside
from dataset_tools.native.records import Item, LeftOut, NativeRow
from toolkit.data.manifest import find_images
from toolkit.errors import DatasetError


def read_image_folder(root: Path, variant: str) -> Iterator[Item]:
    """Yields all pictures as train rows."""
    del variant
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected one with a folder for each class.")
    for picture in find_images(root):
        class_key = inside(root, picture.parent)
        if class_key:
            yield NativeRow(inside(root, picture), class_key, TRAIN, picture)
        else:
            yield LeftOut("picture in no class folder")
