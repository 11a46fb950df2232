"""The mode evaluate as a function: what it needs, what it counts, what it leaves out aloud."""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from toolkit import run
from toolkit.build.model import build_recognizer, load_trained
from toolkit.cards.weights import write_state
from toolkit.errors import DatasetError, WeightsError
from toolkit.fingerprint import fingerprint_file
from toolkit.training.learner import state_arrays

EVALUATE = "Global.mode=evaluate"


@pytest.fixture
def weights(configure, tmp_path) -> Path:
    file = tmp_path / "w.pdparams"
    write_state(file, state_arrays(build_recognizer(configure().Arch, 5)))
    return file


@pytest.fixture
def evaluate(configure, weights):
    def run_it(dataset: Path, *overrides: str):
        return run(
            configure(EVALUATE, f"Evaluate.weight_path={weights}", *overrides, dataset=dataset)
        )

    return run_it


@pytest.fixture
def dataset(drawn_dataset, tmp_path) -> Path:
    """A copy with gallery and query only."""
    root = tmp_path / "test_lists"
    shutil.copytree(drawn_dataset, root)
    (root / "train.txt").unlink()
    return root


def test_the_result_is_paddlex_s_and_more(evaluate, dataset, weights, tmp_path):
    report = evaluate(dataset)
    written = tmp_path / "output/evaluate_result.json"
    content = json.loads(written.read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps({"done_flag": True, **report.to_json()}))
    assert {"recall1", "recall5", "mAP"} <= set(content["metrics"])
    assert (content["queries"], content["gallery"]) == (12, 12)
    assert content["fingerprint"] == fingerprint_file(weights)
    assert content["unreadable"] == []
    page = (tmp_path / "output/evaluate/report.html").read_text(encoding="utf-8")
    for outside in ('src="http', 'href="http', "url(http", "<script src", "@import"):
        assert outside not in page


def test_what_cannot_be_measured_is_named(evaluate, dataset):
    (dataset / "images/5_0.png").write_bytes(b"not a picture")  # of the gallery
    with (dataset / "gallery.txt").open("a", encoding="utf-8") as file:
        file.write("justonecolumn\n")
    with (dataset / "query.txt").open("a", encoding="utf-8") as file:
        file.write("images/4_0.png nowhere\n")  # a label that the gallery has not
    report = evaluate(dataset)
    content = report.to_json()
    assert (content["queries"], content["unmatched_queries"], content["gallery"]) == (13, 1, 11)
    rows, pictures = content["unreadable"]
    assert "gallery.txt, line 13" in rows
    assert "5_0.png" in pictures
    assert "5_0.png" in report.summary()
    assert "Queries without a match in the gallery: 1." in report.summary()


def test_one_list_may_be_gallery_and_query(evaluate, dataset):
    shutil.copy(dataset / "gallery.txt", dataset / "query.txt")
    content = evaluate(dataset).to_json()
    assert content["self_matches_removed"] == 12
    assert content["metrics"]["recall1"] < 1  # it would be 1 if pictures could find themselves


def test_a_gallery_smaller_than_k(evaluate, dataset):
    rows = (dataset / "gallery.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (dataset / "gallery.txt").write_text("".join(rows[:2]), encoding="utf-8")
    content = evaluate(dataset, "Metric.recall_k=[1, 5, 20]").to_json()
    assert content["gallery"] == 2
    assert content["metrics"]["recall20"] == 1
    assert content["metrics"]["precision_at_5"] <= 2 / 5


def test_labels_may_be_words(evaluate, dataset):
    expected = evaluate(dataset).to_json()["metrics"]
    for name in ("gallery.txt", "query.txt"):
        rows = (dataset / name).read_text(encoding="utf-8").splitlines()
        words = [f"{row.split()[0]} 类_{row.split()[1]}\n" for row in rows]
        (dataset / name).write_text("".join(words), encoding="utf-8")
    assert evaluate(dataset).to_json()["metrics"] == expected


def test_pictures_of_the_query_s_camera_are_left_out(evaluate, dataset):
    for name in ("gallery.txt", "query.txt"):
        rows = (dataset / name).read_text(encoding="utf-8").splitlines()
        seen = [f"{row} c{number % 2}\n" for number, row in enumerate(rows)]
        (dataset / name).write_text("".join(seen), encoding="utf-8")
    content = evaluate(dataset, "Data.columns=[path, label, camera]").to_json()
    assert content["self_matches_removed"] == 12 * 2  # 4 of a class, 2 of them of the camera


def test_no_query_with_a_match_is_an_error_and_not_a_nan(evaluate, dataset):
    (dataset / "query.txt").write_text("images/4_1.png nowhere\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="nothing to measure"):
        evaluate(dataset)


def test_weights_of_another_network_are_refused(evaluate, dataset):
    other = "Arch.Backbone={name: SmallResNet, widths: [8, 8], stage_strides: [2, 2]}"
    with pytest.raises(WeightsError, match="do not fit the network"):
        evaluate(dataset, other)


@pytest.mark.parametrize(
    ("graph", "packed"), [("inference.json", True), ("inference.pdmodel", False)]
)
def test_an_inference_model_is_evaluated_as_it_is(
    evaluate, configure, dataset, tmp_path, weights, graph, packed
):
    """Whoever wrote it: the numbers are those of the checkpoint that it was exported from."""
    exported = run(configure("Global.mode=export", f"Export.weight_path={weights}"))
    folder = tmp_path / "model"
    if graph == "inference.json":
        shutil.copytree(exported.exported.directory, folder)
    else:
        save_as_paddle_2_does(configure(), weights, folder)
    given = str(folder)
    if packed:
        given = str(tmp_path / "model.tar")
        with tarfile.open(given, "w") as tar:
            tar.add(folder, arcname="model")
    cache = f"Global.cache_dir={tmp_path / 'cache'}"
    report = evaluate(dataset, f"Evaluate.weight_path={given}", cache)
    assert report.weights.name == "inference.pdiparams"
    assert report.outcome.result.metrics == pytest.approx(
        evaluate(dataset).outcome.result.metrics, abs=1e-6
    )


def save_as_paddle_2_does(config, weights: Path, folder: Path) -> None:
    """A protobuf graph without inference.yml, as PaddleClas wrote for years."""
    import paddle
    from paddle.pir_utils import OldIrGuard

    model = build_recognizer(config.Arch, None)
    load_trained(model, weights)
    layer = paddle.nn.Sequential(model.backbone, model.neck)
    layer.eval()
    spec = paddle.static.InputSpec([None, 3, 32, 32], "float32", name="x")
    with OldIrGuard():
        paddle.jit.save(layer, str(folder / "inference"), input_spec=[spec])
    assert (folder / "inference.pdmodel").is_file()


def test_thresholds_are_printed_and_written(evaluate, dataset, tmp_path):
    report = evaluate(dataset)
    with (tmp_path / "output/evaluate/thresholds.csv").open(encoding="utf-8") as file:
        written = [
            {name: float(text) for name, text in row.items()} for row in csv.DictReader(file)
        ]
    content = json.loads((tmp_path / "output/evaluate_result.json").read_text(encoding="utf-8"))
    assert len(written) == len(content["thresholds"]) >= 4
    for row, kept in zip(written, content["thresholds"], strict=True):
        assert row == pytest.approx(kept, abs=1e-6)
        assert row["false_matches"] <= row["wanted"]
        assert row["found"] + row["wrong"] + row["refused"] == pytest.approx(1, abs=1e-5)
        assert f"{row['threshold']:.4f}" in report.summary()
    assert "thresholds.csv" in report.summary()
