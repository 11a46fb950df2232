"""``python -m toolkit.compat.compute_features``: a vector a picture, as Compute-Features made them.

    python -m toolkit.compat.compute_features --data_dir photographs --model inception_v4 \
        --checkpoint_file inception_v4.ckpt

Reads the checkpoints that TensorFlow-slim has published, without TensorFlow. Where the original
differs: pictures are prepared as the network was trained (``--legacy-preprocess`` gives its raw
squares), Inception v3 and v4 and all depths of ResNet work, pictures come sorted, and a bad one
costs a line in a list, not the run.

Source: cameronfabbri/Compute-Features at c7e3de1.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.cards.tensorflow_slim import SLIM_MODELS
from toolkit.compat.command import exit_code
from toolkit.compat.feature_table import check_suffix, write_features
from toolkit.compat.slim_extractor import SlimExtractor, open_slim
from toolkit.data.decode import read_rgb
from toolkit.data.manifest import find_images
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import DatasetError, ImageError
from toolkit.inference.work_ahead import batches_of, in_order, worker_threads
from toolkit.runtime import Progress, configure_logging, cores_allowed, stopwatch, use_device
from toolkit.storage import write_text

_FOLDER = Path("features")
_NAMED = 10
# Batches that are prepared while the network works on one.
_AHEAD = 2


@dataclass(frozen=True)
class _Prepared:
    """A picture as walked: ready for the network, or why not."""

    path: str
    tensor: NDArray[np.float32] | None
    error: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of a run.

    Attributes:
        vectors: path as walked -> float32 [d].
        failures: path -> why it has none.
        seconds: from the first picture to the last.
    """

    vectors: dict[str, NDArray[np.float32]]
    failures: dict[str, str]
    seconds: float


def walk(data_dir: str) -> list[str]:
    """Returns the pictures of a folder and below, sorted, each with the folder in front as given.

    Raises:
        DatasetError: there is no such folder, or no picture in it.
    """
    folder = Path(data_dir)
    if not folder.is_dir():
        raise DatasetError(f"--data_dir {data_dir!r}: there is no such folder.")
    found = [str(path.relative_to(folder)) for path in find_images(folder)]
    if not found:
        raise DatasetError(f"--data_dir {data_dir!r} holds no picture.")
    front = data_dir if data_dir.endswith(("/", os.sep)) else data_dir + os.sep
    return [front + path for path in found]


def run(extractor: SlimExtractor, paths: Sequence[str], output: Path, batch_size: int) -> Report:
    """Computes the vectors of pictures and writes them; those of a broken run as well.

    Args:
        extractor: the network.
        paths: of the pictures.
        output: .pkl or .npz; beside it goes a list of the pictures without a vector, if any.
        batch_size: pictures in one pass of the network.
    """
    vectors: dict[str, NDArray[np.float32]] = {}
    failures: dict[str, str] = {}
    with stopwatch() as watch:
        try:
            with Progress("compute_features", len(paths)) as progress:
                for batch in _prepared(extractor.pipeline, paths, batch_size):
                    _add(extractor, batch, vectors, failures)
                    progress.advance(len(batch))
        finally:
            _write(output, vectors, failures)
    return Report(vectors, failures, watch["seconds"])


def failures_file(output: Path) -> Path:
    """Returns where the list of the pictures without a vector is written."""
    return output.with_name(f"{output.stem}_failures.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, runs, and returns the exit code."""
    options = _parser().parse_args(arguments)
    configure_logging()
    return exit_code(partial(_command, options))


def _command(options: argparse.Namespace) -> None:
    output = options.output or _FOLDER / f"{options.model}_features.pkl"
    check_suffix(output)
    paths = walk(options.data_dir)
    use_device(options.device)
    extractor = open_slim(
        options.model,
        options.checkpoint_file,
        layer=options.feature_name,
        legacy=options.legacy_preprocess,
    )
    report = run(extractor, paths, output, options.batch_size)
    rate = len(paths) / max(report.seconds, 1e-9)
    print(
        f"{options.model} {extractor.layer}: {len(report.vectors)} vectors of {extractor.dim} in "
        f"{report.seconds:.1f} s ({rate:.1f} images/s)\n  {output}"
    )
    if report.failures:
        print(f"{len(report.failures)} pictures without one: {failures_file(output)}")
        for path, reason in list(report.failures.items())[:_NAMED]:
            print(f"  {path}: {reason}", file=sys.stderr)
    if not report.vectors:
        raise DatasetError(f"None of the {len(paths)} pictures could be used.")


def _prepared(
    pipeline: Pipeline, paths: Sequence[str], batch_size: int
) -> Iterator[list[_Prepared]]:
    with worker_threads(cores_allowed()) as pool:
        start = partial(_start, pool, pipeline)
        yield from in_order(batches_of(paths, batch_size), start, ahead=_AHEAD)


def _start(
    pool: ThreadPoolExecutor, pipeline: Pipeline, paths: Sequence[str]
) -> "partial[list[_Prepared]]":
    futures = [pool.submit(_prepare, pipeline, path) for path in paths]
    return partial(lambda: [future.result() for future in futures])


def _prepare(pipeline: Pipeline, path: str) -> _Prepared:
    try:
        pixels = read_rgb(Path(path))
        return _Prepared(path, pipeline(pixels, np.random.default_rng(0)))
    except ImageError as error:
        return _Prepared(path, None, str(error).removeprefix(f"{Path(path)}: "))


def _add(
    extractor: SlimExtractor,
    batch: Sequence[_Prepared],
    vectors: dict[str, NDArray[np.float32]],
    failures: dict[str, str],
) -> None:
    """Runs the network on the pictures of a batch that are ready."""
    ready = [(one.path, one.tensor) for one in batch if one.tensor is not None]
    failures |= {one.path: one.error for one in batch if one.tensor is None}
    if not ready:
        return
    output = extractor(np.stack([tensor for _, tensor in ready]))
    for (path, _), vector in zip(ready, output, strict=True):
        if np.isfinite(vector).all():
            vectors[path] = vector.copy()
        else:
            failures[path] = "the network gave values that are not finite."


def _write(output: Path, vectors: dict[str, NDArray[np.float32]], failures: dict[str, str]) -> None:
    write_features(output, vectors)
    listed = failures_file(output)
    if failures:
        lines = (f"{path}\t{' '.join(reason.split())}\n" for path, reason in failures.items())
        write_text(listed, "".join(lines).encode("utf-8", "backslashreplace").decode("utf-8"))
    else:
        listed.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.compat.compute_features",
        description="Compute a vector for every picture of a folder with a network of TF-slim.",
    )
    parser.add_argument("--data_dir", required=True, help="folder of pictures, with all below")
    parser.add_argument("--model", required=True, help=f"one of {', '.join(SLIM_MODELS)}")
    parser.add_argument(
        "--checkpoint_file", required=True, help="TensorFlow checkpoint: x.ckpt, its prefix, folder"
    )
    parser.add_argument(
        "--output", type=Path, help=f"default: {_FOLDER}/<model>_features.pkl; .npz works as well"
    )
    parser.add_argument("--feature_name", help="layer; default: the one that the original takes")
    parser.add_argument("--batch_size", type=_positive, default=16, help="pictures a pass")
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu:0")
    parser.add_argument(
        "--legacy-preprocess",
        action="store_true",
        help="squash pictures to a square and leave levels at 0 to 255, as the original does",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
