"""What the inference benchmark works on: how much, the lists of pictures, the models, the sides."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.conformance import paddlex
from benchmarks.measure import Options
from benchmarks.models import exported_models
from benchmarks.pictures import Mosaics, SmallPictures, photographs_of
from benchmarks.worker_process import Side
from toolkit.runtime import cores_allowed

BATCH = 16
DEFAULTS = "defaults"
# Enough to find the range of every map; speed does not depend on it.
CALIBRATION_PICTURES = 64


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        small: pictures of 348 pixels a repeat, a multiple of the batch size.
        mosaics: pictures of 12 megapixels, over all repeats.
        mosaics_a_turn: how many of them a repeat; each repeat takes the next ones.
        held: pictures of 348 pixels in the list whose memory is measured.
    """

    small: int = 320
    mosaics: int = 300
    mosaics_a_turn: int = 60
    held: int = 5000

    @classmethod
    def of(cls, options: Options) -> "Plan":
        """Returns what fits into 8 minutes, or into 80 seconds."""
        return cls(160, 24, 12, 480) if options.quick else cls()


@dataclass(frozen=True)
class Work:
    """What all rows share.

    Attributes:
        plan: how much.
        repeats: how often.
        lists: list files by name: ``warm-up``, ``small``, ``held``, ``mosaics 0``, and so on.
        picture: a small picture.
        ours: this toolkit, with fp32 weights.
        ours_int8: this toolkit, with int8 weights.
        peers: PaddleX by its setting, with fp32 weights.
        weights: what the weights are, in words.
        logs: folder for what the workers print.
    """

    plan: Plan
    repeats: int
    lists: Mapping[str, Path]
    picture: Path
    ours: Side
    ours_int8: Side
    peers: Mapping[str, Side]
    weights: str
    logs: Path

    @property
    def mosaic_lists(self) -> list[Path]:
        """The lists of large pictures, one a repeat."""
        return [file for name, file in self.lists.items() if name.startswith("mosaics")]


def prepare(options: Options) -> Work:
    """Builds pictures, lists and models; what was built by an earlier run is not built again."""
    plan = Plan.of(options)
    photographs = photographs_of(options.dataset)
    folder = options.workspace / "pictures"
    small = SmallPictures(plan.held).build(photographs, folder / "small")
    mosaics = Mosaics(plan.mosaics).build(photographs, folder / "mosaics")
    step = plan.mosaics_a_turn
    # The warm-up ends with the incomplete batch that the mosaics have, too.
    chosen = {
        "calibration": photographs[:: len(photographs) // CALIBRATION_PICTURES],
        "warm-up": small[: BATCH + step % BATCH],
        "small": small[: plan.small],
        "held": small,
        **{
            f"mosaics {turn}": mosaics[turn * step :][:step] for turn in range(plan.mosaics // step)
        },
    }
    lists = {name: _listing(options.workspace / "lists", name, chosen[name]) for name in chosen}
    models = options.workspace / "models"
    weights = exported_models(models, lists["calibration"])
    python, ours = paddlex.environment(), Path(sys.executable)
    return Work(
        plan=plan,
        repeats=options.repeats,
        lists=lists,
        picture=small[0],
        ours=Side("toolkit", ours, models / "fp32"),
        ours_int8=Side("toolkit", ours, models / "int8"),
        peers={
            DEFAULTS: Side("paddlex", python, models / "fp32"),
            f"{cores_allowed()} threads": Side("paddlex", python, models / "fp32", cores_allowed()),
        },
        weights=weights,
        logs=options.workspace / "logs",
    )


def _listing(folder: Path, name: str, paths: Sequence[Path]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.txt"
    file.write_text("\n".join(str(path.resolve()) for path in paths) + "\n", encoding="utf-8")
    return file
