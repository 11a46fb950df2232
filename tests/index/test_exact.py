import tracemalloc

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.index.budget import Budget, Span, Workers
from toolkit.index.exact import ranked_blocks, ranks_of_relevant, top_k
from toolkit.index.fixed_point import WholeRows
from toolkit.index.row_sets import RowSets
from toolkit.index.tiles import Scorer

pytestmark = pytest.mark.usefixtures("counter")


@st.composite
def whole_number_cases(draw):
    """Whole-number vectors of few values, so that ties and duplicates are everywhere."""
    num_queries = draw(st.integers(1, 8))
    num_gallery = draw(st.integers(0, 14))
    dimension = draw(st.integers(1, 3))
    value = st.integers(-2, 2)

    def matrix(rows):
        line = st.lists(value, min_size=dimension, max_size=dimension)
        return np.array(draw(st.lists(line, min_size=rows, max_size=rows)), np.float32).reshape(
            rows, dimension
        )

    label = st.sampled_from("abc")
    row = st.integers(0, max(num_gallery - 1, 0))
    rows = st.lists(row, max_size=3 if num_gallery else 0)
    return (
        matrix(num_queries),
        matrix(num_gallery),
        draw(st.lists(label, min_size=num_queries, max_size=num_queries)),
        draw(st.lists(label, min_size=num_gallery, max_size=num_gallery)),
        draw(st.lists(rows, min_size=num_queries, max_size=num_queries)),
    )


def check_against_loops(case):
    queries, gallery, query_labels, gallery_labels, excluded = case
    exclude = [RowSets.from_lists(excluded)]
    relevant = RowSets.from_equal(query_labels, gallery_labels)
    ranks, counts = ranks_of_relevant(queries, gallery, relevant, exclude=exclude)
    scores, rows = top_k(queries, gallery, 4, exclude=exclude)
    all_scores = reference.inner_products(queries, gallery)
    expected_ranks, expected_counts = [], []
    for query, label in enumerate(query_labels):
        order = reference.ranking(all_scores[query], excluded[query])
        found = reference.ranks_of_matches(reference.matches_in_order(order, gallery_labels, label))
        expected_ranks += found
        expected_counts.append(len(found))
        none = 4 - len(order[:4])
        assert rows[query].tolist() == order[:4] + [-1] * none
        best = [all_scores[query][row] for row in order[:4]]
        assert scores[query].tolist() == best + [-np.inf] * none
    assert ranks.tolist() == expected_ranks
    assert counts.tolist() == expected_counts


@settings(max_examples=150, deadline=None)
@given(whole_number_cases())
def test_ranks_and_top_k_equal_the_loops(case):
    check_against_loops(case)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(whole_number_cases())
def test_ranks_and_top_k_equal_the_loops_over_many_tiles(cut, case):
    cut(queries=3, rows=4, columns=2)
    check_against_loops(case)


def test_a_table_checked_by_eye():
    # Four queries and eight gallery rows; a row's single number is its score for query (1).
    gallery = np.array([[5], [3], [3], [9], [-1], [3], [0], [9]], np.float32)
    labels = list("abbaabab")
    # Order for (1): rows 3 7 0 1 2 5 6 4 (9 9 5 3 3 3 0 -1), labels a b a b b b a a.
    # Order for (-1): rows 4 6 1 2 5 0 3 7, labels a a b b b a a b.  For (0) all tie: 0 to 7.
    queries = np.array([[1], [1], [-1], [0]], np.float32)
    relevant = RowSets.from_equal(list("abab"), labels)
    ranks, counts = ranks_of_relevant(queries, gallery, relevant)
    assert ranks.reshape(4, 4).tolist() == [[1, 3, 7, 8], [2, 4, 5, 6], [1, 2, 6, 7], [2, 3, 6, 8]]
    assert counts.tolist() == [4, 4, 4, 4]
    assert top_k(queries, gallery, 3)[1].tolist() == [[3, 7, 0], [3, 7, 0], [4, 6, 1], [0, 1, 2]]

    # Without row 3, everything behind it moves up by one and it is not relevant itself.
    exclude = [RowSets.from_lists([[3], [3], [3], [3]])]
    ranks, counts = ranks_of_relevant(queries, gallery, relevant, exclude=exclude)
    assert counts.tolist() == [3, 4, 3, 4]
    assert ranks.tolist() == [2, 6, 7, 1, 3, 4, 5, 1, 2, 6, 2, 3, 5, 7]


