"""What voting, a second order of the hits and whitening are worth on photographs of one's own.

    python -m benchmarks.reranking [--dataset DIR] [--whitening 128]

Runs the modes build_index and search on the lists gallery and query, once for each row of the table
that it prints: the share of the queries whose first hit has their label, the share whose label the
hits vote for, and how many of the first ten are right, all of them over the same queries.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.tables import aligned
from toolkit import run
from toolkit.config.load import load_config

_CONFIG = REPOSITORY / "configs" / "index" / "grocery.yaml"
_HEADER = ["vectors", "second order", "first hit right", "vote right", "right of the first ten"]
_ORDERS = ("none", "query_expansion", "k_reciprocal")
_TOP = 10


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    rows = list[list[str]]()
    with TemporaryDirectory() as folder:
        for numbers in (None, *arguments.whitening):
            output = Path(folder) / str(numbers)
            overrides = [f"Global.dataset_dir={arguments.dataset}", f"Global.output={output}"]
            said = [] if numbers is None else [f"Index.whitening={numbers}"]
            run(load_config(_CONFIG, [*overrides, "Global.mode=build_index", *said]))
            for order in _ORDERS:
                asked = ["Global.mode=search", f"Search.rerank={order}", f"Search.topk={_TOP}"]
                run(load_config(_CONFIG, [*overrides, *asked, "Search.vote=true"]))
                name = "as they are" if numbers is None else f"whitened to {numbers}"
                rows.append([name, order, *_shares(output, arguments.dataset)])
    print("\n".join(aligned([_HEADER, *rows])))


def _shares(output: Path, dataset: Path) -> Iterator[str]:
    """Yields the three shares of a search, as text."""
    lines = (dataset / "query.txt").read_text(encoding="utf-8").splitlines()
    label_of = dict(line.split() for line in lines)
    first, vote, ten = list[bool](), list[bool](), list[float]()
    for text in (output / "search.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        right = [hit["record"]["label"] == label_of[line["query"]] for hit in line["hits"]]
        first.append(right[0])
        vote.append(line["label"] == label_of[line["query"]])
        ten.append(sum(right) / len(right))
    for shares in (first, vote, ten):
        yield f"{sum(shares) / len(shares):.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/grocery")
    parser.add_argument("--whitening", type=int, nargs="*", default=[64])
    return parser.parse_args()


if __name__ == "__main__":
    main()
