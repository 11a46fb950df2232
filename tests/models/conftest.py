import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "conformance_paddleclas.py"


@pytest.fixture(scope="session")
def conformance():
    """The script that made the golden outputs: it knows the weights and inputs behind them."""
    spec = importlib.util.spec_from_file_location("conformance_paddleclas", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden():
    """PaddleClas's outputs, by name."""
    with np.load(GOLDEN / "paddleclas_outputs.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def state_names():
    """PaddleClas's parameter names and shapes, by network."""
    return json.loads((GOLDEN / "paddleclas_state_names.json").read_text(encoding="utf-8"))
