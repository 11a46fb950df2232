import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from toolkit.errors import ModelError
from toolkit.inference.preprocess import (
    inference_document,
    read_inference_config,
    with_bilinear_resize,
)

# What PaddleX 3 writes for PP-ShiTuV2_rec.
OFFICIAL = """
Global:
  model_name: PP-ShiTuV2_rec
Hpi:
  backend_configs: {}
PreProcess:
  transform_ops:
  - ResizeImage:
      size: [224, 224]
      return_numpy: false
      interpolation: bilinear
      backend: cv2
  - NormalizeImage:
      scale: 1.0/255.0
      mean: [0.485, 0.456, 0.406]
      std: [0.229, 0.224, 0.225]
      order: hwc
      channel_num: 3
  - ToCHWImage: null
PostProcess:
  NormalizeFeatures: null
"""


def _write(folder: Path, **resize: Any) -> Path:
    document = yaml.safe_load(OFFICIAL)
    document["PreProcess"]["transform_ops"][0]["ResizeImage"] = resize
    (folder / "inference.yml").write_text(yaml.safe_dump(document))
    return folder


def test_an_official_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text(OFFICIAL)
    config = read_inference_config(tmp_path)
    assert config.model_name == "PP-ShiTuV2_rec"
    assert config.weights is None
    pixels = np.full((50, 80, 3), (255, 128, 0), dtype=np.uint8)
    tensor = config.pipeline(pixels, np.random.default_rng(0))
    expected = (np.array([1, 128 / 255, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert tensor.shape == (3, 224, 224)
    np.testing.assert_allclose(tensor[:, 100, 100], expected, atol=1e-6)


def test_a_size_is_width_and_height(tmp_path: Path) -> None:
    config = read_inference_config(_write(tmp_path, size=[40, 20]))
    tensor = config.pipeline(np.zeros((9, 9, 3), np.uint8), np.random.default_rng(0))
    assert tensor.shape == (3, 20, 40)


def test_interpolation_is_honoured(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    given = {}
    for name in ("LINEAR", "bilinear", "bicubic"):
        config = read_inference_config(_write(tmp_path, size=16, interpolation=name))
        given[name] = config.pipeline(pixels, np.random.default_rng(0))
    np.testing.assert_array_equal(given["LINEAR"], given["bilinear"])
    assert np.abs(given["bicubic"] - given["bilinear"]).max() > 0.1


def test_what_we_write_we_read(steps: list[dict[str, Any]], tmp_path: Path) -> None:
    text = inference_document("我的_rec", steps, {"weights": "00ff"})
    (tmp_path / "inference.yml").write_text(text, encoding="utf-8")
    config = read_inference_config(tmp_path)
    assert config.model_name == "我的_rec"
    assert config.weights == "00ff"
    assert config.pipeline.describe() == steps
    document = yaml.safe_load(text)
    assert document["PreProcess"]["transform_ops"][2] == {"ToCHWImage": None}
    assert document["PostProcess"] == {"NormalizeFeatures": None}
    assert document["Toolkit"]["format_version"] == 1


def test_a_fingerprint_of_digits_stays_text(steps: list[dict[str, Any]], tmp_path: Path) -> None:
    for weights in ("1234567890123456", "12345678901234e5", "0000000000000017"):
        text = inference_document("x", steps, {"weights": weights})
        (tmp_path / "inference.yml").write_text(text)
        assert read_inference_config(tmp_path).weights == weights


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- ResizeImage", "- ResizImage", r"Unknown step 'ResizImage'.*Did you mean 'ResizeImage'"),
        ("- ResizeImage", "- RandCropImage", "Unknown step 'RandCropImage'"),
        ("size: [224, 224]", "size: [1, 2, 3]", "size"),
        ("size: [224, 224]", "size: large", "size"),
        ("size: [224, 224]", "size: 0", "size"),
        ("size: [224, 224]", "size: '16'", "size"),
        ("size: [224, 224]", "size: true", "size"),
        ("size: [224, 224]", "size: [224, -1]", "size"),
        ("size: [224, 224]", "size: 224\n      sizes: 3", "sizes"),
        ("mean: [0.485, 0.456, 0.406]", "mean: [a, 0.456, 0.406]", "mean"),
        ("interpolation: bilinear", "interpolation: lanczos", "interpolation"),
        ("1.0/255.0", "__import__('os')", 'scale is "__import__'),
        ("1.0/255.0", "1/0", "scale is '1/0'"),
        ("order: hwc", "order: chw", "order is 'chw'"),
        ("channel_num: 3", "channel_num: 4", "channel_num is 4"),
        ("std: [0.229, 0.224, 0.225]", "std: [0.0, 0.224, 0.225]", "std"),
        ("  - ToCHWImage: null\n", "", "must end with"),
        ("  - ToCHWImage: null\n", "  - 7\n", "received 7"),
        ("ToCHWImage: null", "ToCHWImage: [1]", "must be a mapping"),
        ("transform_ops", "ops", "has no steps"),
        ("PP-ShiTuV2_rec", "null", "names no model"),
        ("Global:", "Global: [", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OFFICIAL
    (tmp_path / "inference.yml").write_text(OFFICIAL.replace(old, new, 1))
    with pytest.raises(ModelError, match=message) as caught:
        read_inference_config(tmp_path)
    assert "inference.yml" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- 1", b"\xff\xfe\x00", b"!!python/object:os.x {}"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "inference.yml").write_bytes(content)
    with pytest.raises(ModelError):
        read_inference_config(tmp_path)


def test_a_missing_file_says_what_an_export_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no inference\.yml"):
        read_inference_config(tmp_path)


def test_transforms_with_chance_are_not_exported(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(ModelError, match="RandFlipImage"):
        inference_document("x", [{"RandFlipImage": {}}, *steps], {})


def test_a_difference_to_paddlex_is_told_for_its_own_models(
    steps: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = [{"ResizeImage": {"size": 64, "interpolation": "area"}}, *steps[1:]]
    with caplog.at_level(logging.WARNING, "toolkit"):
        inference_document("Tiny_rec", other, {})
        inference_document("PP-ShiTuV2_rec", steps, {})
        assert not caplog.messages
        inference_document("PP-ShiTuV2_rec", other, {})
    assert "bilinear, not area" in caplog.messages[0]


def test_a_resize_can_be_made_bilinear_whatever_the_file_says(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    given = {}
    for name in ("bilinear", "bicubic"):
        pipeline = read_inference_config(_write(tmp_path, size=16, interpolation=name)).pipeline
        given[name] = with_bilinear_resize(pipeline)(pixels, np.random.default_rng(0))
        assert pipeline.describe()[0]["ResizeImage"]["interpolation"] == name
    np.testing.assert_array_equal(given["bicubic"], given["bilinear"])


def test_the_files_and_the_precision_are_read(tmp_path: Path) -> None:
    document = yaml.safe_load(OFFICIAL)
    document["Toolkit"] = {"weights": "0123", "files": {"features.onnx": "4567"}}
    (tmp_path / "inference.yml").write_text(yaml.safe_dump(document))
    config = read_inference_config(tmp_path)
    assert config.files == {"features.onnx": "4567", "inference.pdiparams": "0123"}
    assert config.precision == "fp32"
    document["Toolkit"] = {"precision": "int8"}
    (tmp_path / "inference.yml").write_text(yaml.safe_dump(document))
    config = read_inference_config(tmp_path)
    assert (dict(config.files), config.precision, config.weights) == ({}, "int8", None)
