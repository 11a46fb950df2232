"""Which checkpoints stay: best, latest, epoch_N, their scores and their exports."""

import math

import numpy as np
import pytest
from tiny_training import assert_identical, make_learner, make_loader, snapshot

from toolkit.cards.weights import read_weights, write_state
from toolkit.errors import PicturesGoneError
from toolkit.reports.run_rows import read_rows
from toolkit.storage import read_json
from toolkit.training.checkpoint import find_checkpoint, load_checkpoint
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.keeper import CheckpointKeeper, KeepPlan, Saved
from toolkit.training.learner import Listener, Position, state_arrays
from toolkit.training.run_log import RunLog


class Scores:
    """An evaluation that gives planned scores and remembers with which weights."""

    def __init__(self, learner, scores):
        self.learner, self.scores, self.seen = learner, list(scores), []

    def __call__(self):
        self.seen.append({n: a.copy() for n, a in state_arrays(self.learner.model).items()})
        return {"recall1": self.scores.pop(0), "mAP": 0.1}


def export_weights(learner):
    def export(folder):
        assert folder.is_dir()
        write_state(folder / "exported.pdparams", state_arrays(learner.model))

    return export


def train(output, scores, *, plan=None, epochs=None, learner=None, state=None, **options):
    learner = learner or make_learner(ema=options.pop("ema", True))
    evaluate = None if scores is None else Scores(learner, scores)
    keeper = CheckpointKeeper(
        output,
        learner,
        plan or KeepPlan(),
        seed=3,
        evaluate=evaluate,
        export=export_weights(learner),
        log=options.pop("log", None),
    )
    if state is not None:
        keeper.resume(state)
    epochs = epochs or len(scores)
    training = TrainingPlan(epochs=epochs, seed=3, **options)
    start = state.position if state else None
    fit(learner, make_loader(), training, listeners=[keeper], start=start)
    return keeper.finish(), learner, evaluate


def folders(output):
    return sorted(path.name for path in output.iterdir())


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.5, 0.3], 2),
        ([0.5, 0.5, 0.3], 2),  # a tie goes to the newer one
        ([0.5, math.nan, 0.4], 1),  # NaN never wins
        ([math.nan, 0.0, math.nan], 2),  # and loses against 0
        ([math.nan, math.inf, 0.2], 3),
    ],
)
def test_best_model(tmp_path, scores, best):
    result, _, evaluate = train(tmp_path, scores)
    assert result.best == Saved("best_model", best, scores[best - 1])
    assert result.best_by == "metric"
    assert result.best_metrics == {"recall1": scores[best - 1], "mAP": 0.1}
    info = read_json(tmp_path / "best_model" / "best_model.info.json")
    assert (info["epoch"], info["metric"]) == (best, scores[best - 1])
    averaged = read_weights(tmp_path / "best_model" / "best_model.pdema")
    assert_identical(averaged, evaluate.seen[best - 1])


def test_no_score_at_all_makes_the_last_epoch_the_best(tmp_path):
    result, _, _ = train(tmp_path, [math.nan, math.nan])
    assert result.best == Saved("best_model", 2, None)
    assert result.best_by == "last_epoch"


def test_without_evaluation_the_last_epoch_is_the_best(tmp_path):
    result, learner, _ = train(tmp_path, None, epochs=2)
    assert (result.best, result.best_by) == (Saved("best_model", 2, None), "last_epoch")
    other = make_learner(seed=8)
    state = load_checkpoint(tmp_path / "best_model", other)
    assert_identical(snapshot(learner), snapshot(other))
    assert (state.metric, state.best, state.position.epoch) == (None, None, 3)


def test_intervals_and_pruning(tmp_path):
    plan = KeepPlan(eval_interval=3, save_interval=2, keep_last=2)
    result, _, evaluate = train(tmp_path, [0.1, 0.2, 0.3, 0.4], plan=plan, epochs=10)
    assert len(evaluate.seen) == 4  # after 3, 6, 9 and the last
    assert folders(tmp_path) == ["best_model", "epoch_10", "epoch_8", "latest"]
    assert result.saved == [Saved("epoch_10", 10, 0.4), Saved("epoch_8", 8, None)]
    assert read_json(tmp_path / "epoch_8" / "epoch_8.info.json")["metric"] is None


def test_pruning_never_touches_other_folders(tmp_path):
    for name in ("epoch_notes", "epoch_99", "epoch_0", "other"):
        (tmp_path / name).mkdir()
    train(tmp_path, [0.1, 0.2, 0.3], plan=KeepPlan(keep_last=1))
    assert folders(tmp_path) == [
        *("best_model", "epoch_0", "epoch_3", "epoch_99", "epoch_notes", "latest", "other"),
    ]


def test_everything_is_kept_without_keep_last(tmp_path):
    train(tmp_path, [0.1] * 3)
    assert folders(tmp_path) == ["best_model", "epoch_1", "epoch_2", "epoch_3", "latest"]


