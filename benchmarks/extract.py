"""Mode extract beside a plain loop over ``create_model().predict``, and its scaling over workers.

    python -m benchmarks.run extract

Both sides run as new processes on the same list of pictures with the same exported model, and the
time is that of the whole process: starting, opening the model, and writing the features. The loop
reads in batches of 16 with its defaults (all cores) and saves one array; extract writes the same
array with its ids through shards on the disk.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.measure import Comparison, Details, Options, Table, all_in_turn, seconds
from benchmarks.models import NAME, exported_models
from benchmarks.pictures import SmallPictures, photographs_of
from toolkit.runtime import cores_allowed

AREA = "extract"
BATCH = 16
_PICTURES, _QUICK_PICTURES = 1200, 320
_CALIBRATION_PICTURES = 64
_PATH_CHARACTERS = 60
_LOOP = """
import sys
import numpy as np
from toolkit import create_model
source, output, model_dir = sys.argv[1:]
paths = open(source, encoding="utf-8").read().splitlines()
model = create_model(model_dir=model_dir, device="cpu")
rows = [result.feature for result in model.predict(paths, batch_size=16)]
np.save(output, np.stack(rows))
"""
_EXTRACT = """
import sys
import toolkit
if __name__ == "__main__":
    source, output, model_dir, workers = sys.argv[1:]
    toolkit.extract(source, output, model=model_dir, device="cpu", num_worker=int(workers))
"""


def measure(options: Options) -> list[Comparison]:
    """Times the loop, and extract with one worker and with one a core, in turn."""
    count = _QUICK_PICTURES if options.quick else _PICTURES
    folder = options.workspace / "extract"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = SmallPictures(count).build(
        photographs_of(options.dataset), options.workspace / "pictures" / "small"
    )
    listed = _listed(folder / "list.txt", pictures)
    models = options.workspace / "models"
    exported_models(models, _listed(folder / "calibration.txt", pictures[:_CALIBRATION_PICTURES]))
    scripts = {"loop": folder / "loop.py", "extract": folder / "extract.py"}
    scripts["loop"].write_text(_LOOP, encoding="utf-8")
    scripts["extract"].write_text(_EXTRACT, encoding="utf-8")
    cores = cores_allowed()
    outputs = {name: folder / f"{name}.npy" for name in ("loop", "one", "many")}

    def timed(script: str, output: str, *more: str) -> Callable[[], float]:
        given = [scripts[script], listed, outputs[output], models / "fp32", *more]
        command = [sys.executable, *map(str, given)]
        work = partial(subprocess.run, command, cwd=REPOSITORY, check=True, capture_output=True)
        return lambda: count / seconds(work)

    sides = {
        "loop": timed("loop", "loop"),
        "one": timed("extract", "one", "1"),
        "many": timed("extract", "many", str(cores)),
    }
    figures = all_in_turn(sides, options.repeats)
    same = outputs["one"].read_bytes() == outputs["many"].read_bytes()
    parity = f"files of 1 and {cores} workers are {'the same bytes' if same else 'DIFFERENT'}"
    lowest = _lowest_cosine(outputs["loop"], outputs["many"])
    return [
        Comparison(
            AREA, f"{count:,} JPEGs of 348 px to one file, {cores} workers", "images/s",
            figures["many"], figures["loop"], "loop over create_model().predict",
            parity=f"lowest cosine {lowest:.7f} to the loop's features",
            note="Whole processes, start and opening of the model included.",
        ),
        Comparison(
            AREA, f"the same, {cores} workers beside 1", "images/s",
            figures["many"], figures["one"], "extract with 1 worker", parity=parity,
            note="Workers have one thread of the network and two that read and decode.",
        ),
    ]  # fmt: skip


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Says what the pictures are, and what a million of them would take at this rate."""
    rate = float(np.median(comparisons[0].ours))
    count = _QUICK_PICTURES if options.quick else _PICTURES
    features = np.load(options.workspace / "extract" / "many.npy", mmap_mode="r")
    dimension = features.shape[1]
    # A line of text: the float64 of a float32 has some 20 characters, and a comma and a blank.
    characters = len(json.dumps(features[0].tolist())) + _PATH_CHARACTERS
    rows = []
    for pictures in (1_000_000, 100_000_000):
        hours = pictures / rate / 3600
        sizes = [4 * dimension, 2 * dimension, characters]
        rows.append([
            f"{pictures:,}", f"{hours:,.1f}", f"{hours * cores_allowed():,.1f}",
            *(f"{pictures * size / 1e9:,.1f}" for size in sizes),
        ])  # fmt: skip
    return Details(
        parameters={"model": NAME, "pictures": str(SmallPictures(count))},
        tables=[
            Table(
                f"At {rate:.1f} images/s, features of {dimension} numbers; sizes in GB",
                ["pictures", "hours here", "core hours", "float32", "float16", "text"],
                rows,
            )
        ],
    )


def _listed(file: Path, paths: Sequence[Path]) -> Path:
    file.write_text("".join(f"{path.resolve()}\n" for path in paths), encoding="utf-8")
    return file


def _lowest_cosine(left: Path, right: Path) -> float:
    return float((np.load(left) * np.load(right)).sum(axis=1).min())
