"""What all heads with a margin share: cosines of the embedding with one direction per class."""

from typing import ClassVar

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import XavierNormal

# Below this squared length a vector has no direction worth the name.
_SMALLEST_SQUARE = 1e-12


class CosineHead(nn.Layer):
    """Cosine classifier; a subclass says how training makes the true class harder.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        scale: factor on all logits in training; what a softmax of cosines can reach depends on it.
        columns: learned directions; None for one per class.

    Attributes:
        weight_name: name of the directions [in_features, columns] in the state.
    """

    weight_name: ClassVar[str] = "weight"

    def __init__(
        self, in_features: int, num_classes: int, scale: float, *, columns: int | None = None
    ) -> None:
        super().__init__()
        self.num_classes, self.scale = num_classes, scale
        directions = self.create_parameter(
            [in_features, columns or num_classes], default_initializer=XavierNormal()
        )
        self.add_parameter(self.weight_name, directions)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Maps [b, in_features] to [b, num_classes].

        Args:
            features: embeddings [b, in_features]; what counts is their direction.
            labels: true classes [b], int64.

        Returns:
            Scaled logits with the margin; plain cosines, unscaled, when not training or without
            labels.
        """
        cosine = self.cosines(features)
        if labels is None or not self.training:
            return cosine
        one_hot = functional.one_hot(labels, self.num_classes).astype(cosine.dtype)
        return self.scale * self.harder(cosine, one_hot, features)

    def cosines(self, features: Tensor) -> Tensor:
        """Returns the cosine of each embedding with each class [b, num_classes]."""
        return unit(features, axis=1) @ unit(getattr(self, self.weight_name), axis=0)

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:
        """Applies the margin.

        Args:
            cosine: [b, num_classes].
            one_hot: 1 at the true class, else 0 [b, num_classes].
            features: the embeddings as they came, for margins that depend on their length.

        Returns:
            Logits before scaling [b, num_classes].
        """
        raise NotImplementedError


def unit(vectors: Tensor, axis: int) -> Tensor:
    """Scales vectors to length 1; one of (nearly) zero length stays, with a harmless gradient."""
    square = (vectors * vectors).sum(axis, keepdim=True)
    return (
        vectors / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )
