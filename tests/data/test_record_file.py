"""One file of arrays: what was put in comes out, and half a file is never believed."""

import hashlib
import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest

from toolkit.data.record_file import (
    content_key,
    make_room,
    open_records,
    record_bytes,
    writing_records,
)


def arrays(dtype=np.uint8) -> dict[bytes, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = [(5, 7, 3), (1, 1, 3), (64,), (2, 3), (9,)]
    return {
        content_key(bytes([number])): rng.integers(0, 256, shape).astype(dtype)
        for number, shape in enumerate(shapes)
    }


def write(path: Path, records: dict[bytes, np.ndarray], dtype=np.uint8) -> Path:
    with writing_records(path, dtype) as writer:
        for key, array in records.items():
            writer.add(key, array)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_was_written_is_read(tmp_path, dtype):
    expected = arrays(dtype)
    records = open_records(write(tmp_path / "a.pictures", expected, dtype), dtype)
    assert len(records) == len(expected)
    for key, array in expected.items():
        assert key in records
        found = records.get(key)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == dtype
        assert not found.flags.writeable
    assert [key for key, _ in records.items()] == list(expected)
    assert records.get(content_key(b"another")) is None


def test_a_key_is_of_the_content_and_of_the_variant():
    keys = {content_key(b"a"), content_key(b"b"), content_key(b"a", 1), content_key(b"a", 3)}
    assert len(keys) == 4
    assert content_key(b"a")[:16] == hashlib.sha256(b"a").digest()[:16]


def test_every_byte_counts(tmp_path):
    """Whichever byte is changed, the file is refused: header, record, padding and index."""
    path = write(tmp_path / "a.pictures", arrays())
    whole = path.read_bytes()
    for place in [0, 9, 13, 20, 28, 37, 60, 128, 200, 300, len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert open_records(path, np.uint8) is None, place
    path.write_bytes(whole)
    assert open_records(path, np.uint8) is not None


@pytest.mark.parametrize("kept", [0, 40, 127, 128, 400, -1])
def test_a_file_that_was_cut_off_is_not_believed(tmp_path, caplog, kept):
    path = write(tmp_path / "a.pictures", arrays())
    path.write_bytes(path.read_bytes()[:kept])
    assert open_records(path, np.uint8) is None
    assert "cannot be used" in caplog.text


def test_another_kind_of_numbers_is_not_believed(tmp_path):
    path = write(tmp_path / "a.pictures", arrays())
    assert open_records(path, np.float32) is None


def test_no_file_is_no_warning(tmp_path, caplog):
    assert open_records(tmp_path / "none.pictures", np.uint8) is None
    assert not caplog.text


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write(tmp_path / "a.pictures", arrays())
    before = path.read_bytes()

    def interrupted() -> None:
        with writing_records(path, np.uint8) as writer:
            writer.add(content_key(b"new"), np.zeros((4, 4, 3), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_leave_one_whole_file_and_readers_of_the_old_one(tmp_path):
    path = write(tmp_path / "a.pictures", arrays())
    old = open_records(path, np.uint8)
    one, other = arrays(), {content_key(b"x"): np.full((3, 3, 3), 9, np.uint8)}
    with writing_records(path, np.uint8) as first:
        for key, array in one.items():
            first.add(key, array)
        write(path, other)
        assert len(open_records(path, np.uint8)) == 1
    assert len(open_records(path, np.uint8)) == len(one)
    for key, array in one.items():
        np.testing.assert_array_equal(old.get(key), array)


def test_the_size_is_known_while_writing(tmp_path):
    path = tmp_path / "a.pictures"
    with writing_records(path, np.uint8) as writer:
        sizes = [writer.size]
        for key, array in arrays().items():
            writer.add(key, array)
            assert writer.size == sizes[-1] + record_bytes(array)
            sizes.append(writer.size)
        writer.add(key, array)
        assert writer.size == sizes[-1]
    assert path.stat().st_size == sizes[-1]


def test_an_empty_array_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="not empty"),
        writing_records(tmp_path / "a", "u1") as file,
    ):
        file.add(content_key(b""), np.zeros((0, 3), np.uint8))


def test_room_is_made_by_age_of_use(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    own = tmp_path / "own.pictures"
    for age, name in enumerate(["own", "new", "middle", "old"]):
        file = tmp_path / f"{name}.pictures"
        file.write_bytes(bytes(100))
        os.utime(file, (time.time() - 60 * age,) * 2)
    stranger = tmp_path / "other.features"
    stranger.write_bytes(bytes(100))
    abandoned, living = tmp_path / ".own.aa.tmp.pictures", tmp_path / ".own.bb.tmp.pictures"
    for file in (abandoned, living):
        file.write_bytes(bytes(100))
    os.utime(abandoned, (time.time() - 3 * 24 * 3600,) * 2)
    make_room(own, 200)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {own.name, "new.pictures", "middle.pictures", stranger.name, living.name}
    make_room(own, 0)
    assert {file.name for file in tmp_path.glob("[!.]*.pictures")} == {own.name}
    assert "Data.cache_mib" in caplog.text
