"""``python -m toolkit.compat.compute_features``: a vector a picture, as Compute-Features made them.

    python -m toolkit.compat.compute_features --data_dir photographs --model inception_v4 \
        --checkpoint_file inception_v4.ckpt

Reads the checkpoints that TensorFlow-slim has published, without TensorFlow. Where the original
differs: pictures are prepared as the network was trained (``--legacy-preprocess`` gives its raw
squares), Inception v3 and v4 and all depths of ResNet work, pictures come sorted, and a bad one
costs a line in a list, not the run. A run that was killed goes on.

Source: cameronfabbri/Compute-Features at c7e3de1.
"""

import argparse
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from toolkit.cards.tensorflow_slim import SLIM_MODELS
from toolkit.compat.command import exit_code
from toolkit.compat.feature_table import check_suffix, read_features, write_features
from toolkit.compat.slim_extractor import SlimModelToOpen
from toolkit.config.extract_section import extract_section
from toolkit.data.manifest import find_images
from toolkit.errors import DatasetError
from toolkit.runtime import configure_logging
from toolkit.storage import write_text
from toolkit.tasks.extract import extract

_FOLDER = Path("features")


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, runs, and returns the exit code."""
    options = _parser().parse_args(arguments)
    configure_logging()
    return exit_code(partial(_command, options))


def _command(options: argparse.Namespace) -> bool:
    output = options.output or _FOLDER / f"{options.model}_features.pkl"
    check_suffix(output)
    paths = walk(options.data_dir)
    model = SlimModelToOpen(
        options.model,
        options.checkpoint_file,
        options.feature_name,
        options.legacy_preprocess,
        options.device,
    )
    model.identity()  # a wrong name or checkpoint is an error before anything is written
    # JSON, for a name may hold a line break, or bytes that are not UTF-8.
    listed = output.with_name(f"{output.stem}_pictures.jsonl")
    write_text(listed, "".join(json.dumps({"image": path}) + "\n" for path in paths))
    pickled = output.with_suffix(".pkl")
    section = extract_section(
        {
            "input": str(listed),
            "input_format": "text",
            "output": str(pickled),
            "output_format": "pickle",
            "max_pickle_rows": len(paths),
            "batch_size": options.batch_size,
            "num_worker": options.num_worker,
            "l2_normalise": False,
            "decode": "exact",
        },
        call="compute_features",
    )
    report = extract(section, model, options.device)
    if report.passed:
        _finish(pickled, output)
    print(report.summary())
    return report.passed


def _finish(pickled: Path, output: Path) -> None:
    """Leaves pictures without a vector out, as who reads the file expects; they are listed."""
    table = read_features(pickled)
    write_features(output, dict(zip(table.paths, table.vectors, strict=True)))
    if pickled != output:
        pickled.unlink()


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
    parser.add_argument("--num_worker", type=_positive, default=1, help="processes")
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
