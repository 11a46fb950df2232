"""iCartoonFace: 389,678 train pictures of 5,013 cartoon characters.

Layout: ``personai_icartoonface_rectrain/icartoonface_rectrain_det.txt`` with rows ``<folder>/<name>
x1 y1 x2 y2`` (blanks or tabs), the pictures in ``icartoonface_rectrain/`` beside it; the class is
the folder. For the test ``personai_icartoonface_rectest/icartoonface_rectest/`` and
``icartoonface_rectest_info.txt`` with rows ``<name> x1 y1 x2 y2 <label>``, label -1 for pictures
of nobody that is asked for; pairs of names may follow. The official score lets each picture of a
character search for each other one among those of nobody, pair by pair. Lists say less: the gallery
is the pictures of nobody and the first of each character, the queries are all others.

Source: README of https://github.com/luxiangju-PersonAI/iCartoonFace (Zheng et al., ACM MM 2020)
and its evaluation code. PaddleClas trained on whole pictures (its cartoon character page).
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import (
    GALLERY,
    QUERY,
    TRAIN,
    box_of,
    find,
    inside,
    locate,
    text_lines,
    wrong_fields,
)
from dataset_tools.native.records import Item, LeftOut, NativeRow
from toolkit.data.convert import SourceProblem

_TRAIN = "personai_icartoonface_rectrain"
_TEST = "personai_icartoonface_rectest"
_TRAIN_COLUMNS = ("path", "x1", "y1", "x2", "y2")
_TEST_COLUMNS = (*_TRAIN_COLUMNS, "label")
_NOBODY = "-1"
_PAIR = 2


def read_icartoonface(root: Path, variant: str) -> Iterator[Item]:
    """Yields the train rows and, when its table is there, those of the test."""
    del variant
    name = "icartoonface_rectrain_det.txt"
    file = locate(root, f"{_TRAIN}/{name}", name)
    folder = locate(file.parent, "icartoonface_rectrain")
    for line, text in text_lines(file):
        fields = text.split()
        path, *corners = fields
        character, slash, _ = path.partition("/")
        if len(fields) != len(_TRAIN_COLUMNS) or not slash:
            problem = wrong_fields(text, _TRAIN_COLUMNS, len(fields))
            yield SourceProblem(file, line, problem)
            continue
        row = NativeRow(f"{inside(root, folder)}/{path}", character, TRAIN, file, line)
        yield _with_box(row, corners)
    yield from _read_test(root)


def _read_test(root: Path) -> Iterator[Item]:
    name = "icartoonface_rectest_info.txt"
    file = find(root, name, f"{_TEST}/{name}")
    folder = find(root, f"{_TEST}/icartoonface_rectest", "icartoonface_rectest")
    if file is None or folder is None:
        yield LeftOut("gallery and query: no icartoonface_rectest_info.txt with its pictures")
        return
    found: set[str] = set()
    for line, text in text_lines(file):
        fields = text.split()
        if len(fields) == _PAIR:
            yield LeftOut("pair of the official score, which a list cannot say")
        elif len(fields) != len(_TEST_COLUMNS):
            problem = wrong_fields(text, _TEST_COLUMNS, len(fields))
            yield SourceProblem(file, line, problem)
        else:
            path, *corners, label = fields
            lists = QUERY if label in found else GALLERY
            found |= {label} - {_NOBODY}
            path = f"{inside(root, folder)}/{path}"
            yield _with_box(NativeRow(path, f"test/{label}", lists, file, line), corners)


def _with_box(row: NativeRow, corners: list[str]) -> Item:
    box = box_of(corners)
    if isinstance(box, str):
        return SourceProblem(row.file, row.line, box)
    return NativeRow(row.path, row.class_key, row.lists, row.file, row.line, box)
