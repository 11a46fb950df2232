"""From `Global.dataset_dir` and `Data.lists` to where each list is. Needs no framework."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.audit.dataset import ListFile, find_root
from toolkit.config.recipe_sections import ListSection
from toolkit.config.schema import Config
from toolkit.data.manifest import UNLABELLED_COLUMNS
from toolkit.data.packing.reading import packed_in
from toolkit.errors import ConfigError, DatasetError


def dataset_root(config: Config) -> Path:
    """Returns the dataset's folder.

    Raises:
        ConfigError: Global.dataset_dir is not given.
        DatasetError: it is not a folder, or holds no lists.
    """
    if config.Global.dataset_dir is None:
        raise ConfigError(
            f"Global.dataset_dir is null and {config.Global.mode} needs it: give the folder with "
            "train.txt, gallery.txt and query.txt, or name every list in Data.lists."
        )
    return find_root(Path(config.Global.dataset_dir))


def list_files(config: Config, splits: Sequence[str]) -> dict[str, ListFile]:
    """Returns where each list is: as Data.lists says, otherwise in Global.dataset_dir.

    Raises:
        ConfigError: Global.dataset_dir is not given, and not every list is named.
        DatasetError: it is not a folder, or holds no lists.
    """
    named = {split: getattr(config.Data.lists, split) for split in splits}
    files = {split: _named_list(config, entry) for split, entry in named.items() if entry}
    if "train" in splits and (unlabelled := unlabelled_list(config)) is not None:
        files["train"] = unlabelled
    usual = [split for split in splits if split not in files]
    if usual:
        root, columns = dataset_root(config), tuple(config.Data.columns)
        files |= {split: ListFile(root / f"{split}.txt", root, columns) for split in usual}
    return {split: files[split] for split in splits}


def unlabelled_list(config: Config) -> ListFile | None:
    """Returns the index or folder that SelfSup trains on; None where it is the train list.

    Raises:
        DatasetError: SelfSup.images is not there.
    """
    if config.SelfSup is None:
        return None
    given = config.SelfSup.images
    if given is None:
        index = Path(config.Global.dataset_dir or "") / "unlabelled.txt"
        if config.Global.dataset_dir is None or config.Data.lists.train or not index.is_file():
            return None
        return ListFile(index, index.parent, UNLABELLED_COLUMNS)
    path = Path(given)
    if not path.exists():
        raise DatasetError(
            f"SelfSup.images {given!r} does not exist. Give a folder of pictures, an index with a "
            "path a line, TFRecord files or tar shards."
        )
    root = path if path.is_dir() else Path(config.SelfSup.image_root or path.parent)
    return ListFile(path, root, UNLABELLED_COLUMNS)


def packed_images(config: Config) -> list[Path]:
    """Returns the TFRecord files or tar shards that SelfSup trains on; none if it is a list.

    Raises:
        RecordError: a folder holds files of both kinds.
    """
    given = None if config.SelfSup is None else config.SelfSup.images
    return [] if given is None else packed_in(Path(given))


def can_be_judged(config: Config) -> bool:
    """Says whether a run without labels has the lists that retrieval is measured with."""
    if not config.Train.eval_during_train:
        return False
    lists = config.Data.lists
    if config.Global.dataset_dir is None and not (lists.gallery and lists.query):
        return False
    try:
        files = list_files(config, ["gallery", "query"])
    except DatasetError:  # a folder of pictures without any list
        return False
    return all(entry.is_there for entry in files.values())


def lists_without_labels(config: Config) -> tuple[str, ...]:
    """Returns which lists a run without labels reads: packed pictures are no list."""
    train = () if packed_images(config) else ("train",)
    return (*train, "gallery", "query") if can_be_judged(config) else train


def _named_list(config: Config, entry: ListSection) -> ListFile:
    file = Path(entry.file)
    root = Path(entry.image_root or config.Global.dataset_dir or file.parent)
    return ListFile(file, root, tuple(entry.columns or config.Data.columns))


def dataset_name(config: Config) -> str:
    """Returns what reports call the dataset: its folder, or where its lists are."""
    lists = config.Data.lists
    named = [entry.file for entry in (lists.train, lists.gallery, lists.query) if entry]
    return config.Global.dataset_dir or ", ".join(dict.fromkeys(named))
