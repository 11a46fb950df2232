"""Which endpoints a network has: its family's own names, and those that every network has.

Five families bear the names that TensorFlow's networks have in PAI EasyVision's saved models:
resnet_v1_50 and resnet_v1_101, inception_v3, inception_v4, mobilenet_v2 and efficientnet_b0. Their
classifiers know 1000 classes here and count from 0; in TensorFlow a class 0, the background, comes
before them. Where an endpoint has 1001 columns, column 0 is that class, which these weights never
choose: its logit is -1e4 and its probability 0. So ``class`` is the largest logit's column plus 1.
"""

from collections.abc import Callable, Iterator

from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.errors import ConfigError, nearest
from toolkit.models.backbones.efficientnet import EfficientNet, MBConv
from toolkit.models.backbones.inception_v3 import InceptionV3
from toolkit.models.backbones.inception_v4 import InceptionV4
from toolkit.models.backbones.mobilenet_v2 import InvertedResidual, MobileNetV2
from toolkit.models.backbones.resnet import ResNet
from toolkit.models.backbones.token_encoder import TokenEncoder
from toolkit.models.endpoints import Endpoint, Layer, Stage, Whole
from toolkit.models.recognizer import Recognizer

BACKGROUND_LOGIT = -1e4
_ONE_COLUMN_BEFORE = [0, 0, 1, 0]


def endpoints_of(network: Recognizer, name: str) -> dict[str, Endpoint]:
    """Returns the endpoints of a network by name, in the order in which an image meets them.

    Names that stand on the ImageNet classifier are among them whether the network has it or not.

    Args:
        network: with or without its neck.
        name: of the network; in a ResNet's names it stands in front.
    """
    backbone = network.backbone
    own = family_endpoints(backbone, name)
    return {one.name: one for one in (*common_endpoints(backbone), *own)}


def find_endpoint(network: Recognizer, name: str, feature_name: str) -> Endpoint:
    """Returns the endpoint of a name.

    Raises:
        ConfigError: the network has none of this name; the message has the nearest and all names.
    """
    known = endpoints_of(network, name)
    if feature_name not in known:
        raise ConfigError(
            f"{name} has no endpoint {feature_name!r}.{nearest(feature_name, known)} "
            f"Known: {', '.join(known)}."
        )
    return known[feature_name]


def family_endpoints(backbone: nn.Layer, name: str) -> list[Endpoint]:
    """Returns those that bear names of the backbone's family; none where it has no such names."""
    family = _FAMILIES.get(type(backbone))
    return [] if family is None else [*family(backbone, name)]


def common_endpoints(backbone: nn.Layer) -> Iterator[Endpoint]:
    """Yields what every network has: input, maps, a transformer's tokens, and outputs."""
    yield Endpoint("original_image", Whole.IMAGES, takes="pixels")
    yield Endpoint("original_image_shape", Whole.IMAGES, sizes, takes="size")
    yield Endpoint("preprocessed_images", Whole.IMAGES)
    if isinstance(backbone, TokenEncoder):
        for number in range(len(backbone.blocks)):
            yield Endpoint(f"block_{number + 1}", Layer(f"blocks.{number}"))
    stages = len(backbone.map_channels)
    for number in range(1, stages + 1):
        yield Endpoint(f"stage_{number}", Stage(number))
    if stages:
        yield Endpoint("last_map", Stage(stages))
    yield Endpoint("backbone", Whole.BACKBONE)
    yield Endpoint("feature", Whole.FEATURE)


def _resnet(backbone: ResNet, name: str) -> Iterator[Endpoint]:
    yield Endpoint(f"{name}/conv1", Layer("stem"))
    for number, end in enumerate(backbone.stage_ends, start=1):
        yield Endpoint(f"{name}/block{number}", Layer(f"blocks.{end}"))
    yield Endpoint("AvgPool_1a", Layer("avg_pool"))
    logits = Layer("fc")
    yield Endpoint(f"{name}/logits", logits, one_place, of_classifier=True)
    yield Endpoint(f"{name}/spatial_squeeze", logits, of_classifier=True)
    yield Endpoint("logits", logits, of_classifier=True)
    yield from _answers(logits)


_INCEPTION_V3 = {
    "Conv2d_1a_3x3": "inception_stem.conv_1a_3x3",
    "Conv2d_2a_3x3": "inception_stem.conv_2a_3x3",
    "Conv2d_2b_3x3": "inception_stem.conv_2b_3x3",
    "MaxPool_3a_3x3": "inception_stem.max_pool_3a_3x3",
    "Conv2d_3b_1x1": "inception_stem.conv_3b_1x1",
    "Conv2d_4a_3x3": "inception_stem.conv_4a_3x3",
    "MaxPool_5a_3x3": "inception_stem.max_pool_5a_3x3",
    **{
        f"Mixed_{grid}": f"inception_block_list.{number}"
        for number, grid in enumerate(
            ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
        )
    },
    # PaddleClas scales by 0.8 between this and the classifier; in TensorFlow nothing happens there.
    "AvgPool_1a": "avg_pool",
    "PreLogits": "avg_pool",
}
_INCEPTION_V4 = {
    "Conv2d_1a_3x3": "_inception_stem._conv_1",
    "Conv2d_2a_3x3": "_inception_stem._conv_2",
    "Conv2d_2b_3x3": "_inception_stem._conv_3",
    **{f"Mixed_{grid}": f"_inception_stem.mixed_{grid}" for grid in ("3a", "4a", "5a")},
    **{f"Mixed_5{grid}": f"_inceptionA_{number}" for number, grid in enumerate("bcde", start=1)},
    "Mixed_6a": "_reductionA",
    **{f"Mixed_6{grid}": f"_inceptionB_{number}" for number, grid in enumerate("bcdefgh", start=1)},
    "Mixed_7a": "_reductionB",
    **{f"Mixed_7{grid}": f"_inceptionC_{number}" for number, grid in enumerate("bcd", start=1)},
    "AvgPool_1a": "avg_pool",
    "PreLogitsFlatten": "flatten",
}


