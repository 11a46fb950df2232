"""Which layers of a network compute through our own operators."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paddle import Tensor, nn

from toolkit.kernels.installed import load_compiled
from toolkit.models.backbones.blocks import ConvBN
from toolkit.runtime import Device, cores_allowed

if TYPE_CHECKING:
    from toolkit.kernels.layers import Smallest
    from toolkit.kernels.workers import Workers

_LOG = logging.getLogger(__name__)


class FusedConvBN(ConvBN):
    """A ConvBN whose batch norm takes the activation along."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        result: Tensor = self.bn.followed_by(self.act, self.conv(x))
        return result


def install_kernels(network: nn.Layer, choice: str, device: Device, *, smallest: Any = None) -> int:
    """Lets a network compute through compiled operators, on a CPU and where they are installed.

    Args:
        network: changed in place; its parameters and their names stay.
        choice: ``auto``, or ``paddle`` for none of them.
        device: where it runs.
        smallest: a `toolkit.kernels.layers.Smallest`; None for where ours is faster.

    Returns:
        How many layers have one.
    """
    if choice == "paddle" or device.kind != "cpu":
        return 0
    use_kernels = load_compiled(_use_kernels, otherwise="Computing with Paddle's own operators")
    if use_kernels is None:
        return 0
    from toolkit.kernels.layers import Smallest
    from toolkit.kernels.memory import keep_freed_memory
    from toolkit.kernels.warm_up import compile_loops
    from toolkit.kernels.workers import Workers

    workers = Workers(cores_allowed())
    layers = network.sublayers(include_self=True)
    sizes = Smallest() if smallest is None else smallest
    count = sum(use_kernels(layer, workers, sizes) for layer in layers)
    if not count:
        return 0
    for layer in layers:
        if type(layer) is ConvBN and hasattr(layer.bn, "followed_by"):
            layer.__class__ = FusedConvBN
    keep_freed_memory()
    compile_loops()
    _LOG.info("%d layers compute with compiled kernels on %d threads.", count, workers.threads)
    return count


def _use_kernels() -> Callable[[nn.Layer, "Workers", "Smallest"], bool]:
    from toolkit.kernels.layers import use_kernels

    return use_kernels
