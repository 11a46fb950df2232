"""Training with a teacher, from the checkpoint of another network to the student's features."""

import json
from pathlib import Path

import numpy as np
import pytest

from toolkit import create_model, run
from toolkit.build.model import build_recognizer, load_pretrained
from toolkit.cards.weights import read_weights, write_state
from toolkit.errors import ConfigError, WeightsError
from toolkit.training.learner import state_arrays

TRAIN = "Global.mode=train"
SHORT = (
    "Train.max_steps=2",
    "Train.batch_size=16",
    "Train.skip_check=true",
    "Train.eval_during_train=false",
)
BACKBONE = "Arch.Teacher.Backbone={name: SmallResNet, widths: [6, 12], stage_strides: [2, 2]}"
HEAD = "Arch.Teacher.Head={name: ArcMargin}"


@pytest.fixture
def teacher_file(configure, tmp_path) -> Path:
    """Weights of a wider network with a head for the four classes of the drawn list."""
    arch = "Arch={Backbone: {name: SmallResNet, widths: [6, 12], stage_strides: [2, 2]}, "
    config = configure(arch + "Head: {name: ArcMargin}}")
    file = tmp_path / "teacher.pdparams"
    write_state(file, state_arrays(build_recognizer(config.Arch, 4)))
    return file


def log(config) -> list[dict]:
    file = Path(config.Global.output) / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["kind"] == "step"]


def weights(config, name="latest"):
    return read_weights(Path(config.Global.output) / name / f"{name}.pdparams")


@pytest.fixture
def frozen(configure, teacher_file):
    def build(*overrides):
        return configure(
            TRAIN, *SHORT, BACKBONE, HEAD, f"Arch.Teacher.weight_path={teacher_file}",
            "Loss=[CELoss: {}, KLDivLoss: {weight: 0.5}, RKDLoss: {}]", *overrides,
        )  # fmt: skip

    return build


def test_a_student_learns_from_a_frozen_teacher_and_is_all_that_is_left(
    frozen, configure, drawn_dataset, tmp_path
):
    report = run(frozen())
    assert report.fit.position.step == 2
    assert set(log(frozen())[0]["losses"]) == {"CELoss", "KLDivLoss", "RKDLoss"}
    assert all(value > 0 for value in log(frozen())[0]["losses"].values())
    saved = weights(frozen())
    assert not any(name.startswith("teacher") for name in saved)
    assert saved["backbone.stem.conv.weight"].shape[0] == 4  # the student's width

    run(frozen("Global.mode=evaluate"))
    exported = run(frozen("Global.mode=export"))
    assert exported.exported.dimension == 8
    run(frozen("Global.mode=predict", f"Predict.input={drawn_dataset / 'images/0_0.png'}"))
    model_dir = tmp_path / "output/best_model/inference"
    model = create_model("SmallResNet_rec", model_dir=str(model_dir), device="cpu")
    (result,) = model.predict(str(drawn_dataset / "images/0_0.png"))
    assert len(result["feature"]) == 8


@pytest.mark.slow
def test_a_run_with_a_frozen_teacher_goes_on_as_if_it_had_not_stopped(frozen, tmp_path):
    whole = frozen("Train.max_steps=4", f"Global.output={tmp_path / 'whole'}")
    run(whole)
    run(frozen())
    resumed = frozen(
        "Train.max_steps=4", f"Train.resume_path={tmp_path / 'output/latest/latest.pdparams'}"
    )
    run(resumed)
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(resumed)[name], value, err_msg=name)


@pytest.fixture
def mutual(configure):
    def build(*overrides):
        return configure(
            TRAIN, *SHORT, BACKBONE, "Arch.Teacher.Head={name: FC}", "Arch.Teacher.trainable=true",
            "Loss=[CELoss: {}, CELoss: {of: teacher}, DMLLoss: {}]", *overrides,
        )  # fmt: skip

    return build


def test_two_networks_learn_from_each_other(mutual, configure, tmp_path):
    run(mutual("Train.ema_decay=0.5"))
    assert set(log(mutual())[0]["losses"]) == {"CELoss", "CELoss_teacher", "DMLLoss"}
    saved = weights(mutual())
    started = state_arrays(build_recognizer(mutual().Arch.Teacher, 4))
    assert {name for name in saved if name.startswith("teacher.")} == {
        f"teacher.{name}" for name in started
    }
    run(mutual("Global.mode=evaluate"))
    assert run(mutual("Global.mode=export")).exported.dimension == 8
    # What was trained so is a student like any other to a run that starts from it.
    network = build_recognizer(configure().Arch, 4)
    latest = tmp_path / "output/latest/latest.pdparams"
    assert load_pretrained(network, latest).unexpected == []
    np.testing.assert_array_equal(
        state_arrays(network)["backbone.stem.conv.weight"], saved["backbone.stem.conv.weight"]
    )


@pytest.mark.slow
def test_a_run_of_two_networks_goes_on_as_if_it_had_not_stopped(mutual, tmp_path):
    whole = mutual("Train.max_steps=4", f"Global.output={tmp_path / 'whole'}")
    run(whole)
    run(mutual())
    resumed = mutual(
        "Train.max_steps=4", f"Train.resume_path={tmp_path / 'output/latest/latest.pdparams'}"
    )
    run(resumed)
    assert any(name.startswith("teacher.") for name in weights(whole))
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(resumed)[name], value, err_msg=name)


def test_a_trainable_teacher_can_start_from_weights(mutual, teacher_file):
    config = mutual(f"Arch.Teacher.weight_path={teacher_file}", "Train.learning_rate=1.0e-9", HEAD)
    run(config)
    saved, given = weights(config), read_weights(teacher_file)
    for name in ("head.weight", "backbone.stem.conv.weight"):
        np.testing.assert_allclose(saved[f"teacher.{name}"], given[name], atol=1e-6)


def test_a_frozen_teacher_needs_weights(configure):
    with pytest.raises(ConfigError, match=r"Arch\.Teacher\.weight_path.*not trainable needs"):
        configure(TRAIN, BACKBONE)


def test_a_frozen_teacher_s_head_is_one_for_the_same_classes(frozen, teacher_file):
    arrays = read_weights(teacher_file)
    write_state(teacher_file, {**arrays, "head.weight": arrays["head.weight"][:, :3]})
    with pytest.raises(WeightsError, match=r"Arch\.Teacher: .*head\.weight.*leave Arch\.Teacher\."):
        run(frozen())
    run(frozen("Arch.Teacher.Head=null", "Loss=[RKDLoss: {}]"))


def test_a_loss_that_needs_a_teacher_says_so(configure):
    with pytest.raises(ConfigError, match=r"KLDivLoss reads the output 'teacher_logits'.*Teacher"):
        run(configure(TRAIN, *SHORT, "Loss=[CELoss: {}, KLDivLoss: {}]"))
