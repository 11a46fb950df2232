"""The lists of a dataset, and where they are."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.manifest import DEFAULT_COLUMNS, Manifest, read_manifest
from toolkit.data.replace_files import restore
from toolkit.data.split import SPLITS
from toolkit.errors import DatasetError

LOG = logging.getLogger(__name__)

_SEARCH_DEPTH = 3


@dataclass(frozen=True)
class LoadedDataset:
    """The lists that were read, in the order train, gallery, query; not all need to be there.

    Attributes:
        root: the folder that the paths in the lists start from.
        manifests: one a list.
    """

    root: Path
    manifests: tuple[Manifest, ...]

    def manifest(self, split: str) -> Manifest | None:
        """Returns the list of a split, or None when it was not read."""
        return next((m for m in self.manifests if m.split == split), None)


def load_dataset(
    root: Path, *, splits: Sequence[str] = SPLITS, columns: Sequence[str] = DEFAULT_COLUMNS
) -> LoadedDataset:
    """Reads the lists ``<split>.txt`` of a folder.

    Raises:
        DatasetError: one or more of them are missing (all are named), or cannot be read.
    """
    missing = [f"{split}.txt" for split in splits if not (root / f"{split}.txt").is_file()]
    if missing:
        raise DatasetError(
            f"Dataset {root} has no {' and no '.join(missing)}. Expected "
            f"{', '.join(f'{split}.txt' for split in splits)} with rows `path label`. "
            "CheckDataset.convert makes lists from another layout, CheckDataset.split divides rows "
            "into the three."
        )
    return LoadedDataset(
        root,
        tuple(
            read_manifest(root / f"{split}.txt", root=root, split=split, columns=columns)
            for split in splits
        ),
    )


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
