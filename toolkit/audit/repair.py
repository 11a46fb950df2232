"""The lists without their bad rows."""

from collections.abc import Iterable, Sequence

from toolkit.audit.codes import CODES
from toolkit.audit.doctor import Diagnosis
from toolkit.audit.findings import Finding, Line
from toolkit.data.manifest import Sample


def repaired(diagnosis: Diagnosis) -> dict[str, list[Sample]]:
    """Leaves out the rows that each code's `drop` names, and queries left without an answer.

    Returns:
        split -> the rows that stay, in file order. Checked again, they have no error, unless a
        list is left empty.
    """
    split_of = {str(manifest.file): manifest.split for manifest in diagnosis.dataset.manifests}
    bad = {line for finding in diagnosis.findings for line in _dropped(finding, split_of)}
    kept = {
        manifest.split: [
            sample
            for sample in manifest.samples
            if Line(str(manifest.file), sample.line) not in bad
        ]
        for manifest in diagnosis.dataset.manifests
    }
    if "gallery" in kept and "query" in kept:
        answers = {sample.label for sample in kept["gallery"]}
        kept["query"] = [sample for sample in kept["query"] if sample.label in answers]
    return kept


def _dropped(finding: Finding, split_of: dict[str, str]) -> Iterable[Line]:
    lines: Sequence[Line] = finding.lines
    drop = CODES[finding.code].drop
    if drop == "nothing":
        return ()
    if drop == "repeats":
        return lines[1:]
    if drop == "rows":
        return lines
    return [line for line in lines if f"{split_of[line.file]} rows" == drop]
