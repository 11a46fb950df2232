"""Weights in every form that people have them in, and out again."""

import inspect
import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from toolkit.cards.inference_weights import graph_parameters, read_parameters
from toolkit.cards.protobuf import read_fields
from toolkit.cards.weight_sources import find_weights
from toolkit.cards.weights import read_weights, write_state, write_weights
from toolkit.errors import WeightsError

WEIGHTS = {
    "backbone.conv.weight": np.arange(24, dtype="float32").reshape(2, 3, 2, 2),
    "backbone.steps": np.array(7, dtype="int64"),
    "neck.half": np.array([1.5, -2], dtype="float16"),
    "neck.empty": np.empty((0, 4), dtype="float64"),
    "head.中": np.array([True, False]),
    "head.bfloat16": np.array([16256, 49152], dtype="uint16"),
}


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert set(left) == set(right)
    for name, array in left.items():
        assert array.dtype == right[name].dtype, name
        np.testing.assert_array_equal(array, right[name], err_msg=name)


class TestWriting:
    @pytest.mark.parametrize("suffix", [".safetensors", ".pdparams"])
    def test_what_is_written_is_read(self, tmp_path: Path, suffix: str) -> None:
        file = tmp_path / "new" / f"w{suffix}"
        write_weights(file, WEIGHTS)
        assert_same(read_weights(file), WEIGHTS)
        assert [entry.name for entry in file.parent.iterdir()] == [file.name]

    def test_other_programs_read_our_safetensors(self, tmp_path: Path) -> None:
        """The safetensors library is the oracle, bfloat16 by its own name for it included."""
        from safetensors import deserialize
        from safetensors.numpy import load_file

        write_weights(tmp_path / "w.safetensors", WEIGHTS)
        kinds = {
            name: (entry["dtype"], list(entry["shape"]))
            for name, entry in deserialize((tmp_path / "w.safetensors").read_bytes())
        }
        assert kinds["head.bfloat16"] == ("BF16", [2])
        assert kinds["backbone.steps"] == ("I64", [])
        plain = {name: value for name, value in WEIGHTS.items() if name != "head.bfloat16"}
        write_weights(tmp_path / "plain.safetensors", plain)
        read = load_file(tmp_path / "plain.safetensors")
        for name, array in plain.items():
            np.testing.assert_array_equal(read[name], array)

    def test_big_endian_and_strided_arrays_are_written_by_value(self, tmp_path: Path) -> None:
        array = np.arange(6, dtype=">f4").reshape(2, 3).T
        write_weights(tmp_path / "w.safetensors", {"w": array})
        np.testing.assert_array_equal(read_weights(tmp_path / "w")["w"], array)

    def test_another_suffix_or_type_is_refused_and_the_old_file_stays(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"\.safetensors or \.pdparams"):
            write_weights(tmp_path / "w.npz", WEIGHTS)
        file = tmp_path / "w.safetensors"
        file.write_bytes(b"old")
        with pytest.raises(TypeError, match="'w' is of type"):
            write_weights(file, {"w": np.array(["text"])})
        assert file.read_bytes() == b"old"


def cut_as_paddle_does(state: dict[str, object], elements: int) -> dict[str, object]:
    """Paddle's own code, with its limit of 1 GiB made a few elements."""
    from paddle.framework import io_utils

    source = inspect.getsource(io_utils._unpack_saved_dict)
    assert source.count("2**30 - 1") == 1
    scope = {"np": np, "math": math}
    exec(source.replace("2**30 - 1", f"{elements} * value.dtype.itemsize"), scope)  # noqa: S102
    return scope["_unpack_saved_dict"](dict(state), 2)


class TestSlices:
    @pytest.fixture
    def sliced(self) -> dict[str, object]:
        pytest.importorskip("paddle")
        weights = {"large": WEIGHTS["backbone.conv.weight"], "small": np.ones(3, "float32")}
        sliced = cut_as_paddle_does(weights, 7)
        assert {"large@@.0", "large@@.3", "small"} < set(sliced)
        assert "large" not in sliced
        return sliced

    @pytest.mark.parametrize("protocol", [2, 4])
    def test_slices_are_joined(
        self, tmp_path: Path, sliced: dict[str, object], protocol: int
    ) -> None:
        import pickle

        (tmp_path / "w.pdparams").write_bytes(pickle.dumps(sliced, protocol=protocol))
        read = read_weights(tmp_path / "w")
        assert set(read) == {"large", "small"}
        np.testing.assert_array_equal(read["large"], WEIGHTS["backbone.conv.weight"])

    @pytest.mark.parametrize(
        "table",
        [
            {"large": {"OriginShape": (2, 3, 2, 3), "slices": ["large@@.0"]}},
            {"large": {"OriginShape": (7,), "slices": ["gone"]}},
            {"large": {"OriginShape": (7,)}},
            {"large": {"OriginShape": (7,), "slices": []}},
            {"large": 3},
            [1],
        ],
    )
    def test_a_wrong_table_is_an_error(
        self, tmp_path: Path, sliced: dict[str, object], table: object
    ) -> None:
        write_state(tmp_path / "w.pdparams", {**sliced, "UnpackBigParamInfor@@": table})
        with pytest.raises(WeightsError, match=r"cannot be joined|expected"):
            read_weights(tmp_path / "w")


