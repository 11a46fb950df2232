"""Turns other dataset formats into train.txt, gallery.txt and query.txt.

A converter reads a folder and returns a `Conversion`; only `write_conversion` touches files.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.data.manifest import Sample, manifest_text
from toolkit.data.replace_files import replace_files
from toolkit.data.split import SPLITS, SplitOptions, divide
from toolkit.errors import DatasetError

LOG = logging.getLogger(__name__)

LABEL_NAMES = "label_names.json"
# What PaddleX makes of a LabelMe dataset: train, gallery, query.
_PERCENTS = (50, 30, 20)


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """Something in the source that could not be taken over.

    Attributes:
        file: the source file.
        line: the line in it, from 1, when there is one.
        message: what is wrong and what was expected.
    """

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.message}"


@dataclass(frozen=True)
class Conversion:
    """What a converter found.

    Attributes:
        samples: split name -> its rows; all three names are there.
        class_names: label -> name, where the lists hold numbers; empty where they hold names.
        problems: everything that could not be taken over.
        notes: remarks for the person who converts, such as classes without a picture.
    """

    samples: dict[str, list[Sample]]
    class_names: dict[str, str] = field(default_factory=dict)
    problems: list[SourceProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def divide_pool(
    source: Path, samples: list[Sample], problems: Iterable[SourceProblem], *, seed: int
) -> tuple[dict[str, list[Sample]], list[str]]:
    """Divides the rows of a source that knows no splits 50 : 30 : 20, class by class.

    Returns:
        Split name -> rows, and notes.

    Raises:
        DatasetError: there are no rows, or no class has the three images that this needs.
    """
    require_rows(source, samples, problems)
    train, gallery, query = _PERCENTS
    split = divide(samples, SplitOptions(train, gallery, query, by="image", seed=seed))
    if not split.small_classes:
        return split.samples, []
    return split.samples, [
        f"{len(split.small_classes)} class(es) with fewer than 3 pictures are in train only: "
        f"{', '.join(split.small_classes)}."
    ]


def require_rows(source: Path, samples: list[Sample], problems: Iterable[SourceProblem]) -> None:
    """Raises a DatasetError with all problems when not a single row could be read."""
    if not samples:
        raise DatasetError(
            "\n".join([f"Nothing in {source} could be converted.", *map(str, problems)])
        )


def write_conversion(root: Path, conversion: Conversion) -> list[Path]:
    """Writes the three lists, and label_names.json where the lists hold numbers.

    All files are replaced, or none; see `toolkit.data.replace_files`.

    Returns:
        The originals that were kept as ``.bak``.
    """
    texts = {f"{name}.txt": manifest_text(conversion.samples[name]) for name in SPLITS}
    if conversion.class_names:
        names = json.dumps(conversion.class_names, ensure_ascii=False, indent=2)
        texts[LABEL_NAMES] = names + "\n"
    backups = replace_files(root, texts)
    for name in SPLITS:
        LOG.info("%s.txt: %d rows", root / name, len(conversion.samples[name]))
    return backups
