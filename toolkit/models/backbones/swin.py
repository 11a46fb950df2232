"""Swin: a transformer that looks through windows, which move between blocks.

Parameter names and shapes are PaddleClas's, so official weights load as they are, and the numbers
are equal on images of any size.

Source: Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
section 3.
"""

from itertools import accumulate
from typing import ClassVar

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.nn.initializer import TruncatedNormal

from toolkit.config.types import Fraction, NonNegativeInt, PositiveInt, PositiveIntList
from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.transformer_blocks import (
    DEVIATION,
    Attention,
    EncoderBlock,
    PatchEmbedding,
    drop_path_rates,
    linear,
)

_PATCH = 4
# Added to the scores of tokens that are no neighbours in the image.
_APART = -100.0


class WindowAttention(Attention):
    """Attention inside windows, with a learned bias for each distance between two tokens.

    Args:
        width: length of a token.
        num_heads: attention heads.
        window_size: side of a window, in tokens.

    Source: Liu et al., 2021, equation 4.
    """

    def __init__(self, width: int, num_heads: int, window_size: int) -> None:
        super().__init__(width, num_heads)
        self.window_size = window_size
        self.relative_position_bias_table = self.create_parameter(
            [(2 * window_size - 1) ** 2, num_heads],
            default_initializer=TruncatedNormal(std=DEVIATION),
        )
        # Official files hold this table of whole numbers too.
        self.register_buffer(
            "relative_position_index", paddle.to_tensor(_relative_positions(window_size))
        )

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Maps windows [b * windows, window_size ** 2, width] to the same shape.

        Args:
            x: tokens, the windows of each image one after the other.
            bias: added to the scores of an image's windows, [windows, 1, n, n].
        """
        tokens = self.window_size**2
        rows = paddle.index_select(
            self.relative_position_bias_table, self.relative_position_index.reshape([-1])
        )
        learned = rows.reshape([tokens, tokens, self.num_heads]).transpose([2, 0, 1])
        return super().forward(x, learned.unsqueeze(0) if bias is None else learned + bias)


def _relative_positions(side: int) -> NDArray[np.int64]:
    """Returns the row of the bias table for each pair of tokens in a window, [n, n]."""
    rows, columns = (axis.reshape(-1) for axis in np.indices((side, side)))
    down, across = (axis[:, None] - axis[None, :] + side - 1 for axis in (rows, columns))
    return np.asarray(down * (2 * side - 1) + across, dtype=np.int64)


class SwinBlock(EncoderBlock):
    """A transformer block whose attention stays inside windows.

    Args:
        width: length of a token.
        num_heads: attention heads.
        window_size: side of a window, in tokens.
        shift: how far the windows are moved up and left, in tokens; what leaves the map on one
            side comes in on the other and is kept apart.
        shift_single_window: shift also where one window covers the whole map.
        drop_path: how often a branch is left out while training.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        window_size: int,
        *,
        shift: int,
        shift_single_window: bool,
        drop_path: float,
    ) -> None:
        super().__init__(width, WindowAttention(width, num_heads, window_size), drop_path=drop_path)
        self.window_size, self.shift = window_size, shift
        self.shift_single_window = shift_single_window

    def _attend(self, x: Tensor) -> Tensor:
        """Maps [b, h, w, width] to the same shape."""
        height, width = x.shape[1:3]
        side = self.window_size
        shift = self.shift if self.shift_single_window or min(height, width) > side else 0
        # PaddleClas lets the tokens of this padding be looked at, and the numbers depend on it.
        x = _pad_to_multiple(x, side)
        padded_height, padded_width, channels = x.shape[1:]
        bias = None
        if shift:
            x = paddle.roll(x, [-shift, -shift], axis=[1, 2])
            bias = _kept_apart(padded_height, padded_width, side, shift).astype(x.dtype)
        across = [padded_height // side, padded_width // side]
        x = x.reshape([-1, across[0], side, across[1], side, channels])
        x = self.attn(_swap_and_merge(x).flatten(0, 1), bias)
        x = _swap_and_merge(x.reshape([-1, *across, side, side, channels]))
        if shift:
            x = paddle.roll(x, [shift, shift], axis=[1, 2])
        return x[:, :height, :width]


def _swap_and_merge(x: Tensor) -> Tensor:
    """Maps [b, i, j, k, l, c] to [b, i * k, j * l, c]: a map to its windows, and back."""
    return x.transpose([0, 1, 3, 2, 4, 5]).flatten(1, 2).flatten(2, 3)


def _kept_apart(height: int, width: int, side: int, shift: int) -> Tensor:
    """Returns 0 or a large negative number for each pair of tokens, [windows, 1, n, n].

    The rolled map has up to nine regions; tokens of two regions are no neighbours in the image.
    """
    down, across = (
        (np.arange(length) >= length - side).astype(np.int64)
        + (np.arange(length) >= length - shift)
        for length in (height, width)
    )
    squares = (3 * down[:, None] + across).reshape(height // side, side, width // side, side)
    region = paddle.to_tensor(squares.transpose(0, 2, 1, 3).reshape(-1, side**2))
    apart = region.unsqueeze(1) != region.unsqueeze(2)
    return apart.astype("float32").unsqueeze(1) * _APART


def _pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Adds zeros below and on the right of [b, h, w, c]."""
    for axis in (1, 2):
        missing = -x.shape[axis] % multiple
        if missing:
            shape = [*x.shape]
            shape[axis] = missing
            # Not functional.pad: on this layout Paddle's inference (3.3.1, CPU) fails or hangs.
            x = paddle.concat([x, paddle.zeros(shape, x.dtype)], axis)
    return x


class PatchMerging(nn.Layer):
    """Makes one token of each square of four, twice as wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, h, w, width] to [b, h / 2, w / 2, 2 * width], rounded up."""
        x = _pad_to_multiple(x, 2)
        height, width, channels = x.shape[1:]
        x = x.reshape([-1, height // 2, 2, width // 2, 2, channels])
        # The four tokens column by column, as the weights have them.
        x = x.transpose([0, 1, 3, 4, 2, 5]).flatten(3)
        result: Tensor = self.reduction(self.norm(x))
        return result


class _Stage(nn.Layer):
    """Blocks of one width, and the merging that follows them."""

    def __init__(self, blocks: list[SwinBlock], downsample: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.LayerList(blocks)
        self.downsample = downsample


class SwinTransformer(Backbone):
    """A pyramid of window attention; its feature is the mean of the last map.

    Args:
        embed_dim: length of a token in the first stage; each further stage doubles it.
        depths: blocks of each stage.
        num_heads: attention heads of each stage.
        window_size: side of a window, in tokens of 4 x 4 pixels at first. Maps that are no
            multiples of it are padded.
        drop_path_rate: how often the last block leaves out a branch while training, below 1; the
            blocks before it do so less often, the first one never.
        shift_single_window: shift windows also where one covers the whole map, as PaddleClas 2.6
            does. False leaves such maps alone, as the paper's code does.
        class_num: keep the ImageNet classifier and give its logits; 0 gives the feature.

    Raises:
        ValueError: `depths` and `num_heads` have different lengths, or a stage's width is no
            multiple of its heads.
    """

    classifier: ClassVar[tuple[str, ...]] = ("head.",)

    def __init__(
        self,
        embed_dim: PositiveInt = 96,
        # Literal lists: the configuration reads defaults from this text. Nothing writes to them.
        depths: PositiveIntList = [2, 2, 6, 2],  # noqa: B006
        num_heads: PositiveIntList = [3, 6, 12, 24],  # noqa: B006
        window_size: PositiveInt = 7,
        *,
        drop_path_rate: Fraction = 0.2,
        shift_single_window: bool = True,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        widths = _widths(embed_dim, depths, num_heads)
        self.patch_embed = PatchEmbedding(_PATCH, embed_dim, norm=True)
        rates = iter(drop_path_rates(drop_path_rate, sum(depths)))
        self.layers = nn.LayerList()
        for width, depth, heads in zip(widths, depths, num_heads, strict=True):
            blocks = [
                SwinBlock(
                    width,
                    heads,
                    window_size,
                    shift=window_size // 2 if number % 2 else 0,
                    shift_single_window=shift_single_window,
                    drop_path=next(rates),
                )
                for number in range(depth)
            ]
            self.layers.append(_Stage(blocks, PatchMerging(width) if width < widths[-1] else None))
        self.norm = nn.LayerNorm(widths[-1])
        self.head = linear(widths[-1], class_num) if class_num else nn.Identity()
        self.map_channels = tuple(widths)
        self.map_strides = tuple(accumulate([_PATCH, *[2] * (len(widths) - 1)], lambda a, b: a * b))
        self._ends_with(widths[-1], class_num)
        # Older files hold the shifted blocks' masks, which are computed here.
        self.computed_weights = tuple(
            f"layers.{stage}.blocks.{number}.attn_mask"
            for stage, depth in enumerate(depths)
            for number in range(depth)
        )

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the output of every stage's blocks, before the merging."""
        x, maps = self.patch_embed(images), []
        for stage in self.layers:
            for block in stage.blocks:
                x = block(x)
            maps.append(x.transpose([0, 3, 1, 2]))
            if stage.downsample is not None:
                x = stage.downsample(x)
        return maps

    def feature(self, last: Tensor) -> Tensor:
        """Normalises the last map's tokens and averages them."""
        tokens = self.norm(last.flatten(2).transpose([0, 2, 1]))
        result: Tensor = self.head(tokens.mean(1))
        return result


def _widths(embed_dim: int, depths: list[int], num_heads: list[int]) -> list[int]:
    """Returns the width of each stage.

    Raises:
        ValueError: see `SwinTransformer`.
    """
    if len(depths) != len(num_heads):
        raise ValueError(
            f"depths and num_heads need one number per stage each; got {len(depths)} ({depths}) "
            f"and {len(num_heads)} ({num_heads})."
        )
    widths = [embed_dim * 2**stage for stage in range(len(depths))]
    for width, heads in zip(widths, num_heads, strict=True):
        if width % heads:
            raise ValueError(f"a stage of width {width} cannot have {heads} heads of equal width.")
    return widths
