"""What a check looks at: the rows of all lists, joined with the facts of their files."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from toolkit.audit.dataset import LoadedDataset, locate
from toolkit.audit.facts import ImageFacts, Picture
from toolkit.audit.findings import Line
from toolkit.audit.options import AuditOptions
from toolkit.data.manifest import NO_LABEL, Manifest, Sample
from toolkit.data.split import SPLITS


@dataclass(frozen=True, slots=True)
class TrainingNeeds:
    """What training will ask of the train list.

    Attributes:
        num_classes: rows of the class head, or None when it is made from the list.
        classes_per_label: how many classes training makes of a label (4 with rotate_classes).
        batch_size: pictures a batch.
        sample_per_id: pictures a class in a batch of the PK sampler; None without it.
    """

    num_classes: int | None = None
    classes_per_label: int = 1
    batch_size: int | None = None
    sample_per_id: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A readable row of a list.

    Attributes:
        split: the list.
        sample: the row.
        line: where it stands.
        file: the picture's absolute path, without ``..``; links are not followed.
        is_inside: whether that is in the list's folder of pictures.
        facts: of the file; None when it does not exist or was not opened.
    """

    split: str
    sample: Sample
    line: Line
    file: Path
    is_inside: bool
    facts: ImageFacts | None

    @property
    def picture(self) -> Picture | None:
        """What was measured, when there is a picture."""
        return None if self.facts is None else self.facts.picture

    @property
    def identity(self) -> str:
        """Equal for the same picture: by pixels, or by path where there are none."""
        return str(self.file) if self.picture is None else self.picture.pixels


class Examination:
    """Everything that the checks need; they change nothing in it.

    Args:
        dataset: the lists.
        facts: by the absolute path that `locate` gives.
        options: the thresholds.
        needs: what training will ask.
    """

    def __init__(
        self,
        dataset: LoadedDataset,
        facts: Mapping[Path, ImageFacts],
        options: AuditOptions,
        needs: TrainingNeeds,
    ) -> None:
        self.dataset = dataset
        self.facts = facts
        self.options = options
        self.needs = needs

    @cached_property
    def rows(self) -> list[Row]:
        """All readable rows, list by list, in file order."""
        return [
            self._row(manifest, sample)
            for manifest in self.dataset.manifests
            for sample in manifest.samples
        ]

    @cached_property
    def pictures(self) -> list[Row]:
        """The rows with a picture, one for each file and list."""
        distinct = {(row.split, row.file): row for row in reversed(self.rows) if row.picture}
        return list(distinct.values())[::-1]

    @cached_property
    def lines_of(self) -> Mapping[tuple[str, Path], list[Line]]:
        """The lines of a list that name a file: (split, file) -> lines."""
        lines: dict[tuple[str, Path], list[Line]] = {}
        for row in self.rows:
            lines.setdefault((row.split, row.file), []).append(row.line)
        return lines

    @cached_property
    def files(self) -> Mapping[str, Mapping[Path, Row]]:
        """The first row of each file: split -> file -> row, both in the order of the lists."""
        files: dict[str, dict[Path, Row]] = {split: {} for split in SPLITS}
        for row in self.rows:
            files.setdefault(row.split, {}).setdefault(row.file, row)
        return files

    @cached_property
    def query_and_gallery(self) -> Set[Path]:
        """The files that query and gallery both name.

        Evaluation leaves each of them out where it is the query, so their being in both lists is
        no leak.
        """
        return self.files["query"].keys() & self.files["gallery"].keys()

    @cached_property
    def classes(self) -> Mapping[str, Mapping[str, list[Row]]]:
        """The rows of each class: split -> label -> rows, both in the order of the files.

        Rows of a list without labels are in no class.
        """
        classes: dict[str, dict[str, list[Row]]] = {split: {} for split in SPLITS}
        for row in self.rows:
            if row.sample.label == NO_LABEL:
                continue
            classes.setdefault(row.split, {}).setdefault(row.sample.label, []).append(row)
        return classes

    def line(self, split: str, number: int = 1) -> Line:
        """Returns a place in a list that was read."""
        manifest = self.dataset.manifest(split)
        if manifest is None:
            raise LookupError(f"{split}.txt was not read.")
        return Line(str(manifest.file), number)

    def _row(self, manifest: Manifest, sample: Sample) -> Row:
        file, is_inside = locate(manifest.root, sample.path)
        line = Line(str(manifest.file), sample.line)
        return Row(manifest.split, sample, line, file, is_inside, self.facts.get(file))
