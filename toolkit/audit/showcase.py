"""What a person is shown of a diagnosis: the page, with pictures of the findings, and samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toolkit.audit.codes import CODES
from toolkit.audit.dataset import LoadedDataset, locate
from toolkit.audit.doctor import Diagnosis, FailOn
from toolkit.audit.facts import Picture
from toolkit.audit.findings import Finding
from toolkit.data.decode import read_rgb
from toolkit.data.manifest import NO_LABEL
from toolkit.errors import ImageError
from toolkit.reports.dataset_page import CodeSummary, DatasetPage, Thumbnail, dataset_page
from toolkit.reports.page import image_uri

_FINDINGS_A_CODE = 12
_PICTURES_A_FINDING = 4
# Findings of one code that are looked at for pictures: where files are missing none has any.
_FINDINGS_TRIED = 100


def report_page(diagnosis: Diagnosis, *, name: str, fail_on: FailOn, max_pixels: int) -> str:
    """Writes the HTML report of a diagnosis.

    Args:
        diagnosis: what was found.
        name: the dataset, as the person named it.
        fail_on: the lowest severity that fails.
        max_pixels: the limit of the decoder.
    """
    codes = [
        CodeSummary(code.name, code.severity, code.meaning, code.fix, number)
        for code, number in (
            (CODES[name], number) for name, number in diagnosis.counts["code"].items()
        )
    ]
    page = DatasetPage(
        dataset=name,
        passed=diagnosis.passed(fail_on),
        fail_on=fail_on,
        severities=diagnosis.counts["severity"],
        codes=codes,
        rows=[finding.row() for finding in diagnosis.findings],
        classes=class_sizes(diagnosis.dataset),
        pictures=[
            (split, picture.width, picture.height) for split, picture in _pictures(diagnosis)
        ],
        thumbnails=_thumbnails(diagnosis, max_pixels),
    )
    return dataset_page(page)


def class_sizes(dataset: LoadedDataset) -> dict[str, dict[str, int]]:
    """Counts the rows of each label: split -> label -> number."""
    sizes: dict[str, dict[str, int]] = {}
    for manifest in dataset.manifests:
        counted = sizes.setdefault(manifest.split, {})
        for given in manifest.labels:
            label = "no label" if given == NO_LABEL else given
            counted[label] = counted.get(label, 0) + 1
    return sizes


def demo_pictures(diagnosis: Diagnosis, number: int, seed: int) -> Iterator[tuple[str, Path, str]]:
    """Draws up to `number` pictures a list, as (split, file, label), repeatably."""
    for manifest in diagnosis.dataset.manifests:
        generator = np.random.default_rng(seed)
        drawn = 0
        for index in generator.permutation(len(manifest.samples)):
            sample = manifest.samples[index]
            file, _ = locate(manifest.root, sample.path)
            facts = diagnosis.facts.get(file)
            if drawn < number and facts is not None and facts.picture is not None:
                drawn += 1
                yield manifest.split, file, sample.label


def _pictures(diagnosis: Diagnosis) -> Iterator[tuple[str, Picture]]:
    for manifest in diagnosis.dataset.manifests:
        for sample in manifest.samples:
            facts = diagnosis.facts.get(locate(manifest.root, sample.path)[0])
            if facts is not None and facts.picture is not None:
                yield manifest.split, facts.picture


def _thumbnails(diagnosis: Diagnosis, max_pixels: int) -> dict[str, list[list[Thumbnail]]]:
    """Takes the first findings of each code that have pictures; the rest is in the table."""
    shown: dict[str, list[list[Thumbnail]]] = {}
    tried: dict[str, int] = {}
    for finding in diagnosis.findings:
        groups = shown.get(finding.code, [])
        tried[finding.code] = tried.get(finding.code, 0) + 1
        if len(groups) < _FINDINGS_A_CODE and tried[finding.code] <= _FINDINGS_TRIED:
            group = list(_group(diagnosis, finding, max_pixels))
            if group:
                shown[finding.code] = [*groups, group]
    return shown


def _group(diagnosis: Diagnosis, finding: Finding, max_pixels: int) -> Iterator[Thumbnail]:
    for path in finding.files[:_PICTURES_A_FINDING]:
        file = diagnosis.dataset.find(finding.split, path)
        facts = diagnosis.facts.get(file)
        if facts is None or facts.picture is None:
            continue
        try:
            pixels = read_rgb(file, max_pixels=max_pixels)
        except ImageError:  # changed since it was measured
            continue
        value = "" if finding.value is None else f" · {finding.value:g}"
        label = "" if finding.label is None else f" · {finding.label}"
        yield Thumbnail(image_uri(pixels, max_side=220), f"{path}{label}{value}")
