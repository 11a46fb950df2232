"""Images a second of check_dataset, train and predict; ``make bench``.

    python -m benchmarks.throughput [--dataset DIR] [--repeats 3]

check_dataset stands beside what any check must do at least: decoding every picture once, with
Pillow, in one thread. Both sides run in turn on the same files; the medians are printed. Train and
predict are whole runs of main.py on the same pictures, with the networks named in the table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.data.manifest import read_manifest
from toolkit.runtime import cores_allowed

REPOSITORY = Path(__file__).parents[1]
CONFIGS = REPOSITORY / "configs" / "general_recognition"
NETWORKS = {
    "SmallResNet, 64 px": ("grocery_SmallResNet.yaml", 32, 60),
    "PPLCNet_x0_5, 96 px": ("grocery_PPLCNet_x0_5.yaml", 32, 12),
    "PPLCNetV2_base_ShiTu, 224 px": ("PP-ShiTuV2_rec.yaml", 16, 3),
}
PREDICTED = 400


def main() -> int:
    """Runs the three parts and prints one table each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/grocery")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        dataset: Path = options.dataset
        if not (dataset / "train.txt").is_file():
            print(f"{dataset} is not there; drawing pictures instead.")
            dataset = workspace / "dataset"
            _python("dataset_tools/make_demo_dataset.py", str(dataset))
        print(f"{cores_allowed()} cores, Python {sys.version.split()[0]}, pictures of {dataset}\n")
        _bench_check(dataset, workspace, options.repeats)
        _bench_networks(dataset, workspace)
    return 0


def _bench_check(dataset: Path, workspace: Path, repeats: int) -> None:
    paths = _pictures(dataset)
    ours, plain = [], []
    for number in range(repeats):
        plain.append(len(paths) / _seconds_of_plain_decoding(paths))
        output = workspace / f"check_{number}"
        started = time.monotonic()
        _main("grocery_SmallResNet.yaml", "check_dataset", dataset, output,
              "CheckDataset.fail_on=never")  # fmt: skip
        ours.append(len(paths) / (time.monotonic() - started))
    check, decode = statistics.median(ours), statistics.median(plain)
    print(f"{len(paths)} pictures, median of {repeats} runs in turn          images/s")
    print(f"  check_dataset, the whole command with its reports {check:10.1f}")
    print(f"  Pillow, decoding alone, one thread                {decode:10.1f}")
    print(f"  ratio                                             {check / decode:10.2f}\n")


def _bench_networks(dataset: Path, workspace: Path) -> None:
    some = workspace / "some.txt"
    some.write_text("\n".join(map(str, _pictures(dataset)[:PREDICTED])), encoding="utf-8")
    inputs = json.dumps(some.read_text(encoding="utf-8").splitlines())
    print("images/s                            train   predict, batch 1   predict, batch 16")
    for name, (config, batch_size, steps) in NETWORKS.items():
        output = workspace / config
        _main(config, "train", dataset, output, f"Train.max_steps={steps}",
              f"Train.batch_size={batch_size}", "Train.eval_during_train=false",
              "Train.skip_check=true", "Train.visualdl=false")  # fmt: skip
        rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        # The first steps also start workers and choose kernels.
        rates = [row["images_per_second"] for row in rows if row["kind"] == "step"]
        train = statistics.median(rates[len(rates) // 3 :])
        predict = []
        for predicted in (1, 16):
            _main(config, "predict", dataset, output, f"Predict.batch_size={predicted}",
                  f"Predict.input={inputs}")  # fmt: skip
            result = _result(output, "predict")
            predict.append(result["features"] / result["seconds"])
        print(f"  {name:30}{train:10.1f}{predict[0]:19.1f}{predict[1]:20.1f}")


def _pictures(dataset: Path) -> list[Path]:
    manifests = [
        read_manifest(dataset / f"{split}.txt", root=dataset, split=split)
        for split in ("train", "gallery", "query")
    ]
    return [manifest.resolve(sample) for manifest in manifests for sample in manifest.samples]


def _seconds_of_plain_decoding(paths: list[Path]) -> float:
    started = time.monotonic()
    for path in paths:
        with Image.open(path) as picture:
            picture.convert("RGB").load()
    return time.monotonic() - started


def _main(config: str, mode: str, dataset: Path, output: Path, *overrides: str) -> None:
    settings = [
        f"Global.mode={mode}",
        f"Global.dataset_dir={dataset}",
        f"Global.output={output}",
        "Global.device=cpu",
        *overrides,
    ]
    words = [word for setting in settings for word in ("-o", setting)]
    _python("main.py", "-c", str(CONFIGS / config), *words)


def _python(*arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:6])} ended with {done.returncode}:\n{done.stderr}")


def _result(output: Path, mode: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (output / f"{mode}_result.json").read_text(encoding="utf-8")
    )
    return content


if __name__ == "__main__":
    raise SystemExit(main())
