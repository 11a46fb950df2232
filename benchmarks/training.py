"""Training steps on a CPU: with this toolkit's kernels, and beside it plain Paddle.

    python -m benchmarks.run training

A step is forward, loss, backward and optimizer, on batches that lie in memory. Each side is a
process of its own that stays alive between its turns; both start from the same weights and see the
same batches, and the losses of the first steps are compared. Plain Paddle runs with the setting of
its matrix library that the toolkit makes (toolkit.runtime.prepare_paddle), with and without the
setting of the C library that the kernels make (keeping freed memory); the better one is quoted.
"""

import json
import statistics
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.answering import Answering
from benchmarks.conformance.environments import REPOSITORY
from benchmarks.machine import matrix_product_rates
from benchmarks.measure import Comparison, Details, Options, Table, all_in_turn, better, others

# Network, side, batch size, required and wanted ratio; the first two are what was promised.
_Row = tuple[str, int, int, float | None, float | None]
_NETWORKS: list[_Row] = [
    ("PPLCNet_x1_0", 224, 32, 2.0, 3.0),
    ("PPLCNetV2_base", 224, 32, 2.0, 3.0),
    ("PPLCNet_x0_5", 96, 32, None, None),
    ("SmallResNet", 64, 32, None, None),
]
# The first steps also get memory from the system; their losses are compared.
_FIRST_STEPS, _STEPS = 3, 1
_PLAIN, _KEEPING = "plain Paddle", "plain Paddle, freed memory kept"
# For the whole life of a process; the kernels do the same with mallopt.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
                "MALLOC_TOP_PAD_": str(2**26)}  # fmt: skip
_CONFIG = "configs/general_recognition/grocery_PPLCNet_x0_5.yaml"


def measure(options: Options) -> list[Comparison]:
    """Times the sides in turn, network by network."""
    rows = _NETWORKS[:1] if options.quick else _NETWORKS
    return [_compare(row, options) for row in rows]


def details(options: Options, comparisons: list[Comparison]) -> Details:
    """Says what share of the machine's limit a step reaches, and how long it waits for data."""
    tables = [_limits(comparisons)]
    if (options.dataset / "train.txt").is_file():
        tables.append(_waiting(options))
    return Details(
        parameters={"batches": "random pixels, float32; 40 classes", "steps a repeat": str(_STEPS)},
        tables=tables,
    )


class _Trainer:
    """A process of `training_worker` that makes steps when it is asked."""

    def __init__(self, process: Answering, batch_size: int) -> None:
        self._process, self._batch_size = process, batch_size
        self.first_losses: list[float] = process.ask(str(_FIRST_STEPS))["losses"]

    def images_per_second(self) -> float:
        """Makes a few steps and returns their rate."""
        seconds: list[float] = self._process.ask(str(_STEPS))["seconds"]
        return self._batch_size * _STEPS / sum(seconds)


def _started(row: _Row, kernels: str, variables: dict[str, str], log: Path) -> Answering:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.training_worker",
               row[0], str(row[1]), str(row[2]), kernels]  # fmt: skip
    return Answering(command, variables, log)


def _compare(row: _Row, options: Options) -> Comparison:
    name, side, batch_size, required, wanted = row
    settings = {
        "ours": ("auto", {}),
        _PLAIN: ("paddle", {}),
        _KEEPING: ("paddle", _KEEP_MEMORY),
    }
    folder = options.workspace
    with ExitStack() as stack:
        trainers = {
            setting: _Trainer(
                stack.enter_context(
                    closing(_started(row, kernels, variables, folder / f"training_{number}.log"))
                ),
                batch_size,
            )
            for number, (setting, (kernels, variables)) in enumerate(settings.items())
        }
        sides = {key: trainer.images_per_second for key, trainer in trainers.items()}
        figures = all_in_turn(sides, options.repeats)
        pairs = zip(trainers["ours"].first_losses, trainers[_PLAIN].first_losses, strict=True)
        differences = [abs(ours - theirs) / theirs for ours, theirs in pairs]
    plain = {setting: figures[setting] for setting in (_PLAIN, _KEEPING)}
    chosen, peer = better(plain, higher_is_better=True)
    said = ", ".join(f"{difference:.0e}" for difference in differences)
    return Comparison(
        area="training",
        name=f"{name}, {side} px, batch {batch_size}: training step",
        unit="images/s",
        ours=figures["ours"],
        peer=peer,
        peer_name=chosen,
        required=required,
        wanted=wanted,
        parity=f"same weights and batches; losses of steps 1 to {_FIRST_STEPS} differ by {said} "
        "of themselves",
        note=others(plain, chosen, "images/s"),
    )


def _limits(comparisons: list[Comparison]) -> Table:
    """What the matrix products of a step would take alone, at the best rate of this machine.

    A step multiplies three times as much as a forward pass: for the output, for the gradient of the
    input and for that of the weights.
    """
    from toolkit.models.cost import measure_cost
    from toolkit.registry import BACKBONES

    rate = max(matrix_product_rates().values())
    rows = []
    for (name, side, batch_size, _, _), comparison in zip(_NETWORKS, comparisons, strict=False):
        cost = measure_cost(BACKBONES.build(name), (side, side))
        floor = 3 * 2 * cost.multiply_adds * batch_size / (rate * 1e9)
        ours, peer = (
            batch_size / statistics.median(side) for side in (comparison.ours, comparison.peer)
        )
        cells = [f"{1000 * value:.0f}" for value in (floor, ours, peer)]
        rows.append([name, *cells, f"{floor / ours:.0%}", f"{floor / peer:.0%}"])
    header = ["network", "products alone, ms", "ours, ms", "plain, ms", "our share", "plain share"]
    return Table(f"A step beside the machine's limit of {rate:.0f} GFLOP/s", header, rows)


def _waiting(options: Options) -> Table:
    """A short run of main.py on real photographs, for the share of time without data."""
    rows = []
    for kernels in ("auto", "paddle"):
        with TemporaryDirectory() as output:
            settings = [
                "Global.mode=train", f"Global.dataset_dir={options.dataset}",
                f"Global.output={output}", "Global.device=cpu", f"Train.kernels={kernels}",
                "Train.max_steps=40", "Train.eval_during_train=false", "Train.skip_check=true",
                "Train.visualdl=false",
            ]  # fmt: skip
            words = [word for setting in settings for word in ("-o", setting)]
            done = subprocess.run(
                [sys.executable, "main.py", "-c", _CONFIG, *words],
                cwd=REPOSITORY, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(f"main.py ended with {done.returncode}:\n{done.stderr[-2000:]}")
            lines = (Path(output) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        steps = [row for row in map(json.loads, lines) if row["kind"] == "step"][5:]
        rate = statistics.median(row["images_per_second"] for row in steps)
        seconds = [row["images"] / row["images_per_second"] for row in steps]
        waited = [row["reader_share"] * taken for row, taken in zip(steps, seconds, strict=True)]
        waiting = sum(waited) / sum(seconds)
        rows.append([kernels, f"{rate:.0f}", f"{waiting:.1%}"])
    header = ["Train.kernels", "images/s", "waiting for data"]
    return Table(f"Steps 6 to 40 of {Path(_CONFIG).name} on the photographs", header, rows)
