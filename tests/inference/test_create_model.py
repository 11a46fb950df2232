import shutil
from pathlib import Path

import numpy as np
import pytest

import toolkit
from toolkit import create_model
from toolkit.build import official
from toolkit.errors import ConfigError, DeviceError, FetchError, ModelError
from toolkit.inference.export import ExportReport
from toolkit.interfaces import api


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "paddlex"))


def test_a_folder_needs_no_name(exported: ExportReport, pictures: list[Path]) -> None:
    model = create_model(exported.directory, device="cpu", threads=1)
    assert model.model_name == "Tiny_rec"
    (result,) = model.predict(pictures[0])
    assert result["rec_feature"].shape == (64,)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_training_output_is_opened_too(exported: ExportReport, depth: int) -> None:
    folder = [exported.directory, *exported.directory.parents][depth]
    model = create_model(str(folder), device="cpu", threads=1, batch_size=3)
    assert model.model_name == "Tiny_rec"
    assert model.batch_size == 3


def test_name_and_folder_must_agree(exported: ExportReport) -> None:
    assert create_model("Tiny_rec", exported.directory, device="cpu").model_name == "Tiny_rec"
    with pytest.raises(ModelError) as caught:
        create_model("PP-ShiTuV2_rec", model_dir=str(exported.directory), device="cpu")
    assert "'Tiny_rec'" in str(caught.value)
    assert "'PP-ShiTuV2_rec'" in str(caught.value)


def test_a_folder_alone_is_opened_whatever_its_name(exported: ExportReport) -> None:
    assert create_model(model_dir=exported.directory, device="cpu").model_name == "Tiny_rec"


def test_without_a_name_it_is_the_model_of_this_package(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_MIRROR", "http://127.0.0.1:1")  # nobody is asked
    model = create_model(device="cpu", threads=1)
    assert model.model_name == "SmallResNet_general"
    (result,) = model.predict(pictures[0])
    assert result["feature"].shape == (256,)


def test_an_unknown_name_has_a_neighbour() -> None:
    with pytest.raises(ModelError, match="Did you mean 'PP-ShiTuV2_rec'") as caught:
        create_model("PP-ShiTuV2_rek")
    assert "SmallResNet_rec" in str(caught.value)


def test_a_known_name_is_not_a_folder_unless_written_as_one(
    exported: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported.directory, tmp_path / "SmallResNet_rec")
    with pytest.raises(ModelError, match="no official"):
        create_model("SmallResNet_rec", device="cpu")
    for folder in ("./SmallResNet_rec", Path("SmallResNet_rec")):
        assert create_model(folder, device="cpu", threads=1).model_name == "Tiny_rec"


def test_an_official_model_in_the_cache_is_opened_by_name(
    exported: ExportReport, tmp_path: Path
) -> None:
    folder = tmp_path / "paddlex" / "official_models" / "PP-ShiTuV2_rec"
    shutil.copytree(exported.directory, folder)
    text = (folder / "inference.yml").read_text()
    (folder / "inference.yml").write_text(text.replace("Tiny_rec", "PP-ShiTuV2_rec"))
    assert create_model("PP-ShiTuV2_rec", device="cpu").model_name == "PP-ShiTuV2_rec"


def test_an_official_model_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FetchError("no network")

    monkeypatch.setattr(official, "official_model", refuse)
    with pytest.raises(FetchError):
        create_model("PP-ShiTuV2_rec")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("inference.pdiparams", "paddle"),
        ("inference.json", "paddle"),
        ("features.onnx", "openvino"),
        ("features.onnx", "auto"),
    ],
)
def test_mixed_files_of_two_exports_are_noticed(
    exported: ExportReport, tmp_path: Path, name: str, engine: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported.directory, folder)
    content = np.fromfile(folder / name, np.uint8)
    content[-1] ^= 1
    content.tofile(folder / name)
    with pytest.raises(ModelError, match="files of two exports are mixed"):
        create_model(folder, device="cpu", engine=engine)


def test_files_that_the_engine_does_not_open_are_not_read(
    exported: ExportReport, pictures: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported.directory, folder)
    (folder / "inference.pdiparams").write_bytes(b"another")
    (result,) = create_model(folder, device="cpu", engine="onnxruntime").predict(pictures[0])
    assert result["feature"].shape == (64,)
    (folder / "features.onnx").write_bytes(b"another")
    shutil.copy(exported.directory / "inference.pdiparams", folder)
    (result,) = create_model(folder, device="cpu", engine="paddle").predict(pictures[0])
    assert result["feature"].shape == (64,)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_every_engine_gives_the_features_of_paddle(
    exported: ExportReport, pictures: list[Path], engine: str
) -> None:
    features = [
        np.stack(
            [
                result["feature"]
                for result in create_model(
                    exported.directory, device="cpu", engine=name, threads=1
                ).predict(pictures, batch_size=3)
            ]
        )
        for name in ("paddle", engine)
    ]
    np.testing.assert_allclose(features[1], features[0], atol=1e-5)
    assert np.abs(features[0] - features[0][::-1]).max() > 1e-2  # they can be told apart


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("./nowhere",), {}, ModelError, "does not exist"),
        ((".",), {}, ModelError, "There is no exported model"),
        ((7,), {}, TypeError, "received 7"),
        (("x", 7), {}, TypeError, "received 7"),
        (("",), {}, ModelError, "is empty"),
        ((None, ""), {}, ModelError, "is empty"),
        (("nowhere.tar",), {}, ModelError, "'nowhere.tar' does not exist"),
    ],
)
def test_what_is_no_model(
    arguments: tuple,
    options: dict,
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        create_model(*arguments, **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "gpu0"}, DeviceError),
        ({"engine": "onyx"}, ConfigError),
        ({"batch_size": 0}, ValueError),
        ({"threads": 0}, ValueError),
    ],
)
def test_wrong_options(exported: ExportReport, options: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        create_model(exported.directory, **{"device": "cpu", **options})


def test_it_is_a_public_name() -> None:
    assert toolkit.create_model is api.create_model


def test_a_resize_is_the_model_s_or_paddlex_s(
    exported: ExportReport, pictures: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "bicubic"
    shutil.copytree(exported.directory, folder)
    text = (folder / "inference.yml").read_text()
    assert "interpolation: bilinear" in text
    (folder / "inference.yml").write_text(text.replace("bilinear", "bicubic"))
    features = {}
    for name, directory, how in (
        ("trained bilinear", exported.directory, "as_trained"),
        ("trained bicubic", folder, "as_trained"),
        ("made bilinear", folder, "bilinear"),
    ):
        model = create_model(directory, device="cpu", threads=1, resize=how)
        features[name] = np.stack([result["feature"] for result in model.predict(pictures)])
    np.testing.assert_array_equal(features["made bilinear"], features["trained bilinear"])
    assert np.abs(features["trained bicubic"] - features["trained bilinear"]).max() > 1e-3
    with pytest.raises(ValueError, match=r"resize is 'cubic'.*'as_trained' or 'bilinear'"):
        create_model(folder, device="cpu", resize="cubic")  # type: ignore[arg-type]