class TestFinding:
    @pytest.mark.parametrize(
        ("files", "asked", "expected"),
        [
            (["w.pdparams"], "w", "w.pdparams"),
            (["w.safetensors"], "w", "w.safetensors"),
            (
                ["run/best_model/best_model.pdparams", "run/latest/latest.pdparams"],
                "run",
                "run/best_model/best_model.pdparams",
            ),
            (["run/latest/latest.pdparams"], "run", "run/latest/latest.pdparams"),
            (
                ["run/best_model/best_model.pdparams"],
                "run/best_model",
                "run/best_model/best_model.pdparams",
            ),
            (["run/best_model.pdparams", "run/latest.pdparams"], "run", "run/best_model.pdparams"),
            (["run/latest.pdparams", "run/epoch_1.pdparams"], "run", "run/latest.pdparams"),
            (
                ["out/RecModel/best_model.pdparams", "out/RecModel/latest.pdparams"],
                "out",
                "out/RecModel/best_model.pdparams",
            ),
            (["x/inference.json", "x/inference.pdiparams"], "x", "x/inference.pdiparams"),
            (["x/inference/inference.pdiparams"], "x", "x/inference/inference.pdiparams"),
            (
                [
                    "run/best_model/best_model.pdparams",
                    "run/best_model/inference/inference.pdiparams",
                ],
                "run",
                "run/best_model/best_model.pdparams",
            ),
            (["x/PP-ShiTuV2_rec_pretrained.pdparams"], "x", "x/PP-ShiTuV2_rec_pretrained.pdparams"),
            (["x/a.pdparams", "x/a.pdema"], "x", "x/a.pdparams"),
        ],
    )
    def test_each_layout(self, tmp_path: Path, files: list[str], asked: str, expected: str) -> None:
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert find_weights(tmp_path / asked) == tmp_path / expected

    def test_several_that_may_be_meant_are_named(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "best_model.pdparams").touch()
        with pytest.raises(WeightsError, match=r"several weight files: a/best_model, b/best_model"):
            find_weights(tmp_path)

    def test_an_empty_folder_says_what_was_looked_for(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"no such file.*best_model.*inference\.pdiparams"):
            find_weights(tmp_path)


@pytest.fixture(scope="module")
def network():
    """More than ten layers of a kind, so that linear_10 stands before linear_2."""
    paddle = pytest.importorskip("paddle")

    class Wrapped(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            layers = [paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4)]
            layers += [paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten()]
            layers += [paddle.nn.Linear(4, 4) for _ in range(12)]
            self.base_model = paddle.nn.Sequential(*layers)
            self.unused = paddle.nn.Linear(2, 2)

        def forward(self, x):
            return self.base_model(x)

    network = Wrapped()
    network.eval()
    return network


@pytest.fixture(scope="module")
def old_export(network, tmp_path_factory) -> Path:
    """As Paddle 2 and PaddleClas write it: a protobuf graph and a table of names."""
    import paddle
    from paddle.pir_utils import OldIrGuard

    folder = tmp_path_factory.mktemp("old")
    spec = paddle.static.InputSpec([None, 3, 8, 8], "float32", name="x")
    with OldIrGuard():
        paddle.jit.save(network, str(folder / "inference"), input_spec=[spec])
    return folder


