"""Whole runs in two processes beside the same in one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from selfsup_files import make_config

from toolkit.cards.weights import read_state
from toolkit.errors import DivergedError
from toolkit.interfaces.run import run, run_config

pytestmark = pytest.mark.slow

TOGETHER = ("Train.num_processes=2", "Train.batch_size=4", "Train.sync_batch_norm=true")
ALONE = ("Train.batch_size=8",)
# The compiled kernels and Paddle's own operators sum in another order.
EVERYWHERE = ("Train.kernels=paddle", "Train.epochs_iters=5", "Train.learning_rate=0.02")
# Two pictures of a class are not on the same side of the cut of every batch.
WITH_PAIRS = (
    "Arch.Head={name: ArcMargin, margin: 0.1, scale: 8}",
    "Data.sampler={name: PKSampler, sample_per_id: 4}",
    "Loss=[CELoss: {}, ContrastiveLoss_XBM: {start_iter: 3, xbm_size: 20, weight: 0.5}]",
    # Thresholds on pairs make of rounding what a larger rate then makes a percent of.
    "Train.learning_rate=0.004",
)


@pytest.fixture
def trained(tmp_path, drawn_dataset, tiny_config):
    """Returns a function that trains into a folder of its own and returns the folder."""

    def train(name, *overrides, dataset=drawn_dataset):
        file = tmp_path / "recipe.yaml"
        file.write_text(tiny_config.format(dataset=dataset, output=tmp_path / name), "utf-8")
        run(file, ["Global.mode=train", *EVERYWHERE, *overrides])
        return tmp_path / name

    return train


def rows_of(folder, kind):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def losses_of(folder):
    return [row["loss"] for row in rows_of(folder, "step")]


def state_of(folder, name="latest", suffix="pdparams"):
    return read_state(folder / name / f"{name}.{suffix}")


def assert_same_state(one, other, *, exact, suffix="pdparams"):
    ours, theirs = state_of(one, suffix=suffix), state_of(other, suffix=suffix)
    if suffix == "pdopt":
        ours, theirs = ours["accumulators"]["velocity"], theirs["accumulators"]["velocity"]
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        if exact:
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)
        else:
            np.testing.assert_allclose(array, theirs[name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("options", [(), WITH_PAIRS], ids=["classes", "pairs"])
def test_twenty_steps_have_the_losses_of_one_process(trained, options):
    one, two = trained("one", *ALONE, *options), trained("two", *TOGETHER, *options)
    assert len(losses_of(one)) == 20
    np.testing.assert_allclose(losses_of(two), losses_of(one), rtol=1e-4)
    assert_same_state(one, two, exact=False)
    assert_same_state(one, two, exact=False, suffix="pdopt")
    images = [row["images"] for row in rows_of(two, "step")]
    assert images == [8] * 20
    # What is evaluated is nearly the same network, and its pictures are ranked the same.
    ours, theirs = ([row["metrics"] for row in rows_of(f, "evaluation")] for f in (one, two))
    assert ours == theirs
    result = json.loads((two / "train_result.json").read_text())
    assert result["done_flag"]
    assert result["images"] == 160
    assert (two / "processes" / "process_1.log").stat().st_size
    assert "2 x 4" in (two / "train.log").read_text()


def test_without_labels_the_losses_are_those_of_one_process(tmp_path, drawn_dataset):
    losses = []
    for name, overrides in (("one", ALONE), ("two", TOGETHER)):
        (tmp_path / name).mkdir()
        config = make_config(
            tmp_path / name,
            "MoCo",
            *overrides,
            "Global.mode=train",
            "Train.kernels=paddle",
            "SelfSup.method.norm_groups=1",
            dataset=drawn_dataset,
        )
        run_config(config)
        losses.append(losses_of(Path(config.Global.output)))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_two_processes_go_on_as_if_never_stopped_and_one_can_take_over(trained):
    head = "Arch.Head={name: CosMargin, scale: 8, sharded: true}"
    through = trained("through", *TOGETHER, head)
    # In the middle of the third epoch.
    trained("stopped", *TOGETHER, head, "Train.max_steps=10")
    checkpoint = f"Train.resume_path={through.parent / 'stopped' / 'latest'}"
    resumed = trained("resumed", *TOGETHER, head, checkpoint)
    assert_same_state(through, resumed, exact=True)
    assert_same_state(through, resumed, exact=True, suffix="pdopt")
    assert losses_of(resumed) == losses_of(through)[10:]
    alone = trained("alone", *ALONE, head, checkpoint)
    np.testing.assert_allclose(losses_of(alone), losses_of(through)[10:], rtol=1e-4)
    rows = state_of(alone)["head.table.rows"]
    assert rows.shape == state_of(through)["head.table.rows"].shape


def test_evaluation_has_the_numbers_of_one_process(trained):
    folder = trained("one", *ALONE, "Train.epochs_iters=1")
    reports = []
    for processes in (1, 2):
        report = run(
            folder / "config.yaml",
            [
                *("Global.mode=evaluate", f"Train.num_processes={processes}"),
                *("Evaluate.batch_size=5", "Evaluate.baselines=[hsv_histogram]"),
            ],
        )
        reports.append(report.to_json())
        assert (folder / "evaluate" / "report.html").is_file()
    assert reports[0] == reports[1]


def test_pictures_that_cannot_be_read_are_named_by_whichever_process_reads_them(
    trained, drawn_dataset, tmp_path
):
    rows = (drawn_dataset / "train.txt").read_text().splitlines()
    copy = tmp_path / "with_faults"
    copy.mkdir()
    (copy / "images").symlink_to(drawn_dataset / "images")
    for name in ("gallery.txt", "query.txt"):
        (copy / name).write_text((drawn_dataset / name).read_text())
    broken = [f"broken_{number}.png" for number in range(4)]
    for name in broken:
        (copy / name).write_bytes(b"no picture")
    (copy / "train.txt").write_text("\n".join([*rows, *(f"{name} 0" for name in broken), ""]))
    folder = trained("faulty", *TOGETHER, "Train.skip_check=true", dataset=copy)
    result = json.loads((folder / "train_result.json").read_text())
    assert {Path(text.split(":")[0]).name for text in result["skipped_images"]} == set(broken)
    # 36 pictures give four batches of eight, so some of the epochs leave some of them out.
    assert sum(row["images"] for row in rows_of(folder, "step")) == 160 - result["skipped_count"]


def test_a_loss_that_is_no_number_ends_all_at_the_same_step(trained, tmp_path):
    with pytest.raises(DivergedError, match="The loss became"):
        trained("diverged", *TOGETHER, "Train.learning_rate=1.0e+30")
    result = json.loads((tmp_path / "diverged" / "train_result.json").read_text())
    assert result["err_type"] == "DivergedError"


def started(command, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, start_new_session=True, **options)


def ended(process, seconds=150):
    """Waits; ends the process and all it started when that takes too long."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def test_the_launcher_of_paddle_starts_it_too(trained, tmp_path, repository, drawn_dataset):
    folder = trained("one", *ALONE)
    launcher = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2"]
    launcher += ["--log_dir", str(tmp_path / "logs"), str(repository / "main.py")]
    launcher += ["-c", str(folder / "config.yaml"), "-o", f"Global.output={tmp_path / 'two'}"]
    overrides = [part for text in TOGETHER[1:] for part in ("-o", text)]
    process = started([*launcher, "-o", "Global.mode=train", *overrides])
    ended(process)
    assert process.returncode == 0
    np.testing.assert_allclose(losses_of(tmp_path / "two"), losses_of(folder), rtol=1e-4)
    assert "Trained" in (tmp_path / "logs" / "workerlog.0").read_text()
    assert "Trained" not in (tmp_path / "logs" / "workerlog.1").read_text()
    process = started([*launcher, "-o", "Global.mode=export"])
    ended(process)
    assert process.returncode != 0
    assert "export runs in one process" in (tmp_path / "logs" / "workerlog.0").read_text()


def test_an_interrupt_ends_all_processes(tmp_path, repository, tiny_config, drawn_dataset):
    file = tmp_path / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=tmp_path / "run"), "utf-8")
    command = [sys.executable, str(repository / "main.py"), "-c", str(file)]
    overrides = ["Global.mode=train", "Train.num_processes=2", "Train.epochs_iters=5000"]
    overrides += ["Train.eval_interval=5000", "Train.save_interval=5000"]
    process = started(
        [*command, *(part for text in overrides for part in ("-o", text))],
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    log, limit = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 120
    while not (log.is_file() and log.stat().st_size) and time.monotonic() < limit:
        time.sleep(0.2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.send_signal(signal.SIGINT)
    output = ended(process, seconds=60)
    assert process.returncode == 130, output
    assert "Interrupted" in output
    # What multiprocessing keeps beside them ends a moment after its owner.
    limit = time.monotonic() + 20
    while left := [child for child in children if Path(f"/proc/{child}").exists()]:
        assert time.monotonic() < limit, left
        time.sleep(0.1)
    assert not json.loads((tmp_path / "run" / "train_result.json").read_text())["done_flag"]