def test_many_blocks_and_real_tiles_agree_with_a_full_sort(unit_vectors):
    queries, gallery = unit_vectors(600, 6), unit_vectors(1500, 6, seed=1)
    labels = np.random.default_rng(2).integers(0, 40, 1500)
    relevant = RowSets.from_equal(labels[:600].tolist(), labels.tolist())
    narrow = ranks_of_relevant(queries, gallery, relevant, budget=Budget(memory_mib=1))[0]
    wide = ranks_of_relevant(queries, gallery, relevant)[0]
    assert np.array_equal(narrow, wide)
    scores, rows = top_k(queries, gallery, 1500)
    truth = queries.astype(np.float64) @ gallery.astype(np.float64).T
    assert np.abs(scores - np.take_along_axis(truth, rows, axis=1)).max() < 1e-6
    in_order = labels[rows] == labels[:600, None]
    assert np.array_equal(np.nonzero(in_order)[1] + 1, wide)


def test_blocks_tiles_and_threads_change_nothing(unit_vectors, cut):
    queries, gallery = unit_vectors(23, 33), unit_vectors(61, 33, seed=1)
    gallery[30:] = gallery[:31]  # duplicates, far apart
    relevant = RowSets.from_equal([i % 5 for i in range(23)], [i % 5 for i in range(61)])
    seen = []
    for block, rows, threads in ((256, 1000, 1), (1, 1, 2), (7, 10, 3), (23, 40, 1), (5, 61, 2)):
        cut(block, rows, max(rows // 3, 1))
        scores, found = top_k(queries, gallery, 12, budget=Budget(threads=threads))
        ranks, _ = ranks_of_relevant(queries, gallery, relevant, budget=Budget(threads=threads))
        seen.append((scores.tobytes(), found.tobytes(), ranks.tobytes()))
    assert len(set(seen)) == 1


def near_ties(rng, n, d):
    """Vectors of which many are equal, or differ by a float32's last bits: scores nearly tie."""
    vectors = rng.standard_normal((max(n // 4, 1), d))[rng.integers(0, max(n // 4, 1), n)]
    vectors = vectors.astype(np.float32)
    moved = rng.random((n, d)) < 0.2
    vectors[moved] = np.nextafter(vectors[moved], np.float32(9))
    vectors[rng.random(n) < 0.1] = 0
    return vectors * rng.choice(np.array([0.001, 1, 70], np.float32), (n, 1))


@pytest.mark.parametrize("seed", range(25))
def test_near_ties_of_any_length_equal_whole_number_arithmetic(cut, seed):
    rng = np.random.default_rng(seed)
    num_queries, num_gallery, dimension = rng.integers(1, [9, 90, 12])
    queries, gallery = (
        near_ties(rng, num_queries, dimension),
        near_ties(rng, num_gallery, dimension),
    )
    labels = rng.integers(0, 3, num_gallery)
    wanted = rng.integers(0, 4, num_queries)  # 3 is nobody's
    left_out = [rng.integers(0, num_gallery, rng.integers(0, 6)).tolist() for _ in queries]
    exclude = [RowSets.from_lists(left_out), RowSets.from_lists([rows[:2] for rows in left_out])]
    relevant = RowSets.from_equal(wanted.tolist(), labels.tolist())
    cut(*rng.integers(1, [5, 40, 20]))
    edges = np.sort(rng.standard_normal(6)).astype(np.float32)
    sides = WholeRows.of(queries, "query"), WholeRows.of(gallery, "gallery")
    blocks = list(
        ranked_blocks(*sides, relevant=relevant, exclude=exclude, k=num_gallery + 3, edges=edges)
    )
    lines = whole_number_scores(*sides)
    orders = [reference.ranking(line, rows) for line, rows in zip(lines, left_out, strict=True)]
    found = [
        reference.ranks_of_matches([labels[row] == label for row in order])
        for order, label in zip(orders, wanted, strict=True)
    ]
    kept = [[line[row] for row in order] for line, order in zip(lines, orders, strict=True)]
    kept_relevant = [
        [line[row] for row in order if labels[row] == label]
        for line, order, label in zip(lines, orders, wanted, strict=True)
    ]
    assert np.concatenate([block.counts for block in blocks]).tolist() == list(map(len, found))
    assert np.concatenate([block.ranks for block in blocks]).tolist() == [
        rank for ranks in found for rank in ranks
    ]
    top_rows = np.concatenate([block.top_rows for block in blocks])
    assert [[row for row in line if row >= 0] for line in top_rows.tolist()] == orders
    top_scores = np.concatenate([block.top_scores for block in blocks])
    assert [line[: len(want)] for line, want in zip(top_scores.tolist(), kept, strict=True)] == kept
    assert sum(block.num_ranked for block in blocks) == sum(map(len, kept))
    assert sum(block.above for block in blocks).tolist() == [
        sum(score > edge for line in kept for score in line) for edge in edges
    ]
    assert sum(block.relevant_above for block in blocks).tolist() == [
        sum(score > edge for line in kept_relevant for score in line) for edge in edges
    ]


def whole_number_scores(queries, gallery):
    """What fixed_point.py promises, in Python's whole numbers, rounded to float32 at the end."""
    left, right = (
        [[round(float(x) * side.scale) for x in v] for v in side.vectors]
        for side in (queries, gallery)
    )
    unit = queries.scale * gallery.scale
    return [
        [float(np.float32(sum(a * b for a, b in zip(q, g, strict=True)) / unit)) for g in right]
        for q in left
    ]


def test_a_gallery_of_one_vector_and_everything_relevant():
    # The worst case of ties: each rank is decided by the row alone.
    gallery = np.ones((2000, 3), np.float32)
    relevant = RowSets.from_equal("aaa", "a" * 2000)
    for memory_mib in (1, 64):
        budget = Budget(memory_mib=memory_mib)
        ranks, counts = ranks_of_relevant(gallery[:3], gallery, relevant, budget=budget)
        assert counts.tolist() == [2000] * 3
        assert (ranks.reshape(3, 2000) == np.arange(1, 2001)).all()


@pytest.mark.parametrize("dimension", [1, 7, 64, 192, 512])
def test_equal_vectors_tie_exactly_and_go_by_row(unit_vectors, dimension):
    # A float32 matrix product fails this: it sums differently near the edges of the matrix.
    gallery = np.repeat(unit_vectors(1, dimension), 3000, axis=0)
    scores, rows = top_k(unit_vectors(70, dimension, seed=1), gallery, 3000)
    assert (rows == np.arange(3000)).all()
    assert (scores == scores[:, :1]).all()


def test_permuting_the_gallery_permutes_the_answer(unit_vectors):
    queries, gallery = unit_vectors(20, 16), unit_vectors(300, 16, seed=1)
    order = np.random.default_rng(0).permutation(300)
    scores, rows = top_k(queries, gallery, 10)
    permuted_scores, permuted_rows = top_k(queries, gallery[order], 10)
    assert np.array_equal(order[permuted_rows], rows)
    assert np.array_equal(permuted_scores, scores)


def test_top_k_and_ranks_agree(unit_vectors):
    queries, gallery = unit_vectors(50, 24), unit_vectors(200, 24, seed=1)
    rows = top_k(queries, gallery, 9)[1]
    ranks, counts = ranks_of_relevant(queries, gallery, RowSets.from_lists(rows))
    assert counts.tolist() == [9] * 50
    assert (ranks.reshape(50, 9) == np.arange(1, 10)).all()


def test_counts_above_edges(unit_vectors):
    queries, gallery = unit_vectors(30, 4), unit_vectors(90, 4, seed=1)
    gallery[0] = queries[0] = [1, 0, 0, 0]
    edges = np.array([-1, -0.5, 0, 0.5, 1], np.float32)
    exclude = [RowSets.from_lists([[0, 1]] + [[]] * 29)]
    sides = WholeRows.of(queries, "query"), WholeRows.of(gallery, "gallery")
    blocks = list(ranked_blocks(*sides, exclude=exclude, edges=edges, budget=Budget(memory_mib=1)))
    scores = top_k(queries, gallery, 90, exclude=exclude)[0]
    assert sum(block.num_ranked for block in blocks) == 30 * 90 - 2
    counted = sum(block.above for block in blocks)
    assert counted.tolist() == [(scores > edge).sum() for edge in edges]
    assert blocks[0].start == 0


@pytest.mark.parametrize("num_relevant", [0, 20_000])
def test_working_memory_keeps_to_its_bound(unit_vectors, num_relevant):
    queries, gallery = unit_vectors(256, 8), unit_vectors(40_000, 8, seed=1)
    sides = WholeRows.of(queries, "query"), WholeRows.of(gallery, "gallery")
    relevant = RowSets.from_equal(
        ["a"] * 256, ["a"] * num_relevant + ["b"] * (40_000 - num_relevant)
    )
    tracemalloc.start()
    peak = 0
    for block in ranked_blocks(
        *sides, relevant=relevant, k=5, budget=Budget(memory_mib=8, threads=2)
    ):
        assert block.counts.tolist() == [num_relevant] * len(block.counts)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 40,000 x 256 scores alone are 39 MiB, the ranks of 20,000 relevant rows for 256 queries too.
    assert peak < 20 << 20


def test_scores_keep_their_size_and_sign():
    queries = np.array([[3e10, 0], [1e-12, 0], [0, -0.0]], np.float32)
    gallery = np.array([[2, 0], [-2, 0], [0, 5]], np.float32)
    scores, rows = top_k(queries[:1], gallery, 3)
    assert np.allclose(scores, [[6e10, 0, -6e10]], rtol=1e-6)
    assert rows.tolist() == [[0, 2, 1]]
    assert np.allclose(top_k(queries[1:2], gallery, 1)[0], 2e-12, rtol=1e-6)
    assert top_k(queries[2:], gallery, 3)[1].tolist() == [[0, 1, 2]]  # 0.0 and -0.0 are a tie


def test_empty_sides():
    some, none = np.ones((3, 2), np.float32), np.ones((0, 2), np.float32)
    assert top_k(none, some, 2)[0].shape == (0, 2)
    assert top_k(some, none, 2)[1].tolist() == [[-1, -1]] * 3
    ranks, counts = ranks_of_relevant(some, none, RowSets.from_equal("abc", ""))
    assert ranks.tolist() == []
    assert counts.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)), np.ones((2, 4)), 1), r"same d, not \[2, 3\] and \[2, 4\]"),
        ((np.ones(3), np.ones((2, 3)), 1), r"query vectors must be \[n, d\], not \[3\]"),
        ((np.ones((2, 3)), np.ones((2, 3)), 0), "at least 1, not 0"),
        ((np.ones((2, 3)), np.array([[1, 2, 3], [1, np.nan, 3]]), 1), "gallery vector in row 1"),
        ((np.array([[np.inf, 1, 2]]), np.ones((2, 3)), 1), "query vector in row 0"),
        ((np.full((1, 1), 1e30), np.full((1, 1), 1e30), 1), "float32 cannot hold"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        top_k(*arguments)


def test_wrong_row_sets_and_memory_are_named():
    vectors = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="for 1 queries, not 2"):
        top_k(vectors, vectors, 1, exclude=[RowSets.from_lists([[0]])])
    with pytest.raises(ValueError, match="outside the gallery of 2"):
        ranks_of_relevant(vectors, vectors, RowSets.from_lists([[0], [2]]))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        top_k(vectors, vectors, 1, budget=Budget(memory_mib=0))


@pytest.mark.parametrize(("memory", "times"), [(10 * 7 * 8, 1), (10 * 7 * 8 - 1, 3)])
def test_a_gallery_that_fits_is_rounded_once(memory, times, unit_vectors, monkeypatch):
    rounded, rows_of = [], WholeRows.rounded

    def counted(rows, start, stop, out):
        rounded.append(rows)
        return rows_of(rows, start, stop, out)

    monkeypatch.setattr(WholeRows, "rounded", counted)
    queries = WholeRows.of(unit_vectors(6, 7), "query")
    gallery = WholeRows.of(unit_vectors(10, 7, 1), "gallery")
    with Workers(1) as workers:
        scorer = Scorer(queries, gallery, (), workers, memory=memory)
        lines = [scorer.lines(block, Span(0, 10)).copy() for block in Span(0, 6).cut(2)]
    assert sum(rows is gallery for rows in rounded) == times
    expected = queries.vectors.astype(np.float64) @ gallery.vectors.T.astype(np.float64)
    np.testing.assert_allclose(np.concatenate(lines), expected, atol=1e-7)