def test_a_dry_run_leaves_a_best_model_and_no_epoch(tmp_path):
    result, _, _ = train(tmp_path, [0.3], epochs=5, max_steps=2)
    assert folders(tmp_path) == ["best_model", "latest"]
    assert result.best == Saved("best_model", 1, 0.3)
    state = load_checkpoint(tmp_path / "latest", make_learner())
    assert (state.position.epoch, state.position.batch, state.position.step) == (1, 2, 2)


@pytest.mark.parametrize("ema", [True, False])
@pytest.mark.parametrize("each_save", [True, False])
def test_exports_are_of_the_weights_beside_them(tmp_path, ema, each_save):
    """Averaged ones where there are any; and the network goes on with its own."""
    plan = KeepPlan(export_each_save=each_save)
    result, learner, _ = train(tmp_path, [0.1, 0.9, 0.2], plan=plan, ema=ema)
    for name in ("best_model", "latest"):
        folder = tmp_path / name
        own = read_weights(folder / f"{name}{'.pdema' if ema else '.pdparams'}")
        assert_identical(own, read_weights(folder / "inference" / "exported"))
    assert result.best.epoch == 2
    raw = read_weights(tmp_path / "latest" / "latest.pdparams")
    assert_identical(raw, state_arrays(learner.model))
    assert (tmp_path / "epoch_2" / "inference").exists() == each_save


def test_an_export_is_replaced_with_its_checkpoint(tmp_path):
    train(tmp_path, [0.5, 0.1])
    first = read_weights(tmp_path / "best_model" / "inference" / "exported")
    other = make_learner()
    state = load_checkpoint(tmp_path / "latest", other)
    train(tmp_path, [0.4, 0.6], epochs=4, learner=other, state=state)
    second = read_weights(tmp_path / "best_model" / "inference" / "exported")
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_resume_keeps_the_best_score(tmp_path):
    train(tmp_path, [0.5, 0.1])
    learner = make_learner()
    state = load_checkpoint(tmp_path / "latest", learner)
    assert (state.best.score, state.best.epoch) == (0.5, 1)
    result, _, _ = train(tmp_path, [0.4, 0.45], epochs=4, learner=learner, state=state)
    assert result.best == Saved("best_model", 1, 0.5)
    assert read_json(tmp_path / "best_model" / "best_model.info.json")["epoch"] == 1
    assert [saved.epoch for saved in result.saved] == [4, 3, 2, 1]


def test_resume_into_another_folder_starts_the_score_anew(tmp_path, caplog):
    train(tmp_path / "one", [0.5])
    learner = make_learner()
    state = load_checkpoint(tmp_path / "one" / "latest", learner)
    result, _, _ = train(tmp_path / "two", [0.2], epochs=2, learner=learner, state=state)
    assert result.best == Saved("best_model", 2, 0.2)
    assert "starts anew" in caplog.text


def test_going_on_from_an_older_checkpoint_finds_its_own_best_model(tmp_path):
    """The epochs after it will be done again; their best model is not the one it knows."""
    train(tmp_path, [0.3, 0.1, 0.9])
    learner = make_learner()
    state = load_checkpoint(tmp_path / "epoch_2", learner)
    result, _, _ = train(tmp_path, [0.2], epochs=3, learner=learner, state=state)
    assert result.best == Saved("best_model", 1, 0.3)
    assert_identical(
        read_weights(tmp_path / "best_model" / "best_model.pdema"),
        read_weights(tmp_path / "epoch_1" / "epoch_1.pdema"),
    )
    assert_identical(
        read_weights(tmp_path / "best_model" / "best_model.pdema"),
        read_weights(tmp_path / "best_model" / "inference" / "exported"),
    )
    assert load_checkpoint(tmp_path / "best_model", make_learner()).best.score == 0.3


def test_a_best_model_that_is_gone_is_not_claimed(tmp_path, caplog):
    train(tmp_path, [0.3, 0.1, 0.9], plan=KeepPlan(keep_last=2))  # epoch_1 is not kept
    learner = make_learner()
    state = load_checkpoint(tmp_path / "epoch_2", learner)
    result, _, _ = train(tmp_path, [0.2], epochs=3, learner=learner, state=state)
    assert result.best == Saved("best_model", 3, 0.2)
    assert "starts anew" in caplog.text


def test_another_seed_is_said(tmp_path, caplog):
    train(tmp_path, [0.5])
    state = load_checkpoint(tmp_path / "latest", make_learner())
    CheckpointKeeper(tmp_path, make_learner(), KeepPlan(), seed=4).resume(state)
    assert "began with seed 3 and goes on with seed 4" in caplog.text


def test_a_run_that_was_already_done(tmp_path):
    train(tmp_path, [0.5, 0.1])
    learner = make_learner()
    state = load_checkpoint(tmp_path / "latest", learner)
    result, _, _ = train(tmp_path, [], epochs=2, learner=learner, state=state)
    assert result.best == Saved("best_model", 1, 0.5)


