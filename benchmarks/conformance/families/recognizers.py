"""Whole recognition networks, as PP-ShiTu's configurations build them."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.seeded import fill, seeded_images

GOLDEN: tuple[str, ...] = ()


def compare(table: Comparison, arch: Any) -> None:
    """Compares PP-ShiTu V1 and V2: embeddings, logits, and V1's logits in training."""
    from toolkit.models import heads, necks
    from toolkit.models.backbones.pplcnet import PPLCNet
    from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
    from toolkit.models.recognizer import Recognizer

    margin = {"name": "ArcMargin", "embedding_size": 512, "class_num": 10, "margin": 0.2}
    # Dropout draws at random, so the network that is compared in training has none.
    theirs = arch.RecModel(
        Backbone={"name": "PPLCNet_x2_5", "dropout_prob": 0.0},
        BackboneStopLayer={"name": "flatten"},
        Neck={"name": "FC", "embedding_size": 1280, "class_num": 512},
        Head=margin | {"scale": 30},
    )
    ours = Recognizer(
        PPLCNet(2.5, dropout_prob=0.0), necks.FC(1280, 512), heads.ArcMargin(512, 10, 0.2, 30.0)
    )
    compare_recognizer(table, "PP-ShiTu V1", ours, theirs, train=True)

    theirs = arch.RecModel(
        Backbone={"name": "PPLCNetV2_base_ShiTu", "class_expand": 512},
        BackboneStopLayer={"name": "flatten"},
        Neck={"name": "BNNeck", "num_features": 512},
        Head={"name": "FC", "embedding_size": 512, "class_num": 10, "bias_attr": False},
    )
    ours = Recognizer(
        PPLCNetV2(class_expand=512, retrieval=True),
        necks.BNNeck(512),
        heads.FC(512, 10, bias=False),
    )
    compare_recognizer(table, "PP-ShiTu V2", ours, theirs, train=False)


def compare_recognizer(
    table: Comparison, name: str, ours: Any, theirs: Any, *, train: bool, side: int = 64
) -> None:
    """Compares embeddings and logits, in evaluation and, if `train`, in training."""
    import paddle

    images = paddle.to_tensor(seeded_images(batch=4, side=side))
    labels = paddle.to_tensor([0, 3, 5, 9])
    tensors = table.states(ours, theirs)
    for network in (ours, theirs):
        fill(network)
        network.eval()
    left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
    for key in ("features", "logits"):
        table.line(f"{name} {key}", tensors, left[key], right[key])
    if train:
        ours.train()
        theirs.train()
        left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
        table.line(f"{name} training logits", tensors, left["logits"], right["logits"])
