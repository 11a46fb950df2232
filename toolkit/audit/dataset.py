"""The lists of a dataset, and where they are."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.manifest import DEFAULT_COLUMNS, UNLABELLED_COLUMNS, Manifest, read_manifest
from toolkit.data.replace_files import restore
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError

LOG = logging.getLogger(__name__)

_SEARCH_DEPTH = 3


@dataclass(frozen=True)
class ListFile:
    """Where a list is, and how it is read.

    Attributes:
        file: the list; without labels it may be a folder of pictures.
        root: the folder that its paths start from.
        columns: what its columns are, see `toolkit.data.manifest`.
    """

    file: Path
    root: Path
    columns: tuple[str, ...] = DEFAULT_COLUMNS

    @property
    def is_there(self) -> bool:
        """Whether it can be read."""
        folder = self.columns == UNLABELLED_COLUMNS and self.file.is_dir()
        return folder or self.file.is_file()


@dataclass(frozen=True)
class LoadedDataset:
    """The lists that were read, in the order train, gallery, query; not all need to be there.

    Attributes:
        manifests: one a list; each has a root of its own.
    """

    manifests: tuple[Manifest, ...]

    def manifest(self, split: str) -> Manifest | None:
        """Returns the list of a split, or None when it was not read."""
        return next((m for m in self.manifests if m.split == split), None)

    def find(self, splits: str, path: str) -> Path:
        """Returns the file that a path means in one of the lists, such as ``gallery+query``.

        Where none of the lists has such a file, it is where the last of them would have it.
        """
        names = splits.split("+")
        roots = [m.root for m in self.manifests if m.split in names] or [Path()]
        places = [locate(root, path)[0] for root in dict.fromkeys(roots)]
        return next((place for place in places if place.is_file()), places[-1])


def load_dataset(
    root: Path, *, splits: Sequence[str] = SPLITS, columns: Sequence[str] = DEFAULT_COLUMNS
) -> LoadedDataset:
    """Reads the lists ``<split>.txt`` of a folder.

    Raises:
        DatasetError: one or more of them are missing (all are named), or cannot be read.
    """
    return load_lists(
        {split: ListFile(root / f"{split}.txt", root, tuple(columns)) for split in splits}
    )


def load_lists(lists: Mapping[str, ListFile]) -> LoadedDataset:
    """Reads lists wherever they are: split -> place.

    Raises:
        DatasetError: one or more of them are missing (all are named), or cannot be read.
    """
    missing = [entry.file for entry in lists.values() if not entry.is_there]
    if missing:
        expected = ", ".join(entry.file.name for entry in lists.values())
        raise DatasetError(
            f"{not_there(missing)}. Expected {expected} with rows `path label`. "
            "CheckDataset.convert makes lists from another layout, CheckDataset.split divides rows "
            "into the three, Data.lists names lists that are elsewhere; a dataset of train.txt "
            "alone is checked and trained on with Train.eval_during_train=false."
        )
    return LoadedDataset(
        tuple(
            read_manifest(entry.file, root=entry.root, split=split, columns=entry.columns)
            for split, entry in lists.items()
        )
    )


def not_there(files: Sequence[Path]) -> str:
    """Words which lists are missing: "Dataset a has no gallery.txt and no query.txt"."""
    folder = files[0].parent
    together = all(file.parent == folder for file in files)
    names = " and no ".join(file.name if together else str(file) for file in files)
    return f"Dataset {folder} has no {names}" if together else f"There is no {names}"


def locate(root: Path, path: str) -> tuple[Path, bool]:
    """Returns where a path of a list leads, and whether that is inside the list's folder.

    Links are not followed: a folder of links to pictures is a common way to make a dataset.
    """
    # Strings, as this is asked of every row several times, and paths cost ten times as much.
    folder = os.path.abspath(root)  # noqa: PTH100
    file = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
    return Path(file), file.startswith(os.path.join(folder, ""))  # noqa: PTH118


def find_root(dataset_dir: Path) -> Path:
    """Returns the folder that holds the lists: `dataset_dir`, or the only one below it.

    Hidden folders, and folders more than three levels down, are not searched. Lists that a killed
    conversion or split left half replaced are put back.

    Raises:
        DatasetError: the folder does not exist, or no folder or several hold the lists.
    """
    if not dataset_dir.is_dir():
        what = "is not a folder" if dataset_dir.exists() else "does not exist"
        raise DatasetError(
            f"Global.dataset_dir {str(dataset_dir)!r} {what}. Expected the folder with train.txt, "
            "gallery.txt and query.txt."
        )
    if any((dataset_dir / f"{split}.txt").is_file() for split in SPLITS):
        return _whole(dataset_dir)
    candidates = _below(dataset_dir)
    if len(candidates) == 1:
        LOG.warning("No lists in %s; using the only ones below it: %s", dataset_dir, candidates[0])
        return _whole(candidates[0])
    if candidates:
        raise DatasetError(
            f"Global.dataset_dir {str(dataset_dir)!r} has no lists itself, and {len(candidates)} "
            f"folders below it have: {', '.join(map(str, candidates))}. Name one of them."
        )
    raise DatasetError(
        f"Global.dataset_dir {str(dataset_dir)!r} holds no train.txt, gallery.txt and query.txt, "
        "and no folder below it does. Make them, or let CheckDataset.convert do it."
    )


def _whole(folder: Path) -> Path:
    if restore(folder):
        LOG.warning("%s: put back the lists that a killed run had half replaced.", folder)
    return folder


def _below(folder: Path) -> list[Path]:
    """Returns the folders below that hold all three lists, sorted."""
    wanted = {f"{split}.txt" for split in SPLITS}
    found = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = [f for f in folders if not f.startswith(".")] if depth < _SEARCH_DEPTH else []
        if wanted <= set(files):
            found.append(Path(place))
    return sorted(found)
