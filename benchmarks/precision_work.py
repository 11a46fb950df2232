"""What the precision benchmark works on: the checkpoint, its exports, lists, enlarged pictures."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from benchmarks.conformance.environments import REPOSITORY
from benchmarks.measure import Options
from benchmarks.models import CHECKPOINT, exported_models
from toolkit.build.calibration import spread_over_classes
from toolkit.data.manifest import Manifest, read_manifest
from toolkit.evaluation.retrieval_result import RetrievalResult
from toolkit.evaluation.trial import Measures, RetrievalTrial
from toolkit.inference.embed import EmbeddedPaths, embed_paths
from toolkit.inference.engines.engine import Engine, open_engine
from toolkit.inference.preprocess import InferenceConfig, read_inference_config
from toolkit.runtime import Device, cores_allowed
from toolkit.storage import atomic_path

CONFIG = "configs/general_recognition/grocery_PP-ShiTuV2_rec.yaml"
CALIBRATION_PICTURES = 300
ENLARGED = 4
QUALITY = 90
BATCH = 16
# With --quick, one row in so many of gallery and query.
QUICK_STEP = 4

Decode = Literal["fast", "exact"]


@dataclass(frozen=True)
class Work:
    """What all rows share.

    Attributes:
        folder: where the exports are, ``fp32`` and ``int8``.
        weights: what the weights are, in words.
        config: how the exports prepare a picture.
        query: the pictures to look up.
        gallery: the pictures to find.
    """

    folder: Path
    weights: str
    config: InferenceConfig
    query: Manifest
    gallery: Manifest

    def engine(self, name: str, precision: str) -> Engine:
        """Opens one of the exports."""
        return open_engine(name, self.folder / precision, Device("cpu"), cores_allowed(), precision)

    def evaluate(
        self, engine: Engine, decode: Decode = "exact", *, enlarged: bool = False
    ) -> RetrievalResult:
        """Runs the lists through the pipeline of predict and evaluate."""

        def embed(paths: list[Path]) -> EmbeddedPaths:
            return embed_paths(
                engine,
                paths,
                self.config.pipeline,
                batch_size=BATCH,
                workers=cores_allowed(),
                decode=decode,
            )

        query, gallery = self.enlarged() if enlarged else (self.query, self.gallery)
        trial = RetrievalTrial(query, gallery, Measures(bootstrap_samples=0))
        return trial.run(embed, bootstrap=False).result

    def enlarged(self) -> tuple[Manifest, Manifest]:
        """Returns query and gallery with larger copies of their pictures, written where missing."""
        query, gallery = (
            _enlarge(manifest, self.folder / "enlarged") for manifest in (self.query, self.gallery)
        )
        return query, gallery


def prepare(options: Options) -> Work:
    """Trains the checkpoint where there is none, and exports it."""
    folder = options.workspace / "precision"
    if not CHECKPOINT.is_file() and not options.quick:
        print("training the checkpoint, once: up to an hour on 2 cores", flush=True)
        subprocess.run(training_command(options.dataset), cwd=REPOSITORY, check=True)
    weights = exported_models(folder, _calibration_list(options.dataset, folder))
    step = QUICK_STEP if options.quick else 1
    query, gallery = (_read(options.dataset, split, step) for split in ("query", "gallery"))
    config = read_inference_config(folder / "fp32")
    return Work(folder, weights, config, query, gallery)


def training_command(dataset: Path) -> list[str]:
    """Returns the command that makes the checkpoint; it stands in the configuration's header."""
    settings = ["Global.mode=train", f"Global.dataset_dir={dataset.resolve()}"]
    overrides = [word for setting in settings for word in ("-o", setting)]
    return [sys.executable, "main.py", "-c", CONFIG, *overrides]


def _calibration_list(dataset: Path, folder: Path) -> Path:
    """Writes the paths of the pictures that the mode export would take."""
    train = _read(dataset, "train")
    order = spread_over_classes(train.labels, np.random.default_rng(0))[:CALIBRATION_PICTURES]
    paths = [train.resolve(train.samples[row]).resolve() for row in order]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "calibration.txt"
    file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    return file


def _read(dataset: Path, split: str, step: int = 1) -> Manifest:
    manifest = read_manifest(dataset / f"{split}.txt", root=dataset, split=split)
    return Manifest(manifest.file, manifest.root, split, manifest.samples[::step], [])


def _enlarge(manifest: Manifest, folder: Path) -> Manifest:
    """Returns the list with its pictures enlarged, under their names in a folder."""
    with ThreadPoolExecutor(cores_allowed()) as pool:
        sources: Sequence[Path] = [manifest.resolve(sample) for sample in manifest.samples]
        targets = [folder / sample.path for sample in manifest.samples]
        list(pool.map(_write_enlarged, sources, targets))
    return Manifest(manifest.file, folder, manifest.split, manifest.samples, [])


def _write_enlarged(source: Path, target: Path) -> None:
    if target.is_file():
        return
    with Image.open(source) as picture, atomic_path(target) as temporary:
        size = (picture.width * ENLARGED, picture.height * ENLARGED)
        large = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        large.save(temporary, format="JPEG", quality=QUALITY)
