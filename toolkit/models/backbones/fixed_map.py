"""The map of one size that the linear layers of AlexNet and VGG are made for."""

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
            last = functional.adaptive_avg_pool2d(last, self.side)
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
