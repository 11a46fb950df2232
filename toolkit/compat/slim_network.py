"""Our network with the weights of a checkpoint of TensorFlow-slim."""

from typing import Any

from toolkit.cards.tensorflow_checkpoint import Checkpoint
from toolkit.cards.tensorflow_slim import SlimModel, slim_classes, slim_weights
from toolkit.errors import ConfigError, import_optional, nearest
from toolkit.registry import BACKBONES
from toolkit.runtime import prepare_paddle


def build_slim(model: SlimModel, layer: str, checkpoint: Checkpoint) -> Any:
    """Builds a network that ends in a layer, with the weights of a checkpoint.

    Args:
        model: the network.
        layer: as `slim_layer` gives it.
        checkpoint: an open checkpoint of the network.

    Returns:
        A Paddle layer in evaluation mode: [b, 3, side, side] to [b, out_features].

    Raises:
        WeightsError: the checkpoint is damaged, or of another network.
        ExtraError: PaddlePaddle is not installed.
    """
    classes = slim_classes(model, checkpoint) if layer == model.logits else 0
    prepare_paddle()
    import_optional("paddle", purpose="Running a network")
    network = BACKBONES.build(model.backbone, class_num=classes, **model.options)
    state = network.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    for name, array in slim_weights(model, checkpoint, shapes):
        state[name].set_value(array)
    network.eval()
    return network


def slim_layer(model: SlimModel, layer: str | None) -> str:
    """Returns the name of one of a network's two layers.

    Args:
        model: the network.
        layer: slim's name, perhaps with the scope in front; None means what Compute-Features takes.

    Raises:
        ConfigError: there is no such layer.
    """
    if layer is None:
        return model.layer
    known = (model.feature, model.logits)
    short = layer.removeprefix(f"{model.scope}/")
    if short not in known:
        raise ConfigError(
            f"Unknown layer {layer!r} of {model.name}.{nearest(short, known)} Known: "
            f"{', '.join(known)}."
        )
    return short
