"""Networks of PaddleClas through the backbone `paddleclas/<network>`, beside PaddleClas alone."""

from typing import Any

from benchmarks.conformance.comparison import Comparison

GOLDEN: tuple[str, ...] = ()
# The network, its options for both sides, and the layer where both stop.
CASES: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("GhostNet_x0_5", {"class_num": 10}, None),
    ("MobileNetV3_small_x0_35", {}, "flatten"),
    ("MobileNetV3_small_x0_35", {}, "blocks[3]"),
    ("EfficientNetB0_small", {"class_num": 10}, "_pool"),
    # This one has parameters of its own, not only in its layers.
    ("ViT_small_patch16_224", {"class_num": 10}, None),
)


def compare(table: Comparison, arch: Any) -> None:
    """Builds each network twice through the registry, and compares the second."""
    from paddle.utils import unique_name

    from toolkit.registry import BACKBONES

    for name, options, stop_after in CASES:
        # Some networks give their parameters names that fit in a process once.
        with unique_name.guard():
            theirs = getattr(arch.backbone, name)(**options)
        if stop_after is not None:
            theirs.stop_after(stop_after)
        BACKBONES.build(f"paddleclas/{name}", stop_after=stop_after, **options)
        ours = BACKBONES.build(f"paddleclas/{name}", stop_after=stop_after, **options)
        label = f"paddleclas/{name}" + (f" up to {stop_after}" if stop_after else "")
        theirs.register_forward_post_hook(_averaged)
        table.backbone(label, ours, theirs, side=224)


def _averaged(network: Any, images: Any, output: Any) -> Any:
    """Averages a map, which is all that the adapter adds."""
    del network, images
    return output.mean([2, 3]) if output.ndim == 4 else output
