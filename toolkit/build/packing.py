"""From the section Pack to what packs pictures. Needs no framework."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.audit.dataset import ListFile
from toolkit.build.lists import list_files
from toolkit.config.schema import Config
from toolkit.data.packing.classes import ClassNumbers, number_labels, read_class_list
from toolkit.data.packing.picture import SUFFIXES
from toolkit.data.packing.plan import PlanOptions
from toolkit.data.packing.preparing import Preparation
from toolkit.data.packing.rows import Row, SkippedRow, read_rows
from toolkit.data.packing.stored import StoreOptions
from toolkit.errors import ConfigError
from toolkit.version import __version__

# Nothing in the files depends on these.
_OF_THE_MACHINE = {"read_parallel_num", "write_parallel_num", "workers", "cpu", "memory"}


def packing_source(config: Config) -> ListFile:
    """Returns which list is packed, and where its pictures are.

    Raises:
        ConfigError: neither Pack.label_file nor a dataset is given.
        DatasetError: the dataset's folder holds no lists.
    """
    pack = config.Pack
    if pack.label_file is None:
        source = list_files(config, ("train",))["train"]
        return ListFile(source.file, Path(pack.image_root or source.root), source.columns)
    file = Path(pack.label_file)
    root = Path(pack.image_root or config.Global.dataset_dir or file.parent)
    return ListFile(file, root, tuple(config.Data.columns))


def packing_output(config: Config) -> Path:
    """Returns folder and prefix of the files.

    Raises:
        ConfigError: Pack.output_tfrecord has no prefix.
    """
    given = config.Pack.output_tfrecord
    if given is None:
        return Path(config.Global.output) / "pack" / "data"
    if given.endswith("/") or Path(given).is_dir():
        raise ConfigError(
            f"Pack.output_tfrecord {given!r} is a folder; it is a folder and the prefix of the "
            f"file names. Write {given.rstrip('/')}/data."
        )
    return Path(given)


def packing_rows(config: Config, source: ListFile) -> Iterator[Row | SkippedRow]:
    """Returns the rows of the list.

    Raises:
        DatasetError: the list is missing or cannot be read.
    """
    pack = config.Pack
    return read_rows(
        source.file, pack.label_source, columns=source.columns, delimiter=pack.delimiter
    )


def build_classes(config: Config, rows: Iterable[Row]) -> ClassNumbers:
    """Returns the number of each class: from the class list, or from the labels of the rows.

    Raises:
        ConfigError: Pack.default_class is not in the class list.
        DatasetError: the class list cannot be used.
    """
    pack = config.Pack
    if pack.class_list_file is None:
        labels = {row.label for row in rows if row.label is not None} - {pack.error_class}
        return ClassNumbers(number_labels(labels), error_class=pack.error_class)
    numbers = read_class_list(Path(pack.class_list_file))
    if pack.default_class is not None and pack.default_class not in numbers:
        raise ConfigError(
            f"Pack.default_class {pack.default_class!r} is not one of the {len(numbers)} classes "
            f"in {pack.class_list_file}; add it there."
        )
    return ClassNumbers(numbers or None, pack.default_class, pack.error_class)


def plan_options(config: Config, output: Path) -> PlanOptions:
    """Returns how rows are divided among files."""
    pack = config.Pack
    return PlanOptions(
        prefix=output.name,
        suffix=SUFFIXES[pack.format],
        test_ratio=pack.test_ratio,
        rows_per_shard=pack.num_samples_per_tfrecord,
        shuffle=pack.shuffle,
        seed=config.Global.seed,
    )


def build_preparation(
    config: Config, root: Path, classes: ClassNumbers, fetch: Callable[[str], bytes]
) -> Preparation:
    """Returns what is done to every row.

    Args:
        config: sides and encoding.
        root: the folder that paths start from.
        classes: the number of each class.
        fetch: loads an http(s) address.
    """
    pack = config.Pack
    test_side = pack.max_test_image_size or pack.max_image_size
    train = StoreOptions(pack.image_encoding, pack.max_image_size, pack.jpeg_quality)
    test = StoreOptions(pack.image_encoding, test_side, pack.jpeg_quality)
    return Preparation(root, classes, {"train": train, "test": test}, fetch)


def packing_facts(
    config: Config, source: ListFile, classes: ClassNumbers, rows: Sequence[Row]
) -> dict[str, Any]:
    """Returns what the files depend on beside the pictures, and its fingerprint."""
    facts = {
        "toolkit": __version__,
        "label_file": str(source.file),
        "image_root": str(source.root),
        "seed": config.Global.seed,
        "options": config.Pack.model_dump(exclude=_OF_THE_MACHINE),
        "classes": classes.numbers,
    }
    digest = hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape"))
    for row in rows:
        digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return {"fingerprint": digest.hexdigest()[:16], **facts}
