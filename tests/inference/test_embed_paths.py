import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.inference.embed import embed_paths
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.predictor import Predictor
from toolkit.models.recognizer import Recognizer


class _MeanColour:
    """An engine whose features are easy to follow."""

    takes = "tensor"

    def run(self, images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(2, 3))

    def streams(self) -> list:
        return [self.run, self.run]


def test_the_network_in_memory_and_its_export_agree(
    network: Recognizer, predictor: Predictor, pictures: list[Path]
) -> None:
    flags = [layer.training for layer in network.sublayers(include_self=True)]
    statistics = network.neck.feat_bn._mean.numpy().copy()
    embedded = embed_paths(
        NetworkEngine(network), pictures, predictor.pipeline, batch_size=3, workers=2
    )
    assert [layer.training for layer in network.sublayers(include_self=True)] == flags
    np.testing.assert_array_equal(network.neck.feat_bn._mean.numpy(), statistics)
    expected = np.stack([result.feature for result in predictor.predict(pictures)])
    assert embedded.vectors.dtype == np.float32
    # What an export promises is the cosine; a value of 448 may differ in its fifth digit.
    assert (embedded.vectors.astype(float) * expected).sum(axis=1).min() >= 1 - 1e-7
    np.testing.assert_array_equal(embedded.rows, np.arange(len(pictures)))
    assert embedded.failures == []


def test_failures_are_named_and_the_rows_tell_who_is_left(
    predictor: Predictor,
    pictures: list[Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:300])
    paths = [broken, pictures[0], pictures[1], tmp_path / "missing.png", pictures[2]]

    with caplog.at_level(logging.WARNING, "toolkit"):
        embedded = embed_paths(_MeanColour(), paths, predictor.pipeline, batch_size=2, workers=2)
    assert embedded.rows.tolist() == [1, 2, 4]
    alone = embed_paths(_MeanColour(), pictures[:3], predictor.pipeline, batch_size=1, workers=1)
    np.testing.assert_allclose(embedded.vectors, alone.vectors, atol=1e-6)
    assert [failure.row for failure in embedded.failures] == [0, 3]
    for failure in embedded.failures:
        assert str(paths[failure.row]) in failure.message
        assert any(failure.message in message for message in caplog.messages)
    assert "embed: 5/5" in capsys.readouterr().err


def test_nothing_readable_and_nothing_at_all(predictor: Predictor, tmp_path: Path) -> None:
    for paths in ([], [tmp_path / "missing.png"]):
        embedded = embed_paths(_MeanColour(), paths, predictor.pipeline, batch_size=2, workers=1)
        assert embedded.vectors.shape == (0, 0)
        assert len(embedded.failures) == len(paths)
        assert len(embedded.rows) == 0


def test_a_long_list_keeps_its_order(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    """Long enough for the streams, with a file that is not there between others."""
    paths = [*pictures, tmp_path / "missing.png"] * 15
    embedded = embed_paths(_MeanColour(), paths, predictor.pipeline, batch_size=3, workers=2)
    once = embed_paths(_MeanColour(), pictures, predictor.pipeline, batch_size=1, workers=1)
    np.testing.assert_allclose(embedded.vectors, np.tile(once.vectors, (15, 1)), atol=1e-6)
    missing = [row for row, path in enumerate(paths) if path.name == "missing.png"]
    assert [failure.row for failure in embedded.failures] == missing
    assert sorted([*embedded.rows.tolist(), *missing]) == list(range(len(paths)))


def test_every_pixel_is_decoded_unless_told_otherwise(predictor: Predictor, tmp_path: Path) -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::8] = [255, 0, 0]
    path = tmp_path / "a.jpg"
    Image.fromarray(stripes).save(path, quality=95)
    alone = {
        decode: embed_paths(
            _MeanColour(), [path], predictor.pipeline, batch_size=1, workers=1, **options
        ).vectors
        for decode, options in (
            ("", {}),
            ("exact", {"decode": "exact"}),
            ("fast", {"decode": "fast"}),
        )
    }
    np.testing.assert_array_equal(alone[""], alone["exact"])
    assert np.abs(alone["fast"] - alone["exact"]).max() > 0.01
