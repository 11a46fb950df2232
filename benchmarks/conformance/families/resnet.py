"""ResNet and ResNet-vd at all depths, and the forms that the recognition recipes use."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.thin import thinned

LAYERS = ("18", "34", "50", "101", "152")
# Ours and PaddleClas's have the same names.
OPTIONS: dict[str, dict[str, Any]] = {
    "without stem_act": {"stem_act": None},
    "without max_pool": {"max_pool": False},
    "stride_list 2, 2, 2, 1, 1": {"stride_list": [2, 2, 2, 1, 1]},
}
GOLDEN = (
    "TinyResNet",
    "TinyResNet vd",
    "TinyResNet of the recipes",
    "TinyResNet vd, bare stem with stride 1",
    "TinyResNet vd, odd maps",
)
# Residuals add up in deep networks: smaller kernels keep 152 layers from growing a billionfold.
GAIN = 0.7


def compare(table: Comparison, arch: Any) -> None:
    """Compares every depth with its classifier, the options, and a thin network of each kind."""
    from toolkit.registry import BACKBONES

    for name in [f"ResNet{layers}{kind}" for layers in LAYERS for kind in ("", "_vd")]:
        theirs = getattr(arch.backbone, name)(class_num=10)
        ours = BACKBONES.build(name, class_num=10)
        table.backbone(f"{name} logits", ours, theirs, gain=GAIN)
        table.backbone(name, BACKBONES.build(name), theirs, stop_after="flatten", gain=GAIN)
    for name in ("ResNet50_last_stage_stride1", "ResNet50_adaptive_max_pool2d"):
        theirs = getattr(arch.backbone, name)()
        table.backbone(name, BACKBONES.build(name), theirs, stop_after="flatten", gain=GAIN)
    for label, options in OPTIONS.items():
        for name in ("ResNet50", "ResNet50_vd"):
            theirs = getattr(arch.backbone, name)(**options)
            ours = BACKBONES.build(name, **options)
            table.backbone(f"{name} {label}", ours, theirs, stop_after="flatten", gain=GAIN)
    _compare_tiny(table, arch.backbone.legendary_models.resnet)


def _compare_tiny(table: Comparison, resnet: Any) -> None:
    """Compares networks an eighth as wide as PaddleClas ever builds them."""
    from toolkit.registry import BACKBONES

    recipes = {"stem_act": None, "stride_list": [2, 2, 2, 2, 1]}
    first_strides = {"stem_act": None, "max_pool": False, "stride_list": [1, 1, 2, 2, 2]}
    for label, form, options, side in (
        ("TinyResNet", "plain", {}, 64),
        ("TinyResNet vd", "vd", {}, 64),
        ("TinyResNet of the recipes", "plain", recipes, 64),
        ("TinyResNet vd, bare stem with stride 1", "vd", first_strides, 64),
        ("TinyResNet vd, odd maps", "vd", {}, 72),
    ):
        theirs = thin_network(resnet, "vd" if form == "vd" else "vb", **options)
        ours = BACKBONES.build("TinyResNet", form=form, **options)
        table.backbone(label, ours, theirs, stop_after="flatten", side=side)


def thin_network(resnet: Any, version: str, **options: Any) -> Any:
    """Builds PaddleClas's ResNet with every convolution an eighth as wide."""
    config = {
        "block_type": "BottleneckBlock",
        "block_depth": [2, 1, 1, 1],
        "num_channels": [64, 256, 512, 1024],
    }
    with thinned(resnet, 8):
        return resnet.ResNet(config, [], version=version, **options)
