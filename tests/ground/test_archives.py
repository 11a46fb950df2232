"""Archives from elsewhere: what is good is unpacked, what is not leaves nothing behind."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from toolkit import archives
from toolkit.archives import is_archive, unpack, unpacked
from toolkit.errors import ArchiveError

FILES = {"inference.yml": b"Global: {}", "sub/inference.json": b"{}"}


def member(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def write(file: Path, top: str = "top/", *extra: tarfile.TarInfo) -> Path:
    mode = "w:gz" if file.name.endswith("gz") else "w"
    with tarfile.open(file, mode) as tar:
        for name, content in FILES.items():
            tar.addfile(member(top + name, len(content)), io.BytesIO(content))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return file


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
@pytest.mark.parametrize("top", ["", "top/", "./top/", "./"])
def test_files_are_unpacked_without_the_folder_around_them(
    tmp_path: Path, name: str, top: str
) -> None:
    archive = write(tmp_path / name, top, member(f"{top}empty", kind=tarfile.DIRTYPE))
    assert is_archive(archive)
    unpack(archive, tmp_path / "x/y")
    assert contents(tmp_path / "x/y") == FILES


def test_no_folder_is_left_out_when_a_file_stands_beside_it(tmp_path: Path) -> None:
    unpack(write(tmp_path / "a.tar", "top/", member("readme")), tmp_path / "x")
    assert set(contents(tmp_path / "x")) == {
        "top/inference.yml",
        "top/sub/inference.json",
        "readme",
    }


@pytest.mark.parametrize(
    "hostile",
    [
        member("../evil", 1),
        member("top/../../evil", 1),
        member("/evil", 1),
        member("top\\..\\evil", 1),
        member("C:evil", 1),
        member("top/link", kind=tarfile.SYMTYPE, link="/etc"),
        member("top/hard", kind=tarfile.LNKTYPE, link="top/inference.yml"),
        member("top/fifo", kind=tarfile.FIFOTYPE),
        member("top/device", kind=tarfile.CHRTYPE),
    ],
    ids=lambda info: info.name,
)
def test_hostile_members_leave_nothing(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = write(tmp_path / "a.tar", "top/", hostile)
    with pytest.raises(ArchiveError, match="Nothing was unpacked"):
        unpack(archive, inner / "x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "inner"]


def test_damaged_archives_are_named_and_the_old_folder_stays(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.tar").read_bytes()
    packed = write(tmp_path / "a.tar.gz").read_bytes()
    damaged = {
        "cut.tar": plain[:700],
        "page.tar": b"<html>not here</html>",
        "empty.tar": b"",
        "cut.tar.gz": packed[: len(packed) // 2],
        "flipped.tar.gz": packed[:40] + bytes([packed[40] ^ 255]) + packed[41:],
    }
    (tmp_path / "x").mkdir()
    (tmp_path / "x/old").write_text("old")
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArchiveError, match=name):
            unpack(tmp_path / name, tmp_path / "x")
        assert contents(tmp_path / "x") == {"old": b"old"}


def test_no_damage_of_a_compressed_archive_is_missed(tmp_path: Path) -> None:
    """Wherever a byte is wrong, the files are right or there are none."""
    rng = np.random.default_rng(0)
    # Noise is stored as it is; letters are compressed, and damage to them is no valid code at all.
    noise = rng.bytes(20_000) + rng.choice(np.frombuffer(b"abcdefgh", "u1"), 60_000).tobytes()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.addfile(member("top/noise", len(noise)), io.BytesIO(noise))
    whole = bytearray((tmp_path / "a.tar.gz").read_bytes())
    refused = 0
    for place in [*range(10, len(whole), 1009), *range(len(whole) - 8, len(whole))]:
        whole[place] ^= 0x55
        (tmp_path / "a.tar.gz").write_bytes(whole)
        whole[place] ^= 0x55
        try:
            unpack(tmp_path / "a.tar.gz", tmp_path / "x")
        except ArchiveError:
            refused += 1
        else:
            assert contents(tmp_path / "x") == {"noise": noise}
    assert refused > 40


def test_a_file_that_is_also_a_folder_is_an_error_of_the_archive(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar", "top/", member("top/inference.yml/below", 1))
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_what_unpacks_to_too_much_is_refused_at_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MOST_BYTES", 20)
    with pytest.raises(ArchiveError, match="more than 20 bytes"):
        unpack(write(tmp_path / "a.tar", "top/", member("top/big", 21)), tmp_path / "x")
    # A header that promises a terabyte, and nothing behind it.
    monkeypatch.undo()
    bomb = tmp_path / "b.tar.gz"
    bomb.write_bytes(gzip.compress(member("top/big", 1 << 40).tobuf()))
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        unpack(bomb, tmp_path / "x")


def test_what_is_not_accepted_is_not_kept(tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        assert contents(folder) == FILES
        raise ValueError("not what is wanted")

    with pytest.raises(ValueError, match="not what is wanted"):
        unpack(write(tmp_path / "a.tar"), tmp_path / "x", accept=refuse)
    assert not (tmp_path / "x").exists()


def test_an_archive_is_unpacked_once_and_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(tmp_path / "model_infer.tar")
    folder = unpacked(archive, tmp_path / "cache")
    assert folder.parent == tmp_path / "cache"
    assert folder.name.startswith("model_infer-")
    assert contents(folder) == FILES
    with monkeypatch.context() as patch:
        patch.setattr(archives, "unpack", None)
        assert unpacked(archive, tmp_path / "cache") == folder
    write(archive, "top/", member("top/new", 1))
    assert unpacked(archive, tmp_path / "cache") != folder


def test_a_folder_or_another_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "w.pdparams").write_bytes(b"")
    for name in ("folder.tar", "w.pdparams", "gone.tar"):
        assert not is_archive(tmp_path / name)
