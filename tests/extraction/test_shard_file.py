"""Shard files: what is written is read, and no damage goes unseen."""

from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import ModelError
from toolkit.extraction.earlier import Earlier
from toolkit.extraction.shard_file import Failed, MappedShard, read_facts, read_rows, writing_shard

LOST = Failed("missing", "gone: there is no such file \udcff")
ROWS = [LOST, LOST, np.array([1.5, -2.25, 1e-3]), LOST, np.array([0.0, 4.0, 5.0])]
DIGESTS = [b"", bytes([1]) * 32, bytes([2]) * 32, b"", bytes([0]) * 31 + b"\x07"]


def write(path: Path, rows: list, precision: str = "float32") -> None:
    with writing_shard(path, precision) as writer:
        for row, digest in zip(rows, DIGESTS, strict=False):
            writer.add(row, digest)
        writer.finish()


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_is_written_is_read(tmp_path: Path, precision: str) -> None:
    write(tmp_path / "x", ROWS, precision)
    facts = read_facts(tmp_path / "x")
    assert (facts.rows, facts.length, facts.dtype) == (5, 3, np.dtype(precision))
    found = list(read_rows(tmp_path / "x"))
    for (row, digest), written, given in zip(found, ROWS, DIGESTS, strict=True):
        assert digest == given.ljust(32, b"\0")
        if isinstance(written, Failed):
            assert row == written
        else:
            assert row.tolist() == written.astype(precision).tolist()
    mapped = MappedShard(tmp_path / "x")
    assert set(mapped.failed) == {0, 1, 3}
    assert mapped.feature(4).tolist() == [0, 4, 5]


def test_rows_that_all_failed_and_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "x", [LOST, LOST])
    assert [row for row, _ in read_rows(tmp_path / "x")] == [LOST, LOST]
    write(tmp_path / "y", [])
    assert list(read_rows(tmp_path / "y")) == []
    assert read_facts(tmp_path / "y").rows == 0


def test_every_damage_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "x"
    write(file, ROWS)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert read_facts(file) is None, place
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert read_facts(file) is None, size
    file.write_bytes(whole + b"\0")
    assert read_facts(file) is None
    assert read_facts(tmp_path / "gone") is None


def test_what_does_not_fit_is_a_failed_row_or_an_error(tmp_path: Path) -> None:
    write(tmp_path / "x", [np.array([1.0]), np.array([1e6])], "float16")
    assert [isinstance(row, Failed) for row, _ in read_rows(tmp_path / "x")] == [False, True]
    with pytest.raises(ModelError, match="A feature of 2 float32 came after one of 1"):
        write(tmp_path / "y", [np.array([1.0]), np.array([1.0, 2.0])])
    assert not (tmp_path / "y").exists()


def test_earlier_features_by_row_and_by_content(tmp_path: Path) -> None:
    write(tmp_path / "x", ROWS)
    by_row, by_content = (Earlier(tmp_path / "x", by) for by in ("row", "content"))
    assert by_row.of_row(2)[0].tolist() == np.float32(ROWS[2]).tolist()
    assert by_row.of_row(2)[1] == DIGESTS[2]
    assert [by_row.of_row(row) for row in (0, 3, 5)] == [None] * 3
    assert by_row.of_content(DIGESTS[2]) is None
    assert by_content.of_content(DIGESTS[4]).tolist() == [0, 4, 5]
    # A digest of a row that failed, one that begins as another does, and one of nobody.
    for digest in (DIGESTS[1], bytes([2]) * 31 + b"\x03", bytes(32), b"\xff" * 32):
        assert by_content.of_content(digest) is None
    assert by_content.of_row(2) is None


def test_features_of_different_lengths(tmp_path: Path) -> None:
    rows = [np.arange(size, dtype=np.float32) for size in (3, 0, 5, 1)]
    with writing_shard(tmp_path / "x", "float32", varying=True) as writer:
        for row in [*rows, LOST]:
            writer.add(row)
        writer.finish()
    facts = read_facts(tmp_path / "x")
    assert (facts.length, facts.rows, facts.features) == (0, 5, 9 * 4)
    found = [row for row, _ in read_rows(tmp_path / "x")]
    assert [row.tolist() for row in found[:-1]] == [row.tolist() for row in rows]
    assert found[-1] == LOST
