"""Merges several datasets into one: labels are renumbered, names and paths get a prefix.

python dataset_tools/merge_datasets.py --output data/mixed SOP=data/SOP Inshop=data/Inshop
python dataset_tools/merge_datasets.py --recipe PP-ShiTu_V1 --data data --output data/PP-ShiTu_V1
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dataset_tools.native.command import add_output_options, run
from dataset_tools.native.merging import RECORD, Merged, MergeOptions, Part, merge
from dataset_tools.native.recipes import (
    MIXTURES,
    Ingredient,
    Recipe,
    differences,
    prepare,
    read_recipe,
)
from toolkit.data.convert import LABEL_NAMES
from toolkit.data.split import SPLITS
from toolkit.errors import ConfigError, DatasetError


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    return run(lambda: _merge_recipe(parsed) if parsed.recipe else _merge_named(parsed))


def table(merged: Merged) -> list[str]:
    """Returns the size of each dataset's share and of each list, for a person."""
    lines = [f"{'list':8}{'dataset':24}{'rows':>12}{'classes':>10}{'first label':>13}"]
    for name, shares in merged.counts.items():
        lines += [
            f"{name:8}{part:24}{share.rows:12,}{share.classes:10,}{share.first_label:13,}"
            for part, share in shares.items()
        ]
        total = sum(share.rows for share in shares.values())
        lines.append(f"{name:8}{'all':24}{total:12,}{merged.classes[name]:10,}")
    return lines


def _merge_named(parsed: argparse.Namespace) -> None:
    if parsed.data or parsed.require_all:
        raise ConfigError("--data and --require-all belong to --recipe.")
    merged = merge([_part(text) for text in parsed.datasets], parsed.output, _options(parsed))
    _tell(parsed.output, merged, [])


def _merge_recipe(parsed: argparse.Namespace) -> None:
    if parsed.datasets or not parsed.data:
        raise ConfigError("--recipe names the datasets itself; it needs --data and no NAME=DIR.")
    recipe = read_recipe(parsed.recipe)
    if parsed.require_all:
        _refuse_missing(recipe, parsed.data)
    prepared = prepare(
        recipe,
        parsed.data,
        parsed.output,
        pictures=parsed.pictures,
        keep_going=parsed.keep_going,
    )
    if not prepared.parts:
        raise DatasetError("\n".join([f"{parsed.data} has none of them.", *_get(prepared.missing)]))
    merged = merge(prepared.parts, parsed.output, _options(parsed, recipe.lists))
    remarks = [*prepared.faults, *differences(recipe, merged)]
    if prepared.missing:
        number = len(prepared.missing)
        remarks += [f"{number} of {len(recipe.datasets)} datasets of {recipe.name} are not there:"]
        remarks += _get(prepared.missing)
    _tell(parsed.output, merged, remarks)


def _refuse_missing(recipe: Recipe, data: Path) -> None:
    missing = [entry for entry in recipe.datasets if not data.joinpath(entry.folder).is_dir()]
    if missing:
        raise DatasetError("\n".join([f"{data} is not complete:", *_get(missing)]))


def _get(missing: Sequence[Ingredient]) -> list[str]:
    return [
        f"  {entry.name}: expected in {entry.folder}; get it from {entry.home}"
        + (f" ({entry.note})" if entry.note else "")
        for entry in missing
    ]


def _tell(output: Path, merged: Merged, remarks: Sequence[str]) -> None:
    print("\n".join(table(merged)))
    for line in merged.shared.told("Rows whose file another dataset names too"):
        print(line)
    print("\n".join([*remarks, f"Merged dataset: {output}"]))
    print(f"Names of the labels: {output / LABEL_NAMES}\nRecord: {output / RECORD}")


def _part(text: str) -> Part:
    name, equals, folder = text.partition("=")
    if not equals or not folder:
        raise ConfigError(f"{text!r} is not NAME=DIR, such as SOP=data/SOP.")
    return Part(name, Path(folder))


def _options(parsed: argparse.Namespace, default: Sequence[str] = SPLITS) -> MergeOptions:
    wanted = [name.strip() for name in parsed.lists.split(",")] if parsed.lists else default
    unknown = [name for name in wanted if name not in SPLITS]
    if unknown:
        raise ConfigError(f"--lists: unknown {', '.join(unknown)}; known: {', '.join(SPLITS)}.")
    lists = tuple(name for name in SPLITS if name in wanted)
    return MergeOptions(lists, parsed.pictures, parsed.force)


def _parser() -> argparse.ArgumentParser:
    recipes = ", ".join(file.stem for file in sorted(MIXTURES.glob("*.yaml")))
    parser = argparse.ArgumentParser(
        description="Merges datasets: labels become 0, 1, 2, ... across all of them (classes of "
        "train first), paths and class names begin with the dataset's name. With --recipe the "
        "datasets are converted first, as far as they are there and not converted yet.",
        epilog="Exit code 2: the message says why; lists are replaced whole or not at all. "
        "docs/datasets.md explains the recipes.",
    )
    parser.add_argument(
        "datasets", nargs="*", metavar="NAME=DIR", help="a dataset's name and folder with its lists"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the merged dataset's folder"
    )
    parser.add_argument("--recipe", metavar="NAME", help=f"a mixture: {recipes}, or a YAML file")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="holds the folders that the recipe names"
    )
    parser.add_argument(
        "--require-all",
        action="store_true",
        help="end with exit code 2 when a dataset of the recipe is missing (default: merge the "
        "others and name it)",
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="with --recipe: convert although rows are bad or pictures missing, without those",
    )
    parser.add_argument(
        "--lists",
        metavar="LIST,...",
        help="of train, gallery, query (default: all three, or what the recipe says)",
    )
    add_output_options(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
