"""Batch norm over the batch of all processes.

Paddle's SyncBatchNorm has no kernel for a CPU, and takes for granted that every process has as many
rows. Here the moments are put together from those of the processes, whatever their sizes.

Source: Ioffe and Szegedy, Batch Normalization, 2015, algorithm 1 and the gradients of section 3.
"""

from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from toolkit.distributed.group import all_gathered, all_summed, process_count


class SyncNorm(PyLayer):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias by the moments of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, moments: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """Normalises [b, c, ...] by the moments of all, `moments_of_all` gives them."""
        mean, variance, ctx.count = moments
        ctx.wants = [not tensor.stop_gradient for tensor in (x, weight, bias)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        inverse = (1.0 / variance.sqrt()).reshape(shape)
        scaled = (x.astype("float32") - mean.reshape(shape)) * inverse
        ctx.save_for_backward(scaled, weight, inverse)
        out = scaled * weight.reshape(shape) + bias.reshape(shape)
        return out.astype(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Returns the gradients of x, and this process's part of those of weight and bias.

        Of those that want none, None.
        """
        scaled, weight, inverse = ctx.saved_tensor()
        gradient = gradients[0].astype("float32")
        axes = [0, *range(2, scaled.ndim)]
        of_bias, of_weight = gradient.sum(axes), (gradient * scaled).sum(axes)
        total = all_summed(paddle.stack([of_bias, of_weight])) / ctx.count
        mean, tilt = (part.reshape(inverse.shape) for part in total)
        factor = weight.reshape(inverse.shape) * inverse
        of_x = (gradient - mean - scaled * tilt) * factor
        every = (of_x.astype(gradients[0].dtype), of_weight, of_bias)
        return tuple(one if wants else None for one, wants in zip(every, ctx.wants, strict=True))


@paddle.no_grad()
def moments_of_all(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns mean and biased variance [c] of [b, c, ...] over all processes, and how many values.

    They are put together in float64 from those of each process (Chan et al., Updating Formulae and
    a Pairwise Algorithm for Computing Sample Variances, 1979), so a large mean costs no accuracy,
    and in the order of the processes, so that all get the same bits.
    """
    channels, axes = x.shape[1], [0, *range(2, x.ndim)]
    exact = x.astype("float32")
    near = exact.mean(axes, keepdim=True)
    rest = exact - near
    beside = rest.mean(axes, keepdim=True)
    squares = (rest - beside).square().sum(axes)
    count = paddle.full([1], x.size // channels, dtype="float64")
    mean = near.flatten().astype("float64") + beside.flatten().astype("float64")
    own = paddle.concat([count, mean, squares.astype("float64")])
    every = all_gathered(own.unsqueeze(0))
    counts, means = every[:, :1], every[:, 1 : channels + 1]
    total = counts.sum()
    whole = (counts * means).sum(0) / total
    apart = every[:, channels + 1 :] + counts * (means - whole).square()
    variance = apart.sum(0) / total
    return whole.astype("float32"), variance.astype("float32"), total.astype("float32")


class SyncBatchNorm1D(nn.BatchNorm1D):
    """`nn.BatchNorm1D` over all processes, while it is trained."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, c] or [b, c, n] to the same shape."""
        if not self.training or process_count() == 1:
            # Not super(): a traced function has no place to look it up.
            return nn.BatchNorm1D.forward(self, x)
        return _normalised(self, x)


class SyncBatchNorm2D(nn.BatchNorm2D):
    """`nn.BatchNorm2D` over all processes, while it is trained."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, c, h, w] to the same shape."""
        if not self.training or process_count() == 1:
            return nn.BatchNorm2D.forward(self, x)
        return _normalised(self, x)


def synchronise_norms(network: nn.Layer) -> int:
    """Makes the batch norms of a network those of all processes; names and parameters stay.

    Returns:
        How many there are.
    """
    count = 0
    for layer in network.sublayers(include_self=True):
        for kind, synchronised in _KINDS.items():
            # Also a subclass that differs only in which gradients it wants: here all are there.
            if isinstance(layer, kind) and type(layer) is not synchronised:
                layer.__class__ = synchronised
                count += 1
    return count


_KINDS = {nn.BatchNorm1D: SyncBatchNorm1D, nn.BatchNorm2D: SyncBatchNorm2D}


def _normalised(layer: Any, x: Tensor) -> Tensor:
    # Paddle has no public names for what its layers were made with.
    facts = vars(layer)
    mean, variance, count = moments_of_all(x)
    keep = facts["_momentum"]
    for name, value in (("_mean", mean), ("_variance", variance)):
        running = getattr(layer, name)
        running.set_value(keep * running + (1.0 - keep) * value)
    moments = (mean, variance + facts["_epsilon"], count)
    operator: Any = SyncNorm
    result: Tensor = operator.apply(x, layer.weight, layer.bias, moments)
    return result
