import csv
import io

import numpy as np
import pytest

from toolkit.evaluation.open_set import table_csv, table_lines, thresholds
from toolkit.evaluation.retrieval import Embeddings


def _embeddings(n, seed, classes=6, start=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(20, 8))
    labels = rng.integers(start, start + classes, n)
    vectors = (centres[labels] + rng.normal(size=(n, 8))).astype(np.float32)
    return Embeddings(vectors, [str(label) for label in labels], [f"{seed}-{i}" for i in range(n)])


def _written_out(query, gallery, threshold):
    """The shares, query by query."""
    counts = {"false": [], "found": [], "wrong": [], "refused": []}
    unit = gallery.vectors / np.linalg.norm(gallery.vectors, axis=1, keepdims=True)
    for vector, label, key in zip(query.vectors, query.labels, query.ids, strict=True):
        scores = unit @ (vector / np.linalg.norm(vector))
        rows = [i for i in range(len(scores)) if gallery.ids[i] != key]
        strange = [scores[i] for i in rows if gallery.labels[i] != label]
        counts["false"].append(max(strange) >= threshold)
        if label in gallery.labels:
            best = max(rows, key=lambda i: scores[i])
            answered = scores[best] >= threshold
            counts["found"].append(answered and gallery.labels[best] == label)
            counts["wrong"].append(answered and gallery.labels[best] != label)
            counts["refused"].append(not answered)
    return {name: np.mean(values) for name, values in counts.items()}


def test_every_threshold_does_what_its_row_says():
    query, gallery = _embeddings(150, 1), _embeddings(200, 2)
    table = thresholds(query, gallery, (0.01, 0.05, 0.2, 0.5))
    for row in table:
        expected = _written_out(query, gallery, row.threshold)
        assert row.false_matches == pytest.approx(expected["false"])
        assert row.found == pytest.approx(expected["found"])
        assert row.wrong == pytest.approx(expected["wrong"])
        assert row.refused == pytest.approx(expected["refused"])
        assert row.false_matches <= row.wanted
        assert row.wanted - row.false_matches < 2 / 150
    assert [row.threshold for row in table] == sorted(
        (row.threshold for row in table), reverse=True
    )


def test_queries_that_are_not_in_the_gallery_only_count_as_unknown():
    query, gallery = _embeddings(80, 1, start=3), _embeddings(200, 2)
    (row,) = thresholds(query, gallery, (0.1,))
    expected = _written_out(query, gallery, row.threshold)
    assert row.found == pytest.approx(expected["found"])
    assert row.false_matches == pytest.approx(expected["false"])


def test_a_list_that_is_both_sides_does_not_match_itself():
    both = _embeddings(100, 1)
    (row,) = thresholds(both, both, (0.1,))
    assert row.found == pytest.approx(_written_out(both, both, row.threshold)["found"])


def test_one_class_has_no_threshold():
    assert thresholds(_embeddings(5, 1, classes=1), _embeddings(5, 2, classes=1)) == []


def test_the_table_is_printed_and_written():
    table = thresholds(_embeddings(150, 1), _embeddings(200, 2))
    rows = list(csv.DictReader(io.StringIO(table_csv(table))))
    assert [float(row["wanted"]) for row in rows] == [row.wanted for row in table]
    assert len(table_lines(table)) == 2 + len(table)
    assert f"{table[1].threshold:.4f}" in "\n".join(table_lines(table))
