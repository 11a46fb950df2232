"""A list of drawn pictures with faults among them, and a function that extracts it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolkit.cards
from tests.conftest import draw
from toolkit.build.extraction import model_to_open
from toolkit.build.model_to_open import ModelSource
from toolkit.config.extract_section import ExtractSection
from toolkit.tasks.extract import extract
from toolkit.tasks.extract_report import ExtractReport

MODEL = Path(toolkit.cards.__file__).parent / "embedded" / "SmallResNet_general"
SOURCE = ModelSource(lambda: MODEL, str(MODEL), "cpu")
SPOILT = (3, 4, 11)


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The model that ships with the package."""
    return MODEL


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Twenty small pictures; three of them cannot be decoded."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    files = [folder / f"{number:02d}, a picture.png" for number in range(20)]
    for number, file in enumerate(files):
        Image.fromarray(draw(number, number)).save(file)
        if number in SPOILT:
            file.write_bytes(b"no picture")
    return files


@pytest.fixture
def listed(pictures: list[Path], tmp_path: Path) -> Path:
    """The pictures as a list, one of them twice."""
    file = tmp_path / "list.txt"
    lines = [*map(str, pictures), str(pictures[0])]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def run_extract(tmp_path: Path) -> Callable[..., ExtractReport]:
    """Extracts into a file of the test's folder; keywords are keys of the section."""

    def run(source: object, name: str = "features.txt", **keys: object) -> ExtractReport:
        given = {"num_worker": 1, "batch_size": 4, "shard_size": 8, **keys}
        section = ExtractSection(input=str(source), output=str(tmp_path / name), **given)
        return extract(
            section, model_to_open(section, ModelSource(lambda: MODEL, str(MODEL), "cpu")), "cpu"
        )

    return run


@pytest.fixture
def vectors() -> Callable[[list[Path]], list[np.ndarray | None]]:
    """The oracle: a plain loop over predict."""

    def compute(files: list[Path]) -> list[np.ndarray | None]:
        model = toolkit.create_model(MODEL, device="cpu", threads=1)
        return [next(iter(model.predict(file))).feature for file in map(str, files)]

    return compute