class TestInferenceModels:
    def test_an_old_export_is_read_by_its_table_without_its_wrapper(self, network, old_export):
        read = read_weights(old_export)
        state = network.base_model.state_dict()
        assert set(read) == set(state)
        for name, tensor in state.items():
            np.testing.assert_array_equal(read[name], tensor.numpy(), err_msg=name)

    def test_a_new_export_has_the_same_parameters_in_its_graph(self, network, old_export, tmp_path):
        import paddle

        spec = paddle.static.InputSpec([None, 3, 8, 8], "float32", name="x")
        paddle.jit.save(network, str(tmp_path / "inference"), input_spec=[spec])
        assert (tmp_path / "inference.json").is_file()
        names = graph_parameters(tmp_path)
        assert names == graph_parameters(old_export)
        by_name = {
            tensor.name: tensor.numpy() for tensor in network.base_model.state_dict().values()
        }
        assert set(names) == set(by_name)
        for name, array in zip(
            names, read_parameters(tmp_path / "inference.pdiparams"), strict=True
        ):
            np.testing.assert_array_equal(array, by_name[name], err_msg=name)
        with pytest.raises(
            WeightsError, match=r"holds 30 arrays.*nothing beside it says.*\.pdparams"
        ):
            read_weights(tmp_path)

    def test_every_type_and_both_forms_of_sizes_are_read(self, tmp_path: Path) -> None:
        """Written by hand from framework.proto."""
        kinds = {
            0: "?", 1: "<i2", 2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8",
            20: "u1", 21: "i1", 22: "<u2",
        }  # fmt: skip
        data, arrays = io.BytesIO(), []
        for number, (kind, dtype) in enumerate(kinds.items()):
            array = np.arange(300).reshape(150, 2).astype(dtype)
            sizes = b"\x10\x96\x01\x10\x02" if number % 2 else b"\x12\x03\x96\x01\x02"
            description = bytes([8, kind]) + sizes
            data.write(bytes(16) + struct.pack("<i", len(description)) + description)
            data.write(array.tobytes())
            arrays.append(array)
        (tmp_path / "p.pdiparams").write_bytes(data.getvalue())
        read = read_parameters(tmp_path / "p.pdiparams")
        for array, found in zip(arrays, read, strict=True):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)

    def test_every_cut_is_an_error(self, old_export, tmp_path):
        data = (old_export / "inference.pdiparams").read_bytes()
        file = tmp_path / "p.pdiparams"
        ends = {0}
        for array in read_parameters(old_export / "inference.pdiparams"):
            ends.add(max(ends) + 20 + 2 + 2 * array.ndim + array.nbytes)
        assert max(ends) == len(data)
        for length in set(range(700)) - ends:
            file.write_bytes(data[:length])
            with pytest.raises(WeightsError, match="no whole parameter file"):
                read_parameters(file)

    @pytest.mark.parametrize(
        "head",
        [
            struct.pack("<I", 1),
            struct.pack("<IQ", 0, 1),
            struct.pack("<IQI", 0, 0, 7),
            struct.pack("<IQIi", 0, 0, 0, -1),
            struct.pack("<IQIi", 0, 0, 0, 1 << 30),
            struct.pack("<IQIi", 0, 0, 0, 4) + b"\x08\x63\x10\x01",
            struct.pack("<IQIi", 0, 0, 0, 12) + b"\x08\x05\x10" + b"\xff" * 8 + b"\x7f",
            struct.pack("<IQIi", 0, 0, 0, 4) + b"\x08\x05\x10\xff",
        ],
    )
    def test_a_wrong_head_is_an_error_and_takes_no_memory(self, tmp_path, head):
        (tmp_path / "p.pdiparams").write_bytes(head + bytes(100))
        with pytest.raises(WeightsError, match="no whole parameter file"):
            read_parameters(tmp_path / "p.pdiparams")

    def test_random_bytes_of_a_graph_never_escape(self, old_export, tmp_path):
        rng = np.random.default_rng(0)
        data = (old_export / "inference.pdmodel").read_bytes()
        for _ in range(200):
            broken = bytearray(data)
            for place in rng.integers(len(data), size=20):
                broken[place] = rng.integers(256)
            (tmp_path / "inference.pdmodel").write_bytes(broken)
            try:
                graph_parameters(tmp_path)
            except WeightsError:
                continue

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"program": {"regions": []}}'])
    def test_a_json_graph_of_something_else_is_named(self, tmp_path, text):
        (tmp_path / "inference.json").write_text(text)
        with pytest.raises(WeightsError, match=r"inference\.json is no graph"):
            graph_parameters(tmp_path)

    def test_parameters_of_another_export_are_noticed(self, old_export, tmp_path):
        for file in old_export.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        data = (tmp_path / "inference.pdiparams").read_bytes()
        (tmp_path / "inference.pdiparams").write_bytes(data + data)
        with pytest.raises(WeightsError, match="60 arrays and 30 names"):
            read_weights(tmp_path)

    def test_a_hostile_table_is_refused(self, old_export, tmp_path):
        for file in old_export.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "inference.pdiparams.info").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
        with pytest.raises(WeightsError, match="Nothing in it has been run"):
            read_weights(tmp_path)


def test_protobuf_fields_of_every_kind() -> None:
    message = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x19" + bytes(8) + b"\x25" + bytes(4)
    assert list(read_fields(message)) == [(1, 150), (2, b"hi"), (3, bytes(8)), (4, bytes(4))]
    for broken in (b"\x0b", b"\x12\x05hi", b"\x08", b"\x08" + b"\xff" * 11):
        with pytest.raises(WeightsError):
            list(read_fields(broken))


def test_the_parameters_of_a_program_are_its_persistable_tensors_by_name(tmp_path: Path) -> None:
    """Written by hand from framework.proto."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def variable(name: str, kind: int, *, persistable: bool) -> bytes:
        flag = b"\x18\x01" if persistable else b""
        return field(3, field(1, name.encode()) + field(2, bytes([8, kind])) + flag)

    block = b"\x08\x00" + variable("b.w_0", 7, persistable=True)
    block += variable("feed", 9, persistable=True) + variable("relu", 7, persistable=False)
    block += variable("a.w_0", 7, persistable=True)
    (tmp_path / "inference.pdmodel").write_bytes(field(1, block))
    assert graph_parameters(tmp_path) == ["a.w_0", "b.w_0"]
