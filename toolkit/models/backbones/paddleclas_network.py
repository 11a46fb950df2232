"""Any network of an installed PaddleClas as a backbone: ``Backbone: {name: paddleclas/<network>}``.

For what this toolkit has itself, take that: it is checked against PaddleClas and needs nothing
installed. Parameter names are PaddleClas's, so official weights load as they are.
"""

import importlib.util
import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.utils import unique_name

from toolkit.config.types import PositiveInt
from toolkit.errors import ConfigError, import_optional, nearest
from toolkit.models.backbones.backbone import Backbone

# What PaddleClas and Paddle raise for an option or an image that a network was not made for.
_REFUSALS = (AssertionError, AttributeError, KeyError, IndexError, RuntimeError, TypeError)


class PaddleClasNetwork(Backbone):
    """A network of PaddleClas, whole or up to one of its layers.

    The length of the feature is found by a trial run on a black image.

    Args:
        network: name of the network in ``ppcls.arch.backbone``.
        stop_after: layer where the network ends, such as ``flatten`` or ``blocks[3]``: what stands
            after it in its parent, and in the parents of that, passes on what it is given, as with
            PaddleClas's ``BackboneStopLayer``. None takes the whole network, which mostly ends in
            the logits of ``class_num`` classes. A map [b, c, h, w] is averaged.
        trial_side: side of the trial run's square image, in pixels; a network made for images of
            one size needs that size.
        arguments: handed on to PaddleClas, such as ``class_num`` or ``scale``.

    Raises:
        ExtraError: PaddleClas is not installed.
        ConfigError: PaddleClas has no such network.
        ValueError: the network refuses its options or the trial image, has no layer `stop_after`,
            or gives neither [b, d] nor [b, c, h, w]; or ``pretrained`` is among `arguments`.
    """

    def __init__(
        self,
        network: str,
        *,
        stop_after: str | None = None,
        trial_side: PositiveInt = 224,
        **arguments: Any,
    ) -> None:
        super().__init__()
        built = _build(network, arguments)
        if stop_after is not None:
            _stop(built, stop_after)
        # Not a sublayer: its own sublayers and parameters become ours, under their own names.
        self._held = (built,)
        self._adopt(built)
        shape = _trial(built, trial_side)
        self.map_channels = (shape[1],) if len(shape) == 4 else ()
        self.map_strides = (round(trial_side / shape[2]),) if len(shape) == 4 else ()
        self._ends_with(shape[1], class_num=0)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the one map in which the network ends.

        Raises:
            ValueError: the network ends in a feature instead.
        """
        if not self.map_channels:
            raise ValueError(
                "This network of PaddleClas ends in a feature, not in a map. Let it stop_after a "
                "layer that gives [b, c, h, w]."
            )
        return [self._run(images)]

    def feature(self, last: Tensor) -> Tensor:
        """Averages the last map over its places."""
        return last.mean([2, 3])

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to [b, out_features]."""
        output = self._run(images)
        return self.feature(output) if self.map_channels else output

    def _run(self, images: Tensor) -> Tensor:
        (network,) = self._held
        # Our sublayers are switched between training and evaluation, and it is not one of them.
        network.training = self.training
        output: Tensor = network(images)
        return output

    def _adopt(self, network: nn.Layer) -> None:
        for name, layer in network.named_children():
            self.add_sublayer(name, layer)
        for name, parameter in network.named_parameters(include_sublayers=False):
            self.add_parameter(name, parameter)
        saved = network.state_dict(include_sublayers=False)
        for name, buffer in network.named_buffers(include_sublayers=False):
            self.register_buffer(name, buffer, persistable=name in saved)


def _build(name: str, arguments: dict[str, Any]) -> nn.Layer:
    if arguments.get("pretrained"):
        raise ValueError(
            "pretrained is not handed on to PaddleClas: give the weights as "
            "Train.pretrain_weight_path."
        )
    networks = _networks()
    if name not in networks:
        raise ConfigError(
            f"PaddleClas has no network {name!r}.{nearest(name, networks)} Known: "
            f"{', '.join(sorted(networks))}."
        )
    try:
        # Some networks give their parameters names that Paddle refuses to hear a second time.
        with unique_name.guard():
            network = networks[name](**arguments)
    except (*_REFUSALS, ValueError) as error:
        raise ValueError(f"PaddleClas cannot build it with {arguments}: {error}") from error
    # An optimizer tells parameters apart by these names.
    scope = unique_name.generate(f"paddleclas_{name}")
    for parameter in network.parameters():
        parameter.name = f"{scope}.{parameter.name}"
    return network


def _networks() -> dict[str, Callable[..., nn.Layer]]:
    """Returns the functions of PaddleClas that build a network, by name."""
    with _wheel_on_path():
        module = import_optional("ppcls.arch.backbone", purpose="A backbone paddleclas/...")
        logger: ModuleType = import_optional("ppcls.utils.logger", purpose="PaddleClas")
    # Some networks log while they are built and crash without a logger.
    logger.init_logger(log_level=logging.ERROR)
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ != module.__name__  # those build no network
    }


@contextmanager
def _wheel_on_path() -> Iterator[None]:
    """Lets ``ppcls`` be found inside the wheel; importing ``paddleclas`` would start its tools."""
    wheel = importlib.util.find_spec("paddleclas")
    folders = list(wheel.submodule_search_locations or []) if wheel else []
    sys.path[:0] = folders
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)


def _stop(network: nn.Layer, path: str) -> None:
    """Lets everything that stands after a layer pass on what it is given."""
    parent = network
    for name in re.sub(r"\[(\d+)\]", r".\1", path).split("."):
        names = [child for child, _ in parent.named_children()]
        if name not in names:
            raise ValueError(
                f"stop_after is {path!r}, and there is no {name!r}.{nearest(name, names)} Layers "
                f"there: {', '.join(names) or 'none'}."
            )
        for later in names[names.index(name) + 1 :]:
            parent.add_sublayer(later, nn.Identity())
        parent = dict(parent.named_children())[name]


def _trial(network: nn.Layer, side: int) -> tuple[int, ...]:
    """Returns the shape of the output for one image."""
    network.eval()
    try:
        with paddle.no_grad():
            output = network(paddle.zeros([1, 3, side, side]))
    except (*_REFUSALS, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"It cannot run on an image of {side} x {side}: {reason} Give the side that it was "
            "made for as trial_side, or stop_after another layer."
        ) from error
    finally:
        network.train()
    if not isinstance(output, Tensor) or output.ndim not in {2, 4}:
        shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        layers = ", ".join(name for name, _ in network.named_children())
        raise ValueError(
            f"It gives {shape}, and a feature [b, d] or a map [b, c, h, w] is needed. Let it "
            f"stop_after one of its layers: {layers}."
        )
    return tuple(output.shape)
