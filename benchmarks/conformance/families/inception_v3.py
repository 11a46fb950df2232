"""Inception v3 to the feature and to the logits."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.thin import thinned

GOLDEN = ("TinyInceptionV3", "TinyInceptionV3 98 pixels")


def compare(table: Comparison, arch: Any) -> None:
    """Compares Inception v3, and one a sixteenth as wide on an odd and an even size of images."""
    from toolkit.registry import BACKBONES

    ours = BACKBONES.build("InceptionV3", class_num=1000)
    table.backbone("InceptionV3 logits", ours, arch.backbone.InceptionV3(), side=299)
    theirs = arch.backbone.InceptionV3()
    ours = BACKBONES.build("InceptionV3")
    table.backbone("InceptionV3", ours, theirs, stop_after="avg_pool", side=299)

    for line, side in (("TinyInceptionV3", 107), ("TinyInceptionV3 98 pixels", 98)):
        table.backbone(line, BACKBONES.build("TinyInceptionV3"), thin_network(arch), side=side)


def thin_network(arch: Any) -> Any:
    """Builds PaddleClas's network with every convolution a sixteenth as wide, to its average."""
    module = arch.backbone.legendary_models.inception_v3
    with thinned(module, 16):
        network = module.Inception_V3(module.NET_CONFIG, [])

    def forward(x: Any) -> Any:
        x = network.inception_stem(x)
        for block in network.inception_block_list:
            x = block(x)
        return network.avg_pool(x).flatten(1)

    # PaddleClas's own expects 2048 channels at its end, and only there.
    network.forward = forward
    return network
