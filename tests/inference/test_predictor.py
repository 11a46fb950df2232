import json
import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.errors import DatasetError, FetchError
from toolkit.inference.directory import open_predictor
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.engines.paddle import PaddleEngine
from toolkit.inference.export import ExportReport, export_inference
from toolkit.inference.predictor import Predictor
from toolkit.inference.result import FeatureResult
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device


def _features(results: Iterator[FeatureResult]) -> np.ndarray:
    return np.stack([result.feature for result in results])


def test_features_are_unit_vectors_of_the_network(
    predictor: Predictor, network: Recognizer, pictures: list[Path]
) -> None:
    """The same by hand: OpenCV reads and resizes, the network in memory runs."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = []
    for file in pictures:
        rgb = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        values = (cv2.resize(rgb, (32, 32)) / 255 - mean) / std
        images.append(values.transpose(2, 0, 1).astype(np.float32))
    raw = NetworkEngine(network).run(np.stack(images))
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)

    results = list(predictor.predict(pictures))
    assert [result.input_path for result in results] == [str(file) for file in pictures]
    for result in results:
        assert result.feature.shape == (64,)
        assert result.feature.dtype == np.float32
        assert result.feature.base is None or result.feature.base.size == 64
        assert abs(np.linalg.norm(result.feature) - 1) < 1e-6
    np.testing.assert_allclose(_features(iter(results)), expected, atol=3e-5)
    spread = expected @ expected.T
    assert spread.min() < 0.9, "the pictures must differ for this test to mean anything"


@pytest.mark.parametrize("batch_size", [2, 3, 7, 50])
def test_the_feature_does_not_depend_on_the_batch(
    predictor: Predictor, pictures: list[Path], batch_size: int
) -> None:
    one_by_one = _features(predictor.predict(pictures, batch_size=1))
    together = _features(predictor.predict(pictures, batch_size=batch_size))
    np.testing.assert_allclose(together, one_by_one, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_a_bad_item_is_a_result_and_the_rest_go_on(
    predictor: Predictor, pictures: list[Path], tmp_path: Path, batch_size: int
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    items = [tmp_path / "missing.jpg", pictures[0], broken, pictures[1], tmp_path / "nothing"]
    results = list(predictor.predict(items, batch_size=batch_size))
    assert [result.input_path for result in results] == [str(item) for item in items]
    assert [result.error is None for result in results] == [False, True, False, True, False]
    assert [result.feature is None for result in results] == [True, False, True, False, True]
    assert "missing.jpg" in results[0].error
    good = _features(predictor.predict(pictures[:2]))
    np.testing.assert_allclose(np.stack([results[1].feature, results[3].feature]), good, atol=1e-5)


def test_all_forms_of_one_picture_give_one_feature(
    predictor: Predictor, pictures: list[Path]
) -> None:
    file = pictures[0]
    forms = [file, str(file), cv2.imread(str(file)), Image.open(file), file.read_bytes()]
    features = _features(predictor.predict(iter(forms), batch_size=2))
    assert features.shape == (5, 64)
    assert np.abs(features - features[0]).max() == 0
    assert np.abs(_features(predictor.predict(forms[2])) - features[0]).max() < 1e-6


def test_a_folder_is_read_in_order(
    predictor: Predictor, drawn_dataset: Path, pictures: list[Path]
) -> None:
    results = list(predictor.predict(drawn_dataset / "images", batch_size=16))
    assert [result.input_path for result in results[::8]] == [str(file) for file in pictures]
    assert len(results) == 56


def test_addresses_are_fetched(exported: ExportReport, pictures: list[Path]) -> None:
    def fetch(url: str) -> bytes:
        if url.endswith("a.png"):
            return pictures[0].read_bytes()
        raise FetchError(f"{url} cannot be fetched: no network.")

    base = open_predictor(exported.directory, device="cpu", engine="paddle", threads=1)
    engine = PaddleEngine(exported.directory, Device("cpu"), threads=1)
    predictor = Predictor("x", base.pipeline, engine, fetch=fetch)
    good, bad = predictor.predict(["http://h/a.png", "http://h/b.png"])
    assert good.input_path == "http://h/a.png"
    np.testing.assert_allclose(good.feature, _features(base.predict(pictures[0]))[0], atol=1e-6)
    assert bad.error == "http://h/b.png cannot be fetched: no network."


def test_mistakes_are_exceptions_at_the_call(predictor: Predictor, tmp_path: Path) -> None:
    """Nothing is iterated here."""
    with pytest.raises(TypeError, match="NoneType"):
        predictor.predict(None)
    with pytest.raises(TypeError, match="item 1"):
        predictor.predict(["a.jpg", 7])
    with pytest.raises(TypeError, match="float32"):
        predictor.predict(np.zeros((4, 4, 3), np.float32))
    for batch_size in (0, -1):
        with pytest.raises(ValueError, match=f"batch_size is {batch_size}"):
            predictor.predict("a.jpg", batch_size=batch_size)
    with pytest.raises(DatasetError, match="no picture"):
        predictor.predict(tmp_path)
    with pytest.raises(ValueError, match="batch_size is 0"):
        Predictor("x", predictor.pipeline, _Constant(), batch_size=0)
    with pytest.raises(ValueError, match="decode is 'quick'; it must be 'fast' or 'exact'"):
        Predictor("x", predictor.pipeline, _Constant(), decode="quick")


def test_a_wrong_type_in_an_iterator_comes_after_what_was_before_it(
    predictor: Predictor, pictures: list[Path]
) -> None:
    results = predictor.predict(iter([pictures[0], pictures[1], 7]), batch_size=8)
    assert [next(results).input_path for _ in range(2)] == [str(file) for file in pictures[:2]]
    with pytest.raises(TypeError, match="item 2"):
        next(results)


def test_an_iterator_is_never_asked_for_more_than_a_batch(
    predictor: Predictor, pictures: list[Path]
) -> None:
    asked: list[Path] = []
    frames = (asked.append(file) or file for file in pictures)
    results = predictor.predict(frames, batch_size=2)
    assert asked == []
    next(results)
    assert asked == pictures[:2]
    next(results)
    assert asked == pictures[:2]
    results.close()


def test_the_well_known_loop_loses_nothing(
    predictor: Predictor,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING, "toolkit"):
        output = predictor.predict([*map(str, pictures[:3]), "missing.jpg"], batch_size=1)
        for res in output:
            res.print()
            res.save_to_json("./output/res.json")
    saved = {file.name: json.loads(file.read_text()) for file in (tmp_path / "output").iterdir()}
    assert sorted(saved) == ["res.json", "res_1.json", "res_2.json", "res_3.json"]
    assert [saved[name]["input_path"] for name in sorted(saved)] == [
        *map(str, pictures[:3]),
        "missing.jpg",
    ]
    assert len(saved["res_1.json"]["feature"]) == 64
    assert len(caplog.messages) == 3


class _Constant:
    """An engine whose features are known."""

    takes = "tensor"

    def __init__(self, *rows: list[float]) -> None:
        self.rows = rows

    def run(self, images: np.ndarray) -> np.ndarray:
        return np.array(self.rows[: len(images)], dtype=np.float32)

    def streams(self) -> list:
        return [self.run]


class _Corner:
    """An engine whose feature is (1, the red of the first pixel that it is given)."""

    takes = "pixels"

    def run(self, images: np.ndarray) -> np.ndarray:
        return np.stack([np.ones(len(images)), images[:, 0, 0, 0]], axis=1)

    def streams(self) -> list:
        return [self.run]


def test_a_feature_of_zeros_stays_zeros_and_nan_is_an_error(predictor: Predictor) -> None:
    engine = _Constant([0, 0], [np.nan, 1], [np.inf, 1], [3, 4])
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 4
    results = list(Predictor("x", predictor.pipeline, engine).predict(pictures, batch_size=4))
    np.testing.assert_array_equal(results[0].feature, [0, 0])
    assert [result.error is None for result in results] == [True, False, False, True]
    np.testing.assert_allclose(results[3].feature, [0.6, 0.8], atol=1e-7)


def test_a_black_picture_and_zero_weights_give_no_nan(
    one_convolution: Recognizer, steps: list, side: int, tmp_path: Path
) -> None:
    one_convolution.neck.feat_bn.weight.set_value(np.zeros(8, np.float32))
    export_inference(
        one_convolution, tmp_path, model_name="x", image_size=(side, side), transform_ops=steps
    )
    model = open_predictor(tmp_path, device="cpu", threads=1)
    (result,) = model.predict(np.zeros((8, 8, 3), np.uint8))
    np.testing.assert_array_equal(result.feature, np.zeros(8))
    assert "NaN" not in result.save_to_json(tmp_path / "res.json").read_text()


@pytest.mark.parametrize("form", ["path", "folder", "bytes", "address", "list", "iterator"])
def test_fast_decoding_shrinks_large_photographs_and_leaves_others_alone(
    predictor: Predictor, tmp_path: Path, form: str
) -> None:
    """The network asks for 32 pixels a side: 512 are 16 times that, 127 are not four times."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::8] = 255
    found = {}
    for side in (512, 127):
        file = tmp_path / str(side) / "a.jpg"
        file.parent.mkdir()
        Image.fromarray(stripes[:side, :side]).save(file, quality=95)
        data = file.read_bytes()
        for decode in ("fast", "exact"):
            given = {"path": file, "folder": file.parent, "bytes": data, "address": "http://h/a"}
            given |= {"list": [file], "iterator": iter([file])}
            model = Predictor(
                "x", predictor.pipeline, _Corner(), decode=decode, fetch=lambda _, data=data: data
            )
            (result,) = model.predict(given[form])
            found[side, decode] = round(result.feature[1] / result.feature[0])
    large = tmp_path / "512" / "a.jpg"
    assert found[512, "exact"] == _red_of_the_corner(large, 1)
    assert found[512, "fast"] == _red_of_the_corner(large, 8) != found[512, "exact"]
    assert found[127, "fast"] == found[127, "exact"]


def _red_of_the_corner(file: Path, divisor: int) -> int:
    with Image.open(file) as image:
        image.draft(None, (image.width // divisor, image.height // divisor))
        return int(cv2.resize(np.asarray(image), (32, 32))[0, 0, 0])
