"""A network trains the same with our operators as with Paddle's, whatever the family."""

import copy
import logging
import sys

import numpy as np
import paddle
import pytest
from paddle import nn

from toolkit.build.kernels import FusedConvBN, install_kernels
from toolkit.kernels.layers import Smallest
from toolkit.models.backbones.blocks import ConvBN
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES
from toolkit.runtime import Device

TINY = [name for name in BACKBONES.names() if name.startswith("Tiny") or name == "SmallResNet"]
CPU = Device("cpu")
EVERY_SIZE = Smallest(0, 0, 0)


def install(network):
    return install_kernels(network, "auto", CPU, smallest=EVERY_SIZE)


def network_of(name):
    paddle.seed(0)
    network = BACKBONES.build(name)
    network.train()
    return network


def images_for(network, number):
    side = max(64, network.smallest_side)
    pixels = np.random.default_rng(1).standard_normal((number, 3, side, side), dtype=np.float32)
    return paddle.to_tensor(pixels)


def step(network, images):
    """One pass through the tape: the loss, and gradients and buffers by name."""
    paddle.seed(2)
    features = network(images)
    target = paddle.to_tensor(
        np.random.default_rng(3).standard_normal(features.shape, dtype=np.float32)
    )
    loss = ((features - target) ** 2).mean()
    loss.backward()
    gradients = {
        name: parameter.grad.numpy()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    network.clear_gradients()
    return float(loss), gradients


def distance(gradients, wanted):
    """The largest difference, as a share of the largest gradient of all."""
    scale = max(np.abs(gradient).max() for gradient in wanted.values())
    return max(np.abs(gradients[key] - wanted[key]).max() for key in wanted) / scale


@pytest.mark.parametrize("name", TINY)
def test_one_step_is_the_same(name):
    plain = network_of(name)
    ours = copy.deepcopy(plain)
    assert (install(ours) > 0) == any(
        isinstance(layer, nn.Conv2D | nn.BatchNorm2D) for layer in plain.sublayers()
    )
    images = images_for(plain, 4)
    wanted, wanted_gradients = step(plain, images)
    loss, gradients = step(ours, images)
    assert gradients.keys() == wanted_gradients.keys()
    differences = np.array([abs(loss - wanted) / wanted, distance(gradients, wanted_gradients)])
    if (differences > 1e-5).any():
        # Where a value crosses the kink of a ReLU, or a batch norm sees few values, a network
        # answers noise in the last digits of its images with a jump. Ours may differ as much.
        assert (differences <= 2 * jumps(name, images, wanted, wanted_gradients)).all()


def noisy(images):
    """The same but for a millionth, some times."""
    for seed in range(4):
        noise = 1e-6 * np.random.default_rng(seed).standard_normal(images.shape)
        yield paddle.to_tensor((images.numpy() * (1 + noise)).astype(np.float32))


def jumps(name, images, wanted, wanted_gradients):
    """How much Paddle's own step differs when images change by a millionth: the most of some."""
    found = []
    for others in noisy(images):
        loss, gradients = step(network_of(name), others)
        found.append([abs(loss - wanted) / wanted, distance(gradients, wanted_gradients)])
    return np.max(found, axis=0)


@pytest.mark.parametrize("name", TINY)
def test_every_layer_is_the_same_on_what_it_meets(name):
    plain = network_of(name)
    ours = copy.deepcopy(plain)
    install(ours)
    met = {}
    for path, layer in plain.named_sublayers():
        if isinstance(layer, nn.Conv2D | nn.BatchNorm2D | ConvBN):
            layer.register_forward_pre_hook(
                lambda _, given, path=path: met.__setitem__(path, given[0].detach())
            )
    plain(images_for(plain, 4))
    changed = {path: layer for path, layer in ours.named_sublayers() if path in met}
    for path, layer in changed.items():
        original = dict(plain.named_sublayers())[path]
        wanted = pulled(original, met[path])
        differences = relative(pulled(layer, met[path]), wanted)
        if (differences > 1e-5).any():  # a value beside the kink of a ReLU, as above
            own = [relative(pulled(original, others), wanted) for others in noisy(met[path])]
            assert (differences <= 2 * np.max(own, axis=0)).all(), path


def relative(found, wanted):
    """The largest difference of each array, as a share of its largest value."""
    pairs = zip(found, wanted, strict=True)
    return np.array([np.abs(one - other).max() / np.abs(other).max() for one, other in pairs])


def pulled(layer, given):
    """What a layer gives, and the gradients of its input and its parameters."""
    x = given.clone()
    x.stop_gradient = False
    out = layer(x)
    pixels = np.random.default_rng(5).standard_normal(out.shape, dtype=np.float32)
    out.backward(paddle.to_tensor(pixels))
    gradients = [parameter.grad for parameter in layer.parameters()]
    given_back = [out, x.grad, *(gradient for gradient in gradients if gradient is not None)]
    result = [np.array(tensor) for tensor in given_back]
    layer.clear_gradients()  # in place
    return result


def check_evaluation_and_export(plain, images, folder):
    ours = copy.deepcopy(plain)
    install(ours)
    for network in (plain, ours):
        network(images)
        network.eval()
    wanted = plain(images).numpy()
    with paddle.no_grad():
        np.testing.assert_allclose(ours(images).numpy(), wanted, rtol=1e-4, atol=1e-5)
    exported = copy.deepcopy(ours)
    if hasattr(exported, "re_parameterize"):
        exported = Recognizer(exported)
        exported.re_parameterize()
        exported = exported.backbone
    spec = paddle.static.InputSpec([None, *images.shape[1:]], "float32", name="x")
    paddle.jit.save(exported, str(folder / "inference"), input_spec=[spec])
    loaded = paddle.jit.load(str(folder / "inference"))
    np.testing.assert_allclose(loaded(images).numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_evaluation_and_export_of_blocks_give_the_same(tmp_path):
    blocks = nn.Sequential(
        ConvBN(3, 4, 3, activation="hardswish"),
        ConvBN(4, 4, 5, stride=2, groups=4, activation="relu"),
        nn.Conv2D(4, 2, 1),
        nn.BatchNorm2D(2),
    )
    check_evaluation_and_export(blocks, images_for(network_of("SmallResNet"), 2), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TinyPPLCNet", "TinyPPLCNetV2", "SmallResNet", "TinyMobileNetV2"])
def test_evaluation_and_export_give_the_same(name, tmp_path):
    plain = network_of(name)
    check_evaluation_and_export(plain, images_for(plain, 2), tmp_path)


def test_a_layer_keeps_its_names_and_its_parameters():
    network = network_of("TinyPPLCNet")
    before = {name: id(tensor) for name, tensor in network.state_dict().items()}
    install(network)
    assert {name: id(tensor) for name, tensor in network.state_dict().items()} == before
    kinds = {type(layer) for layer in network.sublayers()}
    assert FusedConvBN in kinds
    assert not kinds & {ConvBN, nn.Conv2D, nn.BatchNorm2D}


def test_what_ours_cannot_compute_stays_paddles():
    layers = nn.Sequential(
        nn.Conv2D(4, 8, 3, groups=2),
        nn.Conv2D(4, 8, 3, groups=4),
        nn.Conv2D(4, 4, (3, 5)),
        nn.Conv2D(4, 4, 3, dilation=2),
        nn.Conv2D(4, 4, 3, padding="SAME"),
        nn.Conv2D(4, 4, 3, padding=[1, 2]),
        nn.Conv2D(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2D(4, 4, 3, data_format="NHWC"),
        nn.BatchNorm2D(4, weight_attr=False),
        nn.BatchNorm2D(4, data_format="NHWC"),
        nn.Conv2DTranspose(4, 4, 3),
    )
    before = [type(layer) for layer in layers]
    assert install(layers) == 0
    assert [type(layer) for layer in layers] == before


@pytest.mark.parametrize("bias", [None, False])
@pytest.mark.parametrize("groups", [1, 4])
def test_a_bias_is_added(bias, groups):
    plain = nn.Conv2D(4, 4, 3, padding=1, groups=groups, bias_attr=bias)
    ours = copy.deepcopy(plain)
    assert install(ours) == 1
    images = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 4, 6, 6), np.float32))
    np.testing.assert_allclose(ours(images).numpy(), plain(images).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("choice", "device"), [("paddle", CPU), ("auto", Device("gpu", (0,)))], ids=["paddle", "gpu"]
)
def test_is_not_used_where_it_should_not(choice, device):
    network = network_of("TinyPPLCNet")
    assert install_kernels(network, choice, device) == 0
    assert not any(hasattr(layer, "kernels") for layer in network.sublayers())


def test_a_small_input_is_left_to_paddle(monkeypatch):
    from toolkit.kernels import layers

    network = nn.Conv2D(4, 4, 3)
    assert install_kernels(network, "auto", CPU, smallest=Smallest(dense=1000)) == 1
    monkeypatch.setattr(layers, "_convolved", lambda *_: "ours")
    assert isinstance(network(paddle.zeros([9, 4, 5, 5])), paddle.Tensor)
    assert network(paddle.zeros([10, 4, 5, 5])) == "ours"


def test_without_numba_a_line_says_so_and_paddle_trains(monkeypatch, caplog):
    for module in [name for name in sys.modules if name.startswith("toolkit.kernels")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "numba", None)
    caplog.set_level(logging.INFO, logger="toolkit")
    network = network_of("TinyPPLCNet")
    assert install_kernels(network, "auto", CPU) == 0
    assert len(caplog.messages) == 1
    assert "[kernels]" in caplog.messages[0]
    network(images_for(network, 2))


class Uncompiled:
    """A module whose loops numba refuses."""

    def __init__(self, message):
        self._message = message

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(self._message)


def test_where_nothing_can_be_written_paddle_trains(monkeypatch, caplog):
    message = "cannot cache function 'f': no locator available for file 'loops.py'"
    monkeypatch.setitem(sys.modules, "toolkit.kernels.layers", Uncompiled(message))
    network = network_of("TinyPPLCNet")
    assert install_kernels(network, "auto", CPU) == 0
    assert "Set NUMBA_CACHE_DIR" in caplog.text
    monkeypatch.setitem(sys.modules, "toolkit.kernels.layers", Uncompiled("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        install_kernels(network, "auto", CPU)


def test_two_steps_are_the_same_bits_in_two_runs():
    runs = []
    for _ in range(2):
        network = network_of("TinyPPLCNetV2")
        install(network)
        images = images_for(network, 3)
        step(network, images)
        loss, gradients = step(network, images)
        runs.append((loss, gradients, network.state_dict()))
    assert runs[0][0] == runs[1][0]
    for key, gradient in runs[0][1].items():
        np.testing.assert_array_equal(gradient, runs[1][1][key])
    for key, value in runs[0][2].items():
        np.testing.assert_array_equal(value.numpy(), runs[1][2][key].numpy())
