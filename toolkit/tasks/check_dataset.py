"""Mode check_dataset: convert, split, check, and write down what was found.

The order is PaddleX's: find the folder, convert it, split it, check it, analyse it. Everything
lands in ``<output>/check_dataset/``.
"""

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit import storage
from toolkit.audit.codes import CODES
from toolkit.audit.dataset import find_root, load_lists
from toolkit.audit.doctor import Diagnosis, FailOn, examine, failing
from toolkit.audit.examination import TrainingNeeds
from toolkit.audit.findings import Finding, Line, found
from toolkit.audit.options import AuditOptions
from toolkit.audit.repair import repaired
from toolkit.audit.showcase import class_sizes, demo_pictures, report_page
from toolkit.build.lists import (
    dataset_name,
    dataset_root,
    list_files,
    lists_without_labels,
)
from toolkit.build.unpacked import with_unpacked_images
from toolkit.config.schema import Config
from toolkit.data.convert import Conversion, write_conversion
from toolkit.data.decode import read_rgb
from toolkit.data.manifest import NO_LABEL, write_manifest
from toolkit.data.split import SPLITS, OpenSetError, SplitOptions, split_dataset
from toolkit.errors import ConfigError
from toolkit.registry import CONVERTERS
from toolkit.reports.annotations import annotation
from toolkit.reports.demo_images import write_demo_images
from toolkit.reports.histogram import write_histogram
from toolkit.reports.junit import junit_xml

LOG = logging.getLogger(__name__)

_FOLDER = "check_dataset"
_DEMOS = 10
_NAMES = {"error": "error", "warning": "warning", "info": "remark"}


@dataclass(frozen=True)
class CheckReport:
    """The outcome of check_dataset.

    Attributes:
        diagnosis: the findings.
        fail_on: the lowest severity that fails.
        dataset_dir: as the configuration has it.
        output: the folder that paths in the result start from.
        demos: split -> file names in demo_img.
        notes: what conversion and split had to say, and whether train alone was checked.
    """

    diagnosis: Diagnosis
    fail_on: FailOn
    dataset_dir: str
    output: Path
    demos: dict[str, list[str]]
    notes: list[str]

    @property
    def passed(self) -> bool:
        """Whether nothing was found at or above `fail_on`."""
        return self.diagnosis.passed(self.fail_on)

    def to_json(self) -> dict[str, Any]:
        """Returns PaddleX's result and what this check adds; paths start at the output folder."""
        attributes: dict[str, Any] = {}
        for split in SPLITS:
            manifest = self.diagnosis.dataset.manifest(split)
            attributes[f"{split}_samples"] = len(manifest.samples) if manifest else 0
            attributes[f"{split}_sample_paths"] = [
                f"{_FOLDER}/demo_img/{name}" for name in self.demos.get(split, [])
            ]
        return {
            "check_pass": self.passed,
            "attributes": attributes,
            "analysis": {"histogram": f"{_FOLDER}/histogram.png"},
            "dataset_path": self.dataset_dir,
            "show_type": "image",
            "dataset_type": "ShiTuRecDataset",
            "findings": self.diagnosis.counts,
            "fail_on": self.fail_on,
            "notes": self.notes,
            "files": {
                "findings": f"{_FOLDER}/findings.jsonl",
                "junit": f"{_FOLDER}/junit.xml",
                "report": f"{_FOLDER}/report.html",
                "fixed": f"{_FOLDER}/fixed",
            },
        }

    def summary(self) -> str:
        """Returns the counts and where to read more."""
        counts = self.diagnosis.counts
        verdict = "passed" if self.passed else "did not pass"
        totals = ", ".join(
            f"{number:,} {_NAMES[name]}{'' if number == 1 else 's'}"
            for name, number in counts["severity"].items()
        )
        lines = [f"Dataset {self.dataset_dir} {verdict} (fail_on: {self.fail_on}): {totals}"]
        lines += _train_alone(self.diagnosis)
        lines += [
            f"  {CODES[code].severity:8}{code:30}{number:>8,}"
            for code, number in counts["code"].items()
        ]
        files = self.to_json()["files"]
        lines += [f"{name:9} {self.output / path}" for name, path in files.items()]
        return "\n".join(lines)


def run(config: Config) -> CheckReport:
    """Checks the dataset of a configuration.

    Raises:
        DatasetError: the check could not run: no folder, no lists, nothing to convert.
    """
    output = Path(config.Global.output)
    config, records = with_unpacked_images(config, output / _FOLDER / "unpacked")
    for record in records:
        LOG.warning("%s", record)
    notes = [*records, *_prepare(config)]
    diagnosis = diagnose(config, _lists_to_check(config))
    notes += _train_alone(diagnosis)
    folder = output / _FOLDER
    rows = [finding.row() for finding in diagnosis.findings]
    fail_on: FailOn = config.CheckDataset.fail_on
    _write_findings(folder / "findings.jsonl", rows)
    storage.write_text(folder / "junit.xml", junit_xml(rows, list(CODES), failing(fail_on)))
    _write_fixed(folder / "fixed", diagnosis)
    write_histogram(folder / "histogram.png", class_sizes(diagnosis.dataset))
    max_pixels = audit_options(config).max_pixels
    demos = write_demo_images(
        folder / "demo_img",
        demo_pictures(diagnosis, _DEMOS, config.Global.seed),
        lambda path: read_rgb(path, max_pixels=max_pixels),
    )
    name = dataset_name(config)
    page = report_page(diagnosis, name=name, fail_on=fail_on, max_pixels=max_pixels)
    storage.write_text(folder / "report.html", page)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        _annotate(diagnosis.findings)
    return CheckReport(diagnosis, fail_on, name, output, demos, notes)


