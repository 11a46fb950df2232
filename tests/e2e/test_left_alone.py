"""Training that is killed, stopped and begun again in real processes ends as if undisturbed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from selfsup_files import METHODS, PAIR, TINY

from toolkit.cards.weights import read_state
from toolkit.interfaces.cli import main
from toolkit.reports.run_rows import read_rows
from toolkit.training.keeper import BEST, LATEST

pytestmark = pytest.mark.e2e

# State of every kind: a memory and centres in the losses, averages, momentum, a drawn order.
WITH_LABELS = (
    "Loss=[{CELoss: {}}, {ContrastiveLoss_XBM: {start_iter: 2, xbm_size: 20}}, "
    "{CenterLoss: {weight: 0.01}}]",
    "Data.sampler={name: PKSampler, sample_per_id: 2}",
    "Train.ema_decay=0.9",
)
AUTO = ("Train.resume_path=auto", "Train.save_steps=1", "Export.onnx=false")
KILLS = 12
# main.py on a disk that is full from the 40th file on; a checkpoint is five of them.
FULL_DISK = """
import errno, itertools, os, sys
count, sync = itertools.count(), os.fsync
def full(descriptor):
    if next(count) >= 40:
        raise OSError(errno.ENOSPC, "No space left on device")
    sync(descriptor)
os.fsync = full
from toolkit.interfaces.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


