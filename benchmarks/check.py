"""check_dataset beside cleanvision on the same photographs, all checks on.

Ours is the whole command, from the start of Python to the last report; the peer's time is that of
its work alone, without start and imports. Besides the rates: which issues of the peer are found,
near duplicates by kind of variant, and the curves of time over the number of pictures.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.check_pictures import many
from benchmarks.check_tables import curve_table, near_duplicate_table, parity_table
from benchmarks.check_work import Plan, peer, photographs, toolkit
from benchmarks.measure import Comparison, Details, Options, Table, all_in_turn, better, others
from toolkit.runtime import cores_allowed

_REQUIRED, _WANTED = 2.0, 4.0


def measure(options: Options) -> list[Comparison]:
    """Compares rates on real photographs, and the time for very many pictures."""
    plan = Plan.of(options)
    return [_rates(options, plan), _many(options, plan)]


def details(options: Options, comparisons: Sequence[Comparison]) -> Details:
    """Returns what both sides find, and how time and memory grow."""
    plan = Plan.of(options)
    files, folder = photographs(options.dataset), options.workspace / "check"
    return Details(
        versions={"cleanvision": str(peer([], folder)["version"])},
        parameters={
            "photographs": f"{plan.photographs} of {options.dataset.name}",
            "very many": f"{plan.pictures[-1]} JPEGs of 256 x 256 at quality 85, each of parts (50 "
            "to 70 % of a side) of two photographs",
        },
        tables=[
            parity_table(files, plan.planted, folder),
            near_duplicate_table(files, plan.varied, folder),
            curve_table(files, plan.curve),
            _linearity(files, plan, folder, comparisons[-1]),
        ],
    )


def _rates(options: Options, plan: Plan) -> Comparison:
    folder = options.workspace / "check"
    some = photographs(options.dataset)[: plan.photographs]
    default = int(peer([], folder)["default_n_jobs"])
    jobs = {"n_jobs = cores": cores_allowed()} | {"default n_jobs": default}
    if default == cores_allowed():
        del jobs["default n_jobs"]
    sides = {
        name: lambda number=number: len(some) / float(peer(some, folder, number)["seconds"])
        for name, number in jobs.items()
    }
    figures = all_in_turn(
        {"ours": lambda: len(some) / toolkit(some, folder).seconds, **sides}, options.repeats
    )
    ours = figures.pop("ours")
    setting, best = better(figures, higher_is_better=True)
    return Comparison(
        area="check",
        name=f"check of {len(some):,} photographs, all checks on",
        unit="images/s",
        ours=ours,
        peer=best,
        peer_name=f"cleanvision {peer([], folder)['version']}, {setting} ({jobs[setting]})",
        required=_REQUIRED,
        wanted=_WANTED,
        parity="the same files; what each side finds is in the table of issue types",
        note="Ours is the whole command with its reports, the peer's is its work without imports. "
        + others(figures, setting, "images/s"),
    )


def _many(options: Options, plan: Plan) -> Comparison:
    folder = options.workspace / "check"
    pictures = many(photographs(options.dataset), plan.pictures[-1], folder / "many")
    run = toolkit(pictures, folder)
    sample = pictures[: plan.peer_pictures]
    seconds = float(peer(sample, folder, cores_allowed())["seconds"])
    return Comparison(
        area="check",
        name=f"check of {len(pictures):,} pictures",
        unit="s",
        ours=[run.seconds],
        peer=[seconds * len(pictures) / len(sample)],
        peer_name=f"cleanvision, scaled from {len(sample):,} pictures",
        higher_is_better=False,
        required=_REQUIRED,
        wanted=_WANTED,
        parity="every picture decoded by both; one run",
        note=f"Main process of ours: {run.peak_mib:,.0f} MiB.",
    )


def _linearity(files: list[Path], plan: Plan, folder: Path, largest: Comparison) -> Table:
    rows = []
    for count in plan.pictures[:-1]:
        run = toolkit(many(files, count, folder / "many"), folder)
        each = f"{run.seconds / count * 1000:.2f}"
        rows.append([f"{count:,}", f"{run.seconds:.1f}", each, f"{run.peak_mib:,.0f}"])
    count, seconds = plan.pictures[-1], largest.ours[0]
    rows.append([f"{count:,}", f"{seconds:.1f}", f"{seconds / count * 1000:.2f}", "see the note"])
    header = ["pictures", "seconds", "ms a picture", "main process, MiB"]
    return Table("Time and memory of the whole command", header, rows)
