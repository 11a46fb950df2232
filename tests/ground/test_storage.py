import json
from pathlib import Path

import pytest

from toolkit import storage


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    storage.write_text(file, "old")

    def fail_in_the_middle() -> None:
        with storage.atomic_path(file) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_files_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    storage.write_text(tmp_path / "deep" / "ours", "x")
    ours = tmp_path / "deep" / "ours"
    assert ours.stat().st_mode == plain.stat().st_mode


def test_json_is_readable_and_has_no_nan(tmp_path: Path) -> None:
    storage.write_json(tmp_path / "a.json", {"名": [1, None]})
    assert "名" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert storage.read_json(tmp_path / "a.json") == {"名": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("one", "two"):
        with storage.atomic_directory(folder) as temporary:
            (temporary / text).write_text(text, encoding="utf-8")
    assert [path.name for path in folder.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), storage.atomic_directory(folder) as temporary:
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_moved_aside_by_a_killed_process_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    with storage.atomic_directory(folder) as temporary:
        (temporary / "one").touch()
    real = Path.replace
    calls = []

    def killed_at_the_second(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt), storage.atomic_directory(folder):
            pass
    assert not folder.exists()
    assert storage.recover_directory(folder)
    assert (folder / "one").exists()
    assert not storage.recover_directory(folder)


def test_written_json_ends_with_a_line_end(tmp_path: Path) -> None:
    storage.write_json(tmp_path / "a.json", [])
    raw = (tmp_path / "a.json").read_bytes()
    assert raw == b"[]\n"
    assert json.loads(raw) == []


def test_json_of_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    data = {"note": "caf\udce9.png 猫"}
    storage.write_json(tmp_path / "a.json", data)
    assert storage.read_json(tmp_path / "a.json") == data
    assert "猫" in (tmp_path / "a.json").read_text(encoding="utf-8")
