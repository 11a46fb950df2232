"""Small networks behind the backbone, which training needs and nobody keeps."""

from collections.abc import Sequence
from itertools import pairwise

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.distributed.shares import gather_rows


def perceptron(
    widths: Sequence[int], *, norm: bool, activation: type[nn.Layer] = nn.ReLU
) -> nn.Sequential:
    """Returns linear layers with an activation, and if asked batch norm, between each two.

    Args:
        widths: of the input, of each hidden layer, and of the output.
        norm: put batch norm in front of every activation.
        activation: the layer between.
    """
    layers: list[nn.Layer] = []
    for number, (width, following) in enumerate(pairwise(widths)):
        if number:
            layers += [*([nn.BatchNorm1D(width)] if norm else []), activation()]
        layers.append(nn.Linear(width, following))
    return nn.Sequential(*layers)


def unit(vectors: Tensor) -> Tensor:
    """Scales vectors [n, d] to length 1."""
    return functional.normalize(vectors, axis=1)


def spread(vectors: Tensor) -> Tensor:
    """Measures how far unit vectors [n, d], of all processes, are from being all the same.

    Returns:
        The root of the mean variance of a coordinate times d, a scalar: 0 when all are the same
        (the network has collapsed), 1 when they point everywhere evenly.
    """
    with paddle.no_grad():
        every = gather_rows(vectors.astype("float32"))
        return (every.var(0, unbiased=False).sum()).sqrt()
