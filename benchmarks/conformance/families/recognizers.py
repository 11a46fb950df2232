"""Whole recognition networks, as PP-ShiTu's configurations build them."""

from typing import Any

from benchmarks.conformance.comparison import Comparison
from benchmarks.conformance.seeded import fill, seeded_images

GOLDEN: tuple[str, ...] = ()


def compare(table: Comparison, arch: Any) -> None:
    """Compares PP-ShiTu V1 and V2, and the neck and head of vehicle models, training included."""
    from toolkit.models import heads, necks
    from toolkit.models.backbones.pplcnet import PPLCNet
    from toolkit.models.backbones.pplcnet_v2 import PPLCNetV2
    from toolkit.models.recognizer import Recognizer

    margin = {"name": "ArcMargin", "embedding_size": 512, "class_num": 10, "margin": 0.2}
    theirs = arch.RecModel(
        Backbone={"name": "PPLCNet_x2_5"},
        BackboneStopLayer={"name": "flatten"},
        Neck={"name": "FC", "embedding_size": 1280, "class_num": 512},
        Head=margin | {"scale": 30},
    )
    ours = Recognizer(PPLCNet(2.5), necks.FC(1280, 512), heads.ArcMargin(512, 10, 0.2, 30.0))
    compare_recognizer(table, "PP-ShiTu V1", ours, theirs)

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
    compare_recognizer(table, "PP-ShiTu V2", ours, theirs)

    theirs = arch.RecModel(
        Backbone={"name": "PPLCNet_x0_25", "use_last_conv": False},
        BackboneStopLayer={"name": "avg_pool"},
        Neck={"name": "VehicleNeck", "in_channels": 128, "out_channels": 64},
        Head=margin | {"name": "CircleMargin", "embedding_size": 64, "margin": 0.35, "scale": 64},
    )
    ours = Recognizer(
        PPLCNet(0.25, use_last_conv=False),
        necks.VehicleNeck(128, 64),
        heads.CircleMargin(64, 10, 0.35, 64.0),
    )
    compare_recognizer(table, "VehicleNeck, CircleMargin", ours, theirs)


def compare_recognizer(
    table: Comparison,
    name: str,
    ours: Any,
    theirs: Any,
    *,
    gain: float = 1.0,
) -> None:
    """Compares embeddings and logits, in evaluation and in training."""
    import paddle

    images = paddle.to_tensor(seeded_images(batch=4))
    labels = paddle.to_tensor([0, 3, 5, 9])
    tensors = table.states(ours, theirs)
    for network in (ours, theirs):
        fill(network, gain)
        network.eval()
    left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
    for key in ("features", "logits"):
        table.line(f"{name} {key}", tensors, left[key], right[key])
    for network in (ours, theirs):
        network.train()
        for layer in network.sublayers():
            # Dropout draws at random.
            if isinstance(layer, paddle.nn.Dropout):
                layer.p = 0.0
    left, right = ours(images, labels), theirs(images, labels.unsqueeze(1))
    table.line(f"{name} training logits", tensors, left["logits"], right["logits"])
