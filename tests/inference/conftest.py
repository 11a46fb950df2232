"""A tiny network, exported once."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from toolkit.inference.directory import open_predictor
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.predictor import Predictor
from toolkit.models.backbones.pplcnet import PPLCNet_x0_25
from toolkit.models.heads import FC
from toolkit.models.necks import BNNeck
from toolkit.models.recognizer import Recognizer

SIDE = 32
STEPS: list[dict[str, dict[str, Any]]] = [
    {"ResizeImage": {"size": SIDE, "interpolation": "bilinear"}},
    {
        "NormalizeImage": {
            "scale": 0.00392156862745098,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        }
    },
    {"ToCHWImage": {}},
]


def _build_network(seed: int = 3) -> Recognizer:
    """A network in training mode whose batch norms have seen something."""
    paddle.seed(seed)
    backbone = PPLCNet_x0_25(class_expand=64)
    network = Recognizer(backbone, BNNeck(64), FC(64, 5))
    rng = np.random.default_rng(seed)
    for name, value in network.state_dict().items():
        if name.endswith("_mean"):
            value.set_value(rng.normal(0, 0.2, value.shape).astype(np.float32))
        if name.endswith("_variance"):
            value.set_value(rng.uniform(0.5, 1.5, value.shape).astype(np.float32))
    network.train()
    return network


@pytest.fixture
def steps() -> list[dict[str, dict[str, Any]]]:
    """What the evaluation transforms of a configuration say of themselves."""
    return copy.deepcopy(STEPS)


@pytest.fixture
def side() -> int:
    """Height and width of the tiny network's input."""
    return SIDE


@pytest.fixture(scope="session")
def network() -> Recognizer:
    return _build_network()


@pytest.fixture(scope="session")
def exported(network: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """Tests that change the files must copy them first."""
    folder = tmp_path_factory.mktemp("output") / "best_model" / "inference"
    return export_inference(
        network, folder, model_name="Tiny_rec", image_size=(SIDE, SIDE), transform_ops=STEPS
    )


@pytest.fixture(scope="session")
def predictor(exported: ExportReport) -> Predictor:
    return open_predictor(exported.directory, device="cpu", threads=1)


@pytest.fixture(scope="session")
def pictures(drawn_dataset: Path) -> list[Path]:
    return sorted((drawn_dataset / "images").iterdir())[:7]
