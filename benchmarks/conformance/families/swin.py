"""Swin: windows that divide the map and windows that do not, odd maps, one window for all."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN = ("TinySwin", "TinySwin 56 pixels", "TinySwin 72 pixels logits")
# Scores of attention at the full gain are so large that a softmax of them picks one token.
_GAIN = 0.5


def compare(table: Comparison, arch: Any) -> None:
    """Compares the feature and the classifier's logits at several sizes of the image."""
    from toolkit.registry import BACKBONES

    name = "SwinTransformer_tiny_patch4_window7_224"
    build = getattr(arch.backbone, name)
    for side, suffix in ((224, ""), (64, " 64 pixels")):
        line = f"{name}{suffix}"
        table.backbone(line, BACKBONES.build(name), build(class_num=0), side=side, gain=_GAIN)
    ours = BACKBONES.build(name, class_num=1000)
    table.backbone(f"{name} logits", ours, build(), side=224, gain=_GAIN)

    network = arch.backbone.legendary_models.swin_transformer.SwinTransformer
    small = {"embed_dim": 16, "depths": [2, 2, 2], "num_heads": [1, 2, 4], "window_size": 7}
    for side, suffix in ((64, ""), (56, " 56 pixels")):
        ours, theirs = BACKBONES.build("TinySwin"), network(**small, class_num=0)
        table.backbone(f"TinySwin{suffix}", ours, theirs, side=side)
    ours, theirs = BACKBONES.build("TinySwin", class_num=10), network(**small, class_num=10)
    table.backbone("TinySwin 72 pixels logits", ours, theirs, side=72)
