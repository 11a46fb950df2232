"""What every test of training needs."""

import warnings

import pytest


@pytest.fixture(autouse=True)
def quiet_norm():
    """Paddle warns once in a while that batch normalisation tracks its statistics."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="When training, we now always track")
        yield
