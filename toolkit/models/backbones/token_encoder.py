"""The plain vision transformer that ViT, DeiT and CLIP's image side are made of."""

import math
from dataclasses import dataclass

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import TruncatedNormal

from toolkit.models.backbones.backbone import Backbone
from toolkit.models.backbones.transformer_blocks import (
    DEVIATION,
    Attention,
    EncoderBlock,
    PatchEmbedding,
    QuickGELU,
    drop_path_rates,
)

_NUM_MAPS = 4


@dataclass(frozen=True)
class EncoderSize:
    """The measures of a plain vision transformer.

    Attributes:
        patch_size: side of a patch, in pixels.
        width: length of a token.
        depth: number of blocks.
        num_heads: attention heads a block; `width` is a multiple of it.
        mlp_ratio: how many times wider than a token the hidden layer is.
        qkv_bias: whether queries, keys and values have a bias.
        attention_scale: factor on the scores; None is one over the root of a head's width.
        epsilon: of the layer norms.
        pre_norm: normalise the tokens before the first block, as CLIP does; patches then have no
            bias of their own.
    """

    patch_size: int
    width: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    attention_scale: float | None = None
    epsilon: float = 1e-6
    pre_norm: bool = False


class TokenEncoder(Backbone):
    """A plain vision transformer without its end: class token and patches through equal blocks.

    Args:
        size: the measures.
        image_size: side of the images that the position embedding is made for, in pixels; for
            others it is resized on the way.
        drop_path_rate: how often the last block leaves out a branch while training.
        quick_gelu: use CLIP's approximation of GELU.

    Raises:
        ValueError: `image_size` is smaller than a patch.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, equations 1 to 3.
    """

    def __init__(
        self,
        size: EncoderSize,
        image_size: int,
        *,
        drop_path_rate: float = 0.0,
        quick_gelu: bool = False,
    ) -> None:
        super().__init__()
        start = TruncatedNormal(std=DEVIATION)
        side = image_size // size.patch_size
        if side == 0:
            raise ValueError(
                f"image_size is {image_size}; the position embedding needs one patch of "
                f"{size.patch_size} pixels at least."
            )
        tokens = side * side + 1
        self.pos_embed = self.create_parameter([1, tokens, size.width], default_initializer=start)
        self.cls_token = self.create_parameter([1, 1, size.width], default_initializer=start)
        self.patch_embed = PatchEmbedding(size.patch_size, size.width, bias=not size.pre_norm)
        self.ln_pre = (
            nn.LayerNorm(size.width, epsilon=size.epsilon) if size.pre_norm else nn.Identity()
        )
        self.blocks = nn.LayerList(
            [
                EncoderBlock(
                    size.width,
                    Attention(
                        size.width,
                        size.num_heads,
                        qkv_bias=size.qkv_bias,
                        scale=size.attention_scale,
                    ),
                    mlp_ratio=size.mlp_ratio,
                    epsilon=size.epsilon,
                    drop_path=rate,
                    activation=QuickGELU() if quick_gelu else None,
                )
                for rate in drop_path_rates(drop_path_rate, size.depth)
            ]
        )
        self.norm = nn.LayerNorm(size.width, epsilon=size.epsilon)
        quarters = range(1, _NUM_MAPS + 1)
        self._mapped = sorted({math.ceil(size.depth * i / _NUM_MAPS) for i in quarters})
        self.map_channels = (size.width,) * len(self._mapped)
        self.map_strides = (size.patch_size,) * len(self._mapped)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Returns the patches' tokens after each quarter of the blocks, all of one size."""
        patches = self.patch_embed(images)
        rows, columns, width = patches.shape[1:]
        outputs = self._run_blocks(patches)
        return [
            outputs[number - 1][:, 1:].reshape([-1, rows, columns, width]).transpose([0, 3, 1, 2])
            for number in self._mapped
        ]

    def _tokens(self, images: Tensor) -> Tensor:
        """Maps images to the last block's tokens [b, 1 + patches, width], not normalised."""
        return self._run_blocks(self.patch_embed(images))[-1]

    def _run_blocks(self, patches: Tensor) -> list[Tensor]:
        """Maps patches [b, rows, columns, width] to the tokens after each block."""
        rows, columns, width = patches.shape[1:]
        patches = patches.reshape([-1, rows * columns, width])
        class_token = self.cls_token.expand([patches.shape[0], -1, -1])
        x = paddle.concat([class_token.astype(patches.dtype), patches], axis=1)
        x = self.ln_pre(x + resize_positions(self.pos_embed, (rows, columns)))
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs


def resize_positions(positions: Tensor, grid: tuple[int, int]) -> Tensor:
    """Fits a position embedding to another grid of patches, bicubically.

    Args:
        positions: [1, 1 + s * s, width], the class token's first.
        grid: rows and columns of the patches.

    Returns:
        [1, 1 + rows * columns, width]; the class token's stays as it is.
    """
    side = math.isqrt(positions.shape[1] - 1)
    if grid == (side, side):
        return positions
    width = positions.shape[2]
    table = positions[:, 1:].reshape([1, side, side, width]).transpose([0, 3, 1, 2])
    table = functional.interpolate(table, size=list(grid), mode="bicubic", align_corners=False)
    resized = table.flatten(2).transpose([0, 2, 1])
    return paddle.concat([positions[:, :1], resized], axis=1)
