"""Mode select_model: rows, failures that end nothing, and features that are computed once."""

import json
import shutil

import numpy as np
import pytest

from toolkit import run
from toolkit.config.load import load_config
from toolkit.errors import ConfigError
from toolkit.evaluation.contest import Entrant, standings
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval
from toolkit.interfaces.cli import main

MODE = "Global.mode=select_model"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_config, drawn_dataset):
    """The output folder of a short run."""
    folder = tmp_path_factory.mktemp("trained")
    file = folder / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=folder / "output"))
    settings = ["Global.mode=train", "Export.onnx=false", "Train.skip_check=true"]
    run(load_config(file, settings))
    return folder / "output"


@pytest.mark.slow
def test_models_are_compared_and_a_failure_is_a_row(configure, trained, capfd, tmp_path):
    models = [
        "SmallResNet_general", str(trained), {"config": str(trained / "config.yaml")},
        "SmalResNet_general", str(tmp_path),
    ]  # fmt: skip
    config = configure(MODE, f"SelectModel.models={json.dumps(models)}", "Export.onnx=false")
    report = run(config)
    assert not report.passed
    output = tmp_path / "output"
    content = json.loads((output / "select_model_result.json").read_text())
    rows = {row["name"]: row for row in content["models"]}
    assert set(rows) == {models[0], models[1], models[2]["config"]}
    assert content["best"] == content["models"][0]["name"]
    recalls = [row["metrics"]["recall1"] for row in content["models"]]
    assert recalls == sorted(recalls, reverse=True)
    # The folder and the checkpoint behind it are one model.
    one, other = rows[models[1]], rows[models[2]["config"]]
    assert one["metrics"] == pytest.approx(other["metrics"])
    assert (one["dimension"], rows[models[0]]["dimension"]) == (8, 256)
    assert one["bytes"] > 0
    assert one["milliseconds"] > 0
    reasons = {row["name"]: row["reason"] for row in content["failed"]}
    assert "Did you mean 'SmallResNet_general'" in reasons["SmalResNet_general"]
    assert "There is no exported model" in reasons[str(tmp_path)]
    assert (output / content["picture"]).read_bytes()[:4] == b"\x89PNG"
    measured = run(
        configure("Global.mode=evaluate", f"Evaluate.weight_path={trained / 'best_model'}")
    ).outcome.result
    assert one["metrics"]["mAP"] == pytest.approx(measured.metrics["mAP"], abs=1e-4)
    assert one["intervals"]["mAP"] == pytest.approx(measured.intervals["mAP"], abs=1e-4)
    capfd.readouterr()
    again = run(config)
    assert capfd.readouterr().err.count("are read from") == 3
    assert [row.to_json() for row in again.standings] == content["models"]


@pytest.mark.slow
def test_a_changed_picture_is_computed_anew(tmp_path, tiny_config, drawn_dataset, trained, capfd):
    dataset = shutil.copytree(drawn_dataset, tmp_path / "dataset")
    file = tmp_path / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=dataset, output=tmp_path / "output"))
    config = load_config(file, [MODE, f"SelectModel.models=[{trained}]"])
    assert run(config).passed
    (dataset / "images/4_0.png").write_bytes(b"damaged")
    report = run(config)
    assert "are read from" not in capfd.readouterr().err
    assert len(report.unreadable) == 1
    assert "4_0.png" in report.unreadable[0]


@pytest.mark.parametrize(
    ("models", "message"), [("[]", "is empty"), ("[a, b, a]", "names a more than once")]
)
def test_a_list_that_cannot_be_compared_is_refused(configure, models, message):
    with pytest.raises(ConfigError, match=message):
        run(configure(MODE, f"SelectModel.models={models}"))


def test_a_run_without_any_good_model_fails(tmp_path, tiny_config, drawn_dataset, capsys):
    file = tmp_path / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=tmp_path / "output"))
    assert main(["-c", str(file), "-o", MODE, "-o", "SelectModel.models=[nothing]"]) == 1
    assert "nothing: not measured." in capsys.readouterr().out


def test_the_best_stands_first_and_only_real_differences_are_told_apart():
    rng = np.random.default_rng(3)
    labels = [str(number % 10) for number in range(200)]
    centres = rng.normal(size=(10, 16))
    noise = rng.normal(size=(400, 16))

    def entrant(name, spread, seed=None):
        drawn = noise if seed is None else np.random.default_rng(seed).normal(size=(400, 16))
        vectors = (np.tile(centres, (40, 1)) + spread * drawn).astype(np.float32)
        ids = [str(row) for row in range(400)]
        query = Embeddings(vectors[:200], labels, ids[:200])
        gallery = Embeddings(vectors[200:], labels, ids[200:])
        result = evaluate_retrieval(query, gallery, rng=rng, bootstrap_samples=10)
        return Entrant(name, result, 16, 1, 1.0, "none")

    rows = standings(
        [entrant("bad", 3.0), entrant("good", 1.0), entrant("as good", 1.0, seed=9)], "mAP", rng
    )
    by_name = {row.entrant.name: row for row in rows}
    assert rows[-1].entrant.name == "bad"
    assert rows[0].behind is None
    assert by_name["bad"].is_told_apart
    assert not rows[1].is_told_apart
    assert by_name["bad"].behind.mean == pytest.approx(
        rows[0].entrant.result.metrics["mAP"] - by_name["bad"].entrant.result.metrics["mAP"]
    )
