"""Train.freeze_backbone and Data.cache_mib as a person meets them: whole runs on drawn pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest

import toolkit.data.picture_sample as sample_module
import toolkit.tasks.train as train_task
from toolkit import run
from toolkit.build import supervised
from toolkit.build.model import build_recognizer
from toolkit.cards.weights import read_state, read_weights, write_weights
from toolkit.errors import ConfigError
from toolkit.reports.run_rows import read_rows
from toolkit.training.learner import state_arrays

TRAIN = "Global.mode=train"
FROZEN = "Train.freeze_backbone=true"


@pytest.fixture
def bare(monkeypatch):
    """Leaves out what these tests do not look at and what takes most of a tiny run."""
    monkeypatch.setattr(supervised, "build_exporter", lambda *_: lambda _: None)
    monkeypatch.setattr(train_task, "write_curves", lambda *_: [])


@pytest.fixture
def train(configure, tmp_path):
    """Runs train into a folder of a name and returns (weights of latest, result)."""

    def start(name: str, *overrides: str, weights: str = "pdparams", **options):
        output = tmp_path / name
        config = configure(
            TRAIN, f"Global.output={output}", f"Global.cache_dir={tmp_path / 'cache'}",
            *overrides, **options,
        )  # fmt: skip
        run(config)
        result = json.loads((output / "train_result.json").read_text(encoding="utf-8"))
        return read_weights(output / f"latest/latest.{weights}"), result

    return start


@pytest.fixture
def start_weights(configure, tmp_path):
    """Weights that a frozen run begins with, with statistics of pictures."""
    paddle.seed(11)
    model = build_recognizer(configure().Arch, 4)
    model.train()
    model(paddle.randn([8, 3, 32, 32]))
    write_weights(tmp_path / "start.pdparams", state_arrays(model))
    return tmp_path / "start.pdparams"


def same(one, other) -> bool:
    assert list(one) == list(other)
    return all(np.array_equal(one[name], other[name]) for name in one)


def part(weights, prefix):
    return {name: array for name, array in weights.items() if name.startswith(prefix)}


@pytest.mark.parametrize("weights", ["pdparams", "pdema"])
@pytest.mark.parametrize(
    "optimizer",
    [
        "{name: Momentum, weight_decay: 0.1, lr: {name: Cosine}}",
        "{name: AdamW, weight_decay: 0.1, lr: {name: Cosine}}",
    ],
)
@pytest.mark.parametrize("thaw", [[], ["Train.unfreeze_at=3"]])
def test_a_frozen_backbone_stays_bit_for_bit(
    bare, train, start_weights, tmp_path, optimizer, weights, thaw
):
    found, result = train(
        "frozen", FROZEN, f"Train.pretrain_weight_path={start_weights}", *thaw,
        f"Optimizer={optimizer}", "Train.ema_decay=0.9", weights=weights,
    )  # fmt: skip
    before = read_weights(start_weights)
    assert same(part(found, "backbone."), part(before, "backbone."))
    for prefix in ("neck.", "head."):
        assert not same(part(found, prefix), part(before, prefix))
    assert result["best_metrics"]["recall1"] > 0
    assert result["steps"] == 8
    # What is never trained needs no room in the optimizer.
    state = read_state(tmp_path / "frozen/latest/latest.pdopt")
    names = {name for entries in state["accumulators"].values() for name in entries}
    assert any(name.startswith("backbone.") for name in names) is bool(thaw)


def test_from_the_thaw_on_the_backbone_learns(bare, train, start_weights, tmp_path):
    given = [FROZEN, f"Train.pretrain_weight_path={start_weights}", "Train.epochs_iters=3"]
    found, _ = train("thawed", *given, "Train.unfreeze_at=3")
    before = read_weights(start_weights)
    changed = [
        name for name, array in part(found, "backbone.").items()
        if not np.array_equal(array, before[name])
    ]  # fmt: skip
    assert any("_mean" in name for name in changed)
    assert any(name.endswith("weight") for name in changed)
    rows = read_rows(tmp_path / "thawed/metrics.jsonl")
    rates = [row["learning_rate"] for row in rows if row["kind"] == "step"]
    plain = [0.05 * 0.5 * (1 + np.cos(np.pi * step / 12)) for step in range(12)]
    expected = [rate * (1 if step < 8 else 0.1) for step, rate in enumerate(plain)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.parametrize("stop", [3, 8, 10])
def test_a_resumed_run_ends_with_the_same_weights(bare, train, start_weights, tmp_path, stop):
    """Stopped in the frozen phase, where the phases meet, and after it."""
    given = [
        FROZEN, "Train.unfreeze_at=3", "Train.epochs_iters=3", "Train.ema_decay=0.9",
        f"Train.pretrain_weight_path={start_weights}", "Train.eval_during_train=false",
    ]  # fmt: skip
    whole, _ = train("whole", *given)
    train("halves", *given, f"Train.max_steps={stop}")
    resume = f"Train.resume_path={tmp_path / 'halves/latest/latest.pdparams'}"
    halves, result = train("halves", *given, resume)
    assert result["steps"] == 12
    assert same(halves, whole)
    averages = [
        read_weights(tmp_path / name / "latest/latest.pdema") for name in ("whole", "halves")
    ]
    assert same(*averages)


@pytest.mark.slow
def test_numbers_of_the_frozen_phase_are_those_of_evaluate(train, configure, tmp_path):
    _, result = train("frozen", FROZEN)
    config = configure(
        "Global.mode=evaluate", f"Global.output={tmp_path / 'frozen'}",
        f"Global.cache_dir={tmp_path / 'cache'}",
    )  # fmt: skip
    metrics = run(config).to_json()["metrics"]
    for name in ("recall1", "recall5", "mAP"):
        assert metrics[name] == pytest.approx(result["best_metrics"][name], abs=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        ["Data.rotate_classes=true"],
        ["Train.accumulate_steps=3"],
        ["Data.sampler={name: PKSampler, sample_per_id: 2}"],
        ["Arch.Neck={name: GeM, embedding_size: 6}"],
        ["Arch.Neck=null"],
        ["Train.unfreeze_at=2", "Data.rotate_classes=true", "Train.accumulate_steps=3"],
    ],
)
def test_it_goes_with_the_other_settings(bare, train, overrides):
    _, result = train("frozen", FROZEN, *overrides)
    assert result["stopped_by"] == "epochs"
    assert result["best_metrics"]["recall1"] > 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["Arch.Neck={name: FPN}"], r"does not go with the neck FPN.*GeM"),
        (["Train.unfreeze_at=1"], r"unfreeze_at is 1.*2 or more"),
    ],
)
def test_what_does_not_go_together_is_refused(train, overrides, message):
    with pytest.raises(ConfigError, match=message):
        train("refused", FROZEN, *overrides)


def test_a_teacher_needs_pictures(train, start_weights):
    teacher = (
        "Arch.Teacher={Backbone: {name: SmallResNet, widths: [4, 8], stage_strides: [2, 2]}, "
        f"Neck: {{name: BNNeck}}, weight_path: {start_weights}}}"
    )
    with pytest.raises(ConfigError, match=r"Arch.Teacher.*Leave out one"):
        train("refused", FROZEN, teacher, "Loss=[CELoss, RKDLoss]")


def test_random_features_are_warned_of(bare, train, start_weights, tmp_path):
    """In words that stand in train.log too."""
    given = [FROZEN, "Train.eval_during_train=false", "Train.max_steps=1"]
    train("given", *given, f"Train.pretrain_weight_path={start_weights}")
    train("random", *given)
    logs = [(tmp_path / name / "train.log").read_text("utf-8") for name in ("given", "random")]
    assert ["neck and head learn from random features" in log for log in logs] == [False, True]


def test_bad_pictures_are_named_in_the_frozen_phase_too(bare, train, drawn_dataset, tmp_path):
    root = tmp_path / "faulty"
    shutil.copytree(drawn_dataset, root)
    (root / "images/0_0.png").write_bytes(b"not a picture")
    _, result = train("faulty_run", FROZEN, "Train.skip_check=true", dataset=root)
    assert result["skipped_count"] == 2  # one picture in two epochs
    assert Path(result["skipped_images"][0].split(":")[0]).name == "0_0.png"
    assert result["images"] == 2 * 31


def test_the_next_run_reads_the_features_of_the_first(bare, train, start_weights, tmp_path):
    given = [FROZEN, f"Train.pretrain_weight_path={start_weights}", "Train.eval_interval=2"]
    one, _ = train("one", *given)
    files = {file: file.stat().st_ino for file in (tmp_path / "cache/features").iterdir()}
    other, _ = train("other", *given)
    assert {file: file.stat().st_ino for file in (tmp_path / "cache/features").iterdir()} == files
    assert len(files) == 1
    assert same(one, other)


@pytest.mark.parametrize(
    "other",
    [
        "Data.eval_transforms=[ResizeImage: {size: 24}, NormalizeImage: {}, ToCHWImage: {}]",
        "Global.seed=1",  # and so other random weights
    ],
)
def test_other_weights_and_transforms_have_features_of_their_own(bare, train, tmp_path, other):
    given = [FROZEN, "Train.eval_during_train=false", "Train.max_steps=1"]
    train("one", *given)
    train("other", *given, other)
    assert len(list((tmp_path / "cache/features").iterdir())) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_kept_pictures_change_no_weight(bare, train, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(sample_module, "_LEAST_SECONDS_SAVED", -1e9)
    monkeypatch.setattr(sample_module, "_SMALLEST_GAIN", 0.0)
    given = [
        "Train.epochs_iters=3", "Train.eval_during_train=false", f"Data.num_workers={workers}",
        "Data.train_transforms=[ResizeImage: {size: 40}, RandCropImage: {size: 32}, "
        "NormalizeImage: {}, ToCHWImage: {}]",
    ]  # fmt: skip
    plain, _ = train("plain", *given, "Data.cache_mib=0")
    assert not (tmp_path / "cache").exists()
    for name in ("first", "second"):
        kept, result = train(name, *given)
        assert same(kept, plain)
    assert len(list((tmp_path / "cache/pictures").iterdir())) == 1
    assert 0 <= result["waiting_for_data"] < 1


def test_a_small_dataset_leaves_no_file(bare, train, tmp_path):
    train("plain", "Train.epochs_iters=3", "Train.eval_during_train=false")
    assert not list((tmp_path / "cache").rglob("*.pictures"))
