"""Which layers of a network train through our own operators."""

import logging
from typing import Any

from paddle import Tensor, nn

from toolkit.errors import ExtraError
from toolkit.models.backbones.blocks import ConvBN
from toolkit.runtime import Device, cores_allowed

_LOG = logging.getLogger(__name__)


class FusedConvBN(ConvBN):
    """A ConvBN whose batch norm takes the activation along."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, in_channels, h, w] to [b, out_channels, h / stride, w / stride]."""
        result: Tensor = self.bn.followed_by(self.act, self.conv(x))
        return result


def install_kernels(network: nn.Layer, choice: str, device: Device, *, smallest: Any = None) -> int:
    """Lets a network train through compiled operators, on a CPU and where they are installed.

    Args:
        network: changed in place; its parameters and their names stay.
        choice: ``auto``, or ``paddle`` for none of them.
        device: where it trains.
        smallest: a `toolkit.kernels.layers.Smallest`; None for where ours is faster.

    Returns:
        How many layers have one.
    """
    if choice == "paddle" or device.kind != "cpu":
        return 0
    try:
        from toolkit.kernels.layers import Smallest, use_kernels
        from toolkit.kernels.memory import keep_freed_memory
        from toolkit.kernels.warm_up import compile_loops
        from toolkit.kernels.workers import Workers
    except ExtraError as error:
        _LOG.info("Training with Paddle's own operators. %s", error)
        return 0
    except RuntimeError as error:
        if "cannot cache" not in str(error):  # what numba says where no folder can be written
            raise
        _LOG.warning(
            "Training with Paddle's own operators, which takes longer: numba found no folder for "
            "what it compiles. Set NUMBA_CACHE_DIR to one that can be written. (%s)",
            error,
        )
        return 0
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
    _LOG.info("%d layers train with compiled kernels on %d threads.", count, workers.threads)
    return count
