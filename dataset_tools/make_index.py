"""Writes the list of a folder of pictures.

python dataset_tools/make_index.py photos --output photos/gallery.txt
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolkit.data.manifest import IMAGE_SUFFIXES, Sample, find_images, write_manifest
from toolkit.errors import DatasetError, ToolkitError


def make_index(folder: Path, *, relative_to: Path, label_from: str) -> list[Sample]:
    """Lists the pictures of a folder and below, sorted by path.

    Args:
        folder: the folder to search.
        relative_to: the folder that the paths in the list start from; holds `folder`.
        label_from: "folder" labels a picture with the name of its folder, "none" with "0".

    Raises:
        DatasetError: there is no such folder, it is elsewhere, or there is no picture in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; expected one with pictures.")
    start, base = folder.resolve(), relative_to.resolve()
    if not start.is_relative_to(base):
        raise DatasetError(
            f"{folder} is not inside {relative_to}, which its paths are to start from."
        )
    paths = find_images(start)
    if not paths:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        raise DatasetError(f"{folder} has no picture, in it or below. Known suffixes: {suffixes}")
    return [
        Sample(
            path.relative_to(base).as_posix(),
            path.parent.name.strip() if label_from == "folder" else "0",
            line,
        )
        for line, path in enumerate(paths, start=1)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    relative_to = options.relative_to or options.folder
    output = options.output or relative_to / "index.txt"
    try:
        if output.exists() and not options.force:
            raise DatasetError(f"{output} exists already; --force replaces it.")
        samples = make_index(options.folder, relative_to=relative_to, label_from=options.label_from)
        write_manifest(output, samples)
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    labels = {sample.label for sample in samples}
    print(f"{len(samples)} pictures, {len(labels)} label(s): {output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Writes the list of a folder: one row a picture, sorted, 'path label'.",
        epilog="A path or label that holds a blank makes its row tab-separated.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="searched with all folders below")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the list (default: index.txt in --relative-to)"
    )
    parser.add_argument(
        "--label-from",
        choices=("folder", "none"),
        default="folder",
        help="folder: the name of the picture's folder is its label (default); "
        "none: every label is 0, for pictures whose class is not known",
    )
    parser.add_argument(
        "--relative-to",
        type=Path,
        metavar="DIR",
        help="the folder that paths start from, the dataset's root (default: the first DIR)",
    )
    parser.add_argument("--force", action="store_true", help="replace a list that exists")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
