import numpy as np
import pytest

from toolkit.index.fixed_point import WholeRows, unit_rows


def rounded(rows: WholeRows) -> np.ndarray:
    return rows.rounded(0, len(rows), np.empty((len(rows), rows.dimension)))


@pytest.mark.parametrize("length", [1e-20, 1.0, 1.299, 1.3, 300.0, 1e18])
def test_products_of_rounded_vectors_are_exact_in_any_order(length):
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.standard_normal((12, 100))) * np.float32(length)
    vectors[1] = vectors[0]  # the largest product that there can be: of a vector with its twin
    whole = rounded(WholeRows.of(vectors, "test"))
    assert np.array_equal(whole, np.trunc(whole))
    in_python = [[int(value) for value in row] for row in whole]
    exact = [
        [sum(a * b for a, b in zip(one, other, strict=True)) for other in in_python]
        for one in in_python
    ]
    assert max(map(max, exact)) > 2**50  # the bits are used
    assert (whole @ whole.T).astype(object).tolist() == exact
    order = rng.permutation(100)
    assert np.array_equal(whole[:, order] @ whole[:, order].T, whole @ whole.T)


def test_rounding_moves_scores_of_unit_vectors_by_what_the_module_says():
    rng = np.random.default_rng(0)
    queries, gallery = (unit_rows(rng.standard_normal((n, 512))) for n in (40, 300))
    sides = WholeRows.of(queries, "query"), WholeRows.of(gallery, "gallery")
    whole = [rounded(side) / side.scale for side in sides]
    found = (whole[0] @ whole[1].T).astype(np.float32)
    truth = queries.astype(np.float64) @ gallery.astype(np.float64).T
    assert np.sqrt(np.mean((found - truth) ** 2)) < 7e-9
    assert np.abs(found - truth).max() < 4e-8


def test_whole_numbers_are_kept():
    vectors = np.random.default_rng(0).integers(-1000, 1000, (50, 64)).astype(np.float32)
    rows = WholeRows.of(vectors, "test")
    assert np.array_equal(rounded(rows) / rows.scale, vectors)


def test_unit_vectors_have_one_scale_whatever_their_last_bit():
    scales = {
        WholeRows.of(np.array([[length, 0]], np.float32), "test").scale
        for length in (1 - 1e-7, 1.0, 1 + 1e-7)
    }
    assert len(scales) == 1


def test_directions_are_read_as_unit_rows_makes_them():
    vectors = np.random.default_rng(0).standard_normal((300, 7)).astype(np.float32)
    vectors *= np.float32(10.0) ** np.arange(-15, 15).repeat(10)[:, None].astype(np.float32)
    vectors[9] = 0
    rows, unit = WholeRows.of_directions(vectors, "test"), WholeRows.of(unit_rows(vectors), "test")
    assert np.array_equal(rounded(rows), rounded(unit))
    assert rows.scale == unit.scale
    some = np.empty((150, 7))
    assert np.array_equal(rows.rounded(120, 270, some), rounded(unit)[120:270])


def test_nothing_and_zero_are_no_problem():
    assert WholeRows.of(np.zeros((0, 3), np.float32), "test").longest == 0
    assert len(WholeRows.of_directions(np.zeros((0, 3), np.float32), "test")) == 0
    for read in (WholeRows.of, WholeRows.of_directions):
        assert not rounded(read(np.zeros((2, 3), np.float32), "test")).any()


@pytest.mark.parametrize("read", [WholeRows.of, WholeRows.of_directions])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(read, value):
    vectors = np.ones((300, 2), np.float32)
    vectors[200, 1] = value
    with pytest.raises(ValueError, match="gallery vector in row 200 is not finite"):
        read(vectors, "gallery")


def test_unit_rows():
    vectors = unit_rows(np.array([[3, 4], [0, 0], [1e30, 0]], np.float32))
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0], [1, 0]]
