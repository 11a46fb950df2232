"""Tar shards as the package webdataset reads them: files of one key side by side are one sample.

`<key>.jpg` is the picture, `<key>.cls` the class number as text, `<key>.json` what else is known.
The key of a member is its name up to the first dot of its last part. Nothing in a shard depends on
the clock or on who wrote it.
"""

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from toolkit.crc32c import crc32c
from toolkit.data.packing.picture import NO_LABEL, PackedPicture
from toolkit.data.packing.tfrecord import check_reader
from toolkit.errors import RecordError
from toolkit.storage import atomic_path

AddSample = Callable[[PackedPicture], None]
"""Appends a picture with what is known of it."""

_EXTENSIONS = {"jpeg": "jpg", "png": "png"}
_FORMATS = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp"}
_NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")
# A tar archive ends in two blocks of zeros (POSIX.1-2017, pax, "ustar Interchange Format").
_END = bytes(1024)


class _Member(NamedTuple):
    """A file of a shard: its name, and where its bytes are."""

    name: str
    offset: int
    size: int


@contextmanager
def writing_shard(path: Path) -> Iterator[AddSample]:
    """Yields a function that appends a picture; the shard is there when the block ends well.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    with (
        atomic_path(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive,
    ):

        def add(picture: PackedPicture) -> None:
            parts = {
                _EXTENSIONS[picture.format]: picture.encoded,
                "cls": str(picture.label).encode("ascii"),
                "json": _facts(picture),
            }
            for extension, content in parts.items():
                member = tarfile.TarInfo(f"{picture.key}.{extension}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

        yield add


def read_shard(
    path: Path, *, verify: bool = True, rank: int = 0, count: int = 1
) -> Iterator[PackedPicture]:
    """Yields the pictures of a shard, ours or another's, in order.

    Args:
        path: the shard, not compressed.
        verify: compare the CRC-32C of a picture with that in its .json, where there is one.
        rank: which of `count` readers this is; it gets samples rank, rank + count, ... The data of
            the others are stepped over.
        count: how many readers there are.

    Raises:
        RecordError: the shard is missing, cut off or damaged, or a sample has no picture.
        ValueError: `rank` is not below `count`.
    """
    check_reader(rank, count)
    samples = _samples(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise RecordError(f"{path}: the shard cannot be read ({error.strerror}).") from None
    with file:
        for number, members in enumerate(samples):
            if number % count == rank:
                yield _read_sample(path, file, members, verify=verify)


class ShardFile:
    """The pictures of a shard at any place; where each one is, is looked up once.

    Args:
        path: the shard, not compressed.
        verify: see `read_shard`.

    Raises:
        RecordError: the shard is missing, cut off or damaged.
    """

    def __init__(self, path: Path, *, verify: bool = True) -> None:
        self.path, self._verify = path, verify
        self._samples = list(_samples(path))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, number: int) -> PackedPicture:
        """Returns a picture.

        Raises:
            IndexError: there is no such picture.
            RecordError: it is damaged.
        """
        with self.path.open("rb") as file:
            return _read_sample(self.path, file, self._samples[number], verify=self._verify)


def _samples(path: Path) -> Iterator[list[_Member]]:
    """Yields the members of each sample.

    Raises:
        RecordError: the shard is missing, cut off or damaged.
    """
    _check_end(path)
    try:
        with tarfile.open(path, "r:") as archive:
            members = (
                _Member(item.name, item.offset_data, item.size) for item in archive if item.isfile()
            )
            for _, parts in groupby(members, lambda item: _split(item)[0]):
                yield list(parts)
    except (tarfile.TarError, EOFError) as error:
        raise RecordError(
            f"{path}: the shard is damaged or no tar archive ({error}). Copy or pack it again."
        ) from error


def _facts(picture: PackedPicture) -> bytes:
    facts = {
        "filename": picture.name,
        "class": picture.class_name,
        "width": picture.width,
        "height": picture.height,
        "crc32c": crc32c(picture.encoded),
    }
    return json.dumps(facts, ensure_ascii=False).encode("utf-8", errors="backslashreplace")


def _split(member: _Member) -> tuple[str, str]:
    """Returns key and extension of a member."""
    match = _NAME.fullmatch(member.name)
    return (match[1], match[2].lower()) if match else (member.name, "")


def _read_sample(
    path: Path, file: BinaryIO, members: list[_Member], *, verify: bool
) -> PackedPicture:
    key = _split(members[0])[0]
    parts: dict[str, bytes] = {}
    for member in members:
        file.seek(member.offset)
        parts[_split(member)[1]] = file.read(member.size)
    found = [extension for extension in parts if extension in _FORMATS]
    where = f"{path}: sample {key!r}"
    if len(found) != 1:
        raise RecordError(
            f"{where} has the parts {', '.join(parts)}; expected one picture: "
            f"{', '.join(_FORMATS)}."
        )
    facts = _read_facts(where, parts.get("json", b"{}"))
    encoded = parts[found[0]]
    if verify and facts.get("crc32c", crc32c(encoded)) != crc32c(encoded):
        raise RecordError(
            f"{where} does not fit its CRC-32C (its picture begins at byte "
            f"{members[0].offset:,}). The shard is damaged; copy or pack it again."
        )
    return PackedPicture(
        key=key,
        encoded=encoded,
        format=_FORMATS[found[0]],
        name=str(facts.get("filename", "")),
        label=_number(where, ".cls", parts.get("cls", NO_LABEL)),
        class_name=str(facts.get("class", "")),
        width=_number(where, "width", facts.get("width", 0)),
        height=_number(where, "height", facts.get("height", 0)),
    )


def _read_facts(where: str, content: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise RecordError(f"{where}: its .json cannot be read ({error}).") from error
    return facts if isinstance(facts, dict) else {}


def _number(where: str, name: str, value: Any) -> int:
    try:
        return int(value)
    except (ValueError, TypeError):
        raise RecordError(f"{where}: its {name} is {value!r}, expected a number.") from None


def _check_end(path: Path) -> None:
    """Finds a shard that was cut between two members, which tarfile takes for its end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_END)))
            whole = file.read() == _END
    except OSError as error:
        raise RecordError(f"{path}: the shard cannot be read ({error.strerror}).") from error
    if not whole:
        raise RecordError(
            f"{path}: the shard is cut off at byte {size:,}, or is no tar archive without "
            "compression: it does not end in two blocks of zeros. Copy or pack it again."
        )
