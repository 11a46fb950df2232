import json

import numpy as np
import pytest
import reference

from toolkit.errors import DatasetError, WeightsError
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval
from toolkit.index.budget import Budget
from toolkit.index.exact import top_k
from toolkit.index.fixed_point import unit_rows


def embeddings(vectors, labels, prefix="q", cameras=None):
    ids = [f"{prefix}{i}" for i in range(len(labels))]
    return Embeddings(np.asarray(vectors, np.float32), list(labels), ids, cameras)


def evaluate(query, gallery, **options):
    options = {"bootstrap_samples": 0} | options
    return evaluate_retrieval(query, gallery, rng=np.random.default_rng(0), **options)


def ideal(labels, prefix, wrong=()):
    """An encoder that puts each class on its own axis, and the rows in `wrong` on the next one."""
    vectors = np.eye(8, dtype=np.float32)
    axes = [(label + (row in wrong)) % 8 for row, label in enumerate(labels)]
    return embeddings(vectors[axes], [str(label) for label in labels], prefix)


@pytest.mark.parametrize("errors", [0, 1, 5, 40])
def test_an_ideal_encoder_with_planted_errors_scores_exactly_what_is_left(errors):
    labels = [i % 8 for i in range(40)]
    wrong = np.random.default_rng(errors).permutation(40)[:errors].tolist()
    gallery = ideal(labels, "g")
    result = evaluate(ideal(labels, "q", wrong), gallery)
    assert result.metrics["recall1"] == (40 - errors) / 40
    assert result.metrics["precision_at_5"] == (40 - errors) / 40
    assert result.metrics["map_at_r"] == (40 - errors) / 40
    assert sum(number for _, _, number in result.confusions()) == errors


def mean_of(lines, score):
    return reference.mean([score(line) for line in lines])


def test_random_vectors_equal_the_loops():
    rng = np.random.default_rng(3)
    for trial in range(40):
        num_queries, num_gallery = rng.integers(1, 12), rng.integers(1, 15)
        # Axes and their opposites: cosines are exactly -1, 0 or 1, so ties are everywhere.
        axes = np.concatenate([np.eye(3), -np.eye(3)])
        query = embeddings(
            axes[rng.integers(0, 6, num_queries)], rng.choice(list("abc"), num_queries)
        )
        gallery = embeddings(
            axes[rng.integers(0, 6, num_gallery)], rng.choice(list("ab"), num_gallery), "q"
        )
        found = []
        for i, line in enumerate(reference.inner_products(query.vectors, gallery.vectors)):
            order = reference.ranking(line, {i})  # ids are q0, q1, ... on both sides
            found.append(reference.matches_in_order(order, gallery.labels, query.labels[i]))
        matched = [line for line in found if any(line)]
        if not matched:
            with pytest.raises(DatasetError, match="nothing to measure"):
                evaluate(query, gallery)
            continue
        result = evaluate(query, gallery, recall_k=(1, 5), precision_k=(3,))
        assert result.metrics == pytest.approx(
            {
                "recall1": mean_of(matched, lambda line: reference.recall_at(line, 1)),
                "recall5": mean_of(matched, lambda line: reference.recall_at(line, 5)),
                "mAP": mean_of(matched, reference.average_precision),
                "precision_at_3": mean_of(matched, lambda line: reference.precision_at(line, 3)),
                "map_at_r": mean_of(matched, reference.average_precision_at_r),
                "mINP": mean_of(matched, reference.inverse_negative_penalty),
            }
        ), trial
        assert result.unmatched == [i for i, line in enumerate(found) if not any(line)]
        assert result.histogram.matches.sum() == sum(map(sum, found))
        everything = result.histogram.matches + result.histogram.non_matches
        assert everything.sum() == num_queries * num_gallery - result.num_removed


def test_query_as_gallery_never_finds_itself():
    angles = np.radians([0, 10, 60, 72])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    both = embeddings(vectors, "abab")
    result = evaluate(both, both)
    assert result.num_removed == 4
    assert result.top_rows[:, 0].tolist() == [1, 0, 3, 2]
    assert result.metrics["recall1"] == 0
    assert (result.top_rows[:, 3:] == -1).all()  # three others, and no more
    one = evaluate(embeddings(vectors, "aabb"), embeddings(vectors, "aabb"))
    assert one.metrics["recall1"] == 1


def test_same_camera_is_removed_only_with_the_same_label():
    query = embeddings([[1, 0]], ["a"], cameras=["c1"])
    gallery = embeddings(
        [[1, 0], [0.9, 0.1], [0.8, 0.2]], ["a", "b", "a"], "g", cameras=["c1", "c1", "c2"]
    )
    result = evaluate(query, gallery)
    assert result.top_rows.tolist() == [[1, 2, -1, -1, -1]]
    assert result.scores.first_rank.tolist() == [2]
    without = Embeddings(gallery.vectors, gallery.labels, gallery.ids)
    assert evaluate(query, without).top_rows[0, 0] == 0


