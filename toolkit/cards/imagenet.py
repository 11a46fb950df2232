"""Cards of the backbones that are known for their ImageNet weights.

The accuracies are those of the papers or of the weight lists named, not of this toolkit. Weights of
other frameworks than Paddle are not linked: where there is no address, bring a file.
"""

from dataclasses import dataclass, field, replace

from toolkit.cards.card import Card, Preprocessing, Published

_HOST = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"
_PADDLECLAS = "PaddleClas documentation, ImageNet-1k weights"
_SLIM = "TF-slim's list of checkpoints (weights of TF-slim, not the file linked here)"
_PAPER = "the paper (the authors' weights)"
_TF = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_TF_299 = Preprocessing(320, 299, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_AT_299 = Preprocessing(320, 299)
_BICUBIC = Preprocessing(interpolation="bicubic")


@dataclass(frozen=True)
class _Family:
    """What the members of a family share."""

    names: tuple[str, ...]
    dimension: int
    summary: str
    paper: str
    folder: str | None = ""  # below the host; None: no Paddle weights are published
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


_LEGENDARY = "legendary_models/"
_SCALES = ("0_25", "0_35", "0_5", "0_75", "1_0", "1_5", "2_0", "2_5")
_FAMILIES = (
    _Family(
        tuple(f"PPLCNet_x{scale}" for scale in _SCALES),
        1280,
        "PP-LCNet, depthwise separable convolutions made for CPUs.",
        "Cui et al., PP-LCNet, arXiv 2109.15099",
        _LEGENDARY,
    ),
    _Family(
        ("PPLCNetV2_small", "PPLCNetV2_base", "PPLCNetV2_large"),
        1280,
        "PP-LCNet V2, parallel depthwise branches that are fused for deployment.",
        "PaddleClas, PP-LCNetV2 (2022); Ding et al., RepVGG, 2021, for the fusion",
        _LEGENDARY,
    ),
    _Family(
        ("ResNet50", "ResNet101", "ResNet152"),
        2048,
        "ResNet with bottleneck blocks, stride on the 3x3 convolution.",
        "He et al., Deep Residual Learning for Image Recognition, 2016",
        _LEGENDARY,
    ),
    _Family(
        ("ResNet50_vd", "ResNet101_vd", "ResNet152_vd"),
        2048,
        "ResNet-D: a stem of three convolutions, shortcuts that average before they shrink.",
        "He et al., Bag of Tricks for Image Classification with CNNs, 2019",
        _LEGENDARY,
    ),
    _Family(
        ("ResNet50_v2", "ResNet101_v2", "ResNet152_v2"),
        2048,
        "ResNet v2, normalisation and activation before the convolutions.",
        "He et al., Identity Mappings in Deep Residual Networks, 2016",
        None,
        _TF,
    ),
    _Family(
        ("MobileNetV2",),
        1280,
        "Inverted residuals with linear bottlenecks.",
        "Sandler et al., MobileNetV2, 2018",
    ),
    _Family(
        ("EfficientNetB0",),
        1280,
        "Mobile inverted bottlenecks with channel gates, found by search.",
        "Tan and Le, EfficientNet, 2019",
    ),
    _Family(
        ("GoogLeNet",),
        1024,
        "Inception v1 without batch norm, as Paddle has it.",
        "Szegedy et al., Going Deeper with Convolutions, 2015",
    ),
    _Family(
        ("InceptionV1",),
        1024,
        "Inception v1 with batch norm, as TF-slim has it.",
        "Szegedy et al., Going Deeper with Convolutions, 2015",
        None,
        _TF,
    ),
    _Family(
        ("InceptionV2",),
        1024,
        "Inception v2 (BN-Inception), as TF-slim has it.",
        "Ioffe and Szegedy, Batch Normalization, 2015",
        None,
        _TF,
    ),
    _Family(
        ("InceptionV3",),
        2048,
        "Inception v3.",
        "Szegedy et al., Rethinking the Inception Architecture, 2016",
        _LEGENDARY,
        _AT_299,
    ),
    _Family(
        ("InceptionV4",),
        1536,
        "Inception v4.",
        "Szegedy et al., Inception-v4, Inception-ResNet, 2017",
        "",
        _AT_299,
    ),
    _Family(
        ("InceptionResNetV2",),
        1536,
        "Inception-ResNet v2.",
        "Szegedy et al., Inception-v4, Inception-ResNet, 2017",
        None,
        _TF_299,
    ),
    _Family(
        ("AlexNet",),
        4096,
        "AlexNet; the feature is its second hidden layer (fc7).",
        "Krizhevsky et al., ImageNet Classification with Deep CNNs, 2012",
    ),
    _Family(
        ("VGG16", "VGG19"),
        4096,
        "VGG; the feature is its second hidden layer (fc7).",
        "Simonyan and Zisserman, Very Deep Convolutional Networks, 2015",
        _LEGENDARY,
    ),
    _Family(
        ("ViT_tiny_patch16_224",),
        192,
        "Vision Transformer.",
        "Dosovitskiy et al., An Image is Worth 16x16 Words, 2021",
        None,
        _BICUBIC,
    ),
    _Family(
        ("ViT_small_patch16_224", "ViT_base_patch16_224"),
        768,
        "Vision Transformer.",
        "Dosovitskiy et al., An Image is Worth 16x16 Words, 2021",
        "",
        Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    ),
    _Family(
        ("DeiT_tiny_patch16_224",),
        192,
        "Vision Transformer trained on ImageNet alone.",
        "Touvron et al., Training data-efficient image transformers, 2021",
        "",
        _BICUBIC,
    ),
    _Family(
        ("DeiT_small_patch16_224",),
        384,
        "Vision Transformer trained on ImageNet alone.",
        "Touvron et al., Training data-efficient image transformers, 2021",
        "",
        _BICUBIC,
    ),
    _Family(
        ("DeiT_base_patch16_224",),
        768,
        "Vision Transformer trained on ImageNet alone.",
        "Touvron et al., Training data-efficient image transformers, 2021",
        "",
        _BICUBIC,
    ),
    _Family(
        ("SwinTransformer_tiny_patch4_window7_224",),
        768,
        "Attention in shifted windows, maps of four sizes.",
        "Liu et al., Swin Transformer, 2021",
        _LEGENDARY,
        _BICUBIC,
    ),
)

# name -> top-1 and top-5 accuracy on ImageNet-1k in percent (None: not stated), and the source.
_ACCURACY: dict[str, tuple[float, float | None, str]] = {
    "PPLCNet_x0_25": (51.86, None, _PADDLECLAS),
    "PPLCNet_x0_35": (58.09, None, _PADDLECLAS),
    "PPLCNet_x0_5": (63.14, None, _PADDLECLAS),
    "PPLCNet_x0_75": (68.18, None, _PADDLECLAS),
    "PPLCNet_x1_0": (71.32, None, _PADDLECLAS),
    "PPLCNet_x1_5": (73.71, None, _PADDLECLAS),
    "PPLCNet_x2_0": (75.18, None, _PADDLECLAS),
    "PPLCNet_x2_5": (76.60, None, _PADDLECLAS),
    "PPLCNetV2_base": (77.04, None, _PADDLECLAS),
    "ResNet50": (75.2, 92.2, _SLIM),
    "ResNet101": (76.4, 92.9, _SLIM),
    "ResNet152": (76.8, 93.2, _SLIM),
    "ResNet50_v2": (75.6, 92.8, _SLIM),
    "ResNet101_v2": (77.0, 93.7, _SLIM),
    "ResNet152_v2": (77.8, 94.1, _SLIM),
    "InceptionV1": (69.8, 89.6, _SLIM),
    "InceptionV2": (73.9, 91.8, _SLIM),
    "InceptionV3": (78.0, 93.9, _SLIM),
    "InceptionV4": (80.2, 95.2, _SLIM),
    "InceptionResNetV2": (80.4, 95.3, _SLIM),
    "VGG16": (71.5, 89.8, _SLIM),
    "VGG19": (71.1, 89.8, _SLIM),
    "MobileNetV2": (72.0, None, _PAPER),
    "EfficientNetB0": (77.1, 93.3, _PAPER),
    "DeiT_tiny_patch16_224": (72.2, None, _PAPER),
    "DeiT_small_patch16_224": (79.8, None, _PAPER),
    "DeiT_base_patch16_224": (81.8, None, _PAPER),
    "SwinTransformer_tiny_patch4_window7_224": (81.3, None, _PAPER),
}

# Names of networks in PAI EasyVision -> ours.
_EASYVISION = {
    "resnet_v1_50": "ResNet50",
    "resnet_v1_101": "ResNet101",
    "inception_v3": "InceptionV3",
    "inception_v4": "InceptionV4",
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_b0": "EfficientNetB0",
}


def imagenet_cards() -> list[Card]:
    """Returns a card for every backbone, and for those that EasyVision has one of its name."""
    cards = {name: _card(name, family) for family in _FAMILIES for name in family.names}
    theirs = [_under_another_name(cards[ours], name) for name, ours in _EASYVISION.items()]
    return [*cards.values(), *theirs]


def unlisted_card(name: str) -> Card:
    """Returns what goes without saying of a backbone that has no card: no weights are known."""
    return _card(name, _Family((name,), 0, "", "", None))


def _under_another_name(card: Card, name: str) -> Card:
    summary = f"{card.name} under EasyVision's name, with EasyVision's endpoints."
    return replace(card, name=name, summary=summary)


def _card(name: str, family: _Family) -> Card:
    steps = family.preprocessing
    url = None if family.folder is None else f"{_HOST}/{family.folder}{name}_pretrained.pdparams"
    return Card(
        name=name,
        kind="backbone",
        summary=family.summary,
        architecture=name,
        dimension=family.dimension,
        preprocessing=(
            f"shorter side to {steps.resize_short}, the middle {steps.side} x {steps.side}, "
            f"{steps.interpolation}; mean {list(steps.mean)}, deviation {list(steps.std)}"
        ),
        licence="Apache-2.0 (PaddleClas)" if url else "that of the file you bring",
        trained_on="ImageNet-1k" if url else "",
        good_for="a start for training, or features of photographs as they are",
        not_for="retrieval as it is: its feature was trained to tell 1000 classes apart",
        paper=family.paper,
        pretrained_url=url,
        published=_published(name),
        imagenet=steps,
    )


def _published(name: str) -> tuple[Published, ...]:
    if name not in _ACCURACY:
        return ()
    first, fifth, source = _ACCURACY[name]
    numbers = [Published("ImageNet top-1, %", first, source)]
    if fifth is not None:
        numbers.append(Published("ImageNet top-5, %", fifth, source))
    return tuple(numbers)
