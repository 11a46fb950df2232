"""A class of the user's in place of a model, and what the Python API says of wrong options."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import toolkit
from tests.extraction.conftest import SPOILT
from toolkit.build.worker_model import CustomModel
from toolkit.errors import ConfigError, ModelError

CLASSES = '''
import numpy as np

class Mean:
    """The mean colour, as the last layer would name a class: a dict of integers, or an array."""
    def __init__(self, model_path, model_config=None):
        self.path, self.scale = model_path, (model_config or {}).get("scale", 1)
    def predict(self, pictures, batch_size):
        assert len(pictures) == batch_size
        assert all(p.dtype == np.uint8 and p.shape[2] == 3 for p in pictures)
        return [{"feature": p.mean(axis=(0, 1)) * self.scale} for p in pictures]

class Brightest(Mean):
    def predict(self, pictures, batch_size):
        return [np.int32(p.max()) for p in pictures]

class Sizes(Mean):
    """Batches of pictures of any size come whole, with a black one where one failed."""
    def predict(self, pictures, batch_size):
        return [np.float32([batch_size, p.shape[0], p.max() > 0]) for p in pictures]

class Raises(Mean):
    def predict(self, pictures, batch_size):
        if any(p.max() > 200 for p in pictures): raise RuntimeError("too bright")
        return [np.ones(2) for p in pictures]

class Short(Mean):
    def predict(self, pictures, batch_size): return []

class Words(Mean):
    def predict(self, pictures, batch_size): return ["a"] * batch_size

class Closed(Mean):
    def __init__(self, model_path, model_config=None): raise OSError("no weights at " + model_path)
'''


@pytest.fixture
def predictors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_predictors.py").write_text(CLASSES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_predictors", raising=False)


def test_a_class_of_the_user(predictors, run_extract, listed, tmp_path):
    keys = {"predictor": "my_predictors:Mean", "l2_normalise": False}
    run_extract(listed, "x.npy", predictor_options={"scale": 2}, **keys)
    run_extract(listed, "y.npy", **keys)
    twice, once = np.load(tmp_path / "x.npy"), np.load(tmp_path / "y.npy")
    assert once.shape == (21, 3)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    assert 20 < np.nanmean(once) < 230
    run_extract(listed, "z.npy", predictor="my_predictors:Mean")
    lengths = np.linalg.norm(np.load(tmp_path / "z.npy"), axis=1)
    np.testing.assert_allclose(lengths[~np.isnan(lengths)], 1, atol=1e-6)


def test_integers_stay_integers(predictors, run_extract, listed, pictures, tmp_path):
    keys = {"predictor": "my_predictors:Brightest", "l2_normalise": False}
    run_extract(listed, **keys)
    lines = (tmp_path / "features.txt").read_text(encoding="utf-8").splitlines()
    values = [json.loads(line[line.index(",  {") + 3 :])["feature"] for line in lines]
    assert all(value is None or isinstance(value[0], int) for value in values)
    run_extract(listed, "x.npy", **keys)
    rows = np.load(tmp_path / "x.npy")
    assert rows.dtype == np.float64, "there is no NaN among integers"
    for number in SPOILT:
        assert np.isnan(rows[number]).all()
        pictures[number].write_bytes(pictures[0].read_bytes())
    report = run_extract(listed, "x.npy", only_failed=True, **keys)
    assert report.reused == 18
    assert np.load(tmp_path / "x.npy").dtype == np.int32


def test_a_failed_picture_keeps_its_place(predictors, run_extract, listed, tmp_path):
    keys = {"predictor": "my_predictors:Sizes", "l2_normalise": False}
    run_extract(listed, "x.npy", **keys)
    rows = np.load(tmp_path / "x.npy")
    good = [number for number in range(21) if number not in SPOILT]
    # Batches of four by place in the list; the last is of one.
    assert rows[good, 0].tolist() == [4] * (len(good) - 1) + [1]
    run_extract(listed, "y.npy", shard_size=1, **keys)
    assert (tmp_path / "y.npy").read_bytes() == (tmp_path / "x.npy").read_bytes(), "whole batches"


def test_what_the_class_raises_costs_its_batch(predictors, run_extract, listed, tmp_path):
    report = run_extract(listed, predictor="my_predictors:Raises")
    assert 0 < report.merged.causes["prediction"] < 21
    errors = (tmp_path / "features.txt.errors.jsonl").read_text()
    assert "prediction error: my_predictors:Raises raised RuntimeError: too bright" in errors


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("Short", ModelError, "0 results for 4 pictures"),
        ("Words", ModelError, "expected numbers"),
        ("Closed", ModelError, "no weights at here"),
        ("Gone", ConfigError, "my_predictors:Gone.*cannot be imported"),
    ],
)
def test_a_class_that_does_not_keep_to_it(predictors, run_extract, listed, name, error, said):
    with pytest.raises(error, match=said):
        run_extract(listed, predictor=f"my_predictors:{name}", model_dir="here")


def test_the_python_api(listed, tmp_path, model_dir):
    report = toolkit.extract(listed, tmp_path / "x.npy", model=model_dir, num_worker=1)
    assert (report.passed, report.failed, report.merged.length) == (True, 3, 256)
    assert toolkit.extract(listed, tmp_path / "y.npy", num_worker=1).model_name == report.model_name
    with pytest.raises(ConfigError, match=r"no option 'num_workers'. Did you mean 'num_worker'"):
        toolkit.extract(listed, tmp_path / "x.npy", num_workers=1)
    with pytest.raises(ConfigError, match=r"batch_size.*received 0"):
        toolkit.extract(listed, tmp_path / "x.npy", batch_size=0)
    with pytest.raises(ConfigError, match=r"SmallResNet has no endpoint 'resnet_v1_50/block4'"):
        toolkit.extract(listed, tmp_path / "x.npy", feature_name="resnet_v1_50/block4")
    with pytest.raises(ConfigError, match=r"The endpoint feature has no places that pool=avg"):
        toolkit.extract(listed, tmp_path / "x.npy", pool="avg")
    with pytest.raises(ConfigError, match=r"engine is 'onnxruntime', whose file normalises"):
        toolkit.extract(listed, tmp_path / "x.npy", l2_normalise=False, engine="onnxruntime")


def test_a_class_without_a_model_is_not_told_apart_by_this_folder(
    predictors, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").write_bytes(b"1")
    nothing = CustomModel("my_predictors:Mean", "", None)
    named = CustomModel("my_predictors:Mean", "weights", None)
    before = nothing.identity(), named.identity()
    (tmp_path / "weights").write_bytes(b"2")
    assert nothing.identity() == before[0]
    assert named.identity() != before[1]
    (tmp_path / "weights").unlink()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "part").write_bytes(b"1")
    assert named.identity()["weights"] == before[1]["weights"]
