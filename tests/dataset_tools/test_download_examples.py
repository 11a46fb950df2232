"""The official examples, from a server on this machine."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, Served, serving

from dataset_tools import download_examples

INSHOP = {"Inshop_examples/train.txt": b"images/a.jpg 1\n", "Inshop_examples/images/a.jpg": b"a"}
LABELME = {"image_classification_labelme_examples/label.txt": b"cat\n"}


def tar(files: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link is not None:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "*")
    with serving() as running:
        base = "/mirror/paddlex"
        labelme = f"{base}/data/image_classification_labelme_examples.tar"
        running.files = {
            f"{base}/data/Inshop_examples.tar": Served(tar(INSHOP)),
            labelme: Served(tar(LABELME)),
            f"{base}/imgs/demo_image/general_image_recognition_001.jpg": Served(b"picture"),
        }
        yield running


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_the_three_examples_are_fetched_once(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new/dataset"
    command = [str(folder), "--base-url", f"{server.url}/mirror"]
    assert download_examples.main(command) == 0
    expected = {**INSHOP, **LABELME, "general_image_recognition_001.jpg": b"picture"}
    assert contents(folder) == expected
    told = capsys.readouterr().out
    for name in ("Inshop_examples", "image_classification_labelme_examples", "_001.jpg"):
        assert name in told
    assert told.count("fetched") == 3
    # What people have done with the lists since stays.
    (folder / "Inshop_examples/train.txt").write_bytes(b"images/a.jpg 2\n")
    assert download_examples.main(command) == 0
    assert capsys.readouterr().out.count("already there") == 3
    assert len(server.asked) == 3
    assert (folder / "Inshop_examples/train.txt").read_bytes() == b"images/a.jpg 2\n"


def test_one_of_them(server: FileServer, tmp_path: Path) -> None:
    command = [str(tmp_path / "d"), "--base-url", f"{server.url}/mirror", "--only", "image"]
    assert download_examples.main(command) == 0
    assert contents(tmp_path / "d") == {"general_image_recognition_001.jpg": b"picture"}


def test_a_hostile_archive_leaves_nothing(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/mirror/paddlex/data/Inshop_examples.tar"].content = tar(INSHOP, "x/link")
    command = [str(tmp_path / "d"), "--base-url", f"{server.url}/mirror", "--only", "inshop"]
    assert download_examples.main(command) == 2
    assert "Nothing was unpacked" in capsys.readouterr().err
    assert contents(tmp_path) == {}


def test_without_a_network_it_ends_with_the_ways_out(tmp_path: Path, repository: Path) -> None:
    """As a person runs it, with the mirror from the environment."""
    done = subprocess.run(
        [sys.executable, "dataset_tools/download_examples.py", str(tmp_path / "d")],
        cwd=repository,
        env={**os.environ, "no_proxy": "*", "TOOLKIT_MIRROR": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    for part in ("error:", "127.0.0.1:1", "refused", "(1)", "(2)", "(3)", "--base-url"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == {}
