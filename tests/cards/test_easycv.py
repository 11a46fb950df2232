"""Exports of EasyCV: files as torch.save lays them out, written here without PyTorch.

The layout is that of `torch/serialization.py` (`_save`): data.pkl with persistent ids
("storage", type, key, location, numel), storages as data/<key>.
"""

import collections
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from toolkit.cards.torch_files import read_torch
from toolkit.cards.weights import read_weights
from toolkit.errors import WeightsError
from toolkit.registry import BACKBONES

GOLDEN = Path(__file__).parent / "golden"


class FloatStorage:
    """Stands for torch.FloatStorage while a file is written."""


def _rebuild_tensor_v2():
    """Stands for torch._utils._rebuild_tensor_v2 while a file is written."""


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    """What torch writes of a tensor."""

    def __init__(self, array, key, *, strides=None, offset=0):
        self.array, self.key, self.offset = np.ascontiguousarray(array, "<f4"), key, offset
        steps = np.array(self.array.strides) // 4 if strides is None else strides
        self.strides = tuple(int(step) for step in steps)

    def __reduce__(self):
        storage = Storage(self.key, self.array.size)
        shape = tuple(self.array.shape)
        return _rebuild_tensor_v2, (
            storage, self.offset, shape, self.strides, False, collections.OrderedDict(),
        )  # fmt: skip


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", FloatStorage, value.key, "cpu", value.count)
        return None


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Returns a function that writes {name: array} as EasyCV exports it."""
    for name, members in (("torch", [FloatStorage]), ("torch._utils", [_rebuild_tensor_v2])):
        module = types.ModuleType(name)
        for member in members:
            monkeypatch.setattr(member, "__module__", name)
            setattr(module, member.__name__, member)
        monkeypatch.setitem(sys.modules, name, module)

    def write(state, *, compression=zipfile.ZIP_STORED):
        tensors = {
            name: value if isinstance(value, Tensor) else Tensor(value, str(number))
            for number, (name, value) in enumerate(state.items())
        }
        ordered = collections.OrderedDict(tensors)
        ordered._metadata = collections.OrderedDict({"": {"version": 1}})
        content = {"state_dict": ordered, "meta": {"config": "{}"}, "author": "EasyCV"}
        data = io.BytesIO()
        _Pickler(data, protocol=2).dump(content)
        file = tmp_path / "epoch_80_export.pt"
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("epoch_80_export/data.pkl", data.getvalue())
            archive.writestr("epoch_80_export/byteorder", "little")
            for tensor in tensors.values():
                archive.writestr(f"epoch_80_export/data/{tensor.key}", tensor.array.tobytes())
        return file

    return write


def torchvision_names(blocks):
    """The names of a torchvision ResNet with bottlenecks, in the order of the network."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["conv1.weight", *(f"bn1.{part}" for part in norm)]
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            place = f"layer{stage}.{block}."
            for n in (1, 2, 3):
                names += [f"{place}conv{n}.weight", *(f"{place}bn{n}.{part}" for part in norm)]
            if block == 0:
                names.append(f"{place}downsample.0.weight")
                names += [f"{place}downsample.1.{part}" for part in norm]
    return names


def test_a_resnet_50_has_the_names_of_ours_in_the_same_order(save):
    names = torchvision_names([3, 4, 6, 3])
    state = {f"backbone.{name}": np.full(1, number) for number, name in enumerate(names)}
    head = {"neck_0.mlp.0.weight": np.ones(2), "head.fc_cls.weight": np.ones((3, 2))}
    found = read_weights(save(state | head))
    ours = list(BACKBONES.build("ResNet50").state_dict())
    kept = [number for number, name in enumerate(names) if "num_batches" not in name]
    assert list(found) == ours
    assert [int(array[0]) for array in found.values()] == kept


def test_a_vit_gives_what_its_linear_layers_give(save):
    network = BACKBONES.build("TinyViT")
    linear = (".qkv.weight", "attn.proj.weight", ".fc1.weight", ".fc2.weight")
    own = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    theirs = {
        f"backbone.{name}": array.T if name.endswith(linear) else array
        for name, array in own.items()
    }
    found = read_weights(save(theirs))
    assert found.keys() == own.keys()
    for name, array in own.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_tensor_may_lie_anywhere_in_its_storage(save):
    values = np.arange(6, dtype="float32").reshape(2, 3)
    turned = Tensor(values, "0", strides=(1, 2))
    state = read_torch(save({"backbone.x": turned}))["state_dict"]
    np.testing.assert_array_equal(state["backbone.x"], values.ravel().reshape(3, 2).T)


@pytest.mark.parametrize(
    "tensor",
    [
        {"strides": (3, 2)},  # beyond the end
        {"offset": 1},
        {"offset": -1},
        {"strides": (0, -1)},
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(save, tensor):
    file = save({"backbone.x": Tensor(np.ones((2, 3)), "0", **tensor)})
    with pytest.raises(WeightsError, match="Nothing in it has been run"):
        read_weights(file)


def test_what_is_no_export_is_refused(save, tmp_path):
    with pytest.raises(WeightsError, match="missing or compressed"):
        read_weights(save({"backbone.x": np.ones(2)}, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(WeightsError, match="no weights under"):
        read_weights(save({"encoder_q.x": np.ones(2)}))
    with pytest.raises(WeightsError, match="is of no network"):
        read_weights(save({"backbone.stage.x.weight": np.ones(2)}))
    (tmp_path / "old.pt").write_bytes(b"\x80\x02")
    with pytest.raises(WeightsError, match="zip archive"):
        read_weights(tmp_path / "old.pt")


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    file = tmp_path / "evil.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps({"state_dict": Evil()}, protocol=2))
    with pytest.raises(WeightsError, match=r"it names (__builtin__|builtins)\.print"):
        read_weights(file)


def test_a_file_of_pytorch_itself_has_the_values_that_pytorch_says():
    content = read_torch(GOLDEN / "easycv_export.pt")
    with np.load(GOLDEN / "easycv_export.npz") as expected:
        assert list(content["state_dict"]) == list(expected)
        for name, array in expected.items():
            found = content["state_dict"][name]
            assert (found.dtype, found.shape) == (array.dtype, array.shape), name
            np.testing.assert_array_equal(found, array, err_msg=name)
    assert content["meta"] == {"config": "{}"}
