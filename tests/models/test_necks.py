import math

import numpy as np
import paddle
import pytest

from toolkit.models.necks import FC, FPN, BNNeck, GeM, VehicleNeck
from toolkit.registry import NECKS

# What a neck may read: its widths as build hands them in, and an example.
READS = {
    "feature": ({"in_features": 24}, lambda: paddle.randn([6, 24])),
    "last_map": ({"in_features": 24}, lambda: paddle.randn([6, 24, 3, 5])),
    "maps": (
        {"in_channels": [4, 24]},
        lambda: [paddle.randn([6, 4, 6, 10]), paddle.randn([6, 24, 3, 5])],
    ),
}


@pytest.mark.parametrize("name", NECKS.names())
def test_every_neck_maps_what_it_reads_to_embeddings(name):
    paddle.seed(0)
    widths, draw = READS[NECKS.get(name).reads]
    neck, read = NECKS.build(name, **widths), draw()
    embedding = neck(read)
    assert embedding.shape == [6, neck.out_features]
    (embedding * paddle.randn(embedding.shape)).sum().backward()
    for name_of, parameter in neck.named_parameters():
        if not parameter.stop_gradient:
            assert parameter.grad is not None, name_of
            assert bool(paddle.isfinite(parameter.grad).all())

    other = NECKS.build(name, **widths)
    assert other.set_state_dict(neck.state_dict()) == ([], [])
    neck.eval()
    other.eval()
    np.testing.assert_array_equal(neck(read).numpy(), other(read).numpy())


@pytest.mark.parametrize("name", ["FC", "VehicleNeck", "FPN", "GeM"])
def test_the_length_of_the_embedding_can_be_chosen(name):
    widths, draw = READS[NECKS.get(name).reads]
    neck = NECKS.build(name, embedding_size=5, **widths)
    assert neck.out_features == 5
    assert neck(draw()).shape == [6, 5]


def test_vehicle_neck_is_a_linear_layer_under_its_own_names():
    paddle.seed(0)
    neck = VehicleNeck(7, 3)
    state = {name: value.numpy() for name, value in neck.state_dict().items()}
    assert {name: value.shape for name, value in state.items()} == {
        "conv.weight": (3, 7, 1, 1),
        "conv.bias": (3,),
    }
    neck.conv.bias.set_value(np.array([1, 2, 3], np.float32))
    features = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    expected = features @ state["conv.weight"].reshape(3, 7).T + [1, 2, 3]
    np.testing.assert_allclose(neck(paddle.to_tensor(features)).numpy(), expected, atol=1e-5)


def generalised_mean(maps, p):
    """Radenovic et al. 2018, equation 3, one channel at a time."""
    result = np.empty(maps.shape[:2])
    for picture, channel in np.ndindex(*maps.shape[:2]):
        values = [max(float(value), 1e-6) for value in maps[picture, channel].ravel()]
        result[picture, channel] = (sum(value**p for value in values) / len(values)) ** (1 / p)
    return result


@pytest.mark.parametrize("p", [1.0, 3.0, 6.5])
def test_gem_is_the_generalised_mean(p):
    maps = np.random.default_rng(0).normal(0.5, 1, (3, 4, 2, 5)).astype(np.float32)
    pooled = GeM(4, p=p)(paddle.to_tensor(maps)).numpy()
    np.testing.assert_allclose(pooled, generalised_mean(maps, p), rtol=1e-5)


def test_gem_lies_between_the_mean_and_the_maximum():
    maps = paddle.rand([2, 3, 4, 4])
    np.testing.assert_allclose(GeM(3, p=1.0)(maps).numpy(), maps.mean([2, 3]).numpy(), rtol=1e-5)
    np.testing.assert_allclose(GeM(3, p=500.0)(maps).numpy(), maps.max([2, 3]).numpy(), rtol=1e-2)


def test_gem_s_gradient_equals_finite_differences():
    maps = np.random.default_rng(0).uniform(0.1, 2, (1, 2, 2, 2))
    neck = GeM(2, p=2.5).to(dtype="float64")
    tensor = paddle.to_tensor(maps, stop_gradient=False)
    neck(tensor).sum().backward()

    def total(values, p):
        return generalised_mean(values, p).sum()

    for index in np.ndindex(maps.shape):
        step = np.zeros_like(maps)
        step[index] = 1e-6
        slope = (total(maps + step, 2.5) - total(maps - step, 2.5)) / 2e-6
        assert float(tensor.grad[index]) == pytest.approx(slope, rel=1e-5)
    slope = (total(maps, 2.5 + 1e-6) - total(maps, 2.5 - 1e-6)) / 2e-6
    assert neck.p.grad.item() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-12, 1e12])
@pytest.mark.parametrize("p", [1.0, 3.0, 12.0])
def test_gem_stays_finite_on_any_map(value, p):
    maps = paddle.full([1, 2, 3, 3], value)
    maps[0, 0, 0, 0] = 1.0
    maps.stop_gradient = False
    neck = GeM(2, p=p)
    pooled = neck(maps)
    pooled.sum().backward()
    for tensor in (pooled, maps.grad, neck.p.grad):
        assert bool(paddle.isfinite(tensor).all())


