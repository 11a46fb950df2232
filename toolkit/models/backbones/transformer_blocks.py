"""What the transformer backbones share, with PaddleClas's parameter names.

Linear layers start from a normal distribution cut at two deviations (0.02), their biases from 0.
"""

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import TruncatedNormal

DEVIATION = 0.02


def linear(in_features: int, out_features: int, *, bias: bool = True) -> nn.Linear:
    """Returns a linear layer with the transformers' start."""
    return nn.Linear(
        in_features,
        out_features,
        weight_attr=TruncatedNormal(std=DEVIATION),
        bias_attr=None if bias else False,
    )


class DropPath(nn.Layer):
    """Leaves out a residual branch, sample by sample, while training; what stays is scaled up.

    Args:
        rate: how often, from 0 to below 1.

    Raises:
        ValueError: the rate is out of range.

    Source: Huang et al., Deep Networks with Stochastic Depth, 2016, section 3.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"drop_path_rate is {rate}; it must be from 0 to below 1.")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, ...] to the same shape."""
        if not self.training or self.rate == 0:
            return x
        shape = [x.shape[0]] + [1] * (x.ndim - 1)
        kept = paddle.bernoulli(paddle.full(shape, 1 - self.rate, x.dtype))
        return x * kept / (1 - self.rate)


class QuickGELU(nn.Layer):
    """x * sigmoid(1.702 x): the approximation of GELU that OpenAI trained CLIP with."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps any shape to the same shape."""
        return x * functional.sigmoid(1.702 * x)


class MLP(nn.Layer):
    """Two linear layers with an activation between them."""

    def __init__(self, width: int, hidden: int, activation: nn.Layer | None = None) -> None:
        super().__init__()
        self.fc1 = linear(width, hidden)
        self.act = nn.GELU() if activation is None else activation
        self.fc2 = linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [..., width] to the same shape."""
        result: Tensor = self.fc2(self.act(self.fc1(x)))
        return result


class Attention(nn.Layer):
    """Multi-head self-attention.

    Args:
        width: length of a token.
        num_heads: heads; each looks at `width` / `num_heads` values.
        qkv_bias: whether queries, keys and values have a bias.
        scale: factor on the scores; None is one over the root of a head's width.

    Source: Vaswani et al., Attention Is All You Need, 2017, equation 1 and section 3.2.2.
    """

    def __init__(
        self, width: int, num_heads: int, *, qkv_bias: bool = True, scale: float | None = None
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (width // num_heads) ** -0.5 if scale is None else scale
        self.qkv = linear(width, 3 * width, bias=qkv_bias)
        self.proj = linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Lets the tokens of each set look at each other.

        Args:
            x: sets of tokens [b, n, width].
            bias: added to the scores [b, num_heads, n, n]: [s, num_heads, n, n] for the sets of
                which s belong together.

        Returns:
            Tokens of the same shape.
        """
        # Only the batch may have a size that is not known while the graph is traced. Four axes at
        # most: Paddle's inference (3.3.1, CPU) fails on products of more.
        number, width = x.shape[1:]
        heads = [-1, number, self.num_heads, width // self.num_heads]
        query, key, value = (
            part.reshape(heads).transpose([0, 2, 1, 3]) for part in self.qkv(x).split(3, axis=-1)
        )
        scores = (query * self.scale) @ key.transpose([0, 1, 3, 2])
        if bias is not None:
            together = scores.reshape([-1, *bias.shape]) + bias
            scores = together.flatten(0, 1)
        mixed = functional.softmax(scores, axis=-1) @ value
        result: Tensor = self.proj(mixed.transpose([0, 2, 1, 3]).flatten(2))
        return result

    def multiply_adds(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Counts queries with keys and weights with values, for `models.cost`.

        Each of both takes n x n x width products for a set of n tokens, whatever the heads.
        """
        return 2 * int(output.size) * int(inputs[0].shape[1])


class EncoderBlock(nn.Layer):
    """Attention and an MLP, each behind a layer norm and beside a shortcut.

    Args:
        width: length of a token.
        attention: the attention layer.
        mlp_ratio: how many times wider than a token the MLP's hidden layer is.
        epsilon: of the layer norms.
        drop_path: how often a branch is left out while training.
        activation: of the MLP; None is GELU.
    """

    def __init__(
        self,
        width: int,
        attention: nn.Layer,
        *,
        mlp_ratio: float = 4.0,
        epsilon: float = 1e-5,
        drop_path: float = 0.0,
        activation: nn.Layer | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, epsilon=epsilon)
        self.attn = attention
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, epsilon=epsilon)
        self.mlp = MLP(width, int(width * mlp_ratio), activation)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, ..., width] to the same shape."""
        x = x + self.drop_path(self._attend(self.norm1(x)))
        result: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return result

    def _attend(self, x: Tensor) -> Tensor:
        result: Tensor = self.attn(x)
        return result


class PatchEmbedding(nn.Layer):
    """Cuts images into patches and makes each a token.

    An image whose sides are no multiples of the patch gets zeros on the right and at the bottom.

    Args:
        patch_size: side of a patch, in pixels.
        width: length of a token.
        bias: whether tokens have a bias.
        norm: normalise the tokens.
    """

    def __init__(
        self, patch_size: int, width: int, *, bias: bool = True, norm: bool = False
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        bias_attr = None if bias else False
        self.proj = nn.Conv2D(3, width, patch_size, stride=patch_size, bias_attr=bias_attr)
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to tokens [b, rows, columns, width]."""
        below, right = (-side % self.patch_size for side in images.shape[2:])
        if below or right:
            images = functional.pad(images, [0, right, 0, below])
        grid = self.proj(images)
        rows, columns = grid.shape[2:]
        # In this order: Paddle's inference (3.3.1, CPU) cannot open a graph with a transposition
        # that is reshaped and then joined to a class token.
        tokens = self.norm(grid.flatten(2).transpose([0, 2, 1]))
        result: Tensor = tokens.reshape([-1, rows, columns, tokens.shape[-1]])
        return result


def drop_path_rates(highest: float, depth: int) -> list[float]:
    """Returns the rate of each block: from 0 at the first one evenly up to the highest."""
    return [float(rate) for rate in np.linspace(0, highest, depth)]
