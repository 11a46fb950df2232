"""Which checkpoint a run goes on from by itself."""

import pytest
from tiny_training import make_learner

from toolkit.training.checkpoint import RunState, save_checkpoint
from toolkit.training.learner import Position
from toolkit.training.newest_checkpoint import newest_checkpoint


@pytest.fixture
def output(tmp_path):
    learner = make_learner()
    steps = {"epoch_1": 6, "epoch_2": 12, "best_model": 6, "latest": 9}
    for name, step in steps.items():
        save_checkpoint(tmp_path / name, name, learner, RunState(Position(1, 1, step), 1, 0))
    return tmp_path


def test_what_was_written_last_wins_over_what_is_further(output):
    """epoch_2 may be of a run that was given up for one from epoch_1."""
    assert newest_checkpoint(output) == output / "latest"


def test_a_folder_left_aside_counts(output):
    (output / "latest").rename(output / ".latest.old")
    assert newest_checkpoint(output) == output / "latest"


@pytest.mark.parametrize("suffix", [".pdparams", ".pdopt", ".pdstates", ".pdema"])
@pytest.mark.parametrize("harm", ["cut", "gone", "empty", "changed"])
def test_a_torn_one_is_passed_over_with_a_message(output, suffix, harm, caplog):
    file = output / f"latest/latest{suffix}"
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    elif harm == "changed" and suffix == ".pdstates":
        file.write_bytes(b"\x00" + content[1:])
    else:
        changed = content[:-3] + b"\x00" + content[-2:]
        file.write_bytes({"cut": content[:-7], "empty": b"", "changed": changed}[harm])
    assert newest_checkpoint(output) == output / "epoch_2"
    assert "latest is not whole and is passed over" in caplog.text


def test_no_whole_one(output, caplog):
    for file in output.glob("*/*.pdparams"):
        file.write_bytes(b"")
    assert newest_checkpoint(output) is None
    assert caplog.text.count("passed over") == 4
    assert newest_checkpoint(output / "nothing") is None
