"""One folder a class, as torchvision's ImageFolder has it.

Layout: ``<root>/<class>/**.jpg``, or ``<root>/{train,gallery,query}/<class>/**.jpg``; both may
also stand one level down, in ``<root>/images/``. The label in the lists is the folder's name.
"""

from pathlib import Path, PurePosixPath

from toolkit.data.convert import Conversion, SourceProblem, divide_pool, require_rows
from toolkit.data.manifest import Sample, find_images, refusal
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError


def convert_image_folder(root: Path, *, seed: int = 0) -> Conversion:
    """Reads a folder of class folders.

    Without train, gallery and query folders it is divided 50 : 30 : 20 into the three lists.

    Args:
        root: the folder; paths in the lists start from it.
        seed: fixes which picture goes where when there are no split folders.

    Raises:
        DatasetError: there is no picture in a class folder, or split folders stand among others.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; expected one with a folder for each class.")
    paths = [PurePosixPath(path.relative_to(root).as_posix()) for path in find_images(root)]
    base = 1 if paths and all(path.parts[0] == "images" for path in paths) else 0
    has_splits = _has_splits(root, paths, base)
    label_at = base + has_splits
    samples: dict[str, list[Sample]] = {name: [] for name in SPLITS}
    pool: list[Sample] = []
    problems = []
    for path in paths:
        sample, message = _sample(path, label_at)
        if message or sample is None:
            problems.append(SourceProblem(root / path, None, message))
        else:
            (samples[path.parts[base]] if has_splits else pool).append(sample)
    if has_splits:
        require_rows(root, [row for rows in samples.values() for row in rows], problems)
        return Conversion(samples, problems=problems, notes=_empty(samples))
    samples, notes = divide_pool(root, pool, problems, seed=seed)
    return Conversion(samples, problems=problems, notes=notes)


def _has_splits(root: Path, paths: list[PurePosixPath], base: int) -> bool:
    folders = {path.parts[base] for path in paths if len(path.parts) > base + 1}
    splits = folders & set(SPLITS)
    if splits and splits != folders:
        raise DatasetError(
            f"{root} has split folders ({', '.join(sorted(splits))}) among others "
            f"({', '.join(sorted(folders - splits))}); expected either folders named "
            f"{', '.join(SPLITS)} alone, or one folder for each class."
        )
    return bool(splits)


def _sample(path: PurePosixPath, label_at: int) -> tuple[Sample | None, str]:
    if len(path.parts) < label_at + 2:
        return None, "is not in a class folder"
    sample = Sample(str(path), path.parts[label_at].strip(), 1)
    reason = refusal(sample)
    return sample, f"{reason}; rename it" if reason else ""


def _empty(samples: dict[str, list[Sample]]) -> list[str]:
    return [f"There is no picture for {name}.txt." for name in SPLITS if not samples[name]]
