"""ViT and DeiT. PaddleClas has no ViT_tiny; its class builds one of the tiny DeiT's measures."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN = ("TinyViT", "TinyViT logits")
NAMES = (
    "ViT_small_patch16_224",
    "ViT_base_patch16_224",
    "DeiT_tiny_patch16_224",
    "DeiT_small_patch16_224",
    "DeiT_base_patch16_224",
)
# Scores of attention at the full gain are so large that a softmax of them picks one token.
_GAIN = 0.5
# What all but PaddleClas's own ViT_small have in common.
_USUAL = {"qkv_bias": True, "epsilon": 1e-6}
_TINY = {"embed_dim": 192, "depth": 12, "num_heads": 3, **_USUAL}
_SMALLEST = {"img_size": 64, "embed_dim": 32, "depth": 4, "num_heads": 2, **_USUAL}


def compare(table: Comparison, arch: Any) -> None:
    """Compares the feature of every size, and the classifier's logits of some."""
    from toolkit.registry import BACKBONES

    for name in NAMES:
        theirs = getattr(arch.backbone, name)(class_num=0)
        table.backbone(name, BACKBONES.build(name), theirs, side=224, gain=_GAIN)
    name = "DeiT_tiny_patch16_224"
    theirs = getattr(arch.backbone, name)()
    ours = BACKBONES.build(name, class_num=1000)
    table.backbone(f"{name} logits", ours, theirs, side=224, gain=_GAIN)

    network = arch.backbone.model_zoo.vision_transformer.VisionTransformer
    name = "ViT_tiny_patch16_224"
    theirs = network(**_TINY, class_num=0)
    table.backbone(name, BACKBONES.build(name), theirs, side=224, gain=_GAIN)
    table.backbone("TinyViT", BACKBONES.build("TinyViT"), network(**_SMALLEST, class_num=0))
    ours = BACKBONES.build("TinyViT", class_num=10)
    table.backbone("TinyViT logits", ours, network(**_SMALLEST, class_num=10))