def test_interrupted_and_resumed_is_undisturbed(tmp_path):
    """Through keeper and files: two epochs, then two more, are four in one go."""
    scores = [0.1, 0.4, 0.3, 0.4]
    one, whole, _ = train(tmp_path / "whole", scores)
    train(tmp_path / "parts", scores[:2], epochs=4, max_steps=12)
    learner = make_learner(seed=60)
    state = load_checkpoint(tmp_path / "parts" / "latest", learner)
    two, resumed, _ = train(tmp_path / "parts", scores[2:], epochs=4, learner=learner, state=state)
    assert_identical(snapshot(whole), snapshot(resumed))
    assert (one.best, one.saved) == (two.best, two.saved)
    for name in ("latest/latest.pdparams", "best_model/best_model.pdema", "epoch_4/epoch_4.pdopt"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_evaluations_are_logged(tmp_path):
    log = RunLog(tmp_path / "metrics.jsonl")
    train(tmp_path, [0.5, math.nan], log=log)
    rows = [row for row in read_rows(tmp_path / "metrics.jsonl") if row["kind"] == "evaluation"]
    assert [(row["epoch"], row["step"], row["metrics"]["recall1"]) for row in rows] == [
        (1, 6, 0.5),
        (2, 12, None),
    ]


def test_a_folder_left_aside_is_put_back_at_the_start(tmp_path):
    train(tmp_path, [0.5])
    (tmp_path / "best_model").rename(tmp_path / ".best_model.old")
    (tmp_path / "latest").rename(tmp_path / ".latest.old")
    CheckpointKeeper(tmp_path, make_learner(), KeepPlan(), seed=3)
    assert find_checkpoint(tmp_path / "best_model").is_file()
    assert find_checkpoint(tmp_path / "latest").is_file()


def test_latest_is_saved_within_an_epoch(tmp_path):
    """6 batches an epoch: after steps 4, 8 and 12, and at the two ends."""
    seen = []

    class Watch(Listener):
        def on_step(self, _):
            stem = tmp_path / "latest/latest"
            if stem.with_suffix(".info.json").is_file():
                seen.append(read_json(stem.with_suffix(".info.json"))["step"])
            else:
                seen.append(0)

    learner = make_learner()
    keeper = CheckpointKeeper(tmp_path, learner, KeepPlan(save_steps=4), seed=3)
    plan = TrainingPlan(epochs=2, seed=3)
    fit(learner, make_loader(), plan, listeners=[keeper, Watch()])
    assert seen == [0, 0, 0, 4, 4, 4, 6, 8, 8, 8, 8, 12]


@pytest.mark.parametrize("stop_at", [1, 5, 6, 9])
def test_a_stopped_run_is_saved_where_it_stands_and_goes_on_to_the_same(tmp_path, stop_at):
    """Step 6 is the last of an epoch: it is closed, and evaluated, by the run that goes on."""
    whole_result, whole, _ = train(tmp_path / "whole", [0.1, 0.3, 0.2])
    learner, output = make_learner(), tmp_path / "stopped"
    steps = []
    count = Listener()
    count.on_step = steps.append
    scores = Scores(learner, [0.1, 0.3, 0.2])
    keeper = CheckpointKeeper(output, learner, KeepPlan(), seed=3, evaluate=scores)
    stop = lambda: "interrupted" if len(steps) == stop_at else ""  # noqa: E731
    plan = TrainingPlan(epochs=3, seed=3)
    result = fit(learner, make_loader(), plan, listeners=[count, keeper], stop=stop)
    assert (result.reached, result.position.step) == ("interrupted", stop_at)
    assert keeper.so_far().best_by == ("metric" if stop_at == 9 else "last_epoch")
    other = make_learner(seed=77)
    state = load_checkpoint(output / "latest", other)
    assert state.position == result.position
    left = scores.scores
    again, _, _ = train(output, left, learner=other, state=state, epochs=3)
    assert again == whole_result
    assert_identical(snapshot(whole), snapshot(other))


def test_pictures_that_are_gone_end_a_run_with_everything_saved(tmp_path):
    loader = make_loader()

    class Gone:
        def __len__(self):
            return len(loader)

        def epoch(self, epoch, skip_batches):
            yield from list(loader.epoch(epoch, skip_batches))[:3]
            raise PicturesGoneError("gone")

    learner = make_learner()
    keeper = CheckpointKeeper(tmp_path, learner, KeepPlan(), seed=3)
    with pytest.raises(PicturesGoneError):
        fit(learner, Gone(), TrainingPlan(epochs=2, seed=3), listeners=[keeper])
    other = make_learner(seed=9)
    assert load_checkpoint(tmp_path / "latest", other).position == Position(1, 3, 3)
    assert_identical(snapshot(learner), snapshot(other))


def test_what_goes_on_from_elsewhere_is_there_from_the_start(tmp_path):
    train(tmp_path / "first", [0.5])
    learner = make_learner()
    state = load_checkpoint(tmp_path / "first/latest", learner)
    CheckpointKeeper(tmp_path / "second", learner, KeepPlan(), seed=3).resume(state)
    assert load_checkpoint(tmp_path / "second/latest", make_learner()).position == state.position
