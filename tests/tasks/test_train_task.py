"""The mode train as a function: what it refuses, what it leaves, what it says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolkit.tasks.train as train_task
from toolkit import run
from toolkit.cards.weights import read_weights
from toolkit.errors import CheckFailedError, ConfigError, DatasetError, DivergedError, ModelError
from toolkit.training.fit import fit

TRAIN = "Global.mode=train"


@pytest.fixture
def faulty(drawn_dataset, tmp_path) -> Path:
    """A dataset with two pictures of the train list spoilt."""
    root = tmp_path / "faulty"
    shutil.copytree(drawn_dataset, root)
    (root / "images/0_0.png").write_bytes(b"not a picture")
    (root / "images/1_1.png").write_bytes(b"")
    return root


def result(config) -> dict:
    file = Path(config.Global.output) / "train_result.json"
    return json.loads(file.read_text(encoding="utf-8"))


def names(config) -> set[str]:
    return {path.name for path in Path(config.Global.output).iterdir()}


def test_a_dataset_that_fails_is_not_trained_on(configure, faulty):
    config = configure(TRAIN, dataset=faulty)
    with pytest.raises(
        CheckFailedError, match=r"1 image.zero_bytes[\s\S]*images/1_1.png"
    ) as raised:
        run(config)
    assert "Train.skip_check=true" in str(raised.value)
    assert result(config)["err_type"] == "CheckFailedError"
    file = Path(config.Global.output) / "check_dataset/findings.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {"image.zero_bytes", "image.not_an_image"} <= {row["code"] for row in rows}
    assert "latest" not in names(config)


def test_skipping_the_check_is_recorded_and_bad_pictures_are_named(configure, faulty):
    report = run(configure(TRAIN, "Train.skip_check=true", dataset=faulty))
    content = report.to_json()
    assert content["dataset_checked"] is False
    assert content["skipped_count"] == 4  # two pictures in two epochs
    assert sorted(Path(text.split(":")[0]).name for text in content["skipped_images"]) == [
        "0_0.png",
        "1_1.png",
    ]
    assert content["images"] == 2 * (32 - 2)


def test_what_is_returned_is_what_is_written(configure):
    config = configure(TRAIN)
    report = run(config)
    assert result(config) == json.loads(json.dumps({"done_flag": True, **report.to_json()}))
    assert report.passed
    assert result(config)["dataset_checked"] is True


def test_only_the_train_list_is_needed_without_evaluation(configure, drawn_dataset, tmp_path):
    root = tmp_path / "train_only"
    shutil.copytree(drawn_dataset, root)
    (root / "gallery.txt").unlink()
    (root / "query.txt").unlink()
    with pytest.raises(DatasetError, match=r"no gallery.txt and no query.txt.*eval_during_train"):
        run(configure(TRAIN, dataset=root))
    report = run(configure(TRAIN, "Train.eval_during_train=false", dataset=root))
    content = report.to_json()
    assert (content["best_by"], content["models"]["best"]["epoch"]) == ("last_epoch", 2)
    assert content["models"]["best"]["score"] is None
    assert "not evaluated" in report.summary()


def test_a_second_run_does_not_mix_with_the_first(configure):
    alone = "Train.eval_during_train=false"
    config = configure(TRAIN, alone, "Train.epochs_iters=3")
    run(config)
    first = read_weights(Path(config.Global.output) / "best_model")
    config = configure(TRAIN, alone, "Train.save_interval=2", "Train.learning_rate=0.001")
    content = run(config).to_json()
    output = Path(config.Global.output)
    assert {name for name in names(config) if name.startswith("epoch_")} == {"epoch_2"}
    assert content["models"]["last_1"]["epoch"] == 2
    assert content["models"]["last_2"] == {}
    old = output / "previous_run_1"
    assert {"epoch_1", "epoch_2", "epoch_3", "latest", "metrics.jsonl"} <= {
        path.name for path in old.iterdir()
    }
    for name, array in read_weights(old / "best_model").items():
        np.testing.assert_array_equal(array, first[name])


@pytest.mark.parametrize(
    ("override", "message"),
    [("Train.num_classes=2", "num_classes"), ("Arch.Head=null", r"CELoss .*Arch\.Head")],
)
def test_a_run_that_cannot_start_disturbs_nothing(configure, override, message):
    config = configure(TRAIN)
    run(config)
    before = names(config)
    with pytest.raises(ConfigError, match=message):
        run(configure(TRAIN, override))
    assert names(config) == before


def test_starting_from_the_weights_of_the_run_before_in_the_same_folder(configure):
    short = ("Train.max_steps=1", "Train.eval_during_train=false")
    config = configure(TRAIN, *short)
    run(config)
    weights = Path(config.Global.output) / "best_model/best_model.pdparams"
    run(configure(TRAIN, f"Train.pretrain_weight_path={weights}", *short))
    assert "previous_run_1" in names(config)


def test_steps_of_several_batches_need_not_fill_an_epoch(configure):
    """4 batches by 3 are 2 updates an epoch."""
    report = run(configure(TRAIN, "Train.accumulate_steps=3"))
    assert report.to_json()["steps"] == 4
    assert report.to_json()["images"] == 64


@pytest.mark.parametrize("ema", [False, True])
def test_averaged_weights_are_what_best_and_export_are_of(configure, ema):
    config = configure(TRAIN, *(["Train.ema_decay=0.9"] if ema else []))
    content = run(config).to_json()
    best = Path(config.Global.output) / "best_model"
    assert ("pdema" in content["models"]["best"]) == ema
    assert (best / "best_model.pdema").is_file() == ema
    evaluated = run(configure("Global.mode=evaluate"))
    assert evaluated.weights.suffix == (".pdema" if ema else ".pdparams")
    for mode in ("evaluate", "export"):
        raw = f"{mode.capitalize()}.averaged=false"
        assert run(configure(f"Global.mode={mode}", raw)).weights.suffix == ".pdparams"
    for name, value in content["best_metrics"].items():
        assert evaluated.outcome.result.metrics[name] == pytest.approx(value, abs=1e-6), name


def test_a_loss_that_is_no_number_says_when_and_what_to_try(configure):
    with pytest.raises(DivergedError, match=r"epoch 1, step \d.*learning_rate") as raised:
        # So far that no weight stays finite; batch norm forgives a rate that is merely absurd.
        run(configure(TRAIN, "Train.learning_rate=3e38"))
    assert raised.value.exit_code == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_of_different_sizes_end_the_run(configure, drawn_dataset, tmp_path, workers):
    """With an error, and not with a process that waits for ever."""
    root = tmp_path / "sizes"
    shutil.copytree(drawn_dataset, root)
    shutil.copy(root / "images/0_0.png", root / "images/0_1.png")
    with Image.open(root / "images/0_0.png") as picture:
        picture.resize((60, 50)).save(root / "images/0_0.png")
    overrides = ["Data.train_transforms=[NormalizeImage: {}, ToCHWImage: {}]"]
    overrides += ["Train.skip_check=true", f"Data.num_workers={workers}"]
    with pytest.raises(ConfigError, match="different sizes"):
        run(configure(TRAIN, *overrides, dataset=root))


def test_transforms_that_cannot_be_exported_are_refused_before_the_first_step(configure):
    steps = "Data.eval_transforms=[NormalizeImage: {}, ToCHWImage: {}]"
    config = configure(TRAIN, steps)
    with pytest.raises(ConfigError, match="sets no size"):
        run(config)
    assert "metrics.jsonl" not in names(config)


def test_a_failing_export_does_not_hide_why_the_run_failed(configure, monkeypatch):
    def fit_badly(*arguments, **options):
        raise DivergedError("The loss became nan.")

    def export_badly(keeper):
        raise ModelError("no finite features")

    monkeypatch.setattr(train_task, "fit", fit_badly)
    monkeypatch.setattr(train_task.CheckpointKeeper, "export", export_badly)
    with pytest.raises(DivergedError):
        run(configure(TRAIN))


def test_a_run_that_diverges_late_leaves_its_best_model_exported(configure, monkeypatch):
    def fit_then_fail(*arguments, **options):
        fit(*arguments, **options)
        raise DivergedError("The loss became nan.")

    monkeypatch.setattr(train_task, "fit", fit_then_fail)
    config = configure(TRAIN)
    with pytest.raises(DivergedError):
        run(config)
    for name in ("best_model", "latest"):
        assert (Path(config.Global.output) / name / "inference/inference.yml").is_file()
    assert result(config)["done_flag"] is False


def test_the_log_says_what_is_trained(configure):
    config = configure(TRAIN, "Train.max_steps=1")
    run(config)
    text = (Path(config.Global.output) / "train.log").read_text(encoding="utf-8")
    assert "Training SmallResNet_rec: 32 pictures of 4 classes, 4 batches of 8 an epoch" in text
    assert "lr 0.05 loss" in text


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision_on_a_cpu_runs_and_says_what_it_is_worth(configure, caplog, dtype):
    config = configure(TRAIN, f"Train.amp={{level: O1, dtype: {dtype}}}", "Train.max_steps=2")
    assert run(config).to_json()["steps"] == 2
    log = (Path(config.Global.output) / "train.log").read_text(encoding="utf-8")
    assert f"Train.amp is O1 {dtype} and the device is a CPU" in log
    weights = read_weights(Path(config.Global.output) / "latest")
    assert {array.dtype for array in weights.values()} == {np.dtype("float32")}


def test_a_trial_suggests_and_leaves_the_folder_s_run_alone(configure):
    config = configure(TRAIN, "Train.max_steps=2", "Train.eval_during_train=false")
    run(config)
    output = Path(config.Global.output)
    before = {name: (output / name).stat().st_mtime_ns for name in ("latest", "metrics.jsonl")}
    asked = ["Train.find_learning_rate=true", "Train.suggest_batch_size=true"]
    report = run(configure(TRAIN, *asked))
    content = result(config)
    assert (content["done_flag"], content["trained"]) == (True, False)
    assert 1e-6 < content["learning_rate"]["suggestion"] < 10
    assert 1 <= content["batch_size"]["suggestion"] <= 32
    with Image.open(output / "learning_rate.png") as picture:
        assert picture.size == (960, 540)
    assert "Train.learning_rate=" in report.summary()
    assert "Train.batch_size=" in report.summary()
    assert before == {name: (output / name).stat().st_mtime_ns for name in before}


def test_early_stopping_ends_a_run_that_is_as_good_as_it_gets(configure):
    options = ["Train.epochs_iters=9", "Train.early_stopping={patience: 2, min_delta: 1.0}"]
    content = run(configure(TRAIN, *options)).to_json()
    assert (content["stopped_by"], content["steps"]) == ("early_stopping", 3 * 4)
    assert content["models"]["last_1"]["epoch"] == 3
    assert content["models"]["best"]["pdmodel"] == "best_model/inference/inference.json"


def test_early_stopping_needs_evaluations(configure):
    with pytest.raises(ConfigError, match=r"Train.early_stopping.*eval_during_train"):
        configure(TRAIN, "Train.early_stopping={patience: 2}", "Train.eval_during_train=false")