def _inception_v3(backbone: InceptionV3, name: str) -> Iterator[Endpoint]:
    del backbone, name
    yield from (Endpoint(endpoint, Layer(path)) for endpoint, path in _INCEPTION_V3.items())
    yield from _with_background(Layer("fc"))


def _inception_v4(backbone: InceptionV4, name: str) -> Iterator[Endpoint]:
    del backbone, name
    yield from (Endpoint(endpoint, Layer(path)) for endpoint, path in _INCEPTION_V4.items())
    yield from _with_background(Layer("out"))


def _mobilenet_v2(backbone: MobileNetV2, name: str) -> Iterator[Endpoint]:
    """Expansion and filter are read behind their ReLU6, the output behind the shortcut."""
    del name
    yield Endpoint("layer_1", Layer("conv1"))
    paths = _paths(backbone, InvertedResidual)
    for number, path in enumerate(paths, start=2):
        # The first block's factor is 1: TensorFlow has no expansion there.
        if number > 2:
            yield Endpoint(f"layer_{number}/expansion_output", Layer(f"{path}._expand_conv"))
        yield Endpoint(f"layer_{number}/depthwise_output", Layer(f"{path}._bottleneck_conv"))
        yield Endpoint(f"layer_{number}/output", Layer(path))
        yield Endpoint(f"layer_{number}", Layer(path))
    yield Endpoint(f"layer_{len(paths) + 2}", Layer("conv9"))
    yield Endpoint("AvgPool_1a", Layer("pool2d_avg"))
    yield from _with_background(Layer("out"))


def _efficientnet(backbone: EfficientNet, name: str) -> Iterator[Endpoint]:
    """What TensorFlow calls a block's expansion is read behind its filter and channel gates."""
    del name
    yield Endpoint("stem", Layer("_ef._conv_stem"))
    paths = _paths(backbone, MBConv)
    for number, path in enumerate(paths):
        names = [f"block_{number}"]
        if number + 1 in backbone.map_ends:
            names.append(f"reduction_{backbone.map_ends.index(number + 1) + 1}")
        for own in names:
            yield Endpoint(f"{own}/expansion_output", Layer(f"{path}._se"))
            yield Endpoint(own, Layer(path))
    yield Endpoint("features", Layer(paths[-1]))
    yield Endpoint("head_1x1", Layer("_conv"))
    yield Endpoint("pooled_features", Layer("flatten"))
    yield Endpoint("global_pool", Layer("_drop"))
    logits = Layer("_fc")
    yield Endpoint("head", logits, of_classifier=True)
    yield Endpoint("logits", logits, of_classifier=True)
    yield from _answers(logits)


def _with_background(logits: Layer) -> Iterator[Endpoint]:
    """The classifier of a network whose logits have a column for the background."""
    for name in ("Logits", "logits"):
        yield Endpoint(name, logits, background_first, of_classifier=True)
    yield Endpoint("Predictions", logits, probabilities, of_classifier=True)
    yield from _answers(logits)


def _answers(logits: Layer) -> Iterator[Endpoint]:
    yield Endpoint("probs", logits, probabilities, of_classifier=True)
    for name in ("class", "predictions"):
        yield Endpoint(name, logits, chosen_class, of_classifier=True)


def _paths(backbone: nn.Layer, kind: type[nn.Layer]) -> list[str]:
    return [path for path, layer in backbone.named_sublayers() if isinstance(layer, kind)]


def one_place(values: Tensor) -> Tensor:
    """Maps [b, c] to a map of one place, [b, 1, 1, c]."""
    return values.unsqueeze([1, 2])


def background_first(logits: Tensor) -> Tensor:
    """Maps logits [b, c] to [b, 1 + c]: column 0 is the background, -1e4."""
    return functional.pad(logits, _ONE_COLUMN_BEFORE, value=BACKGROUND_LOGIT)


def probabilities(logits: Tensor) -> Tensor:
    """Maps logits [b, c] to probabilities [b, 1 + c]: column 0 is the background, 0."""
    return functional.pad(functional.softmax(logits, axis=1), _ONE_COLUMN_BEFORE, value=0.0)


def chosen_class(logits: Tensor) -> Tensor:
    """Maps logits [b, c] to the column of the largest probability, int32 [b], from 1 to c."""
    return (logits.argmax(axis=1) + 1).astype("int32")


def sizes(values: Tensor) -> Tensor:
    """Maps sizes [b, 1, 1, 3] to int32 [b, 3]: height, width, channels."""
    return values.flatten(1).astype("int32")


_FAMILIES: dict[type[nn.Layer], Callable[..., Iterator[Endpoint]]] = {
    ResNet: _resnet,
    InceptionV3: _inception_v3,
    InceptionV4: _inception_v4,
    MobileNetV2: _mobilenet_v2,
    EfficientNet: _efficientnet,
}
