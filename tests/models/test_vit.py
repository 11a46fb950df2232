import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.backbones.vit import ViT
from toolkit.registry import BACKBONES

# Million parameters with a classifier of 1000 classes. DeiT: Touvron et al., 2021, table 1; ViT
# base: Dosovitskiy et al., 2021, table 1; ViT small: counted on PaddleClas's network.
MILLIONS = {
    "ViT_tiny_patch16_224": 5,
    "ViT_small_patch16_224": 49,
    "ViT_base_patch16_224": 86,
    "DeiT_tiny_patch16_224": 5,
    "DeiT_small_patch16_224": 22,
    "DeiT_base_patch16_224": 86,
}


@pytest.mark.parametrize(
    ("line", "options"), [("TinyViT", {}), ("TinyViT logits", {"class_num": 10})]
)
def test_equals_paddleclas_on_the_same_weights(distance_to_golden, line, options):
    assert distance_to_golden(BACKBONES.build("TinyViT", **options), line) <= 1e-5


def test_positions_for_less_than_a_patch_are_refused():
    for name in ("TinyViT", "TinyCLIPViT"):
        part = BACKBONES.get(name)
        with pytest.raises(ValueError, match=r"image_size is 15; .* one patch of 16 pixels"):
            part(image_size=15)
    with pytest.raises(ConfigError, match=r"DeiT_tiny_patch16_224: image_size is 15"):
        BACKBONES.build("DeiT_tiny_patch16_224", image_size=15)


def test_a_map_is_the_patches_after_a_quarter_of_the_blocks(conformance):
    backbone = BACKBONES.build("TinyViT")
    conformance.fill(backbone)
    backbone.eval()
    seen = []
    for block in backbone.blocks:
        block.register_forward_post_hook(lambda *call: seen.append(call[2].numpy()))
    maps = backbone.maps(paddle.to_tensor(conformance.seeded_images(side=64)[:, :, :48]))
    assert [one.shape for one in maps] == [[2, 32, 3, 4]] * 4
    for one, tokens in zip(maps, seen, strict=True):
        for row in range(3):
            for column in range(4):
                expected = tokens[:, 1 + 4 * row + column]
                np.testing.assert_array_equal(one.numpy()[:, :, row, column], expected)


def test_blocks_are_left_out_more_often_with_depth():
    backbone = BACKBONES.build("TinyViT", drop_path_rate=0.3)
    assert [block.drop_path.rate for block in backbone.blocks] == pytest.approx([0, 0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="drop_path_rate"):
        ViT("smallest", drop_path_rate=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", MILLIONS)
def test_number_of_parameters_is_the_published_one(name):
    backbone = BACKBONES.build(name, class_num=1000)
    assert round(sum(p.size for p in backbone.parameters()) / 1e6) == pytest.approx(
        MILLIONS[name], abs=1
    )
