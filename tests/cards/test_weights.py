"""The safe reader of weight files: what Paddle writes is read, what could run is refused."""

import collections
import io
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.cards.pickled_arrays import RefusedError
from toolkit.cards.safe_pickle import MAX_DEPTH, load
from toolkit.cards.weight_sources import find_weights
from toolkit.cards.weights import read_state, read_weights, write_state
from toolkit.errors import WeightsError

PLAIN = {
    "arrays": {"a": np.arange(6, dtype="float32").reshape(2, 3), "empty": np.empty((0, 4))},
    "list": [1, -2, 2**70, 1.5, True, False, None, "text", b"bytes"],
    "tuple": (1, (2, ()), [3]),
    "number": np.float32(2.5),
    "scalar array": np.array(7, dtype="int64"),
    "多": "中文",
}


def hostile(path: Path, reduced: object) -> Path:
    """A pickle of an object whose __reduce__ gives `reduced`, as an attacker writes it."""

    class Payload:
        def __reduce__(self):
            return reduced

    path.write_bytes(pickle.dumps({"weight": Payload()}, protocol=4))
    return path


def assert_same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    else:
        assert left == right


@pytest.mark.parametrize("protocol", range(6))
def test_plain_state_survives_every_protocol(protocol):
    assert_same(load(io.BytesIO(pickle.dumps(PLAIN, protocol=protocol))), PLAIN)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(4, dtype=">i4"),
        np.array([True, False]),
        np.array([1 + 2j], dtype="complex64"),
        np.ones((2, 2), dtype="float16"),
        np.array([16256, 16384], dtype="uint16"),
    ],
    ids=["fortran", "big-endian", "bool", "complex", "half", "bfloat16 bits"],
)
def test_arrays_of_every_form_are_read(array, protocol):
    read = load(io.BytesIO(pickle.dumps([array], protocol=protocol)))[0]
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.flags.writeable


def test_an_array_that_stands_twice_is_one_array():
    array = np.ones(3)
    read = load(io.BytesIO(pickle.dumps({"a": array, "b": array})))
    assert read["a"] is read["b"]


def test_ordered_dict_and_old_numpy_names_are_read():
    state = collections.OrderedDict(weight=np.ones(2, dtype="float32"))
    data = pickle.dumps(state, protocol=2)
    data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    read = load(io.BytesIO(data))
    assert type(read) is dict
    np.testing.assert_array_equal(read["weight"], [1, 1])


def test_a_file_of_python_2_is_read():
    # protocol 2 with byte strings (opcode U), as numpy wrote under Python 2
    raw = struct.pack("<2f", 1.5, -2)
    data = (
        b"\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbs."
    )
    np.testing.assert_array_equal(load(io.BytesIO(data))["w"], [1.5, -2])


def test_a_text_file_of_python_2_is_read():
    # protocol 0, which cPickle writes when nothing is said: values in the repr of a text
    data = (
        b"(dp1\nS'caf\\xc3\\xa9/it\\'s.jpg'\np2\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\n"
        b"ndarray\np4\n(I0\ntp5\nS'b'\np6\ntp7\nRp8\n(I1\n(L2L\ntp9\ncnumpy\ndtype\np10\n(S'f4'\np11\n"
        b"I0\nI1\ntp12\nRp13\n(I3\nS'<'\np14\nNNNI-1\nI-1\nI0\ntp15\nbI00\n"
        b"S'\\x00\\x00\\xc0?\\x00\\x00\\x00\\xc0'\np16\ntp17\nbs."
    )
    state = load(io.BytesIO(data))
    assert list(state) == ["caf\u00c3\u00a9/it's.jpg"]  # bytes, one by one
    np.testing.assert_array_equal(*state.values(), [1.5, -2])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    paddle = pytest.importorskip("paddle")
    folder = tmp_path_factory.mktemp("paddle")
    net = paddle.nn.Sequential(paddle.nn.Linear(2, 3), paddle.nn.BatchNorm2D(3))
    rule = paddle.optimizer.Momentum(
        paddle.optimizer.lr.StepDecay(0.1, 2), parameters=net.parameters()
    )
    net[0](paddle.ones([1, 2])).sum().backward()
    rule.step()
    paddle.save(net.state_dict(), str(folder / "net.pdparams"))
    paddle.save(net.state_dict(), str(folder / "old.pdparams"), protocol=2)
    paddle.save(rule.state_dict(), str(folder / "net.pdopt"))
    paddle.save({"metric": 0.5, "nested": [paddle.ones([2])]}, str(folder / "net.pdstates"))
    named = {**net.state_dict(), "StructuredToParameterName@@": {"0.weight": "linear_0.w_0"}}
    paddle.save(named, str(folder / "named.pdparams"))
    return folder, net, rule


