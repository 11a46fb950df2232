"""Tar archives from elsewhere, unpacked with care: files only, below the folder, all or none."""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from toolkit.errors import ArchiveError
from toolkit.storage import atomic_directory

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_MOST_BYTES = 8 << 30
_BLOCK = 1 << 20
_MOST_PADDING = 16 << 20
# A name that is a file and a folder too is found out by the system; one with a zero byte by Python.
_DAMAGED = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    ValueError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
)


def has_archive_name(path: Path) -> bool:
    """Tells whether a path is called like a tar archive, compressed or not."""
    return path.name.endswith(_SUFFIXES)


def is_archive(path: Path) -> bool:
    """Tells whether a path is a file with the name of a tar archive."""
    return has_archive_name(path) and path.is_file()


def unpacked(archive: Path, folder: Path) -> Path:
    """Returns the folder of an archive below `folder`, unpacking it the first time.

    An archive of another size or time of change is another one.

    Raises:
        ArchiveError: as `unpack`.
    """
    status = archive.stat()
    identity = f"{archive.resolve()} {status.st_size} {status.st_mtime_ns}"
    name = archive.name.split(".tar")[0].removesuffix(".tgz")
    target = folder / f"{name}-{hashlib.sha256(identity.encode('utf-8')).hexdigest()[:8]}"
    if not target.is_dir():
        unpack(archive, target)
    return target


def unpack(archive: Path, target: Path, *, accept: Callable[[Path], None] = lambda _: None) -> None:
    """Unpacks a tar file, compressed or not; the folder appears only when all of it is there.

    A folder around all files is left out. Only files are unpacked, and only below `target`.

    Args:
        archive: the file.
        target: the folder, which is replaced.
        accept: raises where the unpacked folder is not what is wanted; then nothing is kept.

    Raises:
        ArchiveError: it is damaged, holds links, devices or paths that lead outside, or is larger
            than anything that this toolkit uses.
    """
    with atomic_directory(target) as folder:
        _unpack_into(archive, folder)
        accept(folder)


def _unpack_into(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            for member, path in _safe_members(tar, archive):
                _write(tar, member, folder / path)
            _read_to_the_end(tar)
    except _DAMAGED as error:
        raise ArchiveError(f"{archive} is not a whole tar archive: {error}.") from error
    except OSError as error:
        if error.errno is None:  # gzip has no class of its own for a damaged file
            raise ArchiveError(f"{archive} is not a whole tar archive: {error}.") from error
        raise


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    """The checksum of gzip stands behind the padding, and is compared when that has been read."""
    for _ in range(_MOST_PADDING // _BLOCK):
        if tar.fileobj is None or not tar.fileobj.read(_BLOCK):
            return


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        while block := content.read(_BLOCK):
            file.write(block)


def _safe_members(
    tar: tarfile.TarFile, archive: Path
) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Yields the files with their paths, without the folder that is around all of them."""
    members, total = [], 0
    for member in tar:
        # Stopped at the header: what follows may be a few bytes that unpack to terabytes.
        total += member.size
        if total > _MOST_BYTES:
            raise ArchiveError(
                f"{archive} unpacks to more than {_MOST_BYTES:,} bytes; nothing that is used here "
                "is so large."
            )
        if not member.isdir():
            members.append(member)
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
            raise ArchiveError(
                f"{archive} holds {member.name!r}, which is a link, a device or a path that leads "
                "outside. Nothing was unpacked; do not trust where it came from."
            )
    tops = {path.parts[0] for path in paths}
    depth = 1 if len(tops) == 1 and all(len(path.parts) > 1 for path in paths) else 0
    for member, path in zip(members, paths, strict=True):
        yield member, PurePosixPath(*path.parts[depth:])
