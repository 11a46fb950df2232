"""The networks that TensorFlow-slim has published checkpoints of, and their weights in our layout.

Source: the table of pre-trained models in ``research/slim/README.md`` of tensorflow/models for
sizes and preprocessing; Compute-Features for the layer that is taken by default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from toolkit.cards.slim_names import variable_names
from toolkit.cards.tensorflow_checkpoint import Checkpoint
from toolkit.errors import ModelError, WeightsError, nearest

_Array = np.ndarray[Any, Any]
_GAIN = "/gamma"


@dataclass(frozen=True)
class SlimModel:
    """What is known of one network.

    Attributes:
        name: as slim has it.
        family: key of `slim_names.SCOPES`.
        scope: in front of all its variables.
        backbone: our network.
        feature: slim's name of the layer that our network ends in without a classifier.
        logits: slim's name of the layer that it ends in with one.
        classifier: name of its weights in the checkpoint, below the scope.
        layer: `feature` or `logits`: what Compute-Features takes.
        dim: values of the feature.
        side: of the images that it was trained for, in pixels.
        preprocessing: how slim prepares them.
        legacy_side: of the images that Compute-Features gives it.
        options: of our network, so that it computes what slim's does.
    """

    name: str
    family: str
    scope: str
    backbone: str
    feature: str
    logits: str
    classifier: str
    layer: str
    dim: int
    side: int = 224
    preprocessing: Literal["inception", "vgg"] = "inception"
    legacy_side: int = 224
    options: Mapping[str, Any] = field(default_factory=dict)


def _inception(name: str, scope: str, backbone: str, **facts: Any) -> SlimModel:
    return SlimModel(
        name,
        family=name,
        scope=scope,
        backbone=backbone,
        logits="Logits",
        layer=facts["feature"],
        **facts,
    )


def _resnet(version: int, depth: int) -> SlimModel:
    name = f"resnet_v{version}_{depth}"
    of_version: dict[int, dict[str, Any]] = {
        1: {"backbone": f"ResNet{depth}", "preprocessing": "vgg", "options": {"form": "slim"}},
        2: {"backbone": f"ResNet{depth}_v2", "side": 299, "options": {"slim": True}},
    }
    return SlimModel(
        name,
        family=f"resnet_v{version}",
        scope=name,
        feature="global_pool",
        logits="logits",
        classifier="logits/weights",
        layer="global_pool",
        dim=2048,
        **of_version[version],
    )


def _hidden(name: str, family: str, backbone: str, layer: str) -> SlimModel:
    """Returns a network whose feature is a hidden layer, which slim has as a convolution."""
    return SlimModel(
        name,
        family=family,
        scope=name,
        backbone=backbone,
        feature="fc7",
        logits="fc8",
        classifier="fc8/weights",
        layer=layer,
        dim=4096,
        preprocessing="vgg",
        options={"slim": True},
    )


_MODELS = (
    _inception(
        "inception_v1",
        "InceptionV1",
        "InceptionV1",
        feature="AvgPool_0a_7x7",
        classifier="Logits/Conv2d_0c_1x1/weights",
        dim=1024,
    ),
    _inception(
        "inception_v2",
        "InceptionV2",
        "InceptionV2",
        feature="AvgPool_1a",
        classifier="Logits/Conv2d_1c_1x1/weights",
        dim=1024,
    ),
    # Compute-Features gives this one 224 pixels, where its checkpoint does not load: slim's
    # classifier on the side has another shape there.
    _inception(
        "inception_v3",
        "InceptionV3",
        "InceptionV3",
        feature="AvgPool_1a",
        classifier="Logits/Conv2d_1c_1x1/weights",
        dim=2048,
        side=299,
        legacy_side=299,
        options={"slim": True},
    ),
    _inception(
        "inception_v4",
        "InceptionV4",
        "InceptionV4",
        feature="PreLogitsFlatten",
        classifier="Logits/Logits/weights",
        dim=1536,
        side=299,
        legacy_side=299,
        options={"slim": True},
    ),
    _inception(
        "inception_resnet_v2",
        "InceptionResnetV2",
        "InceptionResNetV2",
        feature="PreLogitsFlatten",
        classifier="Logits/Logits/weights",
        dim=1536,
        side=299,
        legacy_side=299,
    ),
    *(_resnet(version, depth) for version in (1, 2) for depth in (50, 101, 152)),
    # The class logits, as Compute-Features has it; fc7 is what the field takes.
    *(_hidden(f"vgg_{depth}", "vgg", f"VGG{depth}", "fc8") for depth in (16, 19)),
    # Compute-Features names this one and has no code for it; slim has published no checkpoint.
    _hidden("alexnet_v2", "alexnet_v2", "AlexNet", "fc7"),
)
SLIM_MODELS: Mapping[str, SlimModel] = {model.name: model for model in _MODELS}


def slim_model(name: str) -> SlimModel:
    """Returns what is known of a network.

    Raises:
        ModelError: the name is not known.
    """
    if name not in SLIM_MODELS:
        raise ModelError(
            f"Unknown model {name!r}.{nearest(name, SLIM_MODELS)} Known: {', '.join(SLIM_MODELS)}."
        )
    return SLIM_MODELS[name]


def slim_classes(model: SlimModel, checkpoint: Checkpoint) -> int:
    """Returns how many classes the classifier of a checkpoint has.

    Raises:
        WeightsError: it has none.
    """
    name = f"{model.scope}/{model.classifier}"
    if name not in checkpoint.variables:
        raise WeightsError(
            f"{checkpoint.path} has no classifier ({name}), which the layer {model.logits!r} "
            f"needs. Take the layer {model.feature!r}."
        )
    return checkpoint.variables[name].shape[-1]


def slim_weights(
    model: SlimModel, checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, _Array]]:
    """Reads the weights of our network from a checkpoint, one at a time.

    Args:
        model: the network that the checkpoint is of.
        checkpoint: what slim has trained. Variables that our network has no use for (a classifier
            on the side, what an optimizer keeps) are left alone.
        shapes: name -> shape of all parameters and buffers of our network.

    Yields:
        Each name, and its float32 array of that shape.

    Raises:
        WeightsError: variables are missing or have other shapes, or the checkpoint is damaged.
    """
    wanted = variable_names(model.family, model.scope, shapes)
    absent = {name for name, variable in wanted.items() if variable not in checkpoint.variables}
    # slim's Inception networks have no gain behind any norm: it is 1.
    gains = {name for name, variable in wanted.items() if variable.endswith(_GAIN)}
    if not gains <= absent:
        gains = set()
    if missing := sorted(wanted[name] for name in absent - gains):
        raise WeightsError(_missing(model, checkpoint, missing, len(wanted)))
    for name in gains:
        yield name, np.ones(shapes[name], np.float32)
    names = {wanted[name]: name for name in shapes if name not in gains}
    for variable, array in checkpoint.arrays(list(names)):
        shape = shapes[names[variable]]
        ours = _in_our_layout(array, len(shape), depthwise=variable.endswith("depthwise_weights"))
        if ours.shape != shape:
            raise WeightsError(
                f"{checkpoint.path}: variable {variable!r} has the shape {list(array.shape)}, "
                f"which does not fit {names[variable]!r} {list(shape)} of {model.name}."
            )
        yield names[variable], np.ascontiguousarray(ours, np.float32)


def _in_our_layout(array: _Array, sides: int, *, depthwise: bool) -> _Array:
    """Turns [height, width, in, out] into what a layer of ours has with so many sides."""
    if array.ndim != 4:
        return array
    if depthwise:
        height, width, channels, times = array.shape
        return array.transpose(2, 3, 0, 1).reshape(channels * times, 1, height, width)
    if sides == 4:
        return array.transpose(3, 2, 0, 1)
    # A linear layer behind a flattened map, which slim has as a convolution of the whole map.
    return array.transpose(2, 0, 1, 3).reshape(-1, array.shape[3])


def _missing(model: SlimModel, checkpoint: Checkpoint, missing: list[str], count: int) -> str:
    scopes = sorted({name.partition("/")[0] for name in checkpoint.variables if "/" in name})
    found = nearest(missing[0], checkpoint.variables) if len(missing) < count else ""
    return (
        f"{checkpoint.path} lacks {len(missing)} of the {count} variables of {model.name}, first "
        f"{missing[0]!r}.{found} It holds variables of: {', '.join(scopes[:5]) or 'nothing'}. "
        f"Give the checkpoint of {model.name}, or the model of this checkpoint."
    )