class TestPaddleFiles:
    @pytest.mark.parametrize("name", ["net.pdparams", "old.pdparams", "net", "named"])
    def test_weights(self, files, name):
        folder, net, _ = files
        weights = read_weights(folder / name)
        assert list(weights) == list(net.state_dict())
        for key, tensor in net.state_dict().items():
            np.testing.assert_array_equal(weights[key], tensor.numpy())

    def test_optimizer_and_states(self, files):
        folder, _, rule = files
        state = read_state(folder / "net.pdopt")
        assert list(state) == list(rule.state_dict())
        assert state["LR_Scheduler"]["last_epoch"] == 0
        states = read_state(folder / "net.pdstates")
        assert states["metric"] == 0.5
        np.testing.assert_array_equal(states["nested"][0], [1, 1])

    def test_paddle_reads_what_we_write(self, tmp_path):
        paddle = pytest.importorskip("paddle")
        weights = {"w": np.arange(6, dtype="float32").reshape(2, 3)}
        write_state(tmp_path / "w.pdparams", weights)
        tensor = paddle.load(str(tmp_path / "w.pdparams"))["w"]
        np.testing.assert_array_equal(tensor.numpy(), weights["w"])


class TestHostileFiles:
    @pytest.fixture(autouse=True)
    def canary(self, tmp_path):
        """A file that every payload tries to make."""
        self.made = tmp_path / "made"
        yield
        assert not self.made.exists()

    def test_a_function_is_not_called(self, tmp_path):
        path = hostile(tmp_path / "x.pdparams", (os.system, (f"touch {self.made}",)))
        with pytest.raises(WeightsError, match=r"it names (posix|nt)\.system"):
            read_weights(path)

    @pytest.mark.parametrize(
        "function",
        [eval, exec, getattr, open, __import__, np.load, np.fromfile, np.frombuffer, np.array],
        ids=lambda function: function.__name__,
    )
    def test_other_functions_are_refused(self, tmp_path, function):
        path = hostile(tmp_path / "x.pdparams", (function, (str(self.made), "w")))
        with pytest.raises(WeightsError, match="it names"):
            read_state(path)

    @pytest.mark.parametrize(
        "data",
        [
            b"cposix\nsystem\n(S'touch made'\ntR.",  # protocol 0
            b"(S'touch made'\nios\nsystem\n.",  # INST
            b"(cos\nsystem\nX\x04\x00\x00\x00trueo.",  # OBJ
            b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85\x81.",  # NEWOBJ
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85}\x92.",  # NEWOBJ_EX
            b"\x80\x02\x82\x01.",  # EXT1, the extension registry
            b"\x80\x02Pid\n.",  # PERSID
            b"\x80\x02X\x02\x00\x00\x00idQ.",  # BINPERSID
            b"\x80\x05\x97.",  # NEXT_BUFFER
            b"\x80\x04\x8f.",  # EMPTY_SET
            b"\x80\x02cbuiltins\ngetattr\n.",
            b"\x80\x02cnumpy\nndarray\nK\x02\x85R.",  # ndarray itself is not called
            b"\x80\x02ccollections\nOrderedDict.fromkeys\n)R.",
            b"\x80\x02cbuiltins\ntuple.__class__\n)R.",
            b"\x80\x02cnumpy.core.multiarray\nscalar\n.",  # a name as a value
            b"\x80\x02ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aK\x01sb.",  # BUILD on a dict
            b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",  # BUILD on a class
            b"\x80\x02]}b.",  # BUILD on a list
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
            b"\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.",
            b"\x80\x02cnumpy\ndtype\nX\x05\x00\x00\x00f4,O4\x85R.",
            b"\x80\x02K\x01K\x02\x85R.",  # a number is called
            b"\x80\x02}]K\x01s.",  # a list as a key
            b"\x80\x02}cbuiltins\ntuple\nK\x01s.",  # a name as a key
            b"\x80\x02K\x01K\x02.",  # two values
            b"\x80\x02(K\x01.",  # an open mark
            b"\x80\x02K\x01a.",  # APPEND to a number
            b"\x80\x02K\x01K\x02K\x03s.",  # SETITEM in a number
            b"\x80\x02h\x07.",  # unknown memo
            b"\x80\x02t.",  # no mark
            b"\x80\x02R.",  # empty stack
            b"S'open\n.",  # a text without its last quote
            b"S'\\q'\n.",  # an escape that Python 2 never wrote
            b"(lp0\n(dp0\nI1\na",  # cut off
            b"not a pickle",
            b"",
            b"\x80",
        ],
    )
    def test_every_other_opcode_or_order_is_refused(self, data):
        with pytest.raises(RefusedError):
            load(io.BytesIO(data))

    def test_the_names_are_never_imported(self, tmp_path):
        module = tmp_path / "hostile_module_for_test.py"
        module.write_text(f"open({str(self.made)!r}, 'w')")
        sys.path.insert(0, str(tmp_path))
        try:
            with pytest.raises(RefusedError, match=r"it names hostile_module_for_test\.thing"):
                load(io.BytesIO(b"\x80\x02chostile_module_for_test\nthing\n."))
        finally:
            sys.path.remove(str(tmp_path))

    def test_object_arrays_are_refused(self):
        class Payload:
            def __reduce__(self):
                return os.system, ("true",)

        with pytest.raises(RefusedError):
            load(io.BytesIO(pickle.dumps(np.array([Payload()], dtype=object), protocol=4)))
        with pytest.raises(RefusedError, match="only numbers"):
            load(io.BytesIO(pickle.dumps(np.array([None], dtype=object), protocol=4)))
        with pytest.raises(RefusedError):
            load(io.BytesIO(pickle.dumps(np.zeros(1, dtype=[("a", "f4")]), protocol=4)))

    def test_setstate_is_not_called(self, tmp_path):
        class Payload:
            def __init__(self, made):
                self.made = made

            def __setstate__(self, state):
                state["made"].touch()

        path = tmp_path / "x.pdopt"
        # pickled under a name that this process has, so that Python's own reader would call it
        Payload.__qualname__ = "Payload"
        globals()["Payload"] = Payload
        try:
            path.write_bytes(pickle.dumps({"a": Payload(self.made)}, protocol=4))
            with pytest.raises(WeightsError):
                read_state(path)
        finally:
            del globals()["Payload"]

    @pytest.mark.parametrize("shape", [(3,), (-1, -2), (2**62, 2**62), ("a",), (2.0,)])
    def test_a_shape_that_is_not_that_of_the_bytes(self, shape):
        array = np.ones(2, dtype="float32")
        function, arguments, state = array.__reduce__()

        class Forged:
            def __reduce__(self):
                return function, arguments, (state[0], shape, *state[2:])

        with pytest.raises(RefusedError):
            load(io.BytesIO(pickle.dumps(Forged(), protocol=4)))

    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
    def test_deep_nesting(self, depth):
        with pytest.raises(RefusedError, match="deep"):
            load(io.BytesIO(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."))

    def test_depth_through_shared_containers_is_counted(self):
        inner: list[object] = []
        for _ in range(MAX_DEPTH - 4):
            inner = [inner]
        outer: list[object] = inner
        for _ in range(10):
            outer = [outer]
        with pytest.raises(RefusedError, match="deep"):
            load(io.BytesIO(pickle.dumps([inner, outer])))

    def test_a_container_in_itself(self):
        endless: list[object] = []
        endless.append(endless)
        with pytest.raises(RefusedError, match="in themselves"):
            load(io.BytesIO(pickle.dumps(endless)))

    def test_shared_containers_do_not_expand(self):
        laughs: list[object] = ["ha"]
        for _ in range(50):
            laughs = [laughs] * 10
        assert load(io.BytesIO(pickle.dumps(laughs)))[0] is not None

    def test_one_buffer_in_a_thousand_arrays_is_refused(self):
        raw = bytes(1_000_000)
        one = pickle.dumps(np.frombuffer(raw, "uint8").copy(), protocol=4)
        assert load(io.BytesIO(one)).nbytes == len(raw)
        bomb = b"\x80\x02(X" + struct.pack("<I", len(raw)) + raw + b"q\x00"
        bomb += b"c_codecs\nencode\nq\x01"
        bomb += b"h\x01h\x00\x85R" * 1000 + b"t."
        with pytest.raises(RefusedError, match="far more than it holds"):
            load(io.BytesIO(bomb))


class TestDamagedFiles:
    def test_every_truncation_is_an_error(self):
        data = pickle.dumps(PLAIN, protocol=4)
        for length in range(len(data)):
            with pytest.raises(RefusedError):
                load(io.BytesIO(data[:length]))

    def test_random_bytes_never_escape(self):
        rng = np.random.default_rng(0)
        data = bytearray(pickle.dumps(PLAIN, protocol=4))
        for _ in range(2000):
            broken = bytearray(data)
            for place in rng.integers(len(data), size=rng.integers(1, 4)):
                broken[place] = rng.integers(256)
            try:
                load(io.BytesIO(bytes(broken)))
            except RefusedError:
                continue

    def test_a_length_beyond_the_file(self):
        for opcode, size in ((b"B", "<I"), (b"\x8e", "<Q"), (b"X", "<I"), (b"\x8b", "<i")):
            length = struct.pack(size, 2**31 - 1)
            with pytest.raises(RefusedError):
                load(io.BytesIO(b"\x80\x04" + opcode + length + b"x."))

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x80\x04"])
    def test_the_message_names_the_file(self, tmp_path, content):
        path = tmp_path / "net.pdparams"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"net\.pdparams is not read"):
            read_weights(path)


class TestReadWeights:
    def test_missing_file_and_folder(self, tmp_path):
        with pytest.raises(WeightsError, match="no such file"):
            read_weights(tmp_path / "nothing")
        with pytest.raises(WeightsError, match="no such file"):
            read_weights(tmp_path)
        with pytest.raises(WeightsError, match="Cannot read"):
            read_state(tmp_path / "nothing.pdopt")

    def test_a_suffix_is_added_to_a_name_with_dots(self, tmp_path):
        write_state(tmp_path / "v1.2.pdparams", {"a": np.ones(1)})
        assert find_weights(tmp_path / "v1.2").name == "v1.2.pdparams"

    def test_the_folder_of_a_checkpoint_names_its_weights(self, tmp_path):
        write_state(tmp_path / "best_model" / "best_model.pdparams", {"a": np.ones(1)})
        assert find_weights(tmp_path / "best_model").name == "best_model.pdparams"

    def test_a_state_file_is_no_weight_file(self, tmp_path):
        write_state(tmp_path / "x.pdparams", {"metric": 0.5})
        with pytest.raises(WeightsError, match="'metric' is a float"):
            read_weights(tmp_path / "x")
        (tmp_path / "x.pdparams").write_bytes(pickle.dumps([1]))
        with pytest.raises(WeightsError, match="holds a list"):
            read_weights(tmp_path / "x")

    def test_safetensors(self, tmp_path):
        from safetensors.numpy import save_file

        weights = {"a.b": np.arange(6, dtype="float32").reshape(2, 3), "c": np.array(3)}
        save_file(weights, tmp_path / "x.safetensors")
        read = read_weights(tmp_path / "x")
        assert set(read) == set(weights)
        for name, array in weights.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype

    def test_safetensors_of_bfloat16_keeps_the_bits(self, tmp_path):
        header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
        bits = np.array([0x3F80, 0x4000], dtype="uint16")
        data = struct.pack("<Q", len(header)) + header + bits.tobytes()
        (tmp_path / "x.safetensors").write_bytes(data)
        np.testing.assert_array_equal(read_weights(tmp_path / "x.safetensors")["w"], bits)

    def test_damaged_safetensors(self, tmp_path):
        (tmp_path / "x.safetensors").write_bytes(b"\xff" * 20)
        with pytest.raises(WeightsError, match="no whole safetensors"):
            read_weights(tmp_path / "x.safetensors")


class TestWriteState:
    def test_round_trip(self, tmp_path):
        write_state(tmp_path / "x.pdstates", PLAIN)
        assert_same(read_state(tmp_path / "x.pdstates"), PLAIN)

    @pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), np.array(["a"])])
    def test_what_could_not_be_read_is_not_written(self, tmp_path, value):
        with pytest.raises(TypeError, match=r"state\['a'\]\[0\]"):
            write_state(tmp_path / "x.pdstates", {"a": [value]})
        assert not list(tmp_path.iterdir())

    def test_a_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "x.pdstates"
        write_state(path, {"a": 1})

        def fail(*args, **kwargs):
            raise OSError("disk full")

        monkeypatch.setattr(pickle, "dump", fail)
        with pytest.raises(OSError, match="disk full"):
            write_state(path, {"a": 2})
        assert read_state(path) == {"a": 1}
        assert [file.name for file in tmp_path.iterdir()] == ["x.pdstates"]
