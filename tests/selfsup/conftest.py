"""What every test of training without labels needs."""

import warnings

import pytest
from selfsup_files import make_config


@pytest.fixture(autouse=True)
def quiet_norm():
    """Paddle warns once in a while that batch normalisation tracks its statistics."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="When training, we now always track")
        yield


@pytest.fixture
def configure_selfsup(tmp_path, drawn_dataset):
    """Returns a function of a method's name and overrides; see `make_config`."""

    def build(method, *overrides):
        return make_config(tmp_path, method, *overrides, dataset=drawn_dataset)

    return build
