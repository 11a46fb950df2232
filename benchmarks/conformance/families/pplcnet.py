"""PP-LCNet at all its widths."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

SCALES = ("0_25", "0_35", "0_5", "0_75", "1_0", "1_5", "2_0", "2_5")
GOLDEN = ("PPLCNet_x0_25",)


def compare(table: Comparison, arch: Any) -> None:
    """Compares every width, stopped at the feature."""
    from toolkit.registry import BACKBONES

    for scale in SCALES:
        name = f"PPLCNet_x{scale}"
        theirs = getattr(arch.backbone, name)()
        table.backbone(name, BACKBONES.build(name), theirs, stop_after="flatten")
