"""Writes the lists of a public dataset from its native annotations.

python dataset_tools/convert_dataset.py --from SOP --root Stanford_Online_Products --output data/SOP
"""

import argparse
import dataclasses
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dataset_tools.native.collected import Converted
from dataset_tools.native.command import add_output_options, run
from dataset_tools.native.conversion import RECORD, ConvertOptions, convert
from dataset_tools.native.records import NativeDataset
from dataset_tools.native.table import DATASETS, find_dataset
from toolkit.data.convert import LABEL_NAMES
from toolkit.errors import ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parsed = _parser().parse_args(arguments)

    def action() -> None:
        dataset = find_dataset(parsed.dataset)
        options = _options(dataset, parsed)
        output = parsed.output or parsed.root
        converted = convert(dataset, parsed.root, output, options)
        print("\n".join(summary(output, converted)))

    return run(action)


def summary(output: Path, converted: Converted) -> list[str]:
    """Returns what was done, for a person."""
    lines = [
        f"{name:8}{count.rows:12,} rows {count.classes:10,} classes  {output / f'{name}.txt'}"
        for name, count in converted.counts.items()
    ]
    lines += [f"left out{count:12,} x {reason}" for reason, count in converted.left_out.items()]
    lines += converted.problems.told("Bad rows, not in the lists")
    lines += converted.missing.told("Missing pictures, not in the lists")
    return [*lines, f"Names of the labels: {output / LABEL_NAMES}", f"Record: {output / RECORD}"]


def _options(dataset: NativeDataset, parsed: argparse.Namespace) -> ConvertOptions:
    variant = parsed.variant or dataset.variant
    known = ", ".join(dataset.variants) or "none"
    if variant and variant not in dataset.variants:
        raise ConfigError(f"{dataset.name} has no variant {variant!r}; known: {known}.")
    crop = dataset.crops if parsed.crop is None else parsed.crop == "yes"
    if crop and not dataset.has_boxes:
        raise ConfigError(f"{dataset.name} has no boxes; leave --crop out.")
    if not (math.isfinite(parsed.margin) and parsed.margin >= 0):
        raise ConfigError(f"--margin must be 0 or more, got {parsed.margin:g}.")
    if parsed.margin and not crop:
        raise ConfigError("--margin widens boxes that are cut out; add --crop yes.")
    names = {option.name for option in dataclasses.fields(ConvertOptions)}
    given = {name: value for name, value in vars(parsed).items() if name in names}
    return ConvertOptions(**{**given, "variant": variant, "crop": crop})


def _parser() -> argparse.ArgumentParser:
    variants = "; ".join(
        f"{dataset.name}: {', '.join(dataset.variants)}"
        for dataset in DATASETS.values()
        if dataset.variants
    )
    cropped = ", ".join(dataset.name for dataset in DATASETS.values() if dataset.crops)
    parser = argparse.ArgumentParser(
        description="Writes train.txt, gallery.txt and query.txt of a public dataset from its "
        "native annotations. The dataset's own files stay as they are.",
        epilog="docs/datasets.md has layout, size and terms of each. Exit code 2: nothing was "
        "written, and the message says why. A second run does not cut or copy again what is there.",
    )
    parser.add_argument(
        "--from",
        dest="dataset",
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(DATASETS)}",
    )
    parser.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="the dataset as it was unpacked"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where the lists go; becomes Global.dataset_dir (default: --root)",
    )
    parser.add_argument(
        "--variant", metavar="NAME", help=f"which part (default: the first). {variants}"
    )
    parser.add_argument(
        "--crop",
        choices=("yes", "no"),
        help=f"cut the boxes out, as JPEG of quality 95 (default: yes for {cropped})",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="widen a box by this share of its size on each side, such as 0.1 (default: 0)",
    )
    parser.add_argument(
        "--cameras",
        action="store_true",
        help="write the camera as a third column (VeRI-Wild); set the configuration's columns too",
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="write the lists although rows are bad or pictures missing, and name those",
    )
    add_output_options(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
