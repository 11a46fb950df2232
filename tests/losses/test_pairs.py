import numpy as np
import paddle
import pytest
from loss_batches import squared

from toolkit.losses.pairs import (
    largest,
    log_sum_exp,
    mean_over,
    positive_and_negative_pairs,
    smallest,
    squared_distances,
    sum_over,
)

VALUES = paddle.to_tensor([[1.0, 5.0, -2.0], [4.0, 0.0, 7.0], [9.0, 9.0, 9.0]])
PAIRS = paddle.to_tensor([[True, False, True], [True, True, False], [False, False, False]])


def test_pairs_of_a_batch_with_itself():
    positive, negative = positive_and_negative_pairs(paddle.to_tensor([5, 0, 5]))
    assert positive.tolist() == [[False, False, True], [False] * 3, [True, False, False]]
    assert negative.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_pairs_with_references_leave_out_a_row_s_own_slot():
    labels, references = paddle.to_tensor([5, 0]), paddle.to_tensor([0, 5, 5, 1])
    positive, negative = positive_and_negative_pairs(labels, references)
    assert positive.tolist() == [[False, True, True, False], [True, False, False, False]]
    assert negative.tolist() == [[True, False, False, True], [False, True, True, True]]
    slots = paddle.to_tensor([2, -1])
    positive, again = positive_and_negative_pairs(labels, references, slots)
    assert positive.tolist() == [[False, True, False, False], [True, False, False, False]]
    assert again.tolist() == negative.tolist()


def test_squared_distances_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    found = squared_distances(paddle.to_tensor(a), paddle.to_tensor(b)).numpy()
    np.testing.assert_allclose(found, [[squared(x, y) for y in b] for x in a], rtol=1e-10)


def test_squared_distances_are_never_negative():
    # Nearly equal rows of large squares: rounding would leave less than nothing.
    rows = paddle.to_tensor(np.random.default_rng(1).normal(100, 1e-3, (50, 9)).astype("float32"))
    raw = (rows * rows).sum(1).unsqueeze(1) + (rows * rows).sum(1) - 2.0 * (rows @ rows.T)
    assert float(raw.min()) < 0.0
    assert float(squared_distances(rows, rows).min()) >= 0.0


def test_reductions_over_pairs():
    assert largest(VALUES, PAIRS).tolist()[:2] == [1.0, 4.0]
    assert smallest(VALUES, PAIRS).tolist()[:2] == [-2.0, 0.0]
    assert sum_over(VALUES, PAIRS).tolist() == [-1.0, 4.0, 0.0]
    expected = np.log([np.exp(1) + np.exp(-2), np.exp(4) + np.exp(0)])
    np.testing.assert_allclose(log_sum_exp(VALUES, PAIRS).numpy()[:2], expected, rtol=1e-6)


def test_without_a_pair_an_extreme_is_beyond_all_values():
    assert largest(VALUES, PAIRS)[2] < -1e8
    assert smallest(VALUES, PAIRS)[2] > 1e8
    assert log_sum_exp(VALUES, PAIRS)[2] < -1e8


def test_what_is_no_pair_is_beyond_values_of_any_size():
    """Vectors that are not scaled have squared distances of any size."""
    for huge in (VALUES * 1e15, VALUES * 1e15 - 2e16):
        values = huge.numpy()
        assert largest(huge, PAIRS).tolist()[:2] == [values[0, 0], values[1, 0]]
        assert smallest(huge, PAIRS).tolist()[:2] == [values[0, 2], values[1, 1]]
        np.testing.assert_allclose(log_sum_exp(huge, PAIRS)[:2], [values[0, 0], values[1, 0]])


def test_of_equal_values_the_first_has_the_gradient():
    values = paddle.ones([2, 3])
    values.stop_gradient = False
    (largest(values, PAIRS[:2]) + 2.0 * smallest(values, PAIRS[:2])).sum().backward()
    assert values.grad.tolist() == [[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]]


@pytest.mark.parametrize(("counted", "expected"), [([True, False, True], 2.0), ([False] * 3, 0.0)])
def test_mean_over_what_counts(counted, expected):
    values = paddle.to_tensor([1.0, 100.0, 3.0], stop_gradient=False)
    found = mean_over(values, paddle.to_tensor(counted))
    found.backward()
    assert float(found) == expected
    assert values.grad.tolist() == [0.5 * one for one in counted]
