"""EfficientNet B0 to B7."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN = ("TinyEfficientNet", "TinyEfficientNet logits", "TinyEfficientNet, odd maps")


def compare(table: Comparison, arch: Any) -> None:
    """Compares every size, as logits and as the feature before the classifier."""
    from paddle import nn
    from paddle.utils import unique_name

    from toolkit.registry import BACKBONES

    def tiny() -> Any:
        factors = {"width_coefficient": 0.25, "depth_coefficient": 0.4}
        return arch.backbone.EfficientNetB0(override_params=factors, class_num=10)

    names = [f"EfficientNetB{number}" for number in range(8)]
    for name in [*names, "TinyEfficientNet"]:
        # PaddleClas names these parameters itself, so only one such network fits in a process.
        with unique_name.guard():
            theirs = tiny() if name not in names else getattr(arch.backbone, name)(class_num=10)
        ours = BACKBONES.build(name, class_num=10)
        table.backbone(f"{name} logits", ours, theirs)
        theirs.add_sublayer("_fc", nn.Identity())
        table.backbone(name, BACKBONES.build(name), theirs)
    # The last network once more, on images that no stride divides.
    table.backbone("TinyEfficientNet, odd maps", BACKBONES.build(name), theirs, side=75)
