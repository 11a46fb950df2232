"""PP-LCNet V2, with branches and fused."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN = ("PPLCNetV2_base_ShiTu", "PPLCNetV2_base_ShiTu fused")


def compare(table: Comparison, arch: Any) -> None:
    """Compares every size, stopped at the feature."""
    from toolkit.registry import BACKBONES

    for name, options in (("PPLCNetV2_base", {}), ("PPLCNetV2_base_ShiTu", {"class_expand": 512})):
        theirs = getattr(arch.backbone, name)(**options)
        table.backbone(name, BACKBONES.build(name, **options), theirs, stop_after="flatten")
