"""Index and search from Python: five lines, and errors where they belong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit import build_index, search
from toolkit.errors import ConfigError, VectorIndexError


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in "abc":
        pixels = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_what_goes_in_is_found(photographs, tmp_path):
    report = build_index(photographs, tmp_path / "index")
    assert (report.facts.count, report.tally.failures) == (3, [])
    assert build_index(photographs, tmp_path / "index").tally.unchanged == 3
    asked = [photographs / "b.png", tmp_path / "nothing.png"]
    known, unknown = search(tmp_path / "index", asked, topk=2)
    assert len(known.hits) == 2
    assert known.hits[0].id == "b.png"
    assert known.hits[0].score == pytest.approx(1, abs=1e-5)
    assert unknown.hits == []
    assert "no such file" in unknown.error
    everything = [found.row.id for found in search(tmp_path / "index", photographs)]
    assert everything == ["a.png", "b.png", "c.png"]


def test_a_wrong_option_is_named(photographs, tmp_path):
    with pytest.raises(ConfigError, match=r"Index\.kid.*Did you mean 'kind'"):
        build_index(photographs, tmp_path / "index", kid="flat")


def test_a_missing_index_is_told_before_the_first_picture(photographs, tmp_path):
    with pytest.raises(VectorIndexError, match="holds no index"):
        search(tmp_path / "index", photographs)
