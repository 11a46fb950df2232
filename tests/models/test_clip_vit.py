import numpy as np
import paddle
import pytest

from toolkit.registry import BACKBONES


def tiny(conformance, **options):
    backbone = BACKBONES.build("TinyCLIPViT", **options)
    conformance.fill(backbone)
    backbone.eval()
    return backbone


def tokens_of(backbone, images):
    """The last block's tokens, class token first, behind the layer norm."""
    seen = []
    hook = backbone.blocks[-1].register_forward_post_hook(lambda *call: seen.append(call[2]))
    backbone(images)
    hook.remove()
    return backbone.norm(seen[0]).numpy()


@pytest.mark.parametrize(
    ("line", "side", "all_tokens", "options"),
    [
        ("TinyCLIPViT", 64, False, {}),
        # 72 is no multiple of a patch, and the grid of 5 x 5 is not that of the positions.
        ("TinyCLIPViT 72 pixels", 72, False, {}),
        ("TinyCLIPViT large form", 64, True, {}),
        (
            "TinyCLIPViT class token logits",
            64,
            False,
            {"pooling": "class_token", "class_num": 10},
        ),
    ],
)
def test_equals_paddleclas_on_the_same_weights(distance_to_golden, line, side, all_tokens, options):
    backbone = BACKBONES.build("TinyCLIPViT", **options)
    backbone.class_token_in_mean = all_tokens
    assert distance_to_golden(backbone, line, side=side) <= 1e-5


def test_the_class_token_is_projected_alone(conformance):
    backbone = tiny(conformance, pooling="class_token")
    images = paddle.to_tensor(conformance.seeded_images())
    expected = tokens_of(backbone, images)[:, 0] @ backbone.proj.numpy()
    np.testing.assert_allclose(backbone(images).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_network_does_not_change_when_another_is_built(conformance):
    # PaddleClas keeps the form of the network built last in its module, for all of them.
    backbone = tiny(conformance)
    images = paddle.to_tensor(conformance.seeded_images())
    before = backbone(images).numpy()
    other = tiny(conformance)
    other.class_token_in_mean = True
    assert not np.allclose(other(images).numpy(), before)
    np.testing.assert_array_equal(backbone(images).numpy(), before)


def test_quick_gelu_is_another_network(conformance):
    images = paddle.to_tensor(conformance.seeded_images())
    plain, quick = tiny(conformance), tiny(conformance, quick_gelu=True)
    assert type(quick.blocks[0].mlp.act).__name__ == "QuickGELU"
    assert not np.allclose(plain(images).numpy(), quick(images).numpy(), atol=1e-4)


def test_an_unused_projection_is_not_trained(conformance):
    backbone = tiny(conformance, class_num=3)
    assert backbone.proj.stop_gradient
    assert backbone.out_features == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "millions", "tokens", "all_tokens"),
    # Parameters as counted on PaddleClas's networks; the large one averages its class token too.
    [
        ("CLIP_vit_base_patch16_224", 86.2, 197, False),
        ("CLIP_vit_large_patch14_224", 303.7, 257, True),
    ],
)
def test_the_full_sizes_are_paddleclas_s(name, millions, tokens, all_tokens):
    backbone = BACKBONES.build(name)
    assert round(sum(p.size for p in backbone.parameters()) / 1e6, 1) == millions
    assert backbone.pos_embed.shape[1] == tokens
    assert backbone.class_token_in_mean is all_tokens