def test_unmatched_queries_are_counted_and_change_no_number():
    labels = [i % 8 for i in range(24)]
    query, gallery = ideal(labels, "q", wrong=[3, 4, 5]), ideal(labels, "g")
    stranger = embeddings(
        np.concatenate([query.vectors, query.vectors[:7]]), query.labels + ["nobody"] * 7
    )
    plain, more = evaluate(query, gallery), evaluate(stranger, gallery)
    assert more.metrics == plain.metrics
    assert more.unmatched == list(range(24, 31))
    assert more.summary()["unmatched_queries"] == 7
    assert more.classes[-1].unmatched == 7


def test_order_of_queries_and_gallery_does_not_matter():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 300).astype(str)
    query = embeddings(rng.standard_normal((120, 16)), labels[:120])
    gallery = embeddings(rng.standard_normal((300, 16)), labels, "g")
    plain = evaluate(query, gallery)
    swap, turn = rng.permutation(120), rng.permutation(300)
    permuted = evaluate(
        Embeddings(query.vectors[swap], [query.labels[i] for i in swap], query.ids),
        Embeddings(gallery.vectors[turn], [gallery.labels[i] for i in turn], gallery.ids),
    )
    assert permuted.metrics == pytest.approx(plain.metrics, abs=1e-12)
    assert np.array_equal(permuted.histogram.matches, plain.histogram.matches)
    assert np.allclose(permuted.cmc, plain.cmc)
    assert evaluate(query, gallery, budget=Budget(memory_mib=1)).metrics == plain.metrics


def test_lengths_of_vectors_do_not_matter():
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((60, 8)), ["a", "b", "c"] * 20
    one = evaluate(embeddings(vectors[:20], labels[:20]), embeddings(vectors, labels, "g"))
    stretched = vectors * rng.choice([0.5, 8, 1024], (60, 1))
    two = evaluate(embeddings(stretched[:20], labels[:20]), embeddings(stretched, labels, "g"))
    assert two.metrics == one.metrics
    assert two.histogram.matches[-1] >= 20  # each query's twin, at a cosine of 1


def test_every_pair_is_in_its_bin_of_the_histogram():
    rng = np.random.default_rng(5)
    # Axes among them, so that cosines of exactly -1, 0 and 1 stand on edges.
    vectors = np.concatenate([rng.standard_normal((20, 2)), np.eye(2), -np.eye(2)])
    labels = rng.choice(list("ab"), 24)
    query, gallery = embeddings(vectors[4:], labels[4:]), embeddings(vectors, labels, "g")
    result = evaluate(query, gallery)
    edges, matches = result.histogram.edges, np.zeros(200, int)
    non_matches = matches.copy()
    scores, rows = top_k(unit_rows(query.vectors), unit_rows(gallery.vectors), 24)
    for i, (line, order) in enumerate(zip(scores, rows, strict=True)):
        for score, row in zip(line, order, strict=True):
            bins = [b for b in range(200) if edges[b] < min(max(score, -0.999), 1) <= edges[b + 1]]
            (matches if labels[row] == query.labels[i] else non_matches)[bins] += 1
    assert matches.sum() + non_matches.sum() == 20 * 24
    assert np.array_equal(result.histogram.matches, matches)
    assert np.array_equal(result.histogram.non_matches, non_matches)


def test_a_gallery_of_one_and_any_k():
    result = evaluate(
        embeddings([[1, 0], [0, 1]], ["a", "a"]),
        embeddings([[1, 1]], ["a"], "g"),
        recall_k=(1, 5, 50),
        precision_k=(10,),
    )
    assert result.metrics["recall50"] == 1
    assert result.metrics["precision_at_10"] == pytest.approx(0.1)
    assert result.cmc.tolist() == [1]
    assert result.top_scores[0].tolist() == [np.float32(np.sqrt(0.5))] + [-np.inf] * 4


def test_intervals_hold_the_numbers_and_the_summary_is_json():
    rng = np.random.default_rng(0)
    labels = ["a", "b", "c", "d"] * 25
    vectors = rng.standard_normal((100, 4)) + 2 * np.eye(4)[[0, 1, 2, 3] * 25]
    both = embeddings(vectors, labels)
    result = evaluate(both, both, bootstrap_samples=200)
    assert result.intervals.keys() == result.metrics.keys()
    for name, (low, high) in result.intervals.items():
        assert low <= result.metrics[name] <= high
        assert high > low
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert summary["metrics"] == result.metrics
    assert summary["self_matches_removed"] == 100
    assert list(result.metrics)[:3] == ["recall1", "recall5", "mAP"]


def test_what_cannot_be_measured_says_why():
    some = embeddings([[1, 0]], ["a"])
    other = embeddings([[1, 0]], ["b"], "g")
    nobody = embeddings(np.zeros((0, 2)), [])
    with pytest.raises(DatasetError, match=r"Labels of queries: 'a'; of the gallery: 'b'"):
        evaluate(some, other)
    with pytest.raises(DatasetError, match="query list has no pictures"):
        evaluate(nobody, other)
    with pytest.raises(DatasetError, match="gallery list has no pictures"):
        evaluate(some, nobody)
    broken = embeddings([[1, 0], [np.nan, 1]], ["a", "a"], "g")
    with pytest.raises(WeightsError, match=r"1 of 2 gallery pictures .* first those of g1"):
        evaluate(some, broken)
    with pytest.raises(ValueError, match="1 vectors and 2 ids"):
        Embeddings(np.ones((1, 2), np.float32), ["a"], ["x", "y"])
