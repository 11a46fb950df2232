"""A run that starts anew never mixes with what its folder held before."""

from pathlib import Path

from toolkit.storage import write_text
from toolkit.training.earlier_run import clear_for_run


def old_run(output: Path, *names: str) -> Path:
    for name in names:
        write_text(output / name, name)
    return output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


RUN = (
    "best_model/best_model.pdparams",
    "latest/latest.pdparams",
    "epoch_3/epoch_3.pdparams",
    "metrics.jsonl",
    "recall_curve.png",
    "label_order.json",
    "train_result.json",
    "tensorboard/events.out.tfevents.1",
    "vdlrecords.1700000000.log",
    "trackers.json",
)
OTHER = ("config.yaml", "train.log", "check_dataset/facts.jsonl", "epoch_notes/mine.txt", "x.png")


def test_the_old_run_is_moved_and_the_rest_stays(tmp_path, caplog):
    old_run(tmp_path, *RUN, *OTHER)
    moved = clear_for_run(tmp_path)
    assert moved == tmp_path / "previous_run_1"
    assert names(moved) == sorted(Path(name).parts[0] for name in RUN)
    assert (moved / RUN[0]).read_text() == RUN[0]
    assert names(tmp_path) == sorted({*(Path(n).parts[0] for n in OTHER), "previous_run_1"})
    assert "previous_run_1" in caplog.text


def test_nothing_that_was_moved_is_ever_replaced(tmp_path):
    for number in (1, 2):
        old_run(tmp_path, *RUN)
        assert clear_for_run(tmp_path) == tmp_path / f"previous_run_{number}"
    assert names(tmp_path) == ["previous_run_1", "previous_run_2"]


def test_a_run_that_goes_on_stays(tmp_path):
    old_run(tmp_path, *RUN)
    for checkpoint in (tmp_path / "latest", tmp_path / "epoch_3/epoch_3.pdparams"):
        assert clear_for_run(tmp_path, resumed_from=checkpoint) is None
    # but it is not done any more
    assert names(tmp_path) == sorted({Path(name).parts[0] for name in RUN} - {"train_result.json"})


def test_going_on_from_another_folder_is_a_run_of_its_own(tmp_path):
    output, other = old_run(tmp_path / "a", *RUN), old_run(tmp_path / "b", *RUN)
    assert clear_for_run(output, resumed_from=other / "latest") == output / "previous_run_1"
    again = old_run(output, *RUN)
    old = output / "previous_run_1/latest/latest.pdparams"
    assert clear_for_run(again, resumed_from=old) == output / "previous_run_2"


def test_a_run_without_a_checkpoint_leaves_no_figures(tmp_path):
    figures = ("metrics.jsonl", "loss_curve.png", "train_result.json", "tensorboard/events.out")
    old_run(tmp_path, *figures, *OTHER)
    assert clear_for_run(tmp_path) is None
    assert names(tmp_path) == sorted(Path(name).parts[0] for name in OTHER)


def test_half_written_checkpoints_of_killed_runs_go(tmp_path):
    old_run(tmp_path, *RUN, ".latest.0123456789ab.tmp/latest.pdparams", ".mine.tmp/x")
    clear_for_run(tmp_path, resumed_from=tmp_path / "latest")
    assert ".latest.0123456789ab.tmp" not in names(tmp_path)
    assert ".mine.tmp" in names(tmp_path)


def test_a_folder_that_is_not_there_is_ready(tmp_path):
    assert clear_for_run(tmp_path / "new") is None
