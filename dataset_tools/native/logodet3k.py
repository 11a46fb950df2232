"""LogoDet-3K: 158,652 pictures of 3,000 logos, with 194,261 boxes.

Layout: ``<category>/<brand>/<number>.jpg`` and ``.xml`` in nine categories (Food, Clothes, ...).
The XML is Pascal VOC's: ``object/bndbox/{xmin,ymin,xmax,ymax}``. The class is category and folder;
there are 3,000 of them, while ``object/name`` repeats some across categories. There is no split.

PaddleClas cut the logos out and has 155,427 train pictures and 3,225 queries, together the number
of pictures: one logo a picture. Which one, and which are queries, is not published. The variant
``largest`` takes the largest box of a picture; ``all`` takes every box.

Source: Wang et al., arXiv 2008.05359; https://github.com/Wangjing1551/LogoDet-3K-Dataset;
PaddleClas, docs/zh_CN/application/logo_recognition.md, section 1.2.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from dataset_tools.native.reading import TRAIN, box_of, file_names, inside
from dataset_tools.native.records import Box, Item, LeftOut, NativeRow
from toolkit.data.convert import SourceProblem
from toolkit.errors import DatasetError

VARIANTS = ("all", "largest")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_logodet3k(root: Path, variant: str) -> Iterator[Item]:
    """Yields a row for each box, or for the largest of each picture."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected LogoDet-3K with its nine categories.")
    found = False
    for folder in _folders(root):
        files = [folder / name for name in file_names(folder)]
        annotated = {file.stem for file in files if file.suffix == ".xml"}
        for file in files:
            if file.suffix == ".xml":
                found = True
                yield from _read_annotation(root, file, variant)
            elif file.suffix == ".jpg" and file.stem not in annotated:
                yield LeftOut("picture without an annotation")
    if not found:
        raise DatasetError(f"{root} has no <category>/<brand>/<number>.xml; is it LogoDet-3K?")


def _folders(root: Path) -> list[Path]:
    return [
        brand
        for category in (root / name for name in file_names(root))
        if category.is_dir()
        for brand in (category / name for name in file_names(category))
        if brand.is_dir()
    ]


def _read_annotation(root: Path, file: Path, variant: str) -> Iterator[Item]:
    boxes: list[Box] = []
    for found in _boxes(file):
        if isinstance(found, Box):
            boxes.append(found)
        else:
            yield SourceProblem(file, None, found)
            return
    if not boxes:
        yield LeftOut("annotation without a box")
    elif variant == "largest":
        boxes = [max(boxes, key=lambda b: (b.right - b.left) * (b.bottom - b.top))]
    path = inside(root, file.with_suffix(".jpg"))
    class_key = inside(root, file.parent)
    for box in boxes:
        yield NativeRow(path, class_key, TRAIN, file, box=box)


def _boxes(file: Path) -> Iterator[Box | str]:
    """Yields each box, or what is wrong with it."""
    try:
        data = file.read_bytes()
        # An entity can be written so that it expands to gigabytes; an annotation has none.
        if b"<!" in data:
            yield "holds a document type or a comment; expected a plain Pascal VOC annotation"
            return
        tree = ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        yield f"not XML: {error}"
        return
    for thing in tree.iter("object"):
        yield box_of([thing.findtext(f"bndbox/{corner}") for corner in _CORNERS])
