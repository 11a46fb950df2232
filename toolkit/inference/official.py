"""Official inference models: already on this machine, or downloaded and unpacked with care."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from toolkit.cards.catalog import Card
from toolkit.errors import FetchError, ModelError
from toolkit.fetch import cache_folder, download
from toolkit.inference.preprocess import INFERENCE_FILE
from toolkit.storage import atomic_directory

_TIMEOUT = 5.0
_MOST_BYTES = 8 << 30


def model_folders() -> tuple[Path, ...]:
    """Returns where official models are looked for: our own cache, then PaddleX's.

    ``TOOLKIT_CACHE_HOME`` and PaddleX's ``PADDLE_PDX_CACHE_HOME`` move them. A download goes to the
    first.
    """
    paddlex = os.environ.get("PADDLE_PDX_CACHE_HOME") or Path.home() / ".paddlex"
    return cache_folder() / "official_models", Path(paddlex) / "official_models"


def official_model(card: Card, folders: tuple[Path, ...], *, timeout: float = _TIMEOUT) -> Path:
    """Returns the folder of an official inference model, downloading it when it is nowhere.

    Args:
        card: the model.
        folders: where to look, one folder a model below each; the first also takes the download.
        timeout: seconds to wait for the server.

    Raises:
        ModelError: there is no official model of this card, or its archive is not one.
        FetchError: it cannot be downloaded; the message has the ways out.
    """
    for folder in folders:
        if (folder / card.name / INFERENCE_FILE).is_file():
            return folder / card.name
    if card.inference_url is None:
        raise ModelError(
            f"There is no official inference model of {card.name!r}. Train one, and open its "
            "output folder: create_model('output')."
        )
    target = folders[0] / card.name
    try:
        folders[0].mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folders[0], prefix=".download-") as temporary:
            archive = Path(temporary) / "model.tar"
            download(card.inference_url, archive, timeout=timeout)
            unpack_model(archive, target)
    except ModelError as error:
        raise ModelError(f"{card.inference_url} cannot be used: {error}") from error
    except (FetchError, OSError) as error:
        looked = ", ".join(repr(str(folder / card.name)) for folder in folders)
        raise FetchError(
            f"The official model {card.name!r} is not on this machine (looked in {looked}) and "
            f"cannot be downloaded. {str(error).split(' Ways out:')[0]} Ways out: open a folder of "
            "your own, create_model(model_dir=...) or Predict.model_dir; or unpack the archive "
            f"from {card.inference_url} as {str(target)!r} by hand."
        ) from error
    return target


def unpack_model(archive: Path, target: Path) -> None:
    """Unpacks a model's tar file; the folder appears only when all of it is there.

    A folder around all files is left out. Only files are unpacked, and only below `target`.

    Raises:
        ModelError: the archive is damaged, holds links or paths that lead outside, holds no model,
            or is larger than any model.
    """
    try:
        with tarfile.open(archive) as tar, atomic_directory(target) as folder:
            for member, path in _safe_members(tar, archive):
                content = tar.extractfile(member)
                if content is not None:
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    with content, (folder / path).open("wb") as file:
                        while block := content.read(1 << 20):
                            file.write(block)
            if not (folder / INFERENCE_FILE).is_file():
                raise ModelError(f"{archive} holds no model: there is no {INFERENCE_FILE} in it.")
    except (tarfile.TarError, EOFError) as error:
        raise ModelError(f"{archive} is not a whole tar archive: {error}.") from error


def _safe_members(
    tar: tarfile.TarFile, archive: Path
) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Yields the files with their paths, without the folder that is around all of them."""
    members = [member for member in tar.getmembers() if not member.isdir()]
    if sum(member.size for member in members) > _MOST_BYTES:
        raise ModelError(f"{archive} unpacks to more than {_MOST_BYTES:,} bytes; no model does.")
    paths = [PurePosixPath(member.name) for member in members]
    for member, path in zip(members, paths, strict=True):
        # A backslash or a drive letter is a path of its own on Windows.
        leads_away = (
            not path.parts
            or path.is_absolute()
            or ".." in path.parts
            or set("\\:") & set(member.name)
        )
        if leads_away or not member.isreg():
            raise ModelError(
                f"{archive} holds {member.name!r}, which is a link, a device or a path that leads "
                "outside. Nothing was unpacked; do not trust where it came from."
            )
    tops = {path.parts[0] for path in paths}
    depth = 1 if len(tops) == 1 and all(len(path.parts) > 1 for path in paths) else 0
    for member, path in zip(members, paths, strict=True):
        yield member, PurePosixPath(*path.parts[depth:])
