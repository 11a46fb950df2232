"""The two sides of `benchmarks.check`: the command of this toolkit, and cleanvision."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.measure import Options, peer_python
from benchmarks.peak_memory import peak_mib
from toolkit.data.manifest import read_manifest

# The version of the reference figures, or the newest before it where an index lacks that one.
_REQUIREMENT = "cleanvision>=0.3.7,<0.3.9"
_SECONDS_BETWEEN_LOOKS = 0.05
_CONFIG = "configs/general_recognition/grocery_SmallResNet.yaml"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        photographs: that both sides check in turn.
        planted: pictures of each way to plant a fault.
        varied: photographs of which every variant is made.
        curve: numbers of thumbnails that are searched.
        pictures: numbers of pictures in one check.
        peer_pictures: of these, how many the peer checks.
    """

    photographs: int = 1200
    planted: int = 8
    varied: int = 150
    curve: tuple[int, ...] = (10_000, 20_000, 50_000, 100_000)
    pictures: tuple[int, ...] = (5_000, 10_000, 50_000)
    peer_pictures: int = 5_000

    @classmethod
    def of(cls, options: Options) -> "Plan":
        """Returns what a run measures."""
        return cls(400, 2, 30, (5_000, 10_000), (1_000, 2_000), 1_000) if options.quick else cls()


@dataclass(frozen=True)
class CheckRun:
    """One run of check_dataset: seconds on the wall, MiB of its first process, its findings."""

    seconds: float
    peak_mib: float
    findings: list[dict[str, Any]]

    def files(self, codes: Sequence[str]) -> set[str]:
        """Returns the files that findings of some codes name."""
        named = (row["files"] for row in self.findings if row["code"] in codes)
        return {file for files in named for file in files}


def photographs(dataset: Path) -> list[Path]:
    """Returns all pictures of a dataset, mixed."""
    files: list[Path] = []
    for split in ("train", "gallery", "query"):
        manifest = read_manifest(dataset / f"{split}.txt", root=dataset, split=split)
        files += [manifest.resolve(sample).absolute() for sample in manifest.samples]
    return [files[number] for number in np.random.default_rng(0).permutation(len(files))]


def toolkit(files: Sequence[Path], folder: Path) -> CheckRun:
    """Runs the command on some pictures, as a train list of one class; nothing is kept from before.

    Args:
        files: absolute paths; findings name them relative to the root of the file system.
        folder: for the list and the reports.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as place:
        listing = Path(place) / "train.txt"
        listing.write_text("".join(f"{str(file)[1:]}\t0\n" for file in files), encoding="utf-8")
        settings = [
            "Global.mode=check_dataset", f"Global.output={place}/output", "Global.dataset_dir=null",
            f"Data.lists.train.file={listing}", "Data.lists.train.image_root=/",
            "Train.eval_during_train=false", "CheckDataset.fail_on=never",
        ]  # fmt: skip
        words = [word for setting in settings for word in ("-o", setting)]
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "main.py", "-c", _CONFIG, *words], cwd=REPOSITORY,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(f"check_dataset ended with {process.returncode}.")
        lines = (Path(place) / "output/check_dataset/findings.jsonl").read_text(encoding="utf-8")
    return CheckRun(seconds, peak, [json.loads(row) for row in lines.splitlines()])


def peer(files: Sequence[Path], folder: Path, n_jobs: int | None = None) -> dict[str, Any]:
    """Runs cleanvision in its own environment; see `benchmarks.check_peer` for what comes back."""
    python = peer_python("cleanvision", [_REQUIREMENT])
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as place:
        listing, result = Path(place) / "list.txt", Path(place) / "result.json"
        listing.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
        more = [] if n_jobs is None else [str(n_jobs)]
        script = str(Path(__file__).with_name("check_peer.py"))
        subprocess.run(
            [str(python), script, str(listing), str(result), *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content
