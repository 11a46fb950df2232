"""How large a network is, and how much it computes for one image."""

from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """What one image costs.

    Attributes:
        parameters: numbers that training changes; running statistics are none of them.
        multiply_adds: of convolutions, linear layers, and the two products of attention (queries
            with keys, weights with values); what is cheap beside them (norms, activations,
            pooling) is not counted, as is usual.
    """

    parameters: int
    multiply_adds: int


def measure_cost(network: nn.Layer, image_size: tuple[int, int]) -> Cost:
    """Counts parameters and multiply-adds by running the network on one black image.

    A layer that multiplies by other means than a convolution or linear layer states that itself: a
    method ``multiply_adds(inputs, output) -> int``, without what its sublayers count. The layers
    of another package (``paddleclas/...``) have none, so their attention is not counted.

    Args:
        network: maps [1, 3, h, w] to anything; it is switched to evaluation mode.
        image_size: (h, w) in pixels.
    """
    total = 0

    def count(layer: nn.Layer, inputs: Any, output: Tensor) -> Any:
        nonlocal total
        total += _multiply_adds(layer, inputs, output)

    network.eval()
    layers = network.sublayers(include_self=True)
    hooks = [layer.register_forward_post_hook(count) for layer in layers]
    try:
        with paddle.no_grad():
            network(paddle.zeros([1, 3, *image_size]))
    finally:
        for hook in hooks:
            hook.remove()
    sizes = (p.size for p in network.parameters() if not p.stop_gradient)
    return Cost(int(sum(sizes)), total)


def _multiply_adds(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    if isinstance(layer, nn.Conv2D):
        # Every value of the output reads one kernel: [out, in / groups, kh, kw].
        return int(output.size) * int(layer.weight.size) // int(layer.weight.shape[0])
    if isinstance(layer, nn.Linear):
        return int(output.size) * int(layer.weight.shape[0])
    own = getattr(layer, "multiply_adds", None)
    return 0 if own is None else int(own(inputs, output))
