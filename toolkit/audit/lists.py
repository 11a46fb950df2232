"""Checks that need no picture: the rows themselves, and whether their files are there."""

from collections.abc import Iterator

from toolkit.audit.examination import Examination
from toolkit.audit.findings import Finding, Line, found
from toolkit.data.manifest import NO_LABEL


def check_lists(examination: Examination) -> Iterator[Finding]:
    """Finds malformed and repeated rows, empty lists, and paths that lead nowhere or outside."""
    yield from _rows_that_cannot_be_read(examination)
    yield from _empty_lists(examination)
    yield from _files_not_there(examination)
    yield from _repeated_rows(examination)
    yield from _queries_in_the_gallery(examination)


def _rows_that_cannot_be_read(examination: Examination) -> Iterator[Finding]:
    for manifest in examination.dataset.manifests:
        for problem in manifest.problems:
            yield found(
                "list.malformed_line",
                f"{manifest.file}:{problem.line}: {problem.message}. The line: {problem.text!r}",
                split=manifest.split,
                lines=[Line(str(manifest.file), problem.line)],
            )


def _empty_lists(examination: Examination) -> Iterator[Finding]:
    for manifest in examination.dataset.manifests:
        if not manifest.samples:
            yield found(
                "split.empty",
                f"{manifest.file} has no row that can be read.",
                split=manifest.split,
                lines=[Line(str(manifest.file), 1)],
                value=0,
            )


def _files_not_there(examination: Examination) -> Iterator[Finding]:
    told = set()
    for row in examination.rows:
        key = (row.split, row.file)
        if key in told or (row.is_inside and row.facts is not None):
            continue
        told.add(key)
        where = f"{row.line.file}:{row.line.line}: {row.sample.path}"
        outside = f"{where} leads to {row.file}, outside of the folder of the list's pictures."
        yield found(
            "image.missing" if row.is_inside else "image.outside_root",
            f"{where} does not exist." if row.is_inside else outside,
            split=row.split,
            files=[row.sample.path],
            lines=examination.lines_of[key],
            label=row.sample.label,
        )


def _queries_in_the_gallery(examination: Examination) -> Iterator[Finding]:
    shared = examination.query_and_gallery
    if not shared:
        return
    query, gallery = examination.files["query"], examination.files["gallery"]
    if len(shared) == len(query) == len(gallery):
        yield found(
            "split.gallery_is_query",
            "gallery.txt and query.txt list the same pictures; evaluation removes, for each query, "
            "the gallery row with the same path.",
            split="query+gallery",
            lines=[examination.line("query"), examination.line("gallery")],
        )
        return
    first = next(file for file in query if file in shared)
    yield found(
        "split.query_in_gallery",
        f"{len(shared):,} of the {len(query):,} pictures of query are in the gallery too, by the "
        f"same path, first {query[first].sample.path}; evaluation removes that gallery row for "
        "the query.",
        split="query+gallery",
        files=[query[first].sample.path],
        lines=[query[first].line, gallery[first].line],
        value=len(shared),
    )


def _repeated_rows(examination: Examination) -> Iterator[Finding]:
    lines: dict[tuple[str, str, str], list[Line]] = {}
    for row in examination.rows:
        lines.setdefault((row.split, str(row.file), row.sample.label), []).append(row.line)
    for row in examination.rows:
        repeated = lines.pop((row.split, str(row.file), row.sample.label), [])
        if len(repeated) > 1:
            numbers = ", ".join(str(line.line) for line in repeated)
            yield found(
                "list.duplicate_line",
                f"{row.line.file} names {row.sample.path}{_with_label(row.sample.label)} "
                f"{len(repeated)} times: lines {numbers}.",
                split=row.split,
                files=[row.sample.path],
                lines=repeated,
                label=row.sample.label,
                value=len(repeated),
            )


def _with_label(label: str) -> str:
    return f" with label {label}" if label != NO_LABEL else ""
