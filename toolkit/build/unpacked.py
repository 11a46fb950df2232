"""Packed pictures as files, so that what looks at files can look at them."""

import logging
from pathlib import Path

from toolkit.build.lists import packed_images
from toolkit.config.schema import Config
from toolkit.data.packing.reading import PackedPictures
from toolkit.errors import RecordError
from toolkit.progress import Progress
from toolkit.storage import write_bytes, write_text

_LOG = logging.getLogger(__name__)
_INDEX = "index.txt"
_NAMED = 20


def with_unpacked_images(config: Config, folder: Path) -> tuple[Config, list[str]]:
    """Writes the packed pictures of `SelfSup.images` into a folder, one file each, with an index.

    A file is called by its packed file and its number there, ``photos_train_00000/00000012.jpeg``.
    One that is there already is left as it is, so that a second check reads nothing again. A record
    that cannot be read gets no file, and its line of the index tells of one that is not there.

    Args:
        config: with SelfSup.
        folder: where they go; they take as much room as the packed files.

    Returns:
        The configuration that reads the index, and what was wrong with records; the configuration
        as it is where nothing is packed.

    Raises:
        RecordError: a packed file, or the index of a TFRecord file, is missing or does not fit.
    """
    files = packed_images(config)
    if config.SelfSup is None or not files:
        return config, []
    paths, problems = list[str](), list[str]()
    counts = [len(PackedPictures([file])) for file in files]
    with Progress("unpack", sum(counts)) as progress:
        for file, count in zip(files, counts, strict=True):
            pictures = PackedPictures([file])
            for number in range(count):
                name = f"{file.stem}/{number:08d}"
                try:
                    picture = pictures[number]
                except RecordError as error:
                    problems.append(f"{file}, record {number}: {error}")
                    paths.append(name)
                else:
                    paths.append(f"{name}.{picture.format}")
                    _keep(folder / paths[-1], picture.encoded)
                progress.advance()
    write_text(folder / _INDEX, "".join(f"{path}\n" for path in paths))
    _LOG.info("%d packed pictures of %d files are in %s.", len(paths), len(files), folder)
    section = config.SelfSup.model_copy(
        update={"images": str(folder / _INDEX), "image_root": str(folder)}
    )
    return config.model_copy(update={"SelfSup": section}), _few(problems)


def _keep(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def _few(problems: list[str]) -> list[str]:
    rest = len(problems) - _NAMED
    return [*problems[:_NAMED], *([f"... and {rest} more records"] if rest > 0 else [])]
