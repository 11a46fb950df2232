"""TFRecord files: TensorFlow's golden file, and every way in which a file can be wrong."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.packing.tfrecord import (
    TFRecordFile,
    index_path,
    read_records,
    write_index,
    writing_tfrecord,
)
from toolkit.errors import RecordError

GOLDEN = Path(__file__).parent / "golden" / "tensorflow.tfrecord"
DATA = [b"first", b"", b"the third record" * 3, b"4"]


def write(path: Path, data: list[bytes]) -> Path:
    with writing_tfrecord(path) as add:
        for record in data:
            add(record)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "a.tfrecord", DATA)


def test_the_records_of_tensorflow_make_the_file_of_tensorflow(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours.tfrecord", list(read_records(GOLDEN)))
    assert ours.read_bytes() == GOLDEN.read_bytes()
    assert index_path(ours).read_bytes() == index_path(GOLDEN).read_bytes()


def test_tensorflows_file_is_read_at_any_place() -> None:
    records = TFRecordFile(GOLDEN)
    assert list(read_records(GOLDEN)) == [records[0], records[1], records[2]]
    assert records[-1] == records[2]
    assert b"image/encoded" in records[1]


# Each file is synced to the disk, however slow that is.
@settings(deadline=None, max_examples=30)
@given(data=st.lists(st.binary(max_size=200), max_size=8))
def test_records_come_back(data: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("records") / "a.tfrecord", data)
    assert list(read_records(path)) == data
    records = TFRecordFile(path)
    assert [records[number] for number in range(len(records))] == data


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_readers_share_the_records(file: Path, count: int) -> None:
    for rank in range(count):
        assert list(read_records(file, rank=rank, count=count)) == DATA[rank::count]


def test_a_reader_that_is_none_of_them_is_a_mistake(file: Path) -> None:
    with pytest.raises(ValueError, match="rank 2 of 2"):
        list(read_records(file, rank=2, count=2))


def test_a_cut_file_is_cut_at_every_place(file: Path) -> None:
    """A cut between two records is a shorter file; the index tells it from a whole one."""
    whole = file.read_bytes()
    borders = [0]
    for record in DATA:
        borders.append(borders[-1] + len(record) + 16)
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        if size in borders:
            assert list(read_records(file)) == DATA[: borders.index(size)]
        else:
            begun = max(border for border in borders if border < size)
            with pytest.raises(RecordError, match=f"byte {begun} is cut off.* byte {size}"):
                list(read_records(file))
        with pytest.raises(RecordError, match=r"its records end at byte 118, the file at"):
            TFRecordFile(file)


def test_every_changed_byte_is_found(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"at byte .* CRC-32C"):
            list(read_records(file))


def test_the_message_has_the_offset_of_the_damaged_record(file: Path) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[21 + 16 + 12 + 3] ^= 1  # in the data of the third record
    file.write_bytes(damaged)
    with pytest.raises(RecordError, match=r"record at byte 37 \(48 bytes\)"):
        list(read_records(file))
    with pytest.raises(RecordError, match="record at byte 37"):
        TFRecordFile(file)[2]


def test_without_verification_only_lengths_are_checked(file: Path) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[12] ^= 1
    file.write_bytes(damaged)
    assert next(read_records(file, verify=False)) == b"girst"
    assert TFRecordFile(file, verify=False)[0] == b"girst"
    damaged[0] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(RecordError, match="length of the record at byte 0"):
        next(read_records(file, verify=False))


def test_a_length_beyond_the_file_reads_nothing(tmp_path: Path) -> None:
    """Its CRC may fit all the same: it must not make the reader ask for so much memory."""
    from toolkit.crc32c import masked_crc32c

    length = struct.pack("<Q", 2**62)
    path = tmp_path / "huge.tfrecord"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"abc")
    with pytest.raises(RecordError, match="cut off"):
        list(read_records(path, verify=False))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.tfrecord: .*No such file"):
        list(read_records(tmp_path / "none.tfrecord"))


def test_a_missing_index_says_how_to_make_it(file: Path) -> None:
    expected = index_path(file).read_bytes()
    index_path(file).unlink()
    with pytest.raises(RecordError, match=r"a\.tfrecord\.idx is missing.*tfrecord2idx"):
        TFRecordFile(file)
    write_index(file)
    assert index_path(file).read_bytes() == expected


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("0 21\n21 16\n", "its records end at byte 37, the file at 118"),
        ("0 21\n22 16\n38 79\n", "line 2 begins at byte 22, expected byte 21"),
        ("0 21\n21 x\n", "line 2 is b'21 x', expected: offset size"),
        ("0 21 3\n", "line 1 is b'0 21 3'"),
        ("0 -21\n", "line 1 is b'0 -21'"),
        ("", "its records end at byte 0"),
    ],
)
def test_an_index_of_another_file_is_refused(file: Path, lines: str, words: str) -> None:
    index_path(file).write_text(lines)
    with pytest.raises(RecordError, match=words):
        TFRecordFile(file)


def test_an_index_with_other_borders_is_found_where_it_matters(file: Path) -> None:
    """It covers the file without a gap, so only the record itself can tell."""
    index_path(file).write_text("0 37\n37 64\n101 17\n")
    with pytest.raises(RecordError, match="line 1 ends at byte 37, its record does not"):
        TFRecordFile(file)[0]


def test_a_place_that_is_not_there(file: Path) -> None:
    with pytest.raises(IndexError, match="has 4 records, asked for 4"):
        TFRecordFile(file)[4]
    with pytest.raises(IndexError):
        TFRecordFile(file)[-5]


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        with writing_tfrecord(tmp_path / "a.tfrecord") as add:
            add(b"one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorflow_reads_what_we_write(file: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    dataset = tensorflow.data.TFRecordDataset(str(file))
    assert [record.numpy() for record in dataset] == DATA
