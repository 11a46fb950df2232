"""Measures this toolkit beside its peers: ``make bench``, ``bench-quick`` and ``bench-AREA``.

    python -m benchmarks.run [--quick] [--repeats N] [--dataset DIR] [--no-save] [AREA ...]

Without AREA all of them. Prints a table an area and, at the end, what is reached of what was
promised; writes benchmarks/results.json, from which docs/performance.md is made (``make docs``).
An area whose peer cannot be installed here ends with its message, and the others go on; the exit
code is then 1. A target that is missed is printed and changes nothing.
"""

import argparse
import importlib
import importlib.util
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.machine import OtherLoad, commit, machine, versions
from benchmarks.measure import Details, Options
from benchmarks.results import AREAS, FILE, AreaResult, Stamp, merge_results
from benchmarks.tables import area_lines, summary_lines

WORKSPACE = REPOSITORY / "output" / "benchmarks"
REPEATS, QUICK_REPEATS = 5, 2


def main() -> int:
    """Runs the areas and returns 1 when one of them could not be measured."""
    arguments = _arguments()
    repeats = arguments.repeats or (QUICK_REPEATS if arguments.quick else REPEATS)
    options = Options(arguments.quick, repeats, WORKSPACE, _dataset(arguments.dataset))
    measured, failed = measure_areas(
        arguments.areas or available(), options, None if arguments.no_save else FILE
    )
    print()
    print("\n".join(summary_lines([row for area in measured.values() for row in area.comparisons])))
    for area in failed:
        print(f"not measured: {area}; its message stands above.")
    return 1 if failed else 0


def measure_areas(
    areas: Sequence[str], options: Options, file: Path | None
) -> tuple[dict[str, AreaResult], list[str]]:
    """Measures areas one after the other, printing each and keeping it at once.

    Args:
        areas: names of modules in benchmarks/.
        options: for all of them.
        file: where the results are kept; None only prints.

    Returns:
        Results by area, and the areas that could not be measured.
    """
    measured: dict[str, AreaResult] = {}
    failed: list[str] = []
    for area in areas:
        print(f"measuring {area} ...", flush=True)
        try:
            measured[area] = measure_area(area, options)
        except (Exception, SystemExit):
            # One area must not take the figures of the others with it.
            traceback.print_exc()
            failed.append(area)
            continue
        print("\n".join(area_lines(area, measured[area])), flush=True)
        if file is not None:
            merge_results({area: measured[area]}, file)
    return measured, failed


def available() -> list[str]:
    """Returns the areas that have a file."""
    return [area for area in AREAS if importlib.util.find_spec(f"benchmarks.{area}")]


def measure_area(area: str, options: Options) -> AreaResult:
    """Runs one area and stamps what it gives."""
    module = importlib.import_module(f"benchmarks.{area}")
    began = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    started, load = time.monotonic(), OtherLoad()
    comparisons = module.measure(options)
    details = module.details(options, comparisons) if hasattr(module, "details") else Details()
    words = ["python -m benchmarks.run", *(["--quick"] if options.quick else []), area]
    stamp = Stamp(
        date=began,
        commit=commit(),
        command=" ".join(words),
        quick=options.quick,
        repeats=options.repeats,
        seconds=round(time.monotonic() - started, 1),
        machine=machine(),
        versions=versions(),
        other_load=load.share(),
    )
    return AreaResult(stamp, comparisons, details)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(AREAS))
    parser.add_argument("--quick", action="store_true", help="less work, all areas in 5 minutes")
    parser.add_argument("--repeats", type=int, help=f"{REPEATS}, or {QUICK_REPEATS} with --quick")
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/grocery")
    parser.add_argument("--no-save", action="store_true", help="only print")
    arguments = parser.parse_args()
    for area in arguments.areas:
        if area not in available():
            parser.error(f"there is no area {area!r}; known: {', '.join(available())}")
    if arguments.repeats is not None and arguments.repeats < 1:
        parser.error(f"--repeats is {arguments.repeats}; it must be 1 or more")
    return arguments


def _dataset(folder: Path) -> Path:
    """Returns the folder with photographs; draws pictures when it is not there."""
    if (folder / "train.txt").is_file():
        return folder
    drawn = WORKSPACE / "drawn"
    print(f"{folder} is not there; measuring on drawn pictures, which are easier to decode.")
    if not (drawn / "train.txt").is_file():
        subprocess.run(
            [sys.executable, "dataset_tools/make_demo_dataset.py", str(drawn)],
            cwd=REPOSITORY,
            check=True,
        )
    return drawn


if __name__ == "__main__":
    raise SystemExit(main())
