"""The dataset that a test plants its fault into."""

from pathlib import Path

import pytest
from planted_dataset import Planted


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "data")
