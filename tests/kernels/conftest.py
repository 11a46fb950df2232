import numpy as np
import paddle
import pytest

from toolkit.kernels.workers import Workers


@pytest.fixture(scope="session")
def workers():
    return Workers(2)


def close(ours, theirs, tolerance=1e-5):
    """Equal within a share of the largest value; NaN is equal to nothing."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def trained(array):
    """A tensor that wants a gradient."""
    return paddle.to_tensor(array, stop_gradient=False)
