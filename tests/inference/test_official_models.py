import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.cards.catalog import CARDS
from toolkit.errors import FetchError, ModelError
from toolkit.inference import official
from toolkit.inference.official import official_model, unpack_model

FILES = {"inference.yml": b"Global: {}", "inference.json": b"{}", "inference.pdiparams": b"123"}
CARD = CARDS["PP-ShiTuV2_rec"]


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def _archive(path: Path, top: str, *extra: tarfile.TarInfo, compress: str = "") -> Path:
    with tarfile.open(path, f"w{compress}") as tar:
        for name, content in FILES.items():
            member = _member(top + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member, io.BytesIO(b""))
    return path


@pytest.mark.parametrize("top", ["", "PP-ShiTuV2_rec_infer/", "./PP-ShiTuV2_rec_infer/"])
@pytest.mark.parametrize("compress", ["", ":gz"])
def test_the_files_are_unpacked_without_the_folder_around_them(
    tmp_path: Path, top: str, compress: str
) -> None:
    archive = _archive(tmp_path / "a.tar", top, compress=compress)
    unpack_model(archive, tmp_path / "models" / "x")
    found = {file.name: file.read_bytes() for file in (tmp_path / "models" / "x").iterdir()}
    assert found == FILES


@pytest.mark.parametrize(
    "member",
    [
        _member("../outside.txt"),
        _member("top/../../outside.txt"),
        _member("/tmp/outside.txt"),  # noqa: S108 - is not written
        _member("top/link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("top/hard", tarfile.LNKTYPE, "top/inference.yml"),
        _member("top/device", tarfile.CHRTYPE),
        _member("top/pipe", tarfile.FIFOTYPE),
        _member("C:\\outside.txt"),
        _member("top\\..\\outside.txt"),
    ],
    ids=lambda member: member.name,
)
def test_hostile_archives_write_nothing(tmp_path: Path, member: tarfile.TarInfo) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = _archive(tmp_path / "a.tar", "top/", member)
    with pytest.raises(ModelError, match="Nothing was unpacked"):
        unpack_model(archive, inner / "x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "inner"]


def test_an_archive_of_something_else_or_half_of_one(tmp_path: Path) -> None:
    whole = _archive(tmp_path / "a.tar", "top/").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:700])
    (tmp_path / "page.tar").write_bytes(b"<html>not here</html>")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.addfile(_member("top/readme.txt"), io.BytesIO(b""))
    for name in ("cut.tar", "page.tar", "other.tar"):
        with pytest.raises(ModelError, match=name):
            unpack_model(tmp_path / name, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_more_bytes_than_any_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "_MOST_BYTES", 10)
    with pytest.raises(ModelError, match="more than 10 bytes"):
        unpack_model(_archive(tmp_path / "a.tar", ""), tmp_path / "x")


def test_a_model_on_this_machine_is_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "download", None)
    second = tmp_path / "paddlex" / CARD.name
    second.mkdir(parents=True)
    (second / "inference.yml").write_text("")
    assert official_model(CARD, (tmp_path / "own", tmp_path / "paddlex")) == second
    assert not (tmp_path / "own").exists()


def test_a_download_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(url: str, target: Path, *, timeout: float) -> None:
        asked.append(url)
        assert timeout <= 5
        _archive(target, "PP-ShiTuV2_rec_infer/")

    monkeypatch.setattr(official, "download", download)
    for _ in range(2):
        folder = official_model(CARD, (tmp_path / "own", tmp_path / "paddlex"))
        assert folder == tmp_path / "own" / CARD.name
        assert {file.name for file in folder.iterdir()} == set(FILES)
    assert asked == [CARD.inference_url]
    assert [path.name for path in (tmp_path / "own").iterdir()] == [CARD.name]


def test_without_a_network_the_ways_out_are_told(tmp_path: Path) -> None:
    card = replace(CARD, inference_url="http://127.0.0.1:1/model.tar")
    with pytest.raises(FetchError) as caught:
        official_model(card, (tmp_path / "own", tmp_path / "paddlex"))
    message = str(caught.value)
    for part in (
        str(tmp_path / "own" / CARD.name),
        str(tmp_path / "paddlex" / CARD.name),
        "http://127.0.0.1:1/model.tar",
        "refused",
        "model_dir",
        "by hand",
    ):
        assert part in message
    assert message.count("Ways out") == 1


def test_a_card_without_an_official_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no official inference model of 'SmallResNet_rec'"):
        official_model(CARDS["SmallResNet_rec"], (tmp_path,))


def test_the_folders_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "a"))
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "b"))
    expected = tuple(tmp_path / name / "official_models" for name in "ab")
    assert official.model_folders() == expected
