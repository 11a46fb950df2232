import numpy as np
import pytest

from toolkit.index.exact import unit_rows
from toolkit.index.fixed_point import FixedPoint, scores


@pytest.mark.parametrize("length", [1e-20, 1.0, 1.299, 1.3, 300.0])
def test_products_of_rounded_vectors_are_exact_in_any_order(length):
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.standard_normal((12, 100))) * np.float32(length)
    vectors[1] = vectors[0]  # the largest product that there can be: of a vector with its twin
    fixed = FixedPoint.of(vectors, "test")
    whole = fixed.round(vectors)
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
    fixed = FixedPoint.of(gallery, "test")
    found = scores(fixed.round(queries), fixed.round(gallery), fixed.scale**2)
    truth = queries.astype(np.float64) @ gallery.astype(np.float64).T
    assert np.sqrt(np.mean((found - truth) ** 2)) < 7e-9
    assert np.abs(found - truth).max() < 4e-8


def test_whole_numbers_are_kept():
    vectors = np.random.default_rng(0).integers(-1000, 1000, (50, 64)).astype(np.float32)
    fixed = FixedPoint.of(vectors, "test")
    assert np.array_equal(fixed.round(vectors) / fixed.scale, vectors)


def test_unit_vectors_have_one_scale_whatever_their_last_bit():
    scales = {
        FixedPoint.of(np.array([[length, 0]], np.float32), "test").scale
        for length in (1 - 1e-7, 1.0, 1 + 1e-7)
    }
    assert len(scales) == 1


def test_nothing_and_zero_are_no_problem():
    assert FixedPoint.of(np.zeros((0, 3), np.float32), "test").longest == 0
    zero = FixedPoint.of(np.zeros((2, 3), np.float32), "test")
    assert not scores(zero.round(np.zeros((2, 3))), np.zeros((2, 3)), zero.scale).any()
