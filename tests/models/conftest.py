import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.conformance import seeded

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def conformance():
    """The weights and inputs behind the golden outputs."""
    return seeded


@pytest.fixture(scope="session")
def golden():
    """Outputs of PaddleClas and of other peers, by name; the .md beside each file tells which."""
    outputs = {}
    for file in sorted(GOLDEN.glob("*.npz")):
        with np.load(file) as arrays:
            outputs |= dict(arrays)
    return outputs


@pytest.fixture(scope="session")
def state_names():
    """PaddleClas's parameter names and shapes, by network."""
    return json.loads((GOLDEN / "paddleclas_state_names.json").read_text(encoding="utf-8"))
