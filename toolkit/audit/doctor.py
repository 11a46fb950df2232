"""The dataset doctor: decodes every picture once, runs every check, says what was found."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from toolkit.audit.dataset import LoadedDataset, locate
from toolkit.audit.examination import Examination, TrainingNeeds
from toolkit.audit.facts import ImageFacts
from toolkit.audit.facts_cache import is_current, read_facts, write_facts
from toolkit.audit.findings import Finding, count, in_order
from toolkit.audit.options import AuditOptions
from toolkit.audit.probing import Prober, WorkerPool, probe_here
from toolkit.progress import Progress
from toolkit.registry import CHECKS
from toolkit.runtime import cores_allowed

LOG = logging.getLogger(__name__)

FailOn = Literal["error", "warning", "never"]

_FAILING: dict[FailOn, tuple[str, ...]] = {
    "error": ("error",),
    "warning": ("error", "warning"),
    "never": (),
}


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        dataset: the lists that were examined.
        findings: errors first, then as docs/findings.md lists them, then by list and line.
        facts: what is known of each file that exists, by absolute path.
    """

    dataset: LoadedDataset
    findings: list[Finding]
    facts: dict[Path, ImageFacts]

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """``{"severity": {severity: n}, "code": {code: n}}``."""
        return count(self.findings)

    def passed(self, fail_on: FailOn) -> bool:
        """Whether nothing was found at or above a severity; ``never`` passes everything."""
        return not any(self.counts["severity"][severity] for severity in failing(fail_on))


def failing(fail_on: FailOn) -> tuple[str, ...]:
    """Returns the severities that make a dataset fail."""
    return _FAILING[fail_on]


def examine(
    dataset: LoadedDataset,
    options: AuditOptions | None = None,
    *,
    needs: TrainingNeeds | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    prober: Prober | None = None,
) -> Diagnosis:
    """Decodes all pictures that the lists name and runs all checks of `registry.CHECKS`.

    Args:
        dataset: the lists.
        options: thresholds.
        needs: what training will ask; its checks are left out without it.
        cache: a file of facts; what it knows of unchanged files is not gathered again.
        workers: processes that decode; None is one a core, 0 none (no protection from a crash).
        prober: what measures files, instead of `workers` processes.

    Returns:
        The findings and the facts.
    """
    options = options or AuditOptions()
    if prober is None:
        workers = cores_allowed() if workers is None else workers
        prober = WorkerPool(workers) if workers else probe_here
    files = _files(dataset)
    facts = gather_facts(files, prober, max_pixels=options.max_pixels, cache=cache)
    examination = Examination(dataset, facts, options, needs or TrainingNeeds())
    findings = [finding for name in CHECKS.names() for finding in CHECKS.get(name)(examination)]
    return Diagnosis(dataset, in_order(findings), facts)


def gather_facts(
    files: Iterable[Path], prober: Prober, *, max_pixels: int, cache: Path | None = None
) -> dict[Path, ImageFacts]:
    """Measures the files that exist, each once, with a progress bar.

    Args:
        files: absolute paths.
        prober: what measures them.
        max_pixels: the limit of the decoder.
        cache: known facts; written back, also when the run is interrupted.
    """
    known = read_facts(cache, max_pixels=max_pixels) if cache is not None else {}
    facts: dict[Path, ImageFacts] = {}
    unknown = []
    for file in files:
        try:
            status = file.stat()
        except (OSError, ValueError):  # not there; ValueError: a path that no file can have
            continue
        fact = known.get(str(file))
        if fact is not None and is_current(fact, status.st_size, status.st_mtime_ns):
            facts[file] = fact
        else:
            unknown.append(file)
    if not unknown:
        return facts
    try:
        with Progress("check images", len(unknown)) as progress:
            for fact in prober(unknown, max_pixels):
                facts[Path(fact.path)] = fact
                progress.advance()
    finally:
        if cache is not None:
            new = {str(path): fact for path, fact in facts.items()}
            write_facts(cache, (known | new).values(), max_pixels=max_pixels)
    return facts


def _files(dataset: LoadedDataset) -> list[Path]:
    """Returns the files that the lists name, each once; those outside the root are not opened."""
    places = (
        locate(manifest.root, sample.path)
        for manifest in dataset.manifests
        for sample in manifest.samples
    )
    return list(dict.fromkeys(file for file, is_inside in places if is_inside))
