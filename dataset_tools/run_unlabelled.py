"""From photographs without labels to a search: train, export, build an index, search in it.

    python dataset_tools/run_unlabelled.py                                       # groceries
    python dataset_tools/run_unlabelled.py --images my_photographs --query some_of_them

Every step is a command that you can type yourself; it is printed before it runs.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dataset_tools.steps import run_steps

_CONFIG = "configs/self_supervised/grocery_MoCo.yaml"


def main() -> int:
    """Runs the steps one after another and ends with what was found and the paths."""
    given = _parser().parse_args()
    output: Path = given.output
    started = time.monotonic()
    code = run_steps(unlabelled_steps(given))
    if code:
        return code
    print(_conclusion(output, time.monotonic() - started))
    return 0


def unlabelled_steps(given: argparse.Namespace) -> list[list[str]]:
    """Returns the commands: train, export, build_index, search."""
    training, model, index = (given.output / name for name in ("training", "model", "index"))
    images = [] if given.images is None else ["Global.dataset_dir=null"]
    trained = [*images, *([] if given.images is None else [f"SelfSup.images={given.images}"])]
    # The pictures that were learnt from are also those that are searched in.
    gallery = [] if given.images is None else [f"Index.input={given.images}"]
    query = [] if given.query is None else [f"Search.input={given.query}"]
    steps = [
        [f"Global.output={training}", "Global.mode=train", *trained],
        [
            f"Global.output={model}",
            "Global.mode=export",
            f"Export.weight_path={training / 'best_model'}",
        ],
        [
            f"Global.output={index}",
            "Global.mode=build_index",
            f"Index.model_dir={model}",
            *images,
            *gallery,
        ],
        [
            f"Global.output={index}",
            "Global.mode=search",
            f"Search.model_dir={model}",
            *images,
            *query,
        ],
    ]
    return [_command(given.config, [*step, *given.override]) for step in steps]


def _command(config: str, overrides: Sequence[str]) -> list[str]:
    return ["main.py", "-c", config, *(part for one in overrides for part in ("-o", one))]


def _conclusion(output: Path, seconds: float) -> str:
    result = json.loads((output / "index/search_result.json").read_text(encoding="utf-8"))
    right = result["same_label_first"]
    found = "" if right is None else f"; the nearest has the query's label for {100 * right:.1f}%"
    return "\n".join(
        [
            "",
            f"Done in {seconds:.0f} s: {result['searched']} pictures looked up{found}.",
            "Look at:",
            f"  {output / 'model'}",
            f"  {output / 'index/index'}",
            *(f"  {file}" for file in result["files"]),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", default=_CONFIG, help="a YAML file with SelfSup")
    parser.add_argument(
        "--images",
        type=Path,
        help="folder or index of photographs to learn from and to search in; without it the "
        "unlabelled and gallery lists of the configuration's dataset",
    )
    parser.add_argument(
        "--query", type=Path, help="pictures to look up; without it the dataset's query list"
    )
    parser.add_argument("--output", type=Path, default=Path("output/unlabelled"))
    parser.add_argument(
        "-o", "--override", action="append", default=[], help="Section.key=value, of every step"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
