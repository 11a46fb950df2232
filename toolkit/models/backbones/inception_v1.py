"""Inception v1: GoogLeNet with batch norm, as tf-slim has it.

Sublayers have the names of tf-slim's scopes, so a checkpoint's ``Mixed_3b/Branch_1/Conv2d_0b_3x3``
is ``Mixed_3b.Branch_1.Conv2d_0b_3x3`` here, with its kernel under ``conv`` and its norm under
``bn``. tf-slim's norm has no gain: it is 1.

Source: Szegedy et al., Going Deeper with Convolutions, 2015, Table 1; tf-slim's ``inception_v1``
for batch norm, for 3x3 convolutions in the place of 5x5, and for padding.
"""

from toolkit.config.types import NonNegativeInt, PositiveFloat
from toolkit.models.backbones.googlenet import MODULES
from toolkit.models.backbones.inception_blocks import (
    TF_SLIM_EPSILON,
    Conv,
    Family,
    InceptionNetwork,
    MaxPool,
    Module,
    Spec,
    branches,
)


def _module(name: str, of_the_paper: str, *, last_three: str = "Conv2d_0b_3x3") -> Module:
    widths = MODULES[of_the_paper]
    rows = branches(
        (Conv("Conv2d_0a_1x1", widths.one),),
        (Conv("Conv2d_0a_1x1", widths.reduce_three), Conv("Conv2d_0b_3x3", widths.three, 3)),
        (Conv("Conv2d_0a_1x1", widths.reduce_five), Conv(last_three, widths.five, 3)),
        (
            MaxPool("MaxPool_0a_3x3", stride=1, padding="SAME"),
            Conv("Conv2d_0b_1x1", widths.pooled),
        ),
    )
    return Module(name, rows)


_LAYERS: tuple[Spec, ...] = (
    Conv("Conv2d_1a_7x7", 64, 7, stride=2),
    MaxPool("MaxPool_2a_3x3", padding="SAME"),
    Conv("Conv2d_2b_1x1", 64),
    Conv("Conv2d_2c_3x3", 192, 3),
    MaxPool("MaxPool_3a_3x3", padding="SAME"),
    _module("Mixed_3b", "3a"),
    _module("Mixed_3c", "3b"),
    MaxPool("MaxPool_4a_3x3", padding="SAME"),
    _module("Mixed_4b", "4a"),
    _module("Mixed_4c", "4b"),
    _module("Mixed_4d", "4c"),
    _module("Mixed_4e", "4d"),
    _module("Mixed_4f", "4e"),
    MaxPool("MaxPool_5a_2x2", kernel=2, padding="SAME"),
    # The scope in the checkpoints breaks the pattern here.
    _module("Mixed_5b", "5a", last_three="Conv2d_0a_3x3"),
    _module("Mixed_5c", "5b"),
)


class InceptionV1(InceptionNetwork):
    """Inception v1 at any width.

    Args:
        scale: factor on every channel count.
        class_num: classes of the classifier; 0 ends at the feature, 1024 values.
    """

    classifier = ("Logits.",)

    def __init__(self, scale: PositiveFloat = 1.0, *, class_num: NonNegativeInt = 0) -> None:
        super().__init__()
        family = Family(scale, epsilon=TF_SLIM_EPSILON)
        self._add_chain(_LAYERS, family, map_ends=("Mixed_3c", "Mixed_4f", "Mixed_5c"))
        self._ends_with_average(class_num, logits="Logits", dropout=0.2, mode="upscale_in_train")