def diagnose(config: Config, splits: Sequence[str] = SPLITS) -> Diagnosis:
    """Examines the lists of a configuration; pictures that it knows are not read.

    Args:
        config: thresholds, columns, and what training needs of the lists.
        splits: which lists.
    """
    wanted = config.CheckDataset.num_workers
    return examine(
        load_lists(list_files(config, splits)),
        audit_options(config),
        needs=training_needs(config),
        cache=Path(config.Global.output) / _FOLDER / "facts.jsonl",
        workers=None if wanted == "auto" else wanted,
    )


def audit_options(config: Config) -> AuditOptions:
    """Returns the thresholds of a configuration."""
    return AuditOptions(**config.CheckDataset.thresholds)


def training_needs(config: Config) -> TrainingNeeds:
    """Returns what training with a configuration asks of the train list."""
    num_classes = config.Train.num_classes
    return TrainingNeeds(
        num_classes=None if num_classes == "auto" else num_classes,
        classes_per_label=4 if config.Data.rotate_classes else 1,
        batch_size=config.Train.batch_size,
        sample_per_id=config.Data.sampler.options.get("sample_per_id"),
    )


def _prepare(config: Config) -> list[str]:
    """Converts and splits where the configuration asks for it; returns what they had to say."""
    convert, split = config.CheckDataset.convert, config.CheckDataset.split
    if not convert.enable and not split.enable:
        return []
    if any(config.Data.lists.model_dump().values()):
        raise ConfigError(
            "CheckDataset.convert and CheckDataset.split rewrite the lists in Global.dataset_dir, "
            "and Data.lists names others: leave Data.lists out, or switch them off."
        )
    if config.Global.dataset_dir is None:
        raise ConfigError("Global.dataset_dir is null; it names the folder of the dataset.")
    root, notes = Path(config.Global.dataset_dir), list[str]()
    if convert.enable and convert.src_dataset_type is not None:
        conversion: Conversion = CONVERTERS.build(
            convert.src_dataset_type, root=root, seed=config.Global.seed
        )
        notes += [*map(str, conversion.problems), *conversion.notes]
        write_conversion(root, conversion)
    root = find_root(root)
    if split.enable:
        options = SplitOptions(
            train_percent=split.train_percent or 0,
            gallery_percent=split.gallery_percent or 0,
            query_percent=split.query_percent or 0,
            by=split.by,
            seed=config.Global.seed,
            force=split.force,
        )
        notes += _split(root, options, config)
    for note in notes:
        LOG.warning("%s", note)
    return notes


def _lists_to_check(config: Config) -> tuple[str, ...]:
    """All three lists; train alone when nothing asks for the others and neither is there."""
    named, folder = config.Data.lists, config.Global.dataset_dir
    if config.SelfSup is not None:
        return lists_without_labels(config)
    if config.Train.eval_during_train or named.gallery or named.query:
        return SPLITS
    if named.train is None:
        folder = str(dataset_root(config))
    there = [name for name in SPLITS[1:] if folder and Path(folder, f"{name}.txt").is_file()]
    return SPLITS if there else SPLITS[:1]


def _train_alone(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.dataset.manifest("gallery") is not None:
        return []
    return [
        "There is no gallery list and no query list, so train alone was checked. That is enough to "
        "train with Train.eval_during_train=false; mode evaluate needs the other two."
    ]


def _split(root: Path, options: SplitOptions, config: Config) -> list[str]:
    """Divides the lists anew; a refusal is a finding, too."""
    try:
        small = split_dataset(root, options, config.Data.columns).small_classes
    except OpenSetError as error:
        lines = [Line(str(root / f"{name}.txt"), 1) for name in ("train", "gallery")]
        refusal = found("split.open_set", str(error), split="train+gallery", lines=lines)
        _write_findings(Path(config.Global.output) / _FOLDER / "findings.jsonl", [refusal.row()])
        raise
    return [f"Classes too small to be divided: {', '.join(small)}."] if small else []


def _write_findings(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    with storage.atomic_path(file) as temporary, temporary.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _write_fixed(folder: Path, diagnosis: Diagnosis) -> None:
    with storage.atomic_directory(folder) as temporary:
        for split, samples in repaired(diagnosis).items():
            labelled = not samples or samples[0].label != NO_LABEL
            write_manifest(temporary / f"{split}.txt", samples, labelled=labelled)


def _annotate(findings: Iterable[Finding]) -> None:
    """Prints errors and warnings for GitHub; remarks would only use up what it shows of them."""
    for finding in findings:
        if finding.severity != "info":
            print(annotation(finding.row()))
