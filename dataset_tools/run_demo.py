"""The whole path on drawn pictures: dataset, check, train, evaluate, export, predict, search.

    python dataset_tools/run_demo.py [--output output/demo] [-o KEY=VALUE ...]

Every step is a command that you can type yourself; it is printed before it runs.
"""

import argparse
import json
import shlex
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dataset_tools.steps import run_steps

CONFIG = "configs/general_recognition/demo.yaml"
MODES = ("check_dataset", "train", "evaluate", "export")
SERVICE = "configs/service/retrieval.yaml"
INDEX, DATABASES = "index", "databases"


def main() -> int:
    """Runs the steps one after another and ends with the numbers and the paths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("output/demo"))
    parser.add_argument("-o", dest="overrides", action="append", default=[], help="for all modes")
    arguments = parser.parse_args()
    output: Path = arguments.output
    dataset = output / "dataset"
    started = time.monotonic()
    common = ["-o", f"Global.output={output}", "-o", f"Global.dataset_dir={dataset}"]
    common += [part for override in arguments.overrides for part in ("-o", override)]
    # Those of an earlier run are of another network.
    for left in (output / INDEX, output / DATABASES):
        shutil.rmtree(left, ignore_errors=True)
    served = f"Index.export_database={output / DATABASES / 'default/packages'}"

    def predict() -> list[str]:
        return [*_mode("predict"), *common, "-o", f"Predict.input={_unseen_class(dataset)}"]

    code = run_steps(
        [
            ["dataset_tools/make_demo_dataset.py", str(dataset), "--force"],
            *([*_mode(mode), *common] for mode in MODES),
            predict,
            [*_mode("build_index"), *common, "-o", served],
            [*_mode("search"), *common],
        ]
    )
    if code:
        return code
    print(_conclusion(output, time.monotonic() - started))
    return 0


def _mode(mode: str) -> list[str]:
    return ["main.py", "-c", CONFIG, "-o", f"Global.mode={mode}"]


def _unseen_class(dataset: Path) -> Path:
    """The folder of one class that training never saw; it is known once the dataset is drawn."""
    first_row = (dataset / "query.txt").read_text(encoding="utf-8").splitlines()[0]
    return (dataset / first_row.split()[0]).parent


def _conclusion(output: Path, seconds: float) -> str:
    result = json.loads((output / "evaluate_result.json").read_text(encoding="utf-8"))
    rows = {"trained network": result["metrics"], **result["baselines"]}
    lines = [
        "",
        f"Done in {seconds:.0f} s. Search among pictures of classes that training never saw:",
        f"  {'':22}{'recall@1':>10}{'recall@5':>10}{'mAP':>10}",
    ]
    lines += [
        f"  {name:22}{row['recall1']:>10.3f}{row['recall5']:>10.3f}{row['mAP']:>10.3f}"
        for name, row in rows.items()
    ]
    lines.append("Look at:")
    lines += [
        f"  {output / name}"
        for name in (
            "check_dataset/report.html",
            "check_dataset/histogram.png",
            "loss_curve.png",
            "recall_curve.png",
            "evaluate/report.html",
            "best_model/inference",
            "search.png",
        )
    ]
    serve = ["main.py", "-c", SERVICE, "-o", "Serve.without_token=true"]
    serve += ["-o", f"Serve.model_dir={output / 'best_model'}"]
    serve += ["-o", f"Serve.root={output / DATABASES}"]
    lines += [
        "Search on a page, which is at http://127.0.0.1:8123/ while this runs:",
        f"  python {shlex.join(serve)}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
