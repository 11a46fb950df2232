"""Checks of the classes: what evaluation and training need of them."""

import statistics
from collections.abc import Iterator

from toolkit.audit.examination import Examination
from toolkit.audit.findings import Finding, found


def check_labels(examination: Examination) -> Iterator[Finding]:
    """Finds queries without an answer, and classes that training or evaluation stumble over."""
    yield from _queries_without_answer(examination)
    yield from _single_class(examination)
    yield from _single_pictures(examination)
    yield from _imbalance(examination)
    yield from _num_classes(examination)
    yield from _pk_sampler(examination)
    yield from _shared_classes(examination)


def _queries_without_answer(examination: Examination) -> Iterator[Finding]:
    gallery = examination.classes["gallery"]
    if not gallery:  # not read, or empty, which is said once
        return
    for row in examination.rows:
        if row.split == "query" and row.sample.label not in gallery:
            yield found(
                "label.query_absent",
                f"{row.line.file}:{row.line.line}: no row of the gallery has label "
                f"{row.sample.label} of query {row.sample.path}.",
                split="query",
                files=[row.sample.path],
                lines=[row.line],
                label=row.sample.label,
            )


def _single_class(examination: Examination) -> Iterator[Finding]:
    for split in ("train", "gallery"):
        classes = examination.classes[split]
        if len(classes) == 1:
            ((label, rows),) = classes.items()
            yield found(
                "label.one_class",
                f"All {len(rows):,} rows of {split} have the label {label}.",
                split=split,
                lines=[examination.line(split)],
                label=label,
                value=1,
            )


def _single_pictures(examination: Examination) -> Iterator[Finding]:
    in_gallery = examination.classes["gallery"]
    for split in ("train", "query"):
        for label, rows in examination.classes[split].items():
            # A query has a match in the gallery, unless the only picture there is itself.
            matches = in_gallery.get(label, []) if split == "query" else rows
            distinct = {row.file for row in rows}
            if len(distinct) == 1 and distinct == {row.file for row in matches}:
                yield found(
                    "label.singleton",
                    f"Class {label} of {split} has one picture, {rows[0].sample.path}.",
                    split=split,
                    files=[rows[0].sample.path],
                    lines=[row.line for row in rows],
                    label=label,
                    value=1,
                )


def _imbalance(examination: Examination) -> Iterator[Finding]:
    classes = examination.classes["train"]
    if not classes:
        return
    label, rows = max(classes.items(), key=lambda item: len(item[1]))
    largest, median = len(rows), statistics.median(map(len, classes.values()))
    if largest > examination.options.imbalance * median:
        yield found(
            "label.imbalance",
            f"Class {label} of train has {largest:,} pictures, the median class has {median:g}.",
            split="train",
            lines=[rows[0].line],
            label=label,
            value=round(largest / median, 2),
            threshold=examination.options.imbalance,
        )


def _num_classes(examination: Examination) -> Iterator[Finding]:
    wanted, factor = examination.needs.num_classes, examination.needs.classes_per_label
    labels = len(examination.classes["train"])
    number = labels * factor
    if wanted is None or not number or wanted == number:
        return
    consequence = "training will refuse it" if wanted < number else "the rest is never trained"
    yield found(
        "label.num_classes",
        f"Train.num_classes is {wanted:,} and train has {labels:,} labels"
        + (f", each of which becomes {factor} classes" if factor > 1 else "")
        + f"; {consequence}.",
        split="train",
        lines=[examination.line("train")],
        value=number,
        threshold=wanted,
    )


def _pk_sampler(examination: Examination) -> Iterator[Finding]:
    needs, classes = examination.needs, examination.classes["train"]
    if needs.sample_per_id is None or not classes:
        return
    drawn = (needs.batch_size or 0) // needs.sample_per_id
    if len(classes) < drawn:
        yield found(
            "label.pk_classes",
            f"A batch of {needs.batch_size} holds {drawn} classes with {needs.sample_per_id} "
            f"pictures each, and train has {len(classes)} classes.",
            split="train",
            lines=[examination.line("train")],
            value=len(classes),
            threshold=drawn,
        )
    for label, rows in classes.items():
        # A class with one picture has a warning of its own.
        if 1 < len(rows) < needs.sample_per_id:
            yield found(
                "label.pk_images",
                f"Class {label} of train has {len(rows)} pictures, a batch draws "
                f"{needs.sample_per_id} of it.",
                split="train",
                files=[row.sample.path for row in rows],
                lines=[row.line for row in rows],
                label=label,
                value=len(rows),
                threshold=needs.sample_per_id,
            )


def _shared_classes(examination: Examination) -> Iterator[Finding]:
    train, gallery = examination.classes["train"], examination.classes["gallery"]
    if not train or not gallery:
        return
    shared = len(train.keys() & gallery.keys())
    said = f"{shared:,} of the {len(gallery):,} classes of the gallery are among the {len(train):,}"
    yield found(
        "split.closed_set" if shared else "split.open_set",
        f"{said} of train.",
        split="train+gallery",
        lines=[examination.line("train"), examination.line("gallery")],
        value=shared,
    )
