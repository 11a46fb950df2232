"""LabelMe image flags: one JSON file a picture, in which one flag is true.

Layout: ``<root>/label.txt`` (or ``flags.txt``, as LabelMe's own guide calls it) with one class a
line, ``<root>/annotations/*.json`` and ``<root>/images/``. The label in the lists is the class's
number, from 0.
"""

import json
import os.path
from collections import defaultdict
from pathlib import Path
from typing import Any

from toolkit.data.convert import Conversion, SourceProblem, divide_pool
from toolkit.data.manifest import Sample, find_images, refusal
from toolkit.errors import DatasetError

_CLASS_FILES = ("label.txt", "flags.txt")


def convert_labelme(root: Path, *, seed: int = 0) -> Conversion:
    """Reads a LabelMe dataset and divides it 50 : 30 : 20 into train, gallery and query.

    Args:
        root: the folder with label.txt or flags.txt, annotations/ and images/.
        seed: fixes which picture goes where.

    Raises:
        DatasetError: a part of the layout is missing, or not one annotation can be used.
    """
    class_file = _class_file(root)
    names, problems = _read_classes(class_file)
    annotations = _annotations(root)
    pictures = _Pictures(root)
    ids = {name: str(number) for number, name in enumerate(names)}
    rows: dict[str, Sample] = {}
    for file in annotations:
        found = _read_annotation(file, ids, class_file, pictures)
        if isinstance(found, Sample) and found.path in rows:
            message = f"another annotation has labelled {found.path} already; the first one counts"
            problems.append(SourceProblem(file, None, message))
        elif isinstance(found, Sample):
            rows[found.path] = found
        else:
            problems.append(found)
    split, notes = divide_pool(root / "annotations", list(rows.values()), problems, seed=seed)
    used = {sample.label for sample in rows.values()}
    unused = [name for name, number in ids.items() if number not in used]
    if unused:
        notes.append(f"{len(unused)} of {len(ids)} classes have no picture: {', '.join(unused)}.")
    return Conversion(split, {number: name for name, number in ids.items()}, problems, notes)


class _AnnotationError(Exception):
    """One annotation cannot be used; becomes a `SourceProblem`."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Pictures:
    """Finds the picture that an annotation means."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.normpath(root.absolute()))
        self._by_name: dict[str, list[str]] | None = None

    def find(self, annotation: Path, data: dict[str, Any]) -> str:
        """Returns the path relative to the root, with slashes."""
        image_path = data.get("imagePath")
        if not isinstance(image_path, str) or not image_path.strip():
            raise _AnnotationError(f"imagePath is {image_path!r}; expected the picture's path")
        wanted = image_path.strip().replace("\\", "/")
        name = wanted.rsplit("/", 1)[-1]
        for candidate in (annotation.parent / wanted, self._root / "images" / name):
            # normpath, not resolve: a dataset whose images/ is a link keeps its own names.
            path = Path(os.path.normpath(candidate.absolute()))
            if path.is_relative_to(self._root) and _is_file(path):
                return path.relative_to(self._root).as_posix()
        found = self._named(name)
        if len(found) == 1:
            return found[0]
        if found:
            raise _AnnotationError(
                f"imagePath {image_path!r} could be any of {', '.join(found)}; "
                "write it relative to the annotation"
            )
        raise _AnnotationError(
            f"imagePath {image_path!r} was not found from the annotation, in images/, "
            "nor by its name anywhere in the dataset"
        )

    def _named(self, name: str) -> list[str]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in find_images(self._root):
                self._by_name[path.name].append(path.relative_to(self._root).as_posix())
        return self._by_name.get(name, [])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # Too long for the file system, or with a zero character: there is no such file.
        return False


def _class_file(root: Path) -> Path:
    for name in _CLASS_FILES:
        if root.joinpath(name).is_file():
            return root / name
    raise DatasetError(
        f"{root} has neither label.txt nor flags.txt; expected one of them, with one class a line."
    )


def _read_classes(file: Path) -> tuple[list[str], list[SourceProblem]]:
    try:
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{file}:{line}: not UTF-8; save it as UTF-8.") from error
    names: list[str] = []
    problems = []
    for number, text in enumerate(lines, start=1):
        name = text.strip()
        if name in names:
            message = f"class {name!r} is listed twice; the first one counts"
            problems.append(SourceProblem(file, number, message))
        elif name:
            names.append(name)
    if not names:
        raise DatasetError(f"{file} lists no class; expected one a line.")
    return names, problems


def _annotations(root: Path) -> list[Path]:
    folder = root / "annotations"
    if not folder.is_dir():
        raise DatasetError(f"{folder} does not exist; expected LabelMe's JSON files in it.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".json" and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise DatasetError(f"{folder} has no .json file; expected one a picture.")
    return found


def _read_annotation(
    file: Path, ids: dict[str, str], class_file: Path, pictures: _Pictures
) -> Sample | SourceProblem:
    try:
        data = _read_json(file)
        name = _only_true(data, ids, class_file)
        sample = Sample(pictures.find(file, data), ids[name], 1)
    except _AnnotationError as error:
        return SourceProblem(file, error.line, str(error))
    reason = refusal(sample)
    return SourceProblem(file, None, f"{reason}: {sample.path!r}; rename it") if reason else sample


def _only_true(data: dict[str, Any], ids: dict[str, str], class_file: Path) -> str:
    flags = data.get("flags")
    if not isinstance(flags, dict):
        raise _AnnotationError(f"flags is {flags!r}; expected an object of class: true or false")
    names = [str(name).strip() for name, value in flags.items() if value]
    if not names:
        raise _AnnotationError("no flag is true, so the picture has no class")
    if len(names) > 1:
        raise _AnnotationError(
            f"{len(names)} flags are true ({', '.join(names)}); a picture has one class"
        )
    if names[0] not in ids:
        raise _AnnotationError(f"flag {names[0]!r} is not in {class_file.name}; add it there")
    return names[0]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _AnnotationError("not UTF-8; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise _AnnotationError(f"not JSON: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise _AnnotationError("not an annotation: nested too deeply") from error
    if not isinstance(data, dict):
        raise _AnnotationError(f"holds a {type(data).__name__}; expected an object")
    return data
