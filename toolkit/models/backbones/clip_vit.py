"""CLIP's image side: a ViT with a layer norm in front and a projection at its end.

Parameter names and shapes are those of PaddleClas (``foundation_vit.py``), so official weights
load as they are, and so are the numbers. PaddleClas keeps what tells one network from another in
variables of its module, where the network built last decides for all; here it is the network's own.

Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision,
2021, section 2.4.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import Normal

from toolkit.config.types import Fraction, NonNegativeInt, PositiveInt
from toolkit.models.backbones.token_encoder import EncoderSize, TokenEncoder
from toolkit.models.backbones.transformer_blocks import linear

_EPSILON = 1e-5


@dataclass(frozen=True)
class _Form:
    """Measures, and whether the mean over the tokens takes the class token in."""

    size: EncoderSize
    class_token_in_mean: bool


# The mean of PP-ShiTuV2's base network is over the 196 patches, that of the large one over all 257
# tokens. Nothing speaks for the difference, but the official weights were trained with it.
_FORMS = {
    "smallest": _Form(
        EncoderSize(16, width=32, depth=4, num_heads=2, epsilon=_EPSILON, pre_norm=True),
        class_token_in_mean=False,
    ),
    "base": _Form(
        EncoderSize(16, width=768, depth=12, num_heads=12, epsilon=_EPSILON, pre_norm=True),
        class_token_in_mean=False,
    ),
    "large": _Form(
        EncoderSize(14, width=1024, depth=24, num_heads=16, epsilon=_EPSILON, pre_norm=True),
        class_token_in_mean=True,
    ),
}


class CLIPViT(TokenEncoder):
    """CLIP's vision transformer.

    Args:
        form: the measures, and over which tokens a mean goes.
        image_size: side of the images that the position embedding is made for, in pixels; for
            others it is resized on the way.
        output_dim: length of the feature, behind the projection.
        pooling: ``mean_tokens`` averages the projected tokens, as PP-ShiTuV2's models do;
            ``class_token`` takes the projected class token, as CLIP does.
        drop_path_rate: how often the last block leaves out a branch while training, below 1; the
            blocks before it do so less often, the first one never.
        quick_gelu: CLIP's approximation of GELU, for OpenAI's weights; PP-ShiTuV2's models were
            trained with GELU itself.
        class_num: put a classifier in the projection's place and give its logits; 0 gives the
            feature.
    """

    classifier: ClassVar[tuple[str, ...]] = ("head.",)

    def __init__(
        self,
        form: Literal["smallest", "base", "large"],
        image_size: PositiveInt = 224,
        output_dim: PositiveInt = 512,
        *,
        pooling: Literal["mean_tokens", "class_token"] = "mean_tokens",
        drop_path_rate: Fraction = 0.0,
        quick_gelu: bool = False,
        class_num: NonNegativeInt = 0,
    ) -> None:
        size = _FORMS[form].size
        super().__init__(size, image_size, drop_path_rate=drop_path_rate, quick_gelu=quick_gelu)
        self.pooling = pooling
        self.class_token_in_mean = _FORMS[form].class_token_in_mean
        self.proj = self.create_parameter(
            [size.width, output_dim], default_initializer=Normal(0.0, size.width**-0.5)
        )
        self.head: nn.Layer | None = None
        if class_num:
            self.head = nn.Sequential(("fc_head", linear(size.width, class_num)))
            # Official files hold the projection all the same; nothing reads it, nothing trains it.
            self.proj.stop_gradient = True
        self._ends_with(output_dim, class_num)

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to [b, out_features]."""
        tokens = self.norm(self._pooled_tokens(self._tokens(images)))
        projected = tokens @ self.proj if self.head is None else self.head(tokens)
        return paddle.mean(projected, axis=1)

    def multiply_adds(self, inputs: tuple[Tensor, ...], output: Tensor) -> int:
        """Counts the projection of the tokens, for `models.cost`; layers count the rest."""
        if self.head is not None:
            return 0
        patch = self.patch_embed.patch_size
        patches = math.prod(math.ceil(side / patch) for side in inputs[0].shape[2:])
        tokens = 1 if self.pooling == "class_token" else patches + self.class_token_in_mean
        return tokens * int(self.proj.shape[0]) * int(output.size)

    def _pooled_tokens(self, tokens: Tensor) -> Tensor:
        """Returns those of the tokens [b, n, width] over which the mean goes."""
        if self.pooling == "class_token":
            return tokens[:, :1]
        return tokens if self.class_token_in_mean else tokens[:, 1:]
