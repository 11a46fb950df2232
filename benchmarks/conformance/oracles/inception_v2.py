"""Inception v2 against tf-slim's."""

from functools import partial

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.oracles._tf_slim import (
    PEER,
    build_average,
    build_logits,
    compare_network,
)

__all__ = ["GOLDEN", "PEER", "compare"]
GOLDEN = ("TinyInceptionV2", "TinyInceptionV2 75 pixels")


def compare(table: Comparison) -> None:
    """Compares logits and feature, and a network a sixteenth as wide on even and odd maps."""
    from toolkit.registry import BACKBONES

    ours = BACKBONES.build("InceptionV2", class_num=1000)
    compare_network(
        table, "InceptionV2 logits", ours, partial(build_logits, "inception_v2"), side=224
    )
    average = partial(build_average, "inception_v2")
    compare_network(table, "InceptionV2", BACKBONES.build("InceptionV2"), average, side=224)
    thin = partial(average, depth_multiplier=1 / 16, min_depth=1)
    for line, side in (("TinyInceptionV2", 64), ("TinyInceptionV2 75 pixels", 75)):
        compare_network(table, line, BACKBONES.build("TinyInceptionV2"), thin, side=side)
