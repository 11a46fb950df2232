"""Mode search: the nearest records of pictures, as lines of JSON and on a contact sheet."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.build.picture_search import Found, PictureSearch, open_search
from toolkit.config.index_section import SearchSection
from toolkit.config.schema import Config
from toolkit.data.decode import read_rgb
from toolkit.errors import ImageError
from toolkit.evaluation.open_set import Threshold
from toolkit.index.recognition import vote
from toolkit.progress import Progress, stopwatch
from toolkit.reports.contact_sheet import Cell, write_contact_sheet
from toolkit.storage import atomic_path

_NAMED = 5
_LINES = "search.jsonl"


@dataclass(frozen=True)
class SearchReport:
    """The outcome of a search.

    Attributes:
        searched: pictures that were looked up.
        failures: "path: reason" of the others.
        examples: a line each of the first queries.
        right: of the queries with a label, whose nearest hit has it; None: no labels.
        threshold: that was measured for the wanted rate of false matches; None: for none.
        files: what was written.
        seconds: from the first picture to the last.
    """

    searched: int
    failures: list[str]
    examples: list[str]
    right: float | None
    threshold: Threshold | None
    files: list[Path]
    seconds: float

    @property
    def passed(self) -> bool:
        """Some bad pictures fail no search; a search without a single query does."""
        return self.searched > 0

    def to_json(self) -> dict[str, Any]:
        """Returns the counts, the failures and the files."""
        return {
            "searched": self.searched,
            "failures": self.failures,
            "same_label_first": self.right,
            "threshold": None if self.threshold is None else asdict(self.threshold),
            "files": [str(file) for file in self.files],
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> str:
        """Returns the first answers, the rate, and where all of them are."""
        rate = self.searched / max(self.seconds, 1e-9)
        lines = [
            *self.examples,
            f"{self.searched} pictures in {self.seconds:.1f} s ({rate:.1f} images/s); "
            f"{len(self.failures)} could not be used.",
        ]
        if self.right is not None:
            lines.append(f"The first hit has the label of its query for {self.right:.1%} of them.")
        if self.threshold is not None:
            one = self.threshold
            lines.append(
                f"Scores from {one.threshold:.4f} are matches: of unknown things "
                f"{one.false_matches:.1%} pass ({one.wanted:.1%} wanted); of known ones "
                f"{one.found:.1%} are found, {one.wrong:.1%} wrong, {one.refused:.1%} refused."
            )
        lines += [f"  {failure}" for failure in self.failures[:_NAMED]]
        return "\n".join([*lines, *(f"  {file}" for file in self.files)])


def run(config: Config) -> SearchReport:
    """Searches every picture of ``Search.input``.

    Raises:
        ToolkitError: the index, the model or the input cannot be used.
    """
    with open_search(config) as search, stopwatch() as watch:
        told = _told(config, search)
    share = sum(told.right) / len(told.right) if told.right else None
    file = Path(config.Global.output) / _LINES
    files = [file, _sheet(config, told.shown)] if told.shown else [file]
    return SearchReport(
        len(search.rows) - len(told.failures),
        told.failures,
        told.examples,
        share,
        search.measured,
        files,
        watch["seconds"],
    )


@dataclass(frozen=True)
class _Told:
    """What a search is remembered by."""

    shown: list[Found]
    failures: list[str]
    examples: list[str]
    right: list[bool]


def _told(config: Config, search: PictureSearch) -> _Told:
    """Writes a line for every picture, and returns what goes on the sheet and into the report."""
    told, most = _Told([], [], [], []), search.section.sheet_queries
    # Lists are in the order of their classes; the sheet shows some of all.
    every = max(len(search.rows) // max(most, 1), 1)
    with (
        atomic_path(Path(config.Global.output) / _LINES) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as lines,
        Progress("search", len(search.rows)) as progress,
    ):
        for number, found in enumerate(search.found()):
            lines.write(_line(search.section, found) + "\n")
            progress.advance()
            if found.error is not None:
                told.failures.append(f"{found.row.id}: {found.error}")
                continue
            if number % every == 0 and len(told.shown) < most:
                told.shown.append(found)
            if len(told.examples) < _NAMED:
                told.examples.append(_example(found))
            if found.hits and "label" in found.row.record:
                told.right.append(found.hits[0].record.get("label") == found.row.record["label"])
    return told


def _line(section: SearchSection, found: Found) -> str:
    hits = [
        {"id": hit.id, "score": hit.score, "distance": hit.distance, "record": hit.record}
        for hit in found.hits
    ]
    line: dict[str, Any] = {"query": found.row.id, "hits": hits}
    if found.error is not None:
        line["error"] = found.error
    elif section.vote:
        answer = vote(found.hits, threshold=section.threshold)
        line |= {"label": answer.label, "share": answer.share, "score": answer.score}
    return json.dumps(line, ensure_ascii=False)


def _example(found: Found) -> str:
    hits = ", ".join(f"{hit.id} {hit.score:.3f}" for hit in found.hits[:3])
    return f"{found.row.id}: {hits or 'no match'}"


def _sheet(config: Config, shown: Sequence[Found]) -> Path:
    roots = _roots(config)
    rows = []
    for found in shown:
        wanted = found.row.record.get("label")
        cells = [Cell(found.row.path, f"query {'' if wanted is None else wanted}")]
        for hit in found.hits:
            label = hit.record.get("label", "")
            path = _existing(roots, str(hit.record.get("path", hit.id)))
            is_right = None if wanted is None else label == wanted
            cells.append(Cell(path, f"{hit.score:.3f} {label}", is_right))
        rows.append(cells)
    return write_contact_sheet(Path(config.Global.output) / "search.png", rows, _pixels)


def _roots(config: Config) -> list[Path]:
    """Folders that paths of records may start from."""
    index, dataset = config.Index, config.Global.dataset_dir
    given = [index.input_root, index.input, dataset]
    if index.input is not None:
        given.append(str(Path(index.input).parent))
    return [Path(), *(Path(text) for text in given if text)]


def _existing(roots: Sequence[Path], path: str) -> Path:
    return next((root / path for root in roots if (root / path).is_file()), Path(path))


def _pixels(path: Path) -> NDArray[np.uint8] | None:
    try:
        return read_rgb(path)
    except ImageError:
        return None
