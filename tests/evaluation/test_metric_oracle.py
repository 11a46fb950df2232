"""Hundreds of random retrieval problems, every number against loops over sorted lists.

Each problem may hold ties, duplicates of a vector, queries without a positive, and queries that
are in the gallery themselves (same id), all at once.
"""

from fractions import Fraction

import numpy as np
import pytest
import reference

from toolkit.errors import DatasetError
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval

CASES = 300
KS = (1, 2, 5)


def problem(rng, *, whole):
    """Queries and gallery; whole numbers have entries of -1 and 1, so that cosines are exact."""
    num_queries, num_gallery = rng.integers(1, 10), rng.integers(1, 25)
    dimension = 4 if whole else int(rng.integers(2, 9))  # the length of a row of +-1 is 2: exact
    pool = rng.choice([-1.0, 1.0], (12, dimension)) if whole else rng.normal(size=(30, dimension))
    # Drawn with replacement: duplicates on both sides and across them.
    query, gallery = (pool[rng.integers(0, len(pool), n)] for n in (num_queries, num_gallery))
    labels = list("abcd")
    query_labels = rng.choice(labels, num_queries).tolist()
    gallery_labels = rng.choice(labels[: rng.integers(1, 5)], num_gallery).tolist()
    # About half of the queries are in the gallery themselves.
    gallery_ids = [f"{'q' if rng.random() < 0.5 else 'g'}{row}" for row in range(num_gallery)]
    query_ids = [f"q{row}" for row in range(num_queries)]
    return (
        Embeddings(query.astype(np.float32), query_labels, query_ids),
        Embeddings(gallery.astype(np.float32), gallery_labels, gallery_ids),
    )


def scores_of(query, gallery):
    """Cosines: exact fractions for entries of -1 and 1 (rows of length 2), else in float64."""
    left, right = query.vectors.astype(np.float64), gallery.vectors.astype(np.float64)
    if np.isin(left, (-1, 1)).all():
        return [[Fraction(int(a @ b), 4) for b in right] for a in left]
    left, right = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (left, right))
    # Equal vectors must tie exactly: a loop of the same operations gives the same number.
    return [
        [sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) for b in right] for a in left
    ]


def found_by_loops(query, gallery):
    lines = []
    for row, scores in enumerate(scores_of(query, gallery)):
        itself = {i for i, name in enumerate(gallery.ids) if name == query.ids[row]}
        order = reference.ranking(scores, itself)
        lines.append(reference.matches_in_order(order, gallery.labels, query.labels[row]))
    return lines


def metrics_by_loops(lines):
    values = {f"recall{k}": [reference.recall_at(line, k) for line in lines] for k in KS}
    values["mAP"] = [reference.average_precision(line) for line in lines]
    values |= {f"precision_at_{k}": [reference.precision_at(line, k) for line in lines] for k in KS}
    values["map_at_r"] = [reference.average_precision_at_r(line) for line in lines]
    values["mINP"] = [reference.inverse_negative_penalty(line) for line in lines]
    return {name: reference.mean(column) for name, column in values.items()}


@pytest.mark.parametrize("whole", [True, False], ids=["whole numbers", "real numbers"])
def test_hundreds_of_random_problems_equal_the_loops(whole):
    rng = np.random.default_rng(11)
    seen = {"without a positive": 0, "ties": 0, "itself": 0, "measured": 0}
    for case in range(CASES):
        query, gallery = problem(rng, whole=whole)
        lines = found_by_loops(query, gallery)
        matched = [line for line in lines if any(line)]
        seen["without a positive"] += len(matched) < len(lines)
        seen["ties"] += any(len(set(row)) < len(row) for row in scores_of(query, gallery))
        seen["itself"] += bool(set(query.ids) & set(gallery.ids))
        if not matched:
            with pytest.raises(DatasetError):
                evaluate(query, gallery)
            continue
        seen["measured"] += 1
        result = evaluate(query, gallery)
        first = [(line.index(True) + 1) if any(line) else 0 for line in lines]
        assert result.scores.first_rank.tolist() == first, case  # ranks are exact in both
        assert result.scores.num_relevant.tolist() == [sum(line) for line in lines], case
        expected = metrics_by_loops(matched)
        assert set(result.metrics) == set(expected)
        for name, value in expected.items():
            tolerance = 1e-15 if whole else 1e-6  # 1e-15: the order of a sum of eight numbers
            assert abs(result.metrics[name] - value) <= tolerance, (case, name)
    assert min(seen.values()) >= 50, seen


def evaluate(query, gallery):
    return evaluate_retrieval(
        query,
        gallery,
        rng=np.random.default_rng(0),
        recall_k=KS,
        precision_k=KS,
        bootstrap_samples=0,
    )