def test_gem_can_keep_its_power():
    assert GeM(2, trainable=False).p.stop_gradient
    assert not GeM(2).p.stop_gradient


def test_the_power_of_gem_does_not_decay():
    neck = GeM(2, p=3.0)
    optimizer = paddle.optimizer.Momentum(1.0, parameters=[neck.p], weight_decay=0.5)
    (neck.p * 0.0).sum().backward()
    optimizer.step()
    assert neck.p.item() == 3.0


def pyramid(maps, state):
    """Lin et al. 2017, section 3, pixel by pixel; then means, side by side, through a matrix."""
    laterals = [
        np.einsum("oc,bchw->bohw", state[f"lateral.{i}.weight"][:, :, 0, 0], one)
        + state[f"lateral.{i}.bias"][:, None, None]
        for i, one in enumerate(maps)
    ]
    levels = []
    above = None
    for i in reversed(range(len(maps))):
        merged = laterals[i].copy()
        if above is not None:
            height, width = merged.shape[2:]
            for row, column in np.ndindex(height, width):
                # The nearest coarse pixel is the one whose area holds this one's corner.
                source = row * above.shape[2] // height, column * above.shape[3] // width
                merged[:, :, row, column] += above[:, :, source[0], source[1]]
        above = merged
        padded = np.pad(merged, ((0, 0), (0, 0), (1, 1), (1, 1)))
        smooth = np.zeros_like(merged)
        for row, column in np.ndindex(*merged.shape[2:]):
            window = padded[:, :, row : row + 3, column : column + 3]
            smooth[:, :, row, column] = np.einsum(
                "bchw,ochw->bo", window, state[f"smooth.{i}.weight"]
            )
        smooth += state[f"smooth.{i}.bias"][:, None, None]
        levels.insert(0, smooth.mean((2, 3)))
    return np.concatenate(levels, 1) @ state["fc.weight"] + state["fc.bias"]


@pytest.mark.parametrize("sizes", [[8, 4, 2], [7, 4, 1], [4, 4, 2], [5, 3, 2]])
def test_fpn_is_the_pyramid_of_the_paper(sizes):
    paddle.seed(0)
    rng = np.random.default_rng(0)
    neck = FPN([3, 4, 5], out_channels=6, embedding_size=7).to(dtype="float64")
    for parameter in neck.parameters():
        parameter.set_value(rng.normal(size=parameter.shape))
    maps = [
        rng.normal(size=(2, channels, side, side + 1))
        for channels, side in zip([3, 4, 5], sizes, strict=True)
    ]
    state = {name: value.numpy() for name, value in neck.state_dict().items()}
    embedding = neck([paddle.to_tensor(one) for one in maps]).numpy()
    np.testing.assert_allclose(embedding, pyramid(maps, state), rtol=1e-9)


def test_fc_starts_as_xavier_normal_without_offset():
    paddle.seed(3)
    neck = FC(in_features=300, embedding_size=100)
    deviation = math.sqrt(2 / (300 + 100))  # Glorot and Bengio 2010, equation 16
    assert float(neck.fc.weight.std()) == pytest.approx(deviation, rel=0.02)
    assert not neck.fc.bias.numpy().any()


def test_bn_neck_normalises_by_the_batch_and_then_by_running_averages():
    neck = BNNeck(in_features=3)
    x = np.random.default_rng(0).normal(5, 2, (8, 3)).astype(np.float32)
    mean, variance = x.mean(0), x.var(0)
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(neck(paddle.to_tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    # Momentum 0.9: a tenth of the batch's statistics after one step.
    neck.eval()
    expected = (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * variance + 1e-5)
    np.testing.assert_allclose(neck(paddle.to_tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("freeze", [True, False])
def test_bn_neck_trains_its_bias_only_where_asked(freeze):
    neck = BNNeck(in_features=4, freeze_bias=freeze)
    optimizer = paddle.optimizer.SGD(0.5, parameters=neck.parameters())
    (neck(paddle.randn([5, 4])) * paddle.randn([5, 4])).sum().backward()
    optimizer.step()
    assert bool(neck.feat_bn.bias.any()) is not freeze
    assert not bool((neck.feat_bn.weight == 1.0).any())


def test_bn_neck_with_a_frozen_bias_trains_its_weight_all_the_same():
    # Paddle gives the weight of a batch norm no gradient when its bias needs none.
    frozen, free = BNNeck(in_features=4), BNNeck(in_features=4, freeze_bias=False)
    features, direction = paddle.randn([5, 4]), paddle.randn([5, 4])
    for neck in (frozen, free):
        (neck(features) * direction).sum().backward()
    np.testing.assert_array_equal(
        frozen.feat_bn.weight.grad.numpy(), free.feat_bn.weight.grad.numpy()
    )
    for name, value in free.state_dict().items():
        np.testing.assert_array_equal(frozen.state_dict()[name].numpy(), value.numpy())
