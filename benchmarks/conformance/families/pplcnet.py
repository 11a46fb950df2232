"""PP-LCNet at all its widths, to the feature, to the logits, and with a tangent at its end."""

from importlib import import_module
from typing import Any

from benchmarks.conformance.comparison import Comparison

SCALES = ("0_25", "0_35", "0_5", "0_75", "1_0", "1_5", "2_0", "2_5")
GOLDEN = ("TinyPPLCNet", "TinyPPLCNet logits", "TinyPPLCNet tanh")


def compare(table: Comparison, arch: Any) -> None:
    """Compares every width, the tiny one with each of its ends."""
    from toolkit.models.backbones.pplcnet import PPLCNet
    from toolkit.registry import BACKBONES

    for scale in SCALES:
        name = f"PPLCNet_x{scale}"
        theirs = getattr(arch.backbone, name)()
        table.backbone(name, BACKBONES.build(name), theirs, stop_after="flatten")

    classes = {"class_num": 1000}
    ours = BACKBONES.build("PPLCNet_x1_0", **classes)
    table.backbone("PPLCNet_x1_0 logits", ours, arch.backbone.PPLCNet_x1_0(**classes))
    embedding = {"class_num": 512}
    ours = BACKBONES.build("PPLCNet_x2_5_Tanh", **embedding)
    table.backbone("PPLCNet_x2_5_Tanh", ours, arch.backbone.PPLCNet_x2_5_Tanh(**embedding))

    tiny: dict[str, Any] = {"class_expand": 64, "class_num": 7}
    theirs = arch.backbone.PPLCNet_x0_25(**tiny)
    table.backbone("TinyPPLCNet", BACKBONES.build("TinyPPLCNet"), theirs, stop_after="flatten")
    ours = BACKBONES.build("TinyPPLCNet", class_num=7)
    table.backbone("TinyPPLCNet logits", ours, arch.backbone.PPLCNet_x0_25(**tiny))
    theirs = arch.backbone.PPLCNet_x0_25(**tiny)
    _put_tanh_on(theirs)
    table.backbone("TinyPPLCNet tanh", PPLCNet(0.25, tanh=True, **tiny), theirs)


def _put_tanh_on(network: Any) -> None:
    """Does to a small network what PaddleClas does to its largest one alone."""
    variants = import_module("ppcls.arch.backbone.variant_models.pp_lcnet_variant")
    network.upgrade_sublayer("fc", lambda *call: variants.TanhSuffix(call[0]))