class Project:
    """A configuration, and runs of it in other processes and in this one."""

    def __init__(self, folder: Path, text: str, repository: Path, *overrides: str) -> None:
        self.file, self.repository = folder / "config.yaml", repository
        self.file.write_text(text, encoding="utf-8")
        self.overrides = ("Global.mode=train", *AUTO, *overrides)

    def words(self, output: Path, *more: str) -> list[str]:
        given = [*self.overrides, f"Global.output={output}", *more]
        return ["-c", str(self.file), *(word for text in given for word in ("-o", text))]

    def start(self, output: Path, *more: str, code: str = "") -> subprocess.Popen[str]:
        begin = ["-c", code] if code else [str(self.repository / "main.py")]
        return subprocess.Popen(
            [sys.executable, *begin, *self.words(output, *more)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.repository,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def finish(self, output: Path, *more: str) -> str:
        with self.start(output, *more) as process:
            said = process.communicate()[1]
        assert process.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def supervised(tmp_path_factory, drawn_dataset, tiny_config, repository):
    folder = tmp_path_factory.mktemp("supervised")
    text = tiny_config.format(dataset=drawn_dataset, output=folder / "output")
    return Project(folder, text, repository, *WITH_LABELS)


# Processes of their own throughout: what other tests load and set in this one may change how its
# matrix libraries round.
@pytest.fixture(scope="module")
def undisturbed(supervised, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "output"
    supervised.finish(output, "Data.num_workers=0")
    return output


@pytest.fixture
def selfsup(tmp_path, drawn_dataset, repository):
    text = TINY.format(
        dataset=drawn_dataset, output=tmp_path / "output", method=METHODS["MoBY"], views=PAIR
    )
    return Project(tmp_path, text, repository, "Train.ema_decay=0.9")


def wait_for_steps(process: subprocess.Popen[str], count: int) -> list[str]:
    """Reads what a run says up to its n-th line of a step; returns all of it."""
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        count -= " step " in line
        if count == 0:
            break
    return said


def kill_while_writing(process: subprocess.Popen[str], output: Path) -> bool:
    """Kills when a checkpoint is half written; says whether it is."""
    until = time.monotonic() + 5
    while time.monotonic() < until and process.poll() is None:
        if any(output.glob(".latest.*.tmp/latest.pdparams")):
            break
    process.kill()
    process.wait()
    return any(output.glob(".latest.*.tmp"))


def assert_same(left: Path, right: Path) -> None:
    """Compares all that two runs left, bit for bit."""
    for name in (LATEST, BEST):
        for suffix in (".pdparams", ".pdema", ".pdopt", ".pdstates"):
            files = [folder / name / f"{name}{suffix}" for folder in (left, right)]
            states = [dict(flat(read_state(file))) for file in files]
            assert states[0].keys() == states[1].keys()
            for key, value in states[0].items():
                np.testing.assert_array_equal(value, states[1][key], err_msg=f"{suffix} {key}")


def flat(state, path=""):
    if not isinstance(state, dict):
        yield path, state
    else:
        for key, value in state.items():
            yield from flat(value, f"{path}/{key}")


def test_a_run_that_is_killed_once_ends_as_if_it_had_not_been(supervised, undisturbed, tmp_path):
    killed = tmp_path / "killed"
    with supervised.start(killed) as process:
        said = wait_for_steps(process, 2)
        process.kill()
    assert any("no whole checkpoint" in line for line in said)
    assert not (killed / "train_result.json").exists()
    assert "Going on after step" in supervised.finish(killed)
    assert_same(killed, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supervised", "selfsup"])
def test_a_run_that_is_killed_many_times_ends_as_if_it_had_not_been(kind, request, tmp_path):
    project: Project = request.getfixturevalue(kind)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    rng = np.random.default_rng(7)
    epochs, half_written = "Train.epochs_iters=15", 0
    for number in range(KILLS):
        with project.start(killed, epochs) as process:
            wait_for_steps(process, int(rng.integers(1, 6)))
            if number % 2:
                half_written += kill_while_writing(process, killed)
            else:
                until = time.monotonic() + rng.uniform(0, 0.2)
                while time.monotonic() < until:
                    pass
                process.kill()
        assert process.returncode == -signal.SIGKILL
    assert half_written >= 3
    said = project.finish(killed, epochs)
    assert "Going on after step" in said
    project.finish(whole, epochs)
    assert_same(killed, whole)
    results = [json.loads((folder / "train_result.json").read_text()) for folder in (killed, whole)]
    assert results[0]["models"] == results[1]["models"]
    assert not list(killed.glob(".latest.*.tmp"))


@pytest.mark.parametrize(
    ("number", "code", "error"),
    [(signal.SIGTERM, 0, None), (signal.SIGINT, 130, "InterruptedRunError")],
)
def test_a_run_that_is_asked_to_end_saves_and_says_so(
    supervised, undisturbed, tmp_path, number, code, error
):
    output = tmp_path / "asked"
    with supervised.start(output, "Train.save_steps=null") as process:
        wait_for_steps(process, 2)
        process.send_signal(number)
        said = process.communicate()[1]
    assert process.returncode == code, said
    assert "Traceback" not in said
    result = json.loads((output / "train_result.json").read_text())
    assert (result["done_flag"], result["interrupted_by"]) == (False, number.name)
    assert result.get("err_type") == error
    assert result["stopped_by"] == "interrupted"
    assert 2 <= result["steps"] < 8
    assert read_state(output / "latest/latest.pdstates")["position"]["step"] == result["steps"]
    supervised.finish(output)
    assert json.loads((output / "train_result.json").read_text())["done_flag"] is True
    assert_same(output, undisturbed)


@pytest.mark.slow
def test_a_second_signal_ends_a_run_at_once(supervised, tmp_path):
    with supervised.start(tmp_path / "asked", "Train.epochs_iters=100") as process:
        wait_for_steps(process, 1)
        process.send_signal(signal.SIGTERM)
        said = ""
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            if "Once more ends it" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate()
    # The second one may come when the first has been obeyed already.
    assert process.returncode in (-signal.SIGTERM, 0), said


def test_two_runs_are_the_same_bit_for_bit_with_any_number_of_readers(
    supervised, undisturbed, tmp_path
):
    """One with 3 reading threads, one without any; and one with another seed is another one."""
    supervised.finish(tmp_path / "threads", "Data.num_workers=3")
    assert_same(tmp_path / "threads", undisturbed)
    losses = [
        [row["losses"] for row in read_rows(folder / "metrics.jsonl") if "losses" in row]
        for folder in (tmp_path / "threads", undisturbed)
    ]
    assert losses[0] == losses[1]
    assert main(supervised.words(tmp_path / "other", "Global.seed=1", "Train.max_steps=1")) == 0
    other = read_rows(tmp_path / "other/metrics.jsonl")[0]["losses"]
    assert other != losses[0][0]


@pytest.mark.slow
def test_two_runs_without_labels_are_the_same_bit_for_bit(selfsup, tmp_path):
    for name, workers in (("threads", 3), ("alone", 0), ("again", 0)):
        selfsup.finish(tmp_path / name, f"Data.num_workers={workers}")
    assert_same(tmp_path / "threads", tmp_path / "alone")
    assert_same(tmp_path / "again", tmp_path / "alone")


@pytest.mark.slow
def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_room(supervised, tmp_path):
    output, whole = tmp_path / "full", tmp_path / "whole"
    with supervised.start(output, "Train.epochs_iters=4", code=FULL_DISK) as process:
        said = process.communicate()[1]
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert "StorageError: The checkpoint" in said
    assert "No space left on device" in said
    assert "Train.resume_path=auto" in said
    again = supervised.finish(output, "Train.epochs_iters=4")
    assert "Going on after step" in again
    supervised.finish(whole, "Train.epochs_iters=4")
    assert_same(output, whole)


@pytest.mark.slow
def test_pictures_that_go_away_and_come_back_change_nothing(supervised, drawn_dataset, tmp_path):
    mount, away = tmp_path / "mount", tmp_path / "away"
    shutil.copytree(drawn_dataset, mount)
    more = (f"Global.dataset_dir={mount}", "Train.epochs_iters=20", "Data.cache_mib=0")
    with supervised.start(tmp_path / "waits", *more) as process:
        wait_for_steps(process, 5)
        (mount / "images").rename(away)
        assert process.stderr is not None
        for line in process.stderr:
            if "is gone or empty" in line:
                break
        away.rename(mount / "images")
        said = process.communicate()[1]
    assert process.returncode == 0, said
    assert "is back after" in said
    supervised.finish(tmp_path / "whole", *more)
    assert_same(tmp_path / "waits", tmp_path / "whole")
    result = json.loads((tmp_path / "waits/train_result.json").read_text())
    assert result["skipped_count"] == 0
