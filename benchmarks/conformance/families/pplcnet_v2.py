"""PP-LCNet V2, with branches and fused."""

from importlib import import_module
from typing import Any

from benchmarks.conformance.comparison import Comparison

# Name -> options of both sides.
SIZES: dict[str, dict[str, Any]] = {
    "PPLCNetV2_small": {},
    "PPLCNetV2_base": {},
    "PPLCNetV2_large": {},
    "PPLCNetV2_base_ShiTu": {"class_expand": 512},
}
GOLDEN = (
    "PPLCNetV2_base_ShiTu",
    "PPLCNetV2_base_ShiTu fused",
    *(f"TinyPPLCNetV2{end}" for end in ("", " fused", " logits", " hardswish")),
)


def compare(table: Comparison, arch: Any) -> None:
    """Compares every size, stopped at the feature; base and the tiny one also to the logits."""
    from toolkit.registry import BACKBONES

    for name, options in SIZES.items():
        theirs = getattr(arch.backbone, name)(**options)
        ours = BACKBONES.build(name, **options)
        # The largest one's values grow so much that fusing in another order shows.
        gain = 0.85 if name == "PPLCNetV2_large" else 1.0
        table.backbone(name, ours, theirs, stop_after="flatten", gain=gain)
    ours = BACKBONES.build("PPLCNetV2_base", class_num=1000)
    table.backbone("PPLCNetV2_base logits", ours, arch.backbone.PPLCNetV2_base(class_num=1000))

    # PaddleClas's default of dropout is 0; its sizes set 0.2, as ours do.
    tiny = {"scale": 0.125, "depths": [1, 1, 2, 2], "class_expand": 64, "dropout_prob": 0.2}
    networks = import_module("ppcls.arch.backbone.legendary_models.pp_lcnet_v2")
    ends: dict[str, dict[str, Any]] = {
        "": {},
        " logits": {"class_num": 7},
        " hardswish": {"act": "hardswish"},
    }
    for end, options in ends.items():
        ours = BACKBONES.build("TinyPPLCNetV2", **options)
        stop_after = None if "class_num" in options else "flatten"
        theirs = networks.PPLCNetV2(**tiny, **options)
        table.backbone(f"TinyPPLCNetV2{end}", ours, theirs, stop_after=stop_after)
