"""A new class head on photographs: with a frozen backbone, and beside it plain training.

    python -m benchmarks.run frozen

Both sides are whole runs of main.py on the same list, network, head and epochs. The frozen one
computes the backbone's features, trains neck and head on them, and exports. The unfrozen one runs
for a few steps, and a step is multiplied by the number of steps; its start-up is left out.
Weights are random: they change no time. What recall a frozen backbone gives is a row of its own, on
the weights of the model that ships with the toolkit.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.measure import Comparison, Details, Options, Table, in_turn

CONFIGS = REPOSITORY / "configs" / "general_recognition"
SHIPPED = REPOSITORY / "toolkit/cards/embedded/SmallResNet_general/inference.pdiparams"
EPOCHS, BATCH_SIZE = 10, 32
_PEER_STEPS = 2
# A run takes most of a minute, and no ratio was promised.
_MOST_REPEATS = 2
_FROZEN, _THAW = "Train.freeze_backbone=true", "Train.unfreeze_at=9"
_ONLY_TRAIN = "Train.eval_during_train=false"
_LIMIT_SECONDS = 60.0
_HEAD = [
    f"Train.epochs_iters={EPOCHS}", f"Train.batch_size={BATCH_SIZE}",
    f"Train.save_interval={EPOCHS}", "Loss=[CELoss]", "Data.sampler={name: UniformSampler}",
]  # fmt: skip


def measure(options: Options) -> list[Comparison]:
    """Times the two sides in turn."""
    totals: list[dict[str, Any]] = []

    def frozen() -> float:
        result, seconds = _train("PP-ShiTuV2_rec.yaml", options, *_HEAD, _ONLY_TRAIN, _FROZEN)
        totals.append(result)
        return seconds

    def unfrozen() -> float:
        result, _ = _train(
            "PP-ShiTuV2_rec.yaml", options, *_HEAD, _ONLY_TRAIN, f"Train.max_steps={_PEER_STEPS}"
        )
        # The first step also chooses kernels.
        return float(BATCH_SIZE / result["rates"][-1] * _steps(options))

    ours, peer = in_turn(frozen, unfrozen, min(options.repeats, _MOST_REPEATS))
    images, share = totals[0]["images"] // EPOCHS, totals[-1]["waiting_for_data"]
    within = "within" if statistics.median(ours) < _LIMIT_SECONDS else "NOT within"
    return [
        Comparison(
            area="frozen",
            name=f"class head, {EPOCHS} epochs of {images} photographs, PPLCNetV2_base at 224 px",
            unit="s",
            ours=ours,
            peer=peer,
            peer_name="the same run unfrozen",
            higher_is_better=False,
            parity="same list, network, batches and epochs; frozen: no augmentation, the backbone "
            "stays bit for bit (tests/tasks/test_train_frozen.py)",
            note=f"ours is the whole command, start, features and export included, "
            f"{within} the {_LIMIT_SECONDS:.0f} s that were asked for; the peer is "
            f"one step a repeat, its second, scaled to all. Waiting for data: {share:.1%}.",
        )
    ]


def details(options: Options, comparisons: list[Comparison]) -> Details:
    """Trains a head on the shipped model's backbone, for a recall that means something."""
    del comparisons
    weights = f"Train.pretrain_weight_path={SHIPPED}"
    rows = []
    runs = {"frozen": [_FROZEN], "frozen, from epoch 9 on unfrozen": [_FROZEN, _THAW]}
    for name, more in list(runs.items())[: 1 if options.quick else 2]:
        result, seconds = _train("SmallResNet_general.yaml", options, *_HEAD, *more, weights,
                                 "Train.eval_interval=5", "Train.learning_rate=0.05")  # fmt: skip
        best = result["models"]["best"]
        rows.append([name, f"{seconds:.1f}", f"{best['score']:.4f}", str(best["epoch"])])
    title = f"SmallResNet at 96 px from the shipped weights, {EPOCHS} epochs, new classes"
    return Details(
        parameters={"photographs": options.dataset.name},
        tables=[Table(title, ["run", "seconds", "recall@1", "best epoch"], rows)],
    )


def _train(config: str, options: Options, *overrides: str) -> tuple[dict[str, Any], float]:
    """Runs main.py with nothing kept from earlier runs; returns its result and its seconds."""
    with TemporaryDirectory(dir=options.workspace) as folder:
        output = Path(folder) / "output"
        settings = [
            "Global.mode=train", "Global.device=cpu", f"Global.dataset_dir={options.dataset}",
            f"Global.output={output}", f"Global.cache_dir={folder}/cache", "Train.skip_check=true",
            "Train.visualdl=false", *overrides,
        ]  # fmt: skip
        words = [word for setting in settings for word in ("-o", setting)]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "main.py", "-c", str(CONFIGS / config), *words],
            cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(f"{config} ended with {done.returncode}:\n{done.stderr}")
        result = json.loads((output / "train_result.json").read_text(encoding="utf-8"))
        rows = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [row for row in map(json.loads, rows) if row["kind"] == "step"]
    return {**result, "rates": [row["images_per_second"] for row in steps]}, seconds


def _steps(options: Options) -> int:
    rows = (options.dataset / "train.txt").read_text(encoding="utf-8").splitlines()
    return len([row for row in rows if row.strip()]) // BATCH_SIZE * EPOCHS
