import numpy as np

from toolkit.inference.unit_vectors import unit_vectors


def test_rows_have_length_one_at_any_scale_and_zero_stays_zero() -> None:
    rows = np.array([[3, 4], [0, 0], [-3e30, 4e30], [3e-10, 4e-10]], dtype=np.float32)
    units = unit_vectors(rows)
    assert units.dtype == np.float32
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, 0], [-0.6, 0.8], [0.6, 0.8]], atol=1e-6)
