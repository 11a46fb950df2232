"""Margin heads: logits in training and evaluation, and the gradient of the weights."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.seeded import fill, seeded_values

GOLDEN = (
    "ArcMargin training",
    "ArcMargin gradient",
    "ArcMargin easy training",
    "ArcMargin evaluation",
)


def compare(table: Comparison, arch: Any) -> None:
    """Compares ArcMargin in both its forms."""
    import paddle

    from toolkit.models.heads import ArcMargin

    features = paddle.to_tensor(seeded_values("features", (12, 16)))
    # One feature points along a class, one away from it: both ends of the margin's formula.
    direction = paddle.to_tensor(seeded_values("weight", (16, 10))).T
    features = paddle.concat([features, direction[:1], -direction[1:2]])
    labels = paddle.to_tensor([*range(10), 0, 1, 0, 1])
    for easy in (False, True):
        ours = ArcMargin(16, 10, margin=0.2, scale=30.0, easy_margin=easy)
        theirs = arch.gears.ArcMargin(16, 10, margin=0.2, scale=30.0, easy_margin=easy)
        tensors = table.states(ours, theirs)
        fill(ours)
        fill(theirs)
        name = f"ArcMargin{' easy' if easy else ''}"
        left, right = ours(features, labels), theirs(features, labels.unsqueeze(1))
        table.line(f"{name} training", tensors, left, right)
        for logits in (left, right):
            paddle.nn.functional.cross_entropy(logits, labels).backward()
        table.line(f"{name} gradient", tensors, ours.weight.grad, theirs.weight.grad)
    ours.eval()
    theirs.eval()
    table.line("ArcMargin evaluation", tensors, ours(features), theirs(features))
