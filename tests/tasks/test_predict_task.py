"""The mode predict as a function: the files it writes, and what bad pictures do to a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from toolkit import create_model, run
from toolkit.errors import ConfigError, DatasetError, ModelError

PREDICT = "Global.mode=predict"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, drawn_dataset, tiny_config) -> Path:
    """The output folder of a very short run."""
    folder = tmp_path_factory.mktemp("trained")
    text = tiny_config.format(dataset=drawn_dataset, output=folder / "output")
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    run(folder / "config.yaml", ["Global.mode=train", "Train.eval_during_train=false"])
    return folder / "output"


@pytest.fixture
def predict(configure, trained):
    def run_it(pictures: object, *overrides: str):
        source = json.dumps(pictures if isinstance(pictures, list) else str(pictures))
        return run(
            configure(
                PREDICT, f"Predict.input={source}", f"Predict.model_dir={trained}", *overrides
            )
        )

    return run_it


@pytest.fixture
def pictures(drawn_dataset, tmp_path) -> Path:
    """Two pictures of one name in two folders, one of its own, and one that is none."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(("a/x.png", "b/x.png", "y.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(drawn_dataset / f"images/0_{number}.png", folder / name)
    (folder / "spoilt.jpg").write_bytes(b"not a picture")
    return folder


def read(output: Path) -> dict[str, dict]:
    return {
        file.name: json.loads(file.read_text(encoding="utf-8"))
        for file in output.glob("*_res*.json")
        if file.name != "predict_result.json"
    }


def test_a_json_each_and_no_name_twice(predict, pictures, tmp_path):
    report = predict(pictures, "Predict.save=npy")
    assert (report.written, len(report.failures), report.passed) == (3, 1, True)
    assert report.failures[0].count("spoilt.jpg") == 1
    output = tmp_path / "output"
    found = {name: content["input_path"] for name, content in read(output).items()}
    expected = {
        "x_res.json": str(pictures / "a/x.png"),
        "x_res_1.json": str(pictures / "b/x.png"),
        "y_res.json": str(pictures / "y.png"),
    }
    assert found == expected
    features = np.load(output / "features.npy")
    paths = (output / "paths.txt").read_text(encoding="utf-8").splitlines()
    assert len(paths) == len(features) == 3
    by_path = {content["input_path"]: content["feature"] for content in read(output).values()}
    for path, feature in zip(paths, features, strict=True):
        np.testing.assert_allclose(feature, by_path[path], atol=1e-7)
    # A second run gives the same names to the same pictures.
    predict(pictures)
    assert {name: content["input_path"] for name, content in read(output).items()} == expected


def test_the_batch_size_changes_nothing(predict, drawn_dataset, tmp_path):
    features = []
    for size in (1, 5, 64):
        predict(drawn_dataset / "images", "Predict.save=npy", f"Predict.batch_size={size}")
        features.append(np.load(tmp_path / "output/features.npy"))
    assert features[0].shape == (56, 8)
    np.testing.assert_allclose(np.linalg.norm(features[0], axis=1), 1, atol=1e-6)
    for other in features[1:]:
        np.testing.assert_allclose(other, features[0], atol=1e-5)


@pytest.mark.parametrize("name", ["gone.jpg", "gone_folder/", ["gone.jpg", "gone_too.jpg"]])
def test_an_input_that_is_not_there_is_the_user_s_error(predict, name):
    with pytest.raises(DatasetError, match="gone"):
        predict(name)


def test_a_part_of_a_list_that_is_not_there_is_reported(predict, pictures):
    report = predict([str(pictures / "y.png"), "gone.jpg"])
    assert (report.written, report.passed) == (1, True)
    assert report.failures == ["gone.jpg: there is no such file."]


def test_a_run_without_a_single_feature_has_not_passed(predict, pictures, tmp_path):
    (tmp_path / "output").mkdir()
    np.save(tmp_path / "output/features.npy", np.ones((2, 8), dtype=np.float32))
    report = predict(pictures / "spoilt.jpg", "Predict.save=npy")
    assert (report.written, report.passed) == (0, False)
    # What an earlier run left is not taken for the features of this one.
    assert len(np.load(tmp_path / "output/features.npy")) == 0


def test_no_input_no_folder_no_picture(predict, configure, tmp_path):
    with pytest.raises(ConfigError, match=r"Predict.input is null"):
        run(configure(PREDICT))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no picture"):
        predict(tmp_path / "empty")


def test_the_best_model_of_a_killed_run_is_exported_when_it_is_needed(
    trained, configure, pictures, tmp_path
):
    """train exports when it ends; one that was killed left weights alone."""
    output = tmp_path / "output"
    shutil.copytree(trained / "best_model", output / "best_model")
    shutil.rmtree(output / "best_model/inference")
    with pytest.raises(ModelError):
        create_model(output)
    report = run(configure(PREDICT, f"Predict.input={pictures / 'y.png'}"))
    assert report.written == 1
    (expected,) = create_model(trained).predict(pictures / "y.png")
    (found,) = create_model(output).predict(pictures / "y.png")
    np.testing.assert_allclose(found.feature, expected.feature, atol=1e-6)


def test_without_a_trained_model_it_says_where_one_comes_from(configure, pictures):
    with pytest.raises(ModelError, match=r"has no best_model.*train first.*null for the official"):
        run(configure(PREDICT, f"Predict.input={pictures}"))


def test_export_then_predict_from_the_exported_folder(trained, configure, pictures, tmp_path):
    weights = trained / "best_model"
    exported = run(configure("Global.mode=export", f"Export.weight_path={weights}"))
    assert exported.exported.lowest_cosine > 1 - 1e-5
    output = tmp_path / "output"
    assert {"inference.json", "inference.pdiparams", "inference.yml"} <= {
        path.name for path in output.iterdir()
    }
    (expected,) = create_model(trained).predict(pictures / "y.png")
    (found,) = create_model("SmallResNet_rec", model_dir=output).predict(pictures / "y.png")
    np.testing.assert_allclose(found.feature, expected.feature, atol=1e-6)


def test_a_model_trained_with_another_resize_can_be_read_as_paddlex_does(
    predict, trained, pictures, tmp_path
):
    def features(*overrides):
        predict(pictures, "Predict.save=npy", *overrides)
        return np.load(tmp_path / "output/features.npy")

    folder = tmp_path / "bicubic"
    shutil.copytree(trained / "best_model/inference", folder)
    text = (folder / "inference.yml").read_text(encoding="utf-8")
    (folder / "inference.yml").write_text(text.replace("bilinear", "bicubic"), encoding="utf-8")
    model = f"Predict.model_dir={folder}"
    bilinear, bicubic = features(), features(model)
    np.testing.assert_array_equal(features(model, "Predict.resize=bilinear"), bilinear)
    assert np.abs(bicubic - bilinear).max() > 1e-4
