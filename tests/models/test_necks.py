import math

import numpy as np
import paddle
import pytest

from toolkit.models.necks import FC, BNNeck
from toolkit.registry import NECKS


@pytest.mark.parametrize("name", NECKS.names())
def test_every_neck_maps_features_to_embeddings(name):
    neck = NECKS.build(name, in_features=24)
    features = paddle.randn([6, 24])
    embedding = neck(features)
    assert embedding.shape == [6, neck.out_features]
    (embedding * paddle.randn(embedding.shape)).sum().backward()
    for name_of, parameter in neck.named_parameters():
        if not parameter.stop_gradient:
            assert parameter.grad is not None, name_of
            assert bool(paddle.isfinite(parameter.grad).all())

    other = NECKS.build(name, in_features=24)
    assert other.set_state_dict(neck.state_dict()) == ([], [])
    neck.eval()
    other.eval()
    np.testing.assert_array_equal(neck(features).numpy(), other(features).numpy())


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
