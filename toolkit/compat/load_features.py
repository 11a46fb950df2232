"""``python -m toolkit.compat.load_features FILE``: prints the first path and its vector.

And looks at all of them, where the original left that to its user: neighbours of a picture,
clusters, a map. A pickle is read without the power to run anything.

    python -m toolkit.compat.load_features features/inception_v1_features.pkl --neighbours 0 -k 5
    python -m toolkit.compat.load_features FILE --clusters 8 --map map.png

Source: load_features.py of cameronfabbri/Compute-Features at c7e3de1.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from toolkit.compat.command import exit_code
from toolkit.compat.feature_map import write_map
from toolkit.compat.feature_table import FeatureTable, read_features
from toolkit.compat.feature_views import cluster, nearest_neighbours, plane
from toolkit.errors import ConfigError, nearest


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, prints what is asked for, and returns the exit code."""
    return exit_code(partial(_command, _parser().parse_args(arguments)))


def find_row(table: FeatureTable, wanted: str) -> int:
    """Returns the row of a picture.

    Args:
        table: all of them.
        wanted: its path, a file name that only one of them has, or its number from 0.

    Raises:
        ConfigError: there is none such, or there are several.
    """
    if wanted in table.paths:
        return table.paths.index(wanted)
    rows = [row for row, path in enumerate(table.paths) if PurePath(path).name == wanted]
    if len(rows) > 1:
        raise ConfigError(f"{len(rows)} pictures are named {wanted!r}; give the path of one.")
    if rows:
        return rows[0]
    if wanted.isdecimal() and int(wanted) < len(table.paths):
        return int(wanted)
    raise ConfigError(
        f"There is no picture {wanted!r} among the {len(table.paths)}."
        f"{nearest(wanted, table.paths)} Give a path, or a number from 0 to {len(table.paths) - 1}."
    )


def _command(options: argparse.Namespace) -> None:
    table = read_features(options.file)
    if options.neighbours is None and options.clusters is None and options.map is None:
        print(table.paths[0], ":", table.vectors[0])
        return
    if options.neighbours is not None:
        _print_neighbours(table, find_row(table, options.neighbours), options.k)
    clusters = None
    if options.clusters is not None:
        if not 1 <= options.clusters <= len(table.paths):
            raise ConfigError(
                f"--clusters {options.clusters}: give 1 to {len(table.paths)}, the number of "
                "vectors."
            )
        clusters = cluster(table.vectors, options.clusters, np.random.default_rng(options.seed))
        for number in range(options.clusters):
            members = [
                path for path, own in zip(table.paths, clusters, strict=True) if own == number
            ]
            print(f"cluster {number}: {len(members)} pictures")
            print("".join(f"  {path}\n" for path in members), end="")
    if options.map is not None:
        drawn = write_map(options.map, plane(table.vectors), table.paths, clusters)
        print(f"{len(table.paths)} points, {drawn} of them as pictures\n  {options.map}")


def _print_neighbours(table: FeatureTable, row: int, k: int) -> None:
    print(f"{table.paths[row]}: cosine to its {k} nearest of {len(table.paths)}")
    scores, rows = nearest_neighbours(table.vectors, row, k)
    for score, found in zip(scores, rows, strict=True):
        print(f"  {score:.4f} {table.paths[found]}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.compat.load_features",
        description="Print the first vector of a file of features, or look at all of them.",
    )
    parser.add_argument("file", type=Path, help=".pkl {path: vector}, .npz, or .npy with paths.txt")
    parser.add_argument("--neighbours", metavar="PATH|N", help="a picture, by path, name or number")
    parser.add_argument("-k", type=_positive, default=5, help="neighbours to print; default 5")
    parser.add_argument("--clusters", type=int, metavar="K", help="k-means on unit vectors")
    parser.add_argument("--seed", type=int, default=0, help="of the first centres; default 0")
    parser.add_argument("--map", type=Path, metavar="PNG", help="a map by principal components")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
