import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest

from toolkit.errors import ModelError
from toolkit.inference.engines.engine import open_engine
from toolkit.inference.export import ExportReport
from toolkit.runtime import Device

CPU = Device("cpu")


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
