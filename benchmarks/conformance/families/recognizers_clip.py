"""PP-ShiTuV2 on CLIP: whole recognition networks, as PaddleClas's configurations build them."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.families.recognizers import compare_recognizer

GOLDEN: tuple[str, ...] = ()
# Scores of attention at the full gain are so large that a softmax of them picks one token.
_GAIN = 0.5


def compare(table: Comparison, arch: Any) -> None:
    """Compares embeddings, logits, and the logits of ArcFace in training, of both sizes."""
    from toolkit.models import heads, necks
    from toolkit.models.recognizer import Recognizer
    from toolkit.registry import BACKBONES

    margin = {"name": "ArcMargin", "embedding_size": 512, "class_num": 10, "margin": 0.2}
    for size, name in (
        ("base", "CLIP_vit_base_patch16_224"),
        ("large", "CLIP_vit_large_patch14_224"),
    ):
        # Theirs last, right before it runs: see clip_vit.py.
        ours = Recognizer(
            BACKBONES.build(name), necks.FC(512, 512), heads.ArcMargin(512, 10, 0.2, 30.0)
        )
        theirs = arch.RecModel(
            Backbone={"name": name, "return_embed": True, "return_mean_embed": True},
            Neck={"name": "FC", "embedding_size": 512, "class_num": 512},
            Head=margin | {"scale": 30},
        )
        label = f"PP-ShiTu V2 CLIP {size}"
        compare_recognizer(table, label, ours, theirs, gain=_GAIN)
