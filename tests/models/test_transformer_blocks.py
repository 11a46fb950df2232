"""The parts that the transformers share, against loops over heads, tokens and pixels."""

import math

import numpy as np
import paddle
import pytest

from toolkit.models.backbones.token_encoder import resize_positions
from toolkit.models.backbones.transformer_blocks import (
    Attention,
    DropPath,
    PatchEmbedding,
    QuickGELU,
    drop_path_rates,
)


def attention_in_loops(tokens, layer, bias):
    """Equation 1 of Vaswani et al., token by token; tokens [n, width], bias [heads, n, n]."""
    number, width = tokens.shape
    size = width // layer.num_heads
    qkv = tokens @ layer.qkv.weight.numpy() + layer.qkv.bias.numpy()
    mixed = np.zeros_like(tokens)
    for head in range(layer.num_heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value = (qkv[:, k * width :][:, part] for k in range(3))
        for i in range(number):
            scores = [query[i] @ key[j] * layer.scale + bias[head, i, j] for j in range(number)]
            weights = np.exp(scores - np.max(scores))
            mixed[i, part] = (weights / weights.sum()) @ value
    return mixed @ layer.proj.weight.numpy() + layer.proj.bias.numpy()


@pytest.mark.parametrize("scale", [None, 0.9])
def test_attention_is_its_equation(conformance, scale):
    layer = Attention(12, 3, scale=scale)
    conformance.fill(layer)
    assert layer.scale == pytest.approx(0.5 if scale is None else scale)  # heads of width 4
    rng = np.random.default_rng(0)
    tokens = rng.standard_normal(
        (8, 5, 12), dtype=np.float32
    )  # two images, 4 sets of 5 tokens each
    bias = rng.standard_normal((4, 3, 5, 5), dtype=np.float32)
    biased = layer(paddle.to_tensor(tokens), paddle.to_tensor(bias)).numpy()
    plain = layer(paddle.to_tensor(tokens)).numpy()
    for number, one in enumerate(tokens):
        expected = attention_in_loops(one, layer, bias[number % 4])
        np.testing.assert_allclose(biased[number], expected, rtol=1e-5, atol=1e-5)
        expected = attention_in_loops(one, layer, np.zeros((3, 5, 5)))
        np.testing.assert_allclose(plain[number], expected, rtol=1e-5, atol=1e-5)


def test_drop_path_leaves_out_whole_samples_and_keeps_the_mean():
    paddle.seed(0)
    layer, ones = DropPath(0.25), paddle.ones([4000, 2, 3])
    layer.train()
    dropped = layer(ones).numpy().reshape(4000, 6)
    assert (dropped == dropped[:, :1]).all()
    kept = dropped[:, 0] != 0
    np.testing.assert_allclose(dropped[kept], 1 / 0.75, rtol=1e-6)
    # Three standard deviations of 4000 draws.
    assert kept.mean() == pytest.approx(0.75, abs=3 * math.sqrt(0.75 * 0.25 / 4000))
    layer.eval()
    np.testing.assert_array_equal(layer(ones).numpy(), ones.numpy())


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_drop_path_rate_that_leaves_nothing_is_refused(rate):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        DropPath(rate)


def test_rates_grow_evenly_to_the_highest():
    assert drop_path_rates(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert drop_path_rates(0.3, 1) == [0.0]


def test_quick_gelu_is_its_formula():
    x = np.linspace(-4, 4, 9, dtype=np.float32)
    expected = [value / (1 + math.exp(-1.702 * value)) for value in x.tolist()]
    np.testing.assert_allclose(QuickGELU()(paddle.to_tensor(x)).numpy(), expected, rtol=1e-6)


def test_patches_are_rows_of_squares_and_the_border_is_zero(conformance):
    layer = PatchEmbedding(4, 6)
    conformance.fill(layer)
    images = np.random.default_rng(0).standard_normal((1, 3, 6, 9), dtype=np.float32)
    given = layer(paddle.to_tensor(images)).numpy()
    padded = np.zeros((3, 8, 12), np.float32)
    padded[:, :6, :9] = images[0]
    kernel, bias = layer.proj.weight.numpy(), layer.proj.bias.numpy()
    assert given.shape == (1, 2, 3, 6)
    for row in range(2):
        for column in range(3):
            patch = padded[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            expected = (kernel * patch).sum(axis=(1, 2, 3)) + bias
            np.testing.assert_allclose(given[0, row, column], expected, rtol=1e-4, atol=1e-5)


def cubic_in_loops(line, size):
    """Keys, 1981, equation 4 with a = -0.75; pixel centres; the border is repeated."""

    def kernel(x):
        x = abs(x)
        if x <= 1:
            return 1.25 * x**3 - 2.25 * x**2 + 1
        return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0

    new = []
    for i in range(size):
        centre = (i + 0.5) * len(line) / size - 0.5
        near = range(math.floor(centre) - 1, math.floor(centre) + 3)
        new.append(sum(kernel(centre - k) * line[min(max(k, 0), len(line) - 1)] for k in near))
    return np.array(new)


def test_positions_of_another_grid_are_cubic_and_the_class_token_stays():
    table = np.random.default_rng(0).standard_normal((1, 1 + 25, 3)).astype(np.float32)
    positions = paddle.to_tensor(table)
    assert resize_positions(positions, (5, 5)) is positions
    resized = resize_positions(positions, (3, 8)).numpy()
    assert resized.shape == (1, 1 + 3 * 8, 3)
    np.testing.assert_array_equal(resized[:, 0], table[:, 0])
    for channel in range(3):
        grid = table[0, 1:, channel].reshape(5, 5).astype(np.float64)
        tall = np.stack([cubic_in_loops(column, 3) for column in grid.T], axis=1)
        expected = np.stack([cubic_in_loops(row, 8) for row in tall])
        given = resized[0, 1:, channel].reshape(3, 8)
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)
