"""The rows of a conversion, on their way from native classes to numbered labels."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dataset_tools.native.records import LeftOut
from dataset_tools.native.taking import Missing, Outcome, Taken
from toolkit import storage
from toolkit.data.convert import LABEL_NAMES, SourceProblem
from toolkit.data.manifest import Sample, label_order, refusal, write_manifest
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError

_NUM_NAMED = 20
_NUM_RECORDED = 1000


@dataclass
class Faults:
    """What could not be taken over: a count of each kind and the first of them.

    Attributes:
        count: how many.
        first: up to 1,000, as text.
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Counts one."""
        self.count += 1
        if len(self.first) < _NUM_RECORDED:
            self.first.append(text)

    def told(self, title: str) -> list[str]:
        """Returns lines for a person; none when there is nothing."""
        if not self.count:
            return []
        named = self.first[:_NUM_NAMED]
        more = [f"  and {self.count - len(named):,} more"] if self.count > len(named) else []
        return [f"{title}: {self.count:,}", *(f"  {text}" for text in named), *more]


@dataclass(frozen=True)
class ListCount:
    """The size of a list."""

    rows: int
    classes: int


@dataclass(frozen=True)
class Converted:
    """What a conversion wrote.

    Attributes:
        counts: list name -> its size; only lists that have rows.
        left_out: reason -> rows that were left out on purpose.
        problems: rows that break the native format.
        missing: pictures that are not there.
    """

    counts: dict[str, ListCount]
    left_out: dict[str, int]
    problems: Faults
    missing: Faults


class CollectedRows:
    """Collects outcomes and writes lists; a row costs its path and a few bytes."""

    def __init__(self) -> None:
        self._paths: dict[str, list[str]] = {name: [] for name in SPLITS}
        self._classes: dict[str, array[int]] = {name: array("i") for name in SPLITS}
        self._cameras: dict[str, list[str | None]] = {name: [] for name in SPLITS}
        self._numbers: dict[str, int] = {}
        self._left_out: Counter[str] = Counter()
        self._problems, self._missing = Faults(), Faults()

    def add(self, outcome: Outcome) -> None:
        """Takes one outcome; they are written in the order in which they come."""
        if isinstance(outcome, LeftOut):
            self._left_out[outcome.reason] += 1
        elif isinstance(outcome, SourceProblem):
            self._problems.add(str(outcome))
        elif isinstance(outcome, Missing):
            row = outcome.row
            self._missing.add(str(SourceProblem(row.file, row.line, f"{row.path} does not exist")))
        else:
            self._add_row(outcome)

    def _add_row(self, taken: Taken) -> None:
        row = taken.row
        reason = refusal(Sample(taken.path, row.class_key, 1, row.camera))
        if reason:
            self._problems.add(str(SourceProblem(row.file, row.line, f"{row.path!r}: {reason}")))
            return
        number = self._numbers.setdefault(row.class_key, len(self._numbers))
        for name in row.lists:
            self._paths[name].append(taken.path)
            self._classes[name].append(number)
            self._cameras[name].append(row.camera)

    def refuse_faults(self, root: Path) -> None:
        """Raises a DatasetError that names bad rows and missing pictures, when there are any."""
        lines = [*self._problems.told("Bad rows"), *self._missing.told("Missing pictures")]
        if lines:
            raise DatasetError(
                "\n".join(
                    [
                        f"{root} was not taken over whole, and no list was written.",
                        *lines,
                        "Mend them, or use --keep-going to write the lists without them.",
                    ]
                )
            )

    def write(self, output: Path, *, cameras: bool) -> Converted:
        """Writes the lists that have rows, removes those that have none, and names the labels.

        Raises:
            DatasetError: no list has a row, or a camera is asked for and not known.
        """
        labels = self._labels()
        in_gallery = set(self._classes["gallery"])
        counts = {}
        for name in SPLITS:
            kept = [
                index
                for index, number in enumerate(self._classes[name])
                if name != "query" or number in in_gallery
            ]
            without = len(self._paths[name]) - len(kept)
            if without:
                self._left_out["query of a class that the gallery does not have"] = without
            file = output / f"{name}.txt"
            if kept:
                write_manifest(file, self._samples(name, kept, labels, cameras=cameras))
                classes = len({self._classes[name][index] for index in kept})
                counts[name] = ListCount(len(kept), classes)
            else:
                file.unlink(missing_ok=True)
        if not counts:
            raise DatasetError("There is not one row to write. " + self._explanation())
        names = sorted(zip(labels, self._numbers, strict=True))
        storage.write_json(
            output / LABEL_NAMES, {str(label): class_key for label, class_key in names}
        )
        return Converted(counts, dict(self._left_out), self._problems, self._missing)

    def _labels(self) -> list[int]:
        """Returns the label of each class number."""
        keys = list(self._numbers)
        train = label_order(keys[number] for number in set(self._classes["train"]))
        others = label_order(self._numbers.keys() - set(train))
        label_of = {class_key: label for label, class_key in enumerate([*train, *others])}
        return [label_of[class_key] for class_key in keys]

    def _samples(
        self, name: str, kept: Iterable[int], labels: list[int], *, cameras: bool
    ) -> Iterator[Sample]:
        paths, classes = self._paths[name], self._classes[name]
        for line, index in enumerate(kept, start=1):
            camera = self._cameras[name][index] if cameras else None
            if cameras and camera is None:
                raise DatasetError(f"{paths[index]} has no camera; leave --cameras out.")
            yield Sample(paths[index], str(labels[classes[index]]), line, camera)

    def _explanation(self) -> str:
        reasons = [f"{count:,} x {reason}" for reason, count in self._left_out.items()]
        faults = [*self._problems.told("Bad rows"), *self._missing.told("Missing pictures")]
        return "\n".join([f"Left out: {'; '.join(reasons) or 'none'}.", *faults])
