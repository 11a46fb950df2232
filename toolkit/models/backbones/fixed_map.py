"""The map of one size that the linear layers of AlexNet and VGG are made for."""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.errors import ConfigError


class FixedMap(nn.Layer):
    """Flattens square maps of one size, and refuses or averages others.

    Args:
        side: of the map, in pixels.
        any_size: average a map of another size to `side` x `side` (torchvision's way) instead of
            refusing it.
        image_side: of the images that such a map comes from, for the message.
    """

    def __init__(self, side: int, image_side: int, *, any_size: bool) -> None:
        super().__init__()
        self.side, self.image_side, self.any_size = side, image_side, any_size

    def forward(self, last: Tensor) -> Tensor:
        """Maps [b, c, h, w] to [b, c * side * side].

        Raises:
            ConfigError: the map has another size, and `any_size` is off.
        """
        if self.any_size:
            last = _averaged(last, self.side)
        height, width = last.shape[2:]
        # An exported graph may leave the size open: -1.
        if height not in {self.side, -1} or width not in {self.side, -1}:
            raise ConfigError(
                f"The last map is {height} x {width}, but the first linear layer was made for "
                f"{self.side} x {self.side}, which images of {self.image_side} x {self.image_side} "
                "pixels give. Resize the images to that, or set the backbone's any_size to true, "
                "which averages the map to fit."
            )
        return last.flatten(1)


def _averaged(last: Tensor, side: int) -> Tensor:
    """Averages a map [b, c, h, w] to `side` x `side`.

    Cells of different sizes are pooled one by one: for all at once, paddle2onnx has one kernel and
    one stride, which is something else.
    """
    height, width = last.shape[2:]
    if height % side == 0 == width % side or -1 in (height, width):
        return functional.adaptive_avg_pool2d(last, side)
    rows = [
        functional.avg_pool2d(last[:, :, top:bottom], [bottom - top, 1])
        for top, bottom in _cells(height, side)
    ]
    last = paddle.concat(rows, 2)
    columns = [
        functional.avg_pool2d(last[:, :, :, left:right], [1, right - left])
        for left, right in _cells(width, side)
    ]
    result: Tensor = paddle.concat(columns, 3)
    return result


def _cells(size: int, side: int) -> list[tuple[int, int]]:
    """Returns where each of `side` cells begins and ends in a row of `size` pixels."""
    return [(cell * size // side, -(-(cell + 1) * size // side)) for cell in range(side)]
