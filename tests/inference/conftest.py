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
from toolkit.models.backbones.pplcnet import PPLCNet
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
    """A network in training mode whose statistics fit its inputs, so that its features differ.

    With the statistics that it is born with, the features of all pictures are the same, and no test
    could tell one from another.
    """
    paddle.seed(seed)
    backbone = PPLCNet(0.25, class_expand=64)
    network = Recognizer(backbone, BNNeck(64), FC(64, 5))
    network.train()
    rng = np.random.default_rng(seed)
    with paddle.no_grad():
        for _ in range(40):
            network.embed(paddle.to_tensor(_draw_patches(rng, 8)))
    return network


def _draw_patches(rng: np.random.Generator, count: int) -> np.ndarray:
    """Images [count, 3, SIDE, SIDE] of 4 x 4 random colours, already normalised."""
    colours = rng.standard_normal((count, 3, 4, 4), dtype=np.float32)
    return colours.repeat(SIDE // 4, axis=2).repeat(SIDE // 4, axis=3)


@pytest.fixture
def patches() -> np.ndarray:
    """Five images of the kind that the tiny network knows."""
    return _draw_patches(np.random.default_rng(5), 5)


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


@pytest.fixture
def one_convolution() -> Recognizer:
    """A network that is exported in a moment."""
    backbone = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 8, 3),
        paddle.nn.ReLU(),
        paddle.nn.AdaptiveAvgPool2D(1),
        paddle.nn.Flatten(),
    )
    backbone.out_features = 8
    return Recognizer(backbone, BNNeck(8))


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
    """One of each class."""
    return sorted((drawn_dataset / "images").iterdir())[::8]
