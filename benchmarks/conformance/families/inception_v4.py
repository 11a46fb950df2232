"""Inception v4 to the feature and to the logits."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.families.googlenet import built_again, without
from benchmarks.conformance.thin import thinned

GOLDEN = ("TinyInceptionV4", "TinyInceptionV4 98 pixels logits")
CLASSIFIER = ("_drop", "out")


def compare(table: Comparison, arch: Any) -> None:
    """Compares Inception v4, and one a sixteenth as wide on an odd and an even size of images."""
    from toolkit.registry import BACKBONES

    build = arch.backbone.InceptionV4
    ours = BACKBONES.build("InceptionV4", class_num=1000)
    table.backbone("InceptionV4 logits", ours, built_again(build), side=299)
    theirs = without(built_again(build), *CLASSIFIER)
    table.backbone("InceptionV4", BACKBONES.build("InceptionV4"), theirs, side=299)

    with thinned(arch.backbone.model_zoo.inception_v4, 16, {1536: 96}):
        whole, cut = (built_again(build, class_num=10) for _ in range(2))
    ours = BACKBONES.build("TinyInceptionV4")
    table.backbone("TinyInceptionV4", ours, without(cut, *CLASSIFIER), side=107)
    ours = BACKBONES.build("TinyInceptionV4", class_num=10)
    table.backbone("TinyInceptionV4 98 pixels logits", ours, whole, side=98)
