import logging
from pathlib import Path

import numpy as np
import pytest

from toolkit.inference.embed import embed_paths
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.predictor import Predictor
from toolkit.models.recognizer import Recognizer


def test_the_network_in_memory_and_its_export_agree(
    network: Recognizer, predictor: Predictor, pictures: list[Path]
) -> None:
    flags = [layer.training for layer in network.sublayers(include_self=True)]
    statistics = network.neck.feat_bn._mean.numpy().copy()
    embedded = embed_paths(
        NetworkEngine(network).run, pictures, predictor.pipeline, batch_size=3, workers=2
    )
    assert [layer.training for layer in network.sublayers(include_self=True)] == flags
    np.testing.assert_array_equal(network.neck.feat_bn._mean.numpy(), statistics)
    expected = np.stack([result.feature for result in predictor.predict(pictures)])
    assert embedded.vectors.dtype == np.float32
    np.testing.assert_allclose(embedded.vectors, expected, atol=1e-5)
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

    def mean_colour(images: np.ndarray) -> np.ndarray:
        return images.mean(axis=(2, 3))

    with caplog.at_level(logging.WARNING, "toolkit"):
        embedded = embed_paths(mean_colour, paths, predictor.pipeline, batch_size=2, workers=2)
    assert embedded.rows.tolist() == [1, 2, 4]
    alone = embed_paths(mean_colour, pictures[:3], predictor.pipeline, batch_size=1, workers=1)
    np.testing.assert_allclose(embedded.vectors, alone.vectors, atol=1e-6)
    assert [failure.row for failure in embedded.failures] == [0, 3]
    for failure in embedded.failures:
        assert str(paths[failure.row]) in failure.message
        assert any(failure.message in message for message in caplog.messages)
    assert "embed: 5/5" in capsys.readouterr().err


def test_nothing_readable_and_nothing_at_all(predictor: Predictor, tmp_path: Path) -> None:
    for paths in ([], [tmp_path / "missing.png"]):
        embedded = embed_paths(
            lambda images: images, paths, predictor.pipeline, batch_size=2, workers=1
        )
        assert embedded.vectors.shape == (0, 0)
        assert len(embedded.failures) == len(paths)
        assert len(embedded.rows) == 0
