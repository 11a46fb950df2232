import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError, ModelError
from toolkit.inference.engines.engine import ENGINES, open_engine
from toolkit.inference.export import ExportReport
from toolkit.runtime import Device

CPU = Device("cpu")


@pytest.mark.parametrize("name", ENGINES.names())
def test_every_engine_gives_the_same_feature_for_every_batch_size(
    name: str, exported: ExportReport, patches: np.ndarray
) -> None:
    engine = open_engine(name, exported.directory, CPU, threads=1)
    together = engine.run(patches)
    assert together.shape == (5, exported.dimension)
    assert together.dtype == np.float32
    for size in (1, 2, 4):
        parts = [engine.run(patches[start : start + size]) for start in range(0, 5, size)]
        np.testing.assert_allclose(np.concatenate(parts), together, rtol=1e-5, atol=1e-5)


def test_threads_do_not_mix_their_features(exported: ExportReport, patches: np.ndarray) -> None:
    engine = open_engine("paddle", exported.directory, CPU, threads=1)
    images = patches[:, np.newaxis]
    expected = [engine.run(image) for image in images]

    def differs(number: int) -> bool:
        return not np.allclose(engine.run(images[number]), expected[number], atol=1e-5)

    with ThreadPoolExecutor(5) as pool:
        assert not any(pool.map(differs, list(range(5)) * 8))


def test_an_older_pdmodel_is_run(tmp_path: Path) -> None:
    """Paddle 2 and PaddleX 2 wrote a protobuf graph; Paddle 3 still can."""
    from paddle.pir_utils import OldIrGuard

    layer = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 4, 3), paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten()
    )
    layer.eval()
    spec = paddle.static.InputSpec([None, 3, 8, 8], "float32", name="x")
    with OldIrGuard():
        paddle.jit.save(layer, str(tmp_path / "inference"), input_spec=[spec])
    assert (tmp_path / "inference.pdmodel").is_file()
    images = np.random.default_rng(0).standard_normal((3, 3, 8, 8), dtype=np.float32)
    features = open_engine("paddle", tmp_path, CPU, threads=1).run(images)
    expected = layer(paddle.to_tensor(images)).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["inference.json", "inference.pdiparams"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_incomplete_models_are_named(
    exported: ExportReport, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported.directory, folder)
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:500])
    with pytest.raises(ModelError, match="model") as caught:
        open_engine("paddle", folder, CPU, threads=1)
    assert str(folder) in str(caught.value)


def test_an_unknown_engine_is_named(exported: ExportReport) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'paddle'"):
        open_engine("padle", exported.directory, CPU, threads=1)
