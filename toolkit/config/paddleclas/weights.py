"""Where PaddleClas's networks have their weights, and how long their features are."""

from toolkit.cards.catalog import CARDS

# These take the weights, and have the feature, of another network.
_MADE_FROM = {
    "PPLCNetV2_base_ShiTu": "PPLCNetV2_base",
    "PPLCNet_x2_5_Tanh": "PPLCNet_x2_5",
    "ResNet50_last_stage_stride1": "ResNet50",
    "ResNet50_adaptive_max_pool2d": "ResNet50",
}
_FOUNDATION = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/foundation_models"
_CLIP = "CLIP_vit_"


def official_weights(backbone: str, *, ssld: bool) -> str | None:
    """Returns the address that ``Backbone.pretrained: True`` means, or None.

    Args:
        backbone: its name in PaddleClas.
        ssld: the weights of the distilled network, ``Backbone.use_ssld``.
    """
    if backbone.startswith(_CLIP):
        return f"{_FOUNDATION}/{backbone}.pdparams"
    card = CARDS.get(_MADE_FROM.get(backbone, backbone))
    url = None if card is None or card.kind != "backbone" else card.pretrained_url
    return url.replace("_pretrained.", "_ssld_pretrained.") if url and ssld else url


def feature_size(backbone: str) -> int | None:
    """Returns the length of a network's feature with its usual options; None if no card has it."""
    if backbone.startswith(_CLIP):
        return 512
    card = CARDS.get(_MADE_FROM.get(backbone, backbone))
    return None if card is None or card.kind != "backbone" else card.dimension
