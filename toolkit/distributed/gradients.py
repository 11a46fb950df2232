"""One gradient from those of all processes.

Not Paddle's DataParallel: it averages where processes with fewer pictures must count less, it wants
a network of its own name and shape, and it does not know what a loss learns beside the network.
"""

from collections.abc import Iterable, Iterator, Sequence

import paddle
from paddle import Tensor, nn

from toolkit.distributed.group import all_summed, process_count

_NUMBERS_AT_ONCE = 1 << 23
_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D)
# Paddle keeps them as parameters without a gradient.
_MOMENTS = ("_mean", "_variance")


@paddle.no_grad()
def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Sets the gradient of each parameter to the sum over the processes, the same bits in all.

    A parameter that no process has a gradient for keeps none.

    Args:
        parameters: the same ones, in the same order, in every process.
    """
    if process_count() == 1:
        return
    there = paddle.to_tensor([p.grad is not None for p in parameters], dtype="float32")
    asked = all_summed(there).numpy() > 0
    wanted = [p for p, is_asked in zip(parameters, asked, strict=True) if is_asked]
    for group in _in_pieces(wanted):
        gradients = [paddle.zeros_like(p) if p.grad is None else p.grad for p in group]
        for parameter, total in zip(group, _summed(gradients), strict=True):
            parameter.grad = total


@paddle.no_grad()
def average_moments(network: nn.Layer) -> None:
    """Sets the running moments of every batch norm to their mean over the processes.

    Each process sees other pictures, so without this they would be several networks: the one that
    is saved, and others that are evaluated. Training itself does not read them.
    """
    if process_count() == 1:
        return
    moments = [
        buffer
        for layer in network.sublayers(include_self=True)
        if isinstance(layer, _NORMS)
        for name, buffer in layer.named_parameters(include_sublayers=False)
        if name in _MOMENTS
    ]
    for group in _in_pieces(moments):
        for buffer, total in zip(group, _summed(group), strict=True):
            buffer.set_value(total / process_count())


@paddle.no_grad()
def copy_first(tensors: Iterable[Tensor]) -> None:
    """Gives every process the numbers of the first one, so that all begin alike."""
    if process_count() > 1:
        for tensor in tensors:
            paddle.distributed.broadcast(tensor, src=0)


def _in_pieces(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yields the tensors, several at once: one message for many small ones."""
    piece, numbers = list[Tensor](), 0
    for tensor in tensors:
        if piece and numbers + tensor.size > _NUMBERS_AT_ONCE:
            yield piece
            piece, numbers = [], 0
        piece.append(tensor)
        numbers += tensor.size
    if piece:
        yield piece


def _summed(tensors: Sequence[Tensor]) -> list[Tensor]:
    flat = paddle.concat([tensor.astype("float32").flatten() for tensor in tensors])
    parts = all_summed(flat).split([tensor.size for tensor in tensors])
    return [
        part.reshape(tensor.shape).astype(tensor.dtype)
        for part, tensor in zip(parts, tensors, strict=True)
    ]
