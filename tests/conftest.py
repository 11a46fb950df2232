"""What several rooms' tests need: the shared photographs, a drawn dataset, a tiny configuration."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.load import load_config
from toolkit.config.schema import Config

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    """A run sets up the toolkit's logger for its process; no test may see that of another."""
    _forget_log()
    yield
    _forget_log()


def _forget_log() -> None:
    logger = logging.getLogger("toolkit")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def grocery() -> Path:
    """Real photographs; the test is skipped, visibly, where they are not."""
    folder = SHARED_DATA / "grocery"
    if not folder.is_dir():
        pytest.skip("the shared photographs are not on this machine")
    return folder


def draw(seed: int, label: int, side: int = 48) -> np.ndarray:
    """A noisy picture whose stripes tell its class: `label` sets their direction and width."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    angle = np.pi * (label % 8) / 8
    phase = (rows * np.sin(angle) + columns * np.cos(angle)) / (2 + label // 8)
    stripes = 100 + 80 * np.sin(phase + rng.uniform(0, 6.28))
    picture = stripes[..., None] + rng.normal(0, 12, (side, side, 3)) + rng.uniform(-20, 20, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_dataset(
    root: Path, *, train: int = 4, test: int = 3, per_class: int = 8, side: int = 48
) -> Path:
    """Writes train.txt, gallery.txt, query.txt and PNGs: an open-set dataset without faults."""
    (root / "images").mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "gallery": [], "query": []}
    for label in range(train + test):
        for number in range(per_class):
            name = f"images/{label}_{number}.png"
            Image.fromarray(draw(1000 * label + number, label, side)).save(root / name)
            split = "train" if label < train else ("gallery", "query")[number % 2]
            lists[split].append(f"{name} {label}\n")
    for split, rows in lists.items():
        (root / f"{split}.txt").write_text("".join(rows), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def drawn_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clean dataset; tests that change it must copy it first."""
    return write_dataset(tmp_path_factory.mktemp("drawn") / "dataset")


# A network so small that a run takes a second; the braces are filled in.
TINY_CONFIG = """
Global: {{model: SmallResNet_rec, dataset_dir: {dataset}, output: {output}, device: cpu}}
CheckDataset: {{num_workers: 0}}
Train: {{epochs_iters: 2, batch_size: 8, learning_rate: 0.05, log_interval: 1, visualdl: false}}
Arch:
  Backbone: {{name: SmallResNet, widths: [4, 8], stage_strides: [2, 2]}}
  Neck: {{name: BNNeck}}
  Head: {{name: FC, bias: false}}
Loss: [CELoss]
Optimizer: {{name: Momentum, lr: {{name: Cosine}}}}
Data:
  num_workers: 0
  sampler: {{name: UniformSampler}}
  train_transforms:
    [ResizeImage: {{size: 32}}, RandFlipImage: {{}}, NormalizeImage: {{}}, ToCHWImage: {{}}]
  eval_transforms: [ResizeImage: {{size: 32}}, NormalizeImage: {{}}, ToCHWImage: {{}}]
Metric: {{bootstrap_samples: 50}}
"""


@pytest.fixture(scope="session")
def tiny_config() -> str:
    """The text of a configuration, to be formatted with `dataset` and `output`."""
    return TINY_CONFIG


@pytest.fixture
def configure(tmp_path: Path, drawn_dataset: Path) -> Callable[..., Config]:
    """Returns a function of overrides; the dataset is the drawn one unless they name another."""

    def build(*overrides: str, dataset: Path = drawn_dataset) -> Config:
        file = tmp_path / "recipe.yaml"
        text = TINY_CONFIG.format(dataset=dataset, output=tmp_path / "output")
        file.write_text(text, encoding="utf-8")
        return load_config(file, overrides)

    return build
