"""Google Landmarks Dataset v2: 4,132,914 train pictures; the clean part has 1,580,470 of 81,313.

Layout: ``train/a/b/c/<id>.jpg`` where a, b, c are the first letters of the id; also ``index/`` and
``test/``. Tables, in the folder or in ``metadata/`` or beside the pictures: ``train_clean.csv``
(``landmark_id,images``, ids divided by blanks) or ``train.csv`` (``id,url,landmark_id``). When
``index_image_to_landmark.csv`` (``id,landmark_id``) and ``retrieval_solution_v2.1.csv``
(``id,images,Usage``) are there, the index is the gallery and the test pictures are the queries.
Landmark ids of the index are others than those of train. A query has no class of its own: it takes
that of the pictures which the solution calls relevant, when they agree.

Source: README of https://github.com/cvdfoundation/google-landmark (Weyand et al., CVPR 2020).
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import (
    GALLERY,
    QUERY,
    TRAIN,
    find,
    locate,
    table,
    text_lines,
    wrong_fields,
)
from dataset_tools.native.records import Item, LeftOut, NativeRow
from toolkit.data.convert import SourceProblem
from toolkit.errors import DatasetError

VARIANTS = ("clean", "full")
_FULL = ("id", "url", "landmark_id")
_CLEAN = ("landmark_id", "images")


def read_gldv2(root: Path, variant: str) -> Iterator[Item]:
    """Yields train, clean or full, and the retrieval task when its tables are there."""
    locate(root, "train")
    yield from _read_clean(root) if variant == "clean" else _read_full(root)
    index = _find(root, "index_image_to_landmark.csv", "index")
    solution = _find(root, "retrieval_solution_v2.1.csv", "test")
    if index is None or solution is None:
        yield LeftOut("gallery and query: no index_image_to_landmark.csv and retrieval solution")
        return
    landmarks: dict[str, str] = {}
    yield from _read_index(index, landmarks)
    yield from _read_queries(solution, landmarks)


def _read_clean(root: Path) -> Iterator[Item]:
    file = _table(root, "train_clean.csv", _CLEAN)
    for line, text in text_lines(file):
        landmark, comma, images = text.partition(",")
        ids = images.split()
        if line == 1:
            continue
        if not comma or not landmark.isdecimal() or not ids:
            yield SourceProblem(file, line, wrong_fields(text[:80], _CLEAN, 1 + bool(comma)))
        for image in ids if landmark.isdecimal() else []:
            yield _row("train", image, landmark, TRAIN, file, line)


def _read_full(root: Path) -> Iterator[Item]:
    file = _table(root, "train.csv", _FULL)
    for line, text in text_lines(file):
        # The address in the middle may hold commas, and is quoted then.
        image, _, rest = text.partition(",")
        _, comma, landmark = rest.rpartition(",")
        if line == 1:
            continue
        if comma and landmark.isdecimal():
            yield _row("train", image, landmark, TRAIN, file, line)
        else:
            yield SourceProblem(file, line, wrong_fields(text, _FULL, text.count(",") + 1))


def _read_index(file: Path, landmarks: dict[str, str]) -> Iterator[Item]:
    for row in table(file, ("id", "landmark_id"), separator=","):
        if isinstance(row, SourceProblem):
            yield row
            continue
        line, (image, landmark) = row
        landmarks[image] = landmark
        yield _row("index", image, f"index/{landmark}", GALLERY, file, line)


def _read_queries(file: Path, landmarks: dict[str, str]) -> Iterator[Item]:
    for row in table(file, ("id", "images", "Usage"), separator=","):
        if isinstance(row, SourceProblem):
            yield row
            continue
        line, (image, relevant, _) = row
        if relevant in ("", "None"):
            yield LeftOut("query: the solution ignores it")
            continue
        classes = {landmarks.get(other) for other in relevant.split()}
        known = [landmark for landmark in classes if landmark is not None]
        if len(known) != len(classes):
            yield SourceProblem(file, line, "a relevant picture is not in the index's table")
        elif len(known) > 1:
            yield LeftOut("query: its relevant pictures show several landmarks")
        else:
            yield _row("test", image, f"index/{known[0]}", QUERY, file, line)


def _row(
    folder: str, image: str, class_key: str, lists: tuple[str, ...], file: Path, line: int
) -> Item:
    if len(image) < 3 or not image.isalnum():
        return SourceProblem(file, line, f"{image!r} is no picture id; expected letters and digits")
    path = f"{folder}/{image[0]}/{image[1]}/{image[2]}/{image}.jpg"
    return NativeRow(path, class_key, lists, file, line)


def _find(root: Path, name: str, folder: str) -> Path | None:
    return find(root, name, f"metadata/{name}", f"{folder}/{name}")


def _table(root: Path, name: str, columns: tuple[str, ...]) -> Path:
    file = locate(root, name, f"metadata/{name}", f"train/{name}")
    _, header = next(text_lines(file), (1, ""))
    if header != ",".join(columns):
        raise DatasetError(f"{file}:1: the header is {header!r}; expected {','.join(columns)}.")
    return file
