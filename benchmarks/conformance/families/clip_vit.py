"""CLIP's vision transformers, and small ones of both their forms.

PaddleClas's networks of this family share variables of their module: the one built last decides
how all of them run. So each is built right before it is run.
"""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN = (
    "TinyCLIPViT",
    "TinyCLIPViT 72 pixels",
    "TinyCLIPViT large form",
    "TinyCLIPViT class token logits",
)
# Scores of attention at the full gain are so large that a softmax of them picks one token.
_GAIN = 0.5
_MEAN = {"return_embed": True, "return_mean_embed": True}
_SMALL = {
    "img_size": 64,
    "patch_size": 16,
    "embed_dim": 32,
    "depth": 4,
    "num_heads": 2,
    "qkv_bias": True,
    "epsilon": 1e-5,
    "output_dim": 24,
}


def compare(table: Comparison, arch: Any) -> None:
    """Compares the mean of the projected tokens, and a classifier on the class token."""
    from toolkit.registry import BACKBONES

    for name in ("CLIP_vit_base_patch16_224", "CLIP_vit_large_patch14_224"):
        theirs = getattr(arch.backbone, name)(**_MEAN)
        table.backbone(name, BACKBONES.build(name), theirs, side=224, gain=_GAIN)

    network = arch.backbone.model_zoo.foundation_vit.VisionTransformer
    base, large = "CLIP_vit_base_patch16_224", "CLIP_vit_large_patch14_224"
    for side, suffix in ((64, ""), (72, " 72 pixels")):
        ours, theirs = BACKBONES.build("TinyCLIPViT"), network(base, **_SMALL, **_MEAN)
        table.backbone(f"TinyCLIPViT{suffix}", ours, theirs, side=side)
    ours = BACKBONES.build("TinyCLIPViT")
    ours.class_token_in_mean = True
    table.backbone("TinyCLIPViT large form", ours, network(large, **_SMALL, **_MEAN))
    # The base form's classifier reads a patch there, for want of a class token; the large one's
    # reads the class token, as ours does in both forms.
    ours = BACKBONES.build("TinyCLIPViT", pooling="class_token", class_num=10)
    theirs = network(large, **_SMALL, class_num=10)
    table.backbone("TinyCLIPViT class token logits", ours, theirs)
