"""Fetches PaddleX's example data: In-shop lists, LabelMe annotations, and the demo picture.

python dataset_tools/download_examples.py dataset

What is there already is left as it is; a download that was cut off is gone on with.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolkit.downloads import download_bar
from toolkit.errors import FetchError, ToolkitError
from toolkit.fetch.download import download, download_archive
from toolkit.fetch.options import MIRROR_VARIABLE, FetchOptions
from toolkit.runtime import configure_logging

_BASE = "https://paddle-model-ecology.bj.bcebos.com/paddlex"


@dataclass(frozen=True)
class Example:
    """One thing to fetch.

    Attributes:
        url: its official address; a tar archive is unpacked.
        name: the folder or file that it becomes.
        content: what it is, in a few words.
    """

    url: str
    name: str
    content: str


EXAMPLES = {
    "inshop": Example(
        f"{_BASE}/data/Inshop_examples.tar",
        "Inshop_examples",
        "1000 train, 110 gallery and 125 query pictures of clothes, with their lists",
    ),
    "labelme": Example(
        f"{_BASE}/data/image_classification_labelme_examples.tar",
        "image_classification_labelme_examples",
        "LabelMe annotations, to be converted by check_dataset",
    ),
    "image": Example(
        f"{_BASE}/imgs/demo_image/general_image_recognition_001.jpg",
        "general_image_recognition_001.jpg",
        "the demo picture",
    ),
}


def fetch_example(example: Example, folder: Path, options: FetchOptions) -> bool:
    """Fetches an example into a folder, unless it is there.

    Returns:
        True if it was fetched.

    Raises:
        FetchError: it cannot be had; the message has the ways out.
        ArchiveError: the archive is damaged or hostile.
    """
    target = folder / example.name
    if target.exists():
        return False
    fetch = download_archive if example.url.endswith(".tar") else download
    try:
        with download_bar(example.name) as progress:
            # No record: check_dataset converts and splits the lists in place.
            fetch(example.url, target, options=options, progress=progress, record=False)
    except FetchError as error:
        kind = "unpacked as" if fetch is download_archive else "saved as"
        raise FetchError(
            error.reason,
            f"Ways out: (1) a mirror, by --base-url or {MIRROR_VARIABLE}; (2) {example.url}, "
            f"fetched on another machine and {kind} {str(target)!r}; (3) without any download, "
            "dataset_tools/make_demo_dataset.py.",
        ) from error
    return True


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the examples go; made if it is not there")
    parser.add_argument(
        "--only", nargs="+", choices=EXAMPLES, default=list(EXAMPLES), help="not all three"
    )
    parser.add_argument(
        "--base-url",
        help=f"mirror asked in place of {_BASE.removesuffix('/paddlex')}; also {MIRROR_VARIABLE}",
    )
    given = parser.parse_args(arguments)
    configure_logging()
    options = FetchOptions.from_environment(mirror=given.base_url)
    try:
        fetched = [fetch_example(EXAMPLES[name], given.folder, options) for name in given.only]
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, new in zip(given.only, fetched, strict=True):
        example = EXAMPLES[name]
        state = "fetched" if new else "already there"
        print(f"{given.folder / example.name}: {state}; {example.content}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
