"""VGG at all depths."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.thin import thinned

NAMES = ("VGG11", "VGG13", "VGG16", "VGG19")
GOLDEN = ("TinyVGG", "TinyVGG logits")


def compare(table: Comparison, arch: Any) -> None:
    """Compares every depth, as logits and as fc7."""
    from toolkit.registry import BACKBONES

    for name in NAMES:
        theirs = getattr(arch.backbone, name)(class_num=10)
        compare_linears(table, name, BACKBONES, theirs, layer="fc2", side=224)
    module = arch.backbone.legendary_models.vgg
    # Maps of 2x2 with an eighth of the channels, and hidden layers of 64 instead of 4096.
    with thinned(module, 8, {7 * 7 * 512: 2 * 2 * 64, 4096: 64}):
        theirs = module.VGGNet([1, 2, 2, 1, 1], [], class_num=10)
    compare_linears(table, "TinyVGG", BACKBONES, theirs, layer="fc2", side=64)


def compare_linears(
    table: Comparison, name: str, registry: Any, theirs: Any, *, layer: str, side: int
) -> None:
    """Compares the logits, and our feature with the activation of one of PaddleClas's layers."""
    import paddle

    from benchmarks.conformance.seeded import fill, seeded_images

    ours = registry.build(name, class_num=10)
    table.backbone(f"{name} logits", ours, theirs, side=side)
    ours = registry.build(name)
    tensors = table.states(ours, theirs, ours.ignored_weights)
    fill(ours)
    ours.eval()
    seen = []
    getattr(theirs, layer).register_forward_post_hook(lambda *call: seen.append(call[2]))
    images = paddle.to_tensor(seeded_images(side=side))
    with paddle.no_grad():
        theirs(images)
        table.line(name, tensors, ours(images), paddle.nn.functional.relu(seen[0]))
