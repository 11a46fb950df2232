import tracemalloc

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.index import exact, tiles
from toolkit.index.exact import ranked_blocks, ranks_of_relevant, top_k, unit_rows
from toolkit.index.row_sets import RowSets


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
def test_ranks_and_top_k_equal_the_loops_over_many_tiles(small_blocks, case):
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
    narrow = ranks_of_relevant(queries, gallery, relevant, memory_mib=1)[0]  # tiles of 512 rows
    wide = ranks_of_relevant(queries, gallery, relevant)[0]
    assert np.array_equal(narrow, wide)
    scores, rows = top_k(queries, gallery, 1500)
    truth = queries.astype(np.float64) @ gallery.astype(np.float64).T
    assert np.abs(scores - np.take_along_axis(truth, rows, axis=1)).max() < 1e-6
    in_order = labels[rows] == labels[:600, None]
    assert np.array_equal(np.nonzero(in_order)[1] + 1, wide)


def test_tiles_and_blocks_change_nothing(unit_vectors, monkeypatch):
    queries, gallery = unit_vectors(23, 33), unit_vectors(61, 33, seed=1)
    gallery[30:] = gallery[:31]  # duplicates, far apart
    relevant = RowSets.from_equal([i % 5 for i in range(23)], [i % 5 for i in range(61)])
    seen = []
    for block, columns in ((256, 1000), (1, 1), (7, 10), (23, 40), (5, 61)):
        monkeypatch.setattr(exact, "QUERY_BLOCK", block)
        monkeypatch.setattr(tiles, "_PRODUCT_COLUMNS", max(columns // 3, 1))
        monkeypatch.setattr(
            exact,
            "plan_tiles",
            lambda size, _memory, columns=columns: [
                tiles.Tile(i, min(i + columns, size)) for i in range(0, size, columns)
            ],
        )
        scores, rows = top_k(queries, gallery, 12)
        ranks, _ = ranks_of_relevant(queries, gallery, relevant)
        seen.append((scores.tobytes(), rows.tobytes(), ranks.tobytes()))
    assert len(set(seen)) == 1


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
    blocks = list(ranked_blocks(queries, gallery, exclude=exclude, edges=edges, memory_mib=1))
    scores = top_k(queries, gallery, 90, exclude=exclude)[0]
    assert sum(block.num_ranked for block in blocks) == 30 * 90 - 2
    counted = sum(block.above for block in blocks)
    assert counted.tolist() == [(scores > edge).sum() for edge in edges]
    assert blocks[0].start == 0


def test_working_memory_keeps_to_its_bound(unit_vectors):
    queries, gallery = unit_vectors(256, 8), unit_vectors(40_000, 8, seed=1)
    tracemalloc.start()
    top_k(queries, gallery, 5, memory_mib=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 40,000 x 256 scores alone are 39 MiB; the products beside the tile take some 20 MiB.
    assert peak < 36 << 20


def test_scores_keep_their_size_and_sign():
    queries = np.array([[3e10, 0], [1e-12, 0], [0, -0.0]], np.float32)
    gallery = np.array([[2, 0], [-2, 0], [0, 5]], np.float32)
    scores, rows = top_k(queries[:1], gallery, 3)
    assert np.allclose(scores, [[6e10, 0, -6e10]], rtol=1e-6)
    assert rows.tolist() == [[0, 2, 1]]
    assert np.allclose(top_k(queries[1:2], gallery, 1)[0], 2e-12, rtol=1e-6)
    assert top_k(queries[2:], gallery, 3)[1].tolist() == [[0, 1, 2]]  # 0.0 and -0.0 are a tie


def test_unit_rows():
    vectors = unit_rows(np.array([[3, 4], [0, 0], [1e30, 0]], np.float32))
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0], [1, 0]]


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
        ((np.ones(3), np.ones((2, 3)), 1), r"\[q, d\]"),
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
        top_k(vectors, vectors, 1, memory_mib=0)
