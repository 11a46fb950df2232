"""Makes pictures reachable from the folder that a list stands in, without moving them.

A list's paths may not lead out of its folder (`check_dataset`: image.outside_root), but links are
not followed there. So a link in the folder is enough; where links cannot be made, files are copied.
"""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit import storage
from toolkit.errors import DatasetError

HowToPlace = Literal["link", "copy"]


@dataclass(frozen=True)
class Placement:
    """How the pictures of a folder are named from another folder on.

    Attributes:
        source: the folder with the pictures.
        output: the folder that paths are to start from.
        prefix: what stands before a path of `source`, without a slash at its end; may be empty.
        copies: whether each picture has to be copied.
    """

    source: Path
    output: Path
    prefix: str
    copies: bool

    def path(self, path: str) -> str:
        """Returns a path of the source as a path of the output."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def copy(self, path: str) -> None:
        """Copies a picture, when pictures are copied and it is not there in its full size."""
        source, target = self.source / path, self.output / self.path(path)
        if not self.copies or (target.is_file() and _size(target) == _size(source)):
            return
        with storage.atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


def leads_out(path: str) -> str | None:
    """Says why a path does not stay in the folder that it starts from, or None."""
    if os.path.isabs(path):  # noqa: PTH117 - millions of rows
        return f"{path} is absolute; expected a path from the dataset's folder on"
    if ".." in path and ".." in re.split(r"[/\\]", path):
        return f"{path} has '..' in it; expected a path that stays in the dataset's folder"
    return None


def place(source: Path, output: Path, name: str, how: HowToPlace) -> Placement:
    """Makes the pictures of a folder reachable from another.

    Nothing has to be done when the first lies in the second. Otherwise ``<output>/<name>`` becomes
    a link to it, or the folder to copy into.

    Raises:
        DatasetError: `name` is taken by something else, or the link cannot be made.
    """
    real, base = source.resolve(), output.resolve()
    if real.is_relative_to(base):
        relative = real.relative_to(base).as_posix()
        return Placement(source, output, "" if relative == "." else relative, copies=False)
    if how == "link":
        _link(output / name, real)
    elif output.joinpath(name).is_symlink():
        raise DatasetError(f"{output / name} is a link; remove it to copy pictures to that place.")
    return Placement(source, output, name, copies=how == "copy")


def _link(link: Path, folder: Path) -> None:
    if os.path.lexists(link):
        if link.resolve() == folder:
            return
        raise DatasetError(
            f"{link} exists already and is not a link to {folder}. Remove it, or choose another "
            "--output."
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError as error:
        if sys.platform == "win32":
            # Windows lets only some people make links, and everybody make junctions.
            import _winapi

            _winapi.CreateJunction(str(folder), str(link))
        else:
            raise DatasetError(
                f"{link} cannot be made a link to {folder}: {error.strerror or error}. "
                "Use --pictures copy."
            ) from error


def _size(file: Path) -> int:
    return file.stat().st_size
