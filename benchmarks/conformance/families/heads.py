"""Margin heads: logits in training and evaluation, and the gradient of the weights."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.seeded import fill, seeded_values

# Name in the table -> class, options.
HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "ArcMargin": ("ArcMargin", {"margin": 0.2, "scale": 30.0, "easy_margin": False}),
    "ArcMargin easy": ("ArcMargin", {"margin": 0.2, "scale": 30.0, "easy_margin": True}),
    "CosMargin": ("CosMargin", {"margin": 0.35, "scale": 64.0}),
    "CircleMargin": ("CircleMargin", {"margin": 0.35, "scale": 64.0}),
    # Half of each batch in the running statistics, so that the second step reads the first one's.
    "AdaMargin": ("AdaMargin", {"m": 0.4, "h": 0.333, "s": 64.0, "t_alpha": 0.5}),
}
GOLDEN = (
    *(f"{name} {what}" for name in HEADS for what in ("training", "gradient")),
    *(f"{name} evaluation" for name in HEADS if name != "AdaMargin"),
    "AdaMargin training again",
)


def compare(table: Comparison, arch: Any) -> None:
    """Compares every head with a margin that PaddleClas has."""
    import paddle

    from toolkit.models import heads

    features = paddle.to_tensor(seeded_values("features", (12, 16)))
    # One feature points along a class, one away from it: both ends of the margin's formula. Almost,
    # for at a cosine of 1 the root of 1 - cos^2 makes a last bit the fourth digit.
    ends = paddle.to_tensor(seeded_values("weight", (16, 10))).T[:2] + 0.05 * features[:2]
    features = paddle.concat([features, ends[:1], -ends[1:]])
    labels = paddle.to_tensor([*range(10), 0, 1, 0, 1])
    for name, (kind, options) in HEADS.items():
        ours = getattr(heads, kind)(16, 10, **options)
        theirs = getattr(arch.gears, kind.lower()).__dict__[kind](16, 10, **options)
        tensors = table.states(ours, theirs)
        fill(ours)
        fill(theirs)
        for step in ("", " again") if kind == "AdaMargin" else ("",):
            left, right = ours(features, labels), theirs(features, labels.unsqueeze(1))
            table.line(f"{name} training{step}", tensors, left, right)
        for logits in (left, right):
            paddle.nn.functional.cross_entropy(logits, labels).backward()
        gradients = ours.parameters()[0].grad, theirs.parameters()[0].grad
        table.line(f"{name} gradient", tensors, *gradients)
        if kind == "AdaMargin":  # PaddleClas's gives no logits in evaluation
            continue
        ours.eval()
        theirs.eval()
        # Given labels, for one of PaddleClas's heads fails without.
        table.line(f"{name} evaluation", tensors, ours(features), theirs(features, labels))
