"""ViT and DeiT: patches of an image as the words of a sentence.

Parameter names and shapes are PaddleClas's, so official weights load as they are. Images may have
any size here; PaddleClas takes the trained one only.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021; Touvron et al., Training
data-efficient image transformers, 2021, table 1. DeiT without its distillation token is a ViT.
"""

from typing import ClassVar, Literal

from paddle import Tensor, nn

from toolkit.config.types import Fraction, NonNegativeInt, PositiveInt
from toolkit.models.backbones.token_encoder import EncoderSize, TokenEncoder
from toolkit.models.backbones.transformer_blocks import linear

_SIZES = {
    "smallest": EncoderSize(16, width=32, depth=4, num_heads=2),
    "tiny": EncoderSize(16, width=192, depth=12, num_heads=3),
    "small": EncoderSize(16, width=384, depth=12, num_heads=6),
    "base": EncoderSize(16, width=768, depth=12, num_heads=12),
    # What PaddleClas calls ViT_small is wide and shallow, and scales scores by the whole width.
    "shallow": EncoderSize(
        16,
        width=768,
        depth=8,
        num_heads=8,
        mlp_ratio=3.0,
        qkv_bias=False,
        attention_scale=768**-0.5,
        epsilon=1e-5,
    ),
}


class ViT(TokenEncoder):
    """A vision transformer whose feature is the class token.

    Args:
        size: the measures.
        image_size: side of the images that the position embedding is made for, in pixels; for
            others it is resized on the way.
        drop_path_rate: how often the last block leaves out a branch while training, below 1; the
            blocks before it do so less often, the first one never.
        class_num: keep the ImageNet classifier and give its logits; 0 gives the feature.
    """

    classifier: ClassVar[tuple[str, ...]] = ("head.",)

    def __init__(
        self,
        size: Literal["smallest", "tiny", "small", "base", "shallow"],
        image_size: PositiveInt = 224,
        *,
        drop_path_rate: Fraction = 0.0,
        class_num: NonNegativeInt = 0,
    ) -> None:
        super().__init__(_SIZES[size], image_size, drop_path_rate=drop_path_rate)
        width = _SIZES[size].width
        self.head = linear(width, class_num) if class_num else nn.Identity()
        self._ends_with(width, class_num)

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to [b, out_features]; no map holds the class token."""
        result: Tensor = self.head(self.norm(self._tokens(images)[:, 0]))
        return result
