"""Official models: on this machine, from a server, from a mirror, or an error with ways out."""

import io
import logging
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, Served, serving

from toolkit.cards.card import Card
from toolkit.cards.catalog import CARDS
from toolkit.errors import FetchError, ModelError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.official import official_model, opened_folder
from toolkit.interfaces.api import create_model

FILES = {"inference.yml": b"Global: {}", "inference.json": b"{}", "inference.pdiparams": b"123"}
CARD = CARDS["PP-ShiTuV2_rec"]
PATH = "/paddlex/official_inference_model/paddle3.0.0/PP-ShiTuV2_rec_infer.tar"


def archive(names: dict[str, bytes] = FILES, link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in names.items():
            info = tarfile.TarInfo(f"PP-ShiTuV2_rec_infer/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("PP-ShiTuV2_rec_infer/link")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def paddlex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "paddlex"))
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "paddlex/official_models"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as running:
        yield running


@pytest.fixture
def options(tmp_path: Path, server: FileServer) -> FetchOptions:
    """Official addresses lead to the server here."""
    return FetchOptions(tmp_path / "own", mirror=server.url)


def test_a_model_of_paddlex_is_used_where_it_is(
    options: FetchOptions, server: FileServer, paddlex: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (paddlex / CARD.name).mkdir(parents=True)
    (paddlex / CARD.name / "inference.yml").write_text("")
    assert official_model(CARD, options) == paddlex / CARD.name
    assert official_model(CARD, replace(options, verify=True)) == paddlex / CARD.name
    assert "cannot be verified" in caplog.text
    assert server.asked == []
    assert [path.name for path in paddlex.iterdir()] == [CARD.name]
    assert not options.cache.exists()


def test_a_download_is_unpacked_once_and_recorded(
    options: FetchOptions, server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.files[PATH] = Served(archive())
    for _ in range(2):
        folder = official_model(CARD, options)
        assert folder == options.cache / "official_models" / CARD.name
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert [path for path, _, _ in server.asked] == [PATH]
    assert {path.name for path in folder.parent.iterdir()} == {
        CARD.name,
        f"{CARD.name}.sha256.json",
    }
    assert "trusted as it is" in caplog.text


def test_a_model_that_has_changed_is_not_opened(options: FetchOptions, server: FileServer) -> None:
    server.files[PATH] = Served(archive())
    folder = official_model(CARD, options)
    (folder / "inference.pdiparams").write_bytes(b"1234")
    with pytest.raises(FetchError, match="not the file that was first used from https://paddle"):
        official_model(CARD, options)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive({"readme.txt": b""}), r"no inference\.yml"),
        (archive(link=True), "Nothing was unpacked"),
        (b"<html>not here</html>", "not a whole tar archive"),
        (archive()[:700], "not a whole tar archive"),
    ],
    ids=["no model", "hostile", "page", "cut"],
)
def test_an_archive_that_is_no_model_is_named_and_asked_for_again(
    options: FetchOptions, server: FileServer, content: bytes, reason: str
) -> None:
    server.files[PATH] = Served(content)
    for _ in range(2):
        with pytest.raises(ModelError, match=f"cannot be used: .*{reason}"):
            official_model(CARD, options)
    assert len(server.asked) == 2
    assert list((options.cache / "official_models").iterdir()) == []


def test_a_folder_by_hand_without_a_model_in_it_is_named_and_not_trusted(
    options: FetchOptions, server: FileServer
) -> None:
    """An archive that was unpacked one folder too deep."""
    inner = options.cache / "official_models" / CARD.name / "PP-ShiTuV2_rec_infer"
    inner.mkdir(parents=True)
    (inner / "inference.yml").write_text("")
    with pytest.raises(ModelError, match=r"no inference\.yml in it.*right below that folder"):
        official_model(CARD, options)
    assert [path.name for path in inner.parent.parent.iterdir()] == [CARD.name]
    assert server.asked == []


def test_without_a_network_the_ways_out_are_told_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_MIRROR", "http://127.0.0.1:1")
    name = "PP-ShiTuV2_rec_CLIP_vit_base"
    started = time.monotonic()
    with pytest.raises(FetchError) as caught:
        create_model(name)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    for part in (
        str(tmp_path / "own/official_models" / name),
        str(tmp_path / "paddlex/official_models" / name),
        "http://127.0.0.1:1/paddlex",
        "refused",
        "1 try",
        "(1)",
        "model_dir",
        "(2)",
        "by hand",
        "(3)",
        "TOOLKIT_MIRROR",
    ):
        assert part in message
    assert message.count("Ways out") == 1


def test_a_card_without_an_official_model_says_so(options: FetchOptions) -> None:
    card: Card = replace(CARD, name="Mine", inference_url=None)
    with pytest.raises(ModelError, match="no official inference model of 'Mine'"):
        official_model(card, options)


def test_a_model_given_as_an_archive_is_unpacked_into_the_cache(
    options: FetchOptions, tmp_path: Path
) -> None:
    file = tmp_path / "model.tar"
    file.write_bytes(archive())
    folder = opened_folder(file, options)
    assert folder.parent == options.cache / "unpacked"
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert opened_folder(tmp_path / "elsewhere", options) == tmp_path / "elsewhere"
