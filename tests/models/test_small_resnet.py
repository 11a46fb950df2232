import numpy as np
import paddle
import pytest

from toolkit.models.backbones.small_resnet import BasicBlock, SmallResNet


def test_map_sizes_follow_the_strides():
    backbone = SmallResNet(widths=[8, 16], stem_stride=2, stage_strides=[1, 2], blocks_per_stage=2)
    backbone.eval()
    sizes = []
    for stage in backbone.stages:
        stage.register_forward_post_hook(lambda *call: sizes.append(call[2].shape[1:]))
    backbone(paddle.randn([1, 3, 32, 32]))
    assert sizes == [[8, 16, 16], [16, 8, 8]]
    assert backbone.out_features == 16
    assert [len(stage) for stage in backbone.stages] == [2, 2]


def test_default_has_four_stages_of_one_block():
    backbone = SmallResNet()
    assert [len(stage) for stage in backbone.stages] == [1, 1, 1, 1]
    assert backbone.out_features == 256


def test_a_block_with_silent_convolutions_passes_its_input_on():
    block = BasicBlock(4, 4, stride=1)
    block.conv2.bn.weight.set_value(paddle.zeros([4]))
    block.eval()
    x = paddle.randn([1, 4, 5, 5])
    np.testing.assert_allclose(block(x).numpy(), np.maximum(x.numpy(), 0.0), rtol=1e-6)


def test_only_a_change_of_shape_needs_a_projection():
    assert not BasicBlock(4, 4, stride=1).shortcut.parameters()
    assert BasicBlock(4, 4, stride=2).shortcut.conv.weight.shape == [4, 4, 1, 1]
    assert BasicBlock(4, 8, stride=1).shortcut.conv.weight.shape == [8, 4, 1, 1]


def test_strides_and_widths_must_go_together():
    with pytest.raises(ValueError, match=r"one number per stage each; got 2 .* and 4"):
        SmallResNet(widths=[8, 16])
