"""Checkpoints that TensorFlow wrote, under every name that people give, whole and damaged."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cards.golden.write_tensorflow_checkpoints import variables
from tests.cards.written_tables import table, varint
from toolkit.cards.tensorflow_checkpoint import open_checkpoint
from toolkit.errors import WeightsError

GOLDEN = Path(__file__).parent / "golden"
V1 = "tensorflow_v1.ckpt"
V2 = "tensorflow_v2.ckpt"
SHARD = f"{V2}.data-00000-of-00001"


def read(path: Path) -> dict[str, np.ndarray]:
    checkpoint = open_checkpoint(path)
    return dict(checkpoint.arrays(list(checkpoint.variables)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (V1, f"{V2}.index", SHARD):
        shutil.copy(GOLDEN / name, tmp_path)
    return tmp_path


class TestReading:
    @pytest.mark.parametrize("name", [V1, V2, f"{V2}.index", SHARD, f"{V2}.meta"])
    def test_every_name_of_a_checkpoint(self, name: str) -> None:
        arrays, wanted = read(GOLDEN / name), variables()
        assert set(arrays) == set(wanted)
        for key, value in wanted.items():
            assert arrays[key].dtype == value.dtype, key
            np.testing.assert_array_equal(arrays[key], value, err_msg=key)

    @pytest.mark.parametrize("name", [V1, V2])
    def test_shapes_are_known_before_anything_is_read(self, name: str) -> None:
        known = open_checkpoint(GOLDEN / name).variables
        assert {key: variable.shape for key, variable in known.items()} == {
            key: value.shape for key, value in variables().items()
        }

    @pytest.mark.parametrize("name", [V1, V2])
    def test_only_what_is_asked_for(self, name: str) -> None:
        checkpoint = open_checkpoint(GOLDEN / name)
        assert [key for key, _ in checkpoint.arrays(["global_step"])] == ["global_step"]

    @pytest.mark.parametrize("named", [V1, V2, f"/somewhere/else/{V2}"])
    def test_a_folder_names_its_latest(self, folder: Path, named: str) -> None:
        text = f'model_checkpoint_path: "{named}"\nall_model_checkpoint_paths: "old"\n'
        (folder / "checkpoint").write_text(text, encoding="utf-8")
        assert len(read(folder)) == len(variables())

    def test_arrays_own_their_memory(self, folder: Path) -> None:
        arrays = read(folder / V1)
        (folder / V1).write_bytes(b"")
        assert arrays["Net/whole"][1, 2] == 2**31 - 1
        arrays["Net/whole"][:] = 0


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("tensorflow_v3.ckpt", "There is no TensorFlow checkpoint.*Did you mean"),
            ("elsewhere/x.ckpt", "folder .*elsewhere does not exist"),
            ("", "no file 'checkpoint'.*tensorflow_v1.ckpt, tensorflow_v2.ckpt"),
        ],
    )
    def test_nothing_there(self, folder: Path, name: str, message: str) -> None:
        with pytest.raises(WeightsError, match=message):
            open_checkpoint(folder / name)

    def test_a_state_file_without_a_name(self, folder: Path) -> None:
        (folder / "checkpoint").write_text("nothing", encoding="utf-8")
        with pytest.raises(WeightsError, match="names no model_checkpoint_path"):
            open_checkpoint(folder)

    def test_a_missing_shard(self, folder: Path) -> None:
        (folder / SHARD).unlink()
        with pytest.raises(WeightsError, match=r"shard tensorflow_v2\.ckpt\.data-00000-of-00001"):
            read(folder / V2)

    def test_a_missing_index(self, folder: Path) -> None:
        (folder / f"{V2}.index").unlink()
        with pytest.raises(WeightsError, match=r"index tensorflow_v2\.ckpt\.index is not there"):
            read(folder / SHARD)

    @pytest.mark.parametrize("start", [b"\x1f\x8b", b"PK"])
    def test_an_archive(self, tmp_path: Path, start: bytes) -> None:
        file = tmp_path / "x.ckpt"
        file.write_bytes(start + bytes(99))
        with pytest.raises(WeightsError, match="archive"):
            open_checkpoint(file)

    @pytest.mark.parametrize("size", [0, 1, 47, 1000])
    def test_a_cut_file(self, folder: Path, size: int) -> None:
        file = folder / V1
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(WeightsError, match="cut off"):
            read(file)

    def test_a_cut_shard(self, folder: Path) -> None:
        file = folder / SHARD
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(WeightsError, match=r"global_step|the shard ends at byte"):
            read(folder / V2)

    def test_a_changed_value(self, folder: Path) -> None:
        file = folder / SHARD
        data = bytearray(file.read_bytes())
        data[3] ^= 1
        file.write_bytes(data)
        with pytest.raises(WeightsError, match=r"variable '.*' \(shard 0, byte 0\).*checksum"):
            read(folder / V2)

    @pytest.mark.parametrize("name", [V1, V2])
    def test_an_unknown_variable(self, name: str) -> None:
        with pytest.raises(WeightsError, match=r"no variable 'global_stop'.*'global_step'"):
            list(open_checkpoint(GOLDEN / name).arrays(["global_stop"]))

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ({1: 7}, "is of type string"),
            ({1: 14}, "is of type bfloat16"),
            ({1: 99}, "is of type number 99"),
            ({1: 1, 7: 0}, "stored in 2 pieces"),
        ],
    )
    def test_what_is_not_read(self, tmp_path: Path, entry: dict[int, int], message: str) -> None:
        fields = b"".join(
            varint(number << 3) + varint(value) if number != 7 else 2 * b"\x3a\x00"
            for number, value in entry.items()
        )
        index = table([(b"", b"\x08\x01"), (b"x", fields)])
        (tmp_path / "a.index").write_bytes(index)
        with pytest.raises(WeightsError, match=message):
            read(tmp_path / "a")

    @pytest.mark.parametrize(("header", "message"), [(b"\x08\x01\x10\x01", "big-endian")])
    def test_the_other_order_of_bytes(self, tmp_path: Path, header: bytes, message: str) -> None:
        (tmp_path / "a.index").write_bytes(table([(b"", header)]))
        with pytest.raises(WeightsError, match=message):
            open_checkpoint(tmp_path / "a")

    @pytest.mark.parametrize("ending", ["", ".index"])
    def test_a_table_of_something_else(self, tmp_path: Path, ending: str) -> None:
        (tmp_path / f"a{ending}").write_bytes(table([(b"key", b"value")]))
        with pytest.raises(
            WeightsError, match=r"none of a TensorFlow checkpoint|no index|protobuf"
        ):
            open_checkpoint(tmp_path / "a")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    place=st.integers(0, 5000), value=st.integers(0, 255), name=st.sampled_from([V1, f"{V2}.index"])
)
def test_damaged_files_end_in_our_error(folder: Path, place: int, value: int, name: str) -> None:
    whole = (GOLDEN / name).read_bytes()
    data = bytearray(whole)
    data[place % len(data)] = value
    (folder / name).write_bytes(data)
    # One byte that is not what it was is found, wherever it is; but not all bytes are used.
    with contextlib.suppress(WeightsError):
        assert len(read(folder / name)) == len(variables())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(messages=st.lists(st.binary(max_size=40), min_size=1, max_size=3), index=st.booleans())
def test_made_up_messages_end_in_our_error(
    tmp_path: Path, messages: list[bytes], index: bool
) -> None:
    """Checksums are right here, so the messages themselves are read."""
    keys = [b"", b"a", b"b"]
    data = table(list(zip(keys, messages, strict=False)))
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / ("x.index" if index else "x")).write_bytes(data)
    (tmp_path / "x.data-00000-of-00001").write_bytes(bytes(100))
    try:
        read(tmp_path / "x")
    except WeightsError:
        return
