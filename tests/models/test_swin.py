import itertools

import numpy as np
import paddle
import pytest

from toolkit.models.backbones.swin import (
    PatchMerging,
    SwinBlock,
    SwinTransformer,
    WindowAttention,
)
from toolkit.registry import BACKBONES


@pytest.mark.parametrize(
    ("line", "side", "options"),
    [
        # Maps of 16, 8 and 4 tokens a side: all are padded to windows of 7.
        ("TinySwin", 64, {}),
        # 14, 7 and, after an odd merging, 4: windows that fit, one window, padding.
        ("TinySwin 56 pixels", 56, {}),
        ("TinySwin 72 pixels logits", 72, {"class_num": 10}),
    ],
)
def test_equals_paddleclas_on_the_same_weights(distance_to_golden, line, side, options):
    assert distance_to_golden(BACKBONES.build("TinySwin", **options), line, side=side) <= 1e-5


def window(place, side, shift):
    """The window of a place, as in Liu et al.'s figure 2: those at the border are smaller."""
    return [(coordinate - shift) // side for coordinate in place]


@pytest.mark.parametrize("shift", [0, 2])
def test_a_token_sees_its_window_alone(conformance, shift):
    size, side = 8, 4
    block = SwinBlock(6, 2, side, shift=shift, shift_single_window=True, drop_path=0.0)
    conformance.fill(block)
    block.eval()
    x = np.random.default_rng(0).standard_normal((1, size, size, 6), dtype=np.float32)
    before = block(paddle.to_tensor(x)).numpy()
    for changed in ((0, 0), (1, 5), (4, 4), (7, 2), (5, 7)):
        other = x.copy()
        other[0, changed[0], changed[1], 0] += 3.0  # the norm would take away a change of all
        moved = np.abs(block(paddle.to_tensor(other)).numpy() - before).max(axis=-1)[0]
        for place in itertools.product(range(size), range(size)):
            together = window(changed, side, shift) == window(place, side, shift)
            assert (moved[place] > 1e-6) == together, (changed, place)


def test_the_bias_depends_on_the_distance_alone():
    layer = WindowAttention(4, 2, 3)
    places = list(itertools.product(range(3), range(3)))
    index = layer.relative_position_index.numpy()
    assert index.shape == (9, 9)
    rows = {}
    for (i, first), (j, second) in itertools.product(enumerate(places), enumerate(places)):
        distance = (first[0] - second[0], first[1] - second[1])
        assert rows.setdefault(distance, index[i, j]) == index[i, j]
    assert sorted(rows.values()) == list(range(25))  # every row of the table, once a distance
    # Liu et al.'s code: rows from (-2, -2) on, across first.
    assert rows[-2, -2] == 0
    assert rows[-2, -1] == 1
    assert rows[-1, -2] == 5


def test_merging_takes_squares_column_by_column(conformance):
    layer = PatchMerging(2)
    conformance.fill(layer)
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 2), dtype=np.float32)
    given = layer(paddle.to_tensor(x)).numpy()
    padded = np.concatenate([x, np.zeros((1, 1, 4, 2), np.float32)], axis=1)
    assert given.shape == (1, 2, 2, 4)
    gain, bias = layer.norm.weight.numpy(), layer.norm.bias.numpy()
    for row, column in itertools.product(range(2), range(2)):
        order = [(0, 0), (1, 0), (0, 1), (1, 1)]
        four = np.concatenate([padded[0, 2 * row + r, 2 * column + c] for r, c in order])
        scaled = (four - four.mean()) / np.sqrt(four.var() + 1e-5) * gain + bias
        expected = scaled @ layer.reduction.weight.numpy()
        np.testing.assert_allclose(given[0, row, column], expected, rtol=1e-4, atol=1e-5)


def test_a_single_window_is_shifted_only_where_asked(conformance):
    """One window of 7 x 7: without a shift all tokens see each other, with one they do not."""
    outputs = {}
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 7, 7, 4), dtype=np.float32))
    for shifted in (True, False):
        block = SwinBlock(4, 2, 7, shift=3, shift_single_window=shifted, drop_path=0.0)
        conformance.fill(block)
        block.eval()
        plain = SwinBlock(4, 2, 7, shift=0, shift_single_window=True, drop_path=0.0)
        conformance.fill(plain)
        plain.eval()
        outputs[shifted] = np.abs(block(x).numpy() - plain(x).numpy()).max()
    assert outputs[False] == 0
    assert outputs[True] > 1e-3
    backbone = BACKBONES.build("TinySwin", shift_single_window=False)
    assert not backbone.layers[0].blocks[1].shift_single_window


def test_stages_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"one number per stage each; got 2 .* and 1"):
        SwinTransformer(depths=[2, 2], num_heads=[3])
    with pytest.raises(ValueError, match="width 96 cannot have 5 heads"):
        SwinTransformer(depths=[2], num_heads=[5])


def test_masks_in_older_files_are_not_needed():
    backbone = BACKBONES.build("TinySwin")
    assert "layers.2.blocks.1.attn_mask" in backbone.computed_weights
    assert not any(name.startswith(backbone.computed_weights) for name in backbone.state_dict())


@pytest.mark.slow
def test_the_full_size_is_the_published_one():
    backbone = BACKBONES.build("SwinTransformer_tiny_patch4_window7_224", class_num=1000)
    # Liu et al., 2021, table 1a: 29 million (28.3).
    assert round(sum(p.size for p in backbone.parameters()) / 1e6, 1) == 28.3
    assert backbone.map_channels == (96, 192, 384, 768)
    assert backbone.map_strides == (4, 8, 16, 32)
