"""What training without labels is good for: groceries, before and after, and with few labels.

    python -m benchmarks.selfsup [--seeds 3] [--epochs 40] [--few-epochs 60] [--output DIR]

For each seed: recall@1 on 21 unseen classes of the untrained network and of the one that was
trained on unlabelled.txt, with 95% intervals over the queries; then the same network trained on 5
labelled pictures of each class of train.txt, from scratch and from what was learnt without labels,
with the same budget. Prints all numbers, whatever they are, and writes them into DIR/selfsup.json.
A training that came to its end is not run again: the same command goes on after an interruption.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.conformance.environments import REPOSITORY
from toolkit.build.embedding import build_embedder
from toolkit.build.evaluation import build_trial
from toolkit.build.model import build_recognizer, load_trained
from toolkit.cards.weight_sources import find_weights
from toolkit.config.load import load_config
from toolkit.runtime import seed_framework
from toolkit.storage import write_json

CONFIG = REPOSITORY / "configs/self_supervised/grocery_MoCo.yaml"
WITH_LABELS = REPOSITORY / "configs/general_recognition/grocery_SmallResNet.yaml"
LABELS_A_CLASS = 5
WANTED_GAIN = 0.05


@dataclass(frozen=True)
class Recall:
    """recall@1 and its 95% interval over the queries."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class Outcome:
    """What one seed gave."""

    seed: int
    untrained: Recall
    trained: Recall
    few_from_scratch: float
    few_from_it: float


def main() -> int:
    """Runs all seeds and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--few-epochs", type=int, default=60)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output/benchmarks/selfsup")
    given = parser.parse_args()
    outcomes = []
    for seed in range(given.seeds):
        outcomes.append(
            measure(seed, given.epochs, given.few_epochs, given.output.absolute() / f"seed_{seed}")
        )
        print(_line(outcomes[-1]), flush=True)
    print("\n".join(_conclusion(outcomes)))
    file = given.output / "selfsup.json"
    file.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    print(f"  {file}")
    return 0


def measure(seed: int, epochs: int, few_epochs: int, output: Path) -> Outcome:
    """Trains and measures with one seed."""
    without = output / "without_labels"
    _train(CONFIG, seed, without, [f"Train.epochs_iters={epochs}", f"Train.eval_interval={epochs}"])
    few = _few_labels(seed, output / "few.txt")
    settings = [
        f"Train.epochs_iters={few_epochs}", f"Train.eval_interval={few_epochs}",
        f"Train.save_interval={few_epochs}", "Train.learning_rate=0.02",
        f"Data.lists.train={{file: {few}, image_root: {_dataset()}}}",
    ]  # fmt: skip
    scratch = _train(WITH_LABELS, seed, output / "few_from_scratch", settings)
    start = f"Train.pretrain_weight_path={without}"
    from_it = _train(WITH_LABELS, seed, output / "few_from_it", [*settings, start])
    return Outcome(seed, recall(seed, None), recall(seed, without), scratch, from_it)


def recall(seed: int, weights: Path | None) -> Recall:
    """Measures the network of a training output, or the untrained one of a seed."""
    config = load_config(CONFIG, [f"Global.dataset_dir={_dataset()}", f"Global.seed={seed}"])
    seed_framework(seed)
    network = build_recognizer(config.Arch, num_classes=None)
    if weights is not None:
        load_trained(network, find_weights(weights))
    result = build_trial(config).run(build_embedder(config, network)).result
    return Recall(result.metrics["recall1"], *result.intervals["recall1"])


def _dataset() -> Path:
    return REPOSITORY.parent / "shared/data/grocery"


def _train(config: Path, seed: int, output: Path, settings: Sequence[str]) -> float:
    """Runs main.py, unless it did so to the end before, and returns recall@1 of the last epoch."""
    overrides = [
        "Global.mode=train", f"Global.seed={seed}", f"Global.output={output}",
        f"Global.dataset_dir={_dataset()}", "Train.skip_check=true", *settings,
    ]  # fmt: skip
    asked = {"config": config.read_text(encoding="utf-8"), "settings": overrides}
    # Beside the folder: a new run moves away what is inside.
    finished = output.with_name(f"{output.name}.finished.json")
    if not finished.is_file() or json.loads(finished.read_text(encoding="utf-8")) != asked:
        finished.unlink(missing_ok=True)
        command = [sys.executable, str(REPOSITORY / "main.py"), "-c", str(config)]
        command += [part for override in overrides for part in ("-o", override)]
        subprocess.run(command, check=True, cwd=REPOSITORY)
        write_json(finished, asked)
    result = json.loads((output / "train_result.json").read_text(encoding="utf-8"))
    return float(result["best_metrics"]["recall1"])


def _few_labels(seed: int, file: Path) -> Path:
    """Writes a list of a few pictures of each class."""
    rows_of: dict[str, list[str]] = {}
    for row in (_dataset() / "train.txt").read_text(encoding="utf-8").splitlines():
        rows_of.setdefault(row.rsplit(" ", 1)[1], []).append(row)
    rng = np.random.default_rng(seed)
    chosen = [
        rows[i] for rows in rows_of.values() for i in rng.permutation(len(rows))[:LABELS_A_CLASS]
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*chosen, ""]), encoding="utf-8")
    return file


def _line(outcome: Outcome) -> str:
    return (
        f"seed {outcome.seed}: recall@1 untrained {outcome.untrained}, without labels "
        f"{outcome.trained}; {LABELS_A_CLASS} labels a class: from scratch "
        f"{outcome.few_from_scratch:.4f}, from it {outcome.few_from_it:.4f}"
    )


def _conclusion(outcomes: Sequence[Outcome]) -> list[str]:
    gains = [outcome.trained.value - outcome.untrained.value for outcome in outcomes]
    apart = all(outcome.trained.low > outcome.untrained.high for outcome in outcomes)
    few = [outcome.few_from_it - outcome.few_from_scratch for outcome in outcomes]
    reached = np.mean(gains) >= WANTED_GAIN and apart
    return [
        f"Training without labels: recall@1 {np.mean(gains):+.4f} on average over "
        f"{len(outcomes)} seeds, intervals {'apart' if apart else 'NOT apart'} (wanted "
        f"{WANTED_GAIN:+.2f} and apart: {'reached' if reached else 'NOT reached'}).",
        f"Few labels: {np.mean(few):+.4f} on average, {sum(gain > 0 for gain in few)} of "
        f"{len(few)} seeds better.",
    ]


if __name__ == "__main__":
    sys.exit(main())
