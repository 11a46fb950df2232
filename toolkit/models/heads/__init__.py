"""Heads: what turns an embedding into one logit per training class.

A head is needed only while training. Parameter names are PaddleClas's.
"""

from toolkit.models.heads.ada_margin import AdaMargin
from toolkit.models.heads.arc_margin import ArcMargin, SubCenterArcMargin
from toolkit.models.heads.circle_margin import CircleMargin
from toolkit.models.heads.cos_margin import CosMargin
from toolkit.models.heads.cosine import CosineHead
from toolkit.models.heads.fc import FC

__all__ = [
    "FC",
    "AdaMargin",
    "ArcMargin",
    "CircleMargin",
    "CosMargin",
    "CosineHead",
    "SubCenterArcMargin",
]
